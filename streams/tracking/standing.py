"""What a person is taken to be doing: from states on three axes to one category."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from streams.configuration.costs import scaled
from streams.tracking.slots import Slots, slots_after, slots_of
from streams.tracking.spaces import id_of, space_of

if TYPE_CHECKING:
    from streams.configuration import Configuration
    from streams.tracking.ledger import Rates
    from streams.tracking.scopes import Targets
    from streams.tracking.slots import SlotsSaid

__all__ = ["GONE", "PersonFact", "Stand", "Standing", "Stands", "StateMap"]

#: In place of an axis: the source has not listed the person, so nothing is known of any axis.
GONE = "gone"
#: (occurred_ms, sequence, event_id, axis or "", category of the axis or "", team, site, what is said of slots)
PersonFact = tuple[int, int, str, str, str, str | None, str | None, "SlotsSaid | None"]

_AT_WORK = frozenset({"handling", "wrap_up", "idle", "available"})

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
    """Where a person stands: the category of each axis, team, site and slots as last named."""

    presence: str = ""
    routing: str = ""
    activity: str = ""
    team: str | None = None
    site: str | None = None
    slots: Slots = ()

    def after(self, fact: PersonFact) -> Standing:
        """Return where the person stands once a fact is known."""
        presence, routing, activity, team, site, slots = self
        axis, category = fact[3], fact[4]
        if axis == GONE:
            presence = routing = activity = ""
        elif axis == "activity":
            activity = category
        elif axis == "presence":
            presence = category
        elif axis == "routing":
            routing = category
        if fact[7] is not None:
            slots = slots_after(slots, fact[7])
        return Standing(presence, routing, activity, team if fact[5] is None else fact[5], site if fact[6] is None else fact[6], slots)

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

    __slots__ = ("bookings", "category", "group", "onward", "planned", "standing", "unknown")

    def __init__(self, standing: Standing, group: int, bookings: tuple[tuple[int, Rates], ...]) -> None:
        category = standing.category()
        self.standing = standing
        #: what it counts as; None: nothing
        self.category = None if category == "offline" else category
        #: the group of scopes it counts in
        self.group = group
        #: what each millisecond of it adds, by number
        self.bookings = bookings
        #: what each millisecond adds that is planned otherwise than as work, and as work
        self.planned = (_planned("other", category), _planned("work", category))
        #: where somebody stands of whom no more is known than this team and site
        self.unknown = self
        #: what a fact says (axis, category, team, site, slots) → where it leads
        self.onward: dict[tuple[str, str, str | None, str | None, SlotsSaid | None], Stand] = {}


def _planned(kind: str, category: str | None) -> Rates:
    """Return what a planned millisecond adds, by whether the plan is kept."""
    kept = "unknown" if category is None else "adhered" if (category in _AT_WORK) == (kind == "work") else "missed"
    return ((f"planned_{kind}_{kept}_ms", 1),)


class Stands:
    """All places where people stand or stood; a fact leads from one to the next at the cost of a look-up."""

    def __init__(self, configuration: Configuration, targets: Targets) -> None:
        self._configuration = configuration
        self._targets = targets
        self._starts: dict[tuple[Standing, str | None, str | None, str | None], Stand] = {}

    def start(self, name: str, standing: Standing) -> Stand:
        """Return where a person stands of whom this much is known."""
        configuration = self._configuration
        person_id = id_of(name)
        person = configuration.people.get(person_id)
        if person is None or not self._targets.persons.is_configured(person_id, space_of(name)):
            return self._find(standing, None, None, None)
        return self._find(standing, person.team, person.site, person_id if configuration.is_individual(person_id) else None)

    def after(self, name: str, stand: Stand, fact: PersonFact) -> Stand:
        """Return where a fact leads from a stand."""
        said = fact[3:]
        found = stand.onward.get(said)
        if found is None:
            found = stand.onward[said] = self.start(name, stand.standing.after(fact))
        return found

    def _find(self, standing: Standing, team: str | None, site: str | None, name: str | None) -> Stand:
        """Return the stand of those whose configured team and site are these; with a name, that of one whose own figures are kept."""
        key = (standing, team, site, name)
        found = self._starts.get(key)
        if found is None:
            place = self._targets.place_of(standing.team or team, standing.site or site)
            group = self._targets.of_person(*place, name)
            found = Stand(standing, group, tuple(self._bookings(standing, group, place, self._targets.place_of(team, site))))
            self._starts[key] = found
            if standing.category() is not None:
                found.unknown = self._find(Standing(team=standing.team, site=standing.site), team, site, name)
        return found

    def _bookings(
        self, standing: Standing, group: int, place: tuple[str | None, str | None], configured: tuple[str | None, str | None]
    ) -> list[tuple[int, Rates]]:
        """Return what a millisecond adds in the person's scopes, and in those in which the person's contacts do not count."""
        category = standing.category()
        if category is None or category == "offline":
            return []
        rates = [(f"{category}_ms", 1)]
        slots = slots_of(standing.slots) if category in _AT_WORK else None
        if slots is not None:
            rates += [("slotted_ms", 1), ("slot_capacity_ms", slots[0]), ("slot_in_use_ms", slots[1])]
        hourly = self._hourly(place[0])
        if hourly:
            rates.append(("labor_cost", hourly))
        targets = self._targets
        apart = set(targets.scopes_of_people(*place)) - set(targets.scopes_of_people(*configured))
        unattributed = [(targets.group(sorted(apart, key=str)), (("unattributed_ms", 1),))] if apart else []
        return [(group, tuple(rates)), *unattributed]

    def _hourly(self, team: str | None) -> int | None:
        """Return what an hour in a team costs, in hundredths; None without costs."""
        costs = self._configuration.costs
        if costs is None:
            return None
        entry = self._configuration.teams.get(team) if team is not None else None
        own = entry.costs.hourly if entry is not None and entry.costs is not None else None
        return scaled(costs.hourly if own is None else own)
