"""What a person is taken to be doing: from states on three axes to one category."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from streams.configuration import Configuration
    from streams.tracking.scopes import Targets

__all__ = ["GONE", "PersonFact", "Stand", "Standing", "Stands", "StateMap"]

#: In place of an axis: the source has not listed the person, so nothing is known of any axis.
GONE = "gone"
#: (occurred_ms, sequence, event_id, axis or "", category of the axis or "", team, site)
PersonFact = tuple[int, int, str, str, str, str | None, str | None]

_DEFAULT_STATES: dict[str, dict[str, str]] = {
    "presence": {
        **dict.fromkeys(("available", "online", "ready", "on_queue"), "ready"),
        **dict.fromkeys(("offline", "logged_out", "signed_out"), "offline"),
    },
    "routing": {
        **dict.fromkeys(("idle", "ready"), "idle"),
        **dict.fromkeys(("interacting", "communicating"), "handling"),
    },
    "activity": {
        **dict.fromkeys(("idle", "ready", "ringing"), "idle"),
        **dict.fromkeys(("wrap_up", "after_contact_work"), "wrap_up"),
    },
}
_OTHERWISE = {"presence": "unavailable", "routing": "unavailable", "activity": "handling"}


class StateMap:
    """From a platform's states to categories."""

    def __init__(self, configuration: Configuration) -> None:
        self._states: dict[str, dict[str, str]] = {axis: dict(states) for axis, states in _DEFAULT_STATES.items()}
        for axis, states in configuration.agent_state_map.items():
            self._states[axis].update({_normal(state): category for state, category in states.items()})

    def category(self, axis: str, state: str) -> str:
        """Return the category of a state on an axis."""
        return self._states[axis].get(_normal(state), _OTHERWISE[axis])


def _normal(state: str) -> str:
    return state.lower().replace(" ", "_").replace("-", "_")


class Standing(NamedTuple):
    """Where a person stands: the category of each axis, team and site as last named."""

    presence: str = ""
    routing: str = ""
    activity: str = ""
    team: str | None = None
    site: str | None = None

    def after(self, fact: PersonFact) -> Standing:
        """Return where the person stands once a fact is known."""
        presence, routing, activity, team, site = self
        axis, category = fact[3], fact[4]
        if axis == GONE:
            presence = routing = activity = ""
        elif axis == "activity":
            activity = category
        elif axis == "presence":
            presence = category
        elif axis == "routing":
            routing = category
        return Standing(presence, routing, activity, team if fact[5] is None else fact[5], site if fact[6] is None else fact[6])

    def category(self) -> str | None:
        """Return what the person is taken to be doing, None if nothing is known."""
        return _category(self.presence, self.routing, self.activity)


@lru_cache(maxsize=1024)
def _category(presence: str, routing: str, activity: str) -> str | None:
    for holds, category in (
        (presence == "offline", "offline"),
        (activity == "handling", "handling"),
        (activity == "wrap_up", "wrap_up"),
        (routing == "handling", "handling"),
        (presence == "unavailable", "unavailable"),
        (routing == "unavailable", "unavailable"),
        (activity == "idle" or routing == "idle", "idle"),
        (presence == "ready", "available"),
    ):
        if holds:
            return category
    return None


class Stand:
    """Where somebody stands and what of it counts; shared by all who stand so, with the ways that lead on from it."""

    __slots__ = ("category", "field", "group", "onward", "standing")

    def __init__(self, standing: Standing, category: str | None, group: int) -> None:
        self.standing = standing
        #: what it counts as; None: nothing
        self.category = category
        self.field = f"{category}_ms"
        #: the group of scopes it counts in
        self.group = group
        #: what a fact says (axis, category, team, site) → where it leads
        self.onward: dict[tuple[str, str, str | None, str | None], Stand] = {}


class Stands:
    """All places where people stand or stood; a fact leads from one to the next at the cost of a look-up."""

    def __init__(self, configuration: Configuration, targets: Targets) -> None:
        self._people = configuration.people
        self._targets = targets
        self._starts: dict[tuple[Standing, str | None, str | None], Stand] = {}

    def start(self, name: str, standing: Standing) -> Stand:
        """Return where a person stands of whom this much is known."""
        person = self._people.get(name)
        return self._find(standing, person.team if person else None, person.site if person else None)

    def after(self, name: str, stand: Stand, fact: PersonFact) -> Stand:
        """Return where a fact leads from a stand."""
        said = fact[3:]
        found = stand.onward.get(said)
        if found is None:
            found = stand.onward[said] = self.start(name, stand.standing.after(fact))
        return found

    def _find(self, standing: Standing, team: str | None, site: str | None) -> Stand:
        """Return the stand of those whose configured team and site are these."""
        key = (standing, team, site)
        found = self._starts.get(key)
        if found is None:
            category = standing.category()
            group = self._targets.of_person(*self._targets.place_of(standing.team or team, standing.site or site))
            found = self._starts[key] = Stand(standing, None if category == "offline" else category, group)
        return found
