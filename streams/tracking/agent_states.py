"""What an agent is taken to be doing: from reports on three axes to one state and its category."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Raw
from msgspec.json import encode

from streams.configuration.costs import scaled
from streams.tracking.slots import Slots, slots_after, slots_of
from streams.tracking.spaces import id_of, space_of
from streams.tracking.timeline import Timed

if TYPE_CHECKING:
    from streams.configuration import Configuration
    from streams.tracking.postings import Rates
    from streams.tracking.scopes import Targets
    from streams.tracking.slots import SlotReport

__all__ = ["GONE", "AgentFact", "AgentState", "AgentStates", "Categories", "Reported"]

#: In place of an axis: the source has not listed the agent, so nothing is known of any axis.
GONE = "gone"
#: (occurred_ms, sequence, event_id, axis or "", category of the axis or "", team, site, what is said of slots)
AgentFact = tuple[int, int, str, str, str, str | None, str | None, "SlotReport | None"]

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


class Categories:
    """From a platform's states to categories."""

    def __init__(self, configuration: Configuration) -> None:
        self._states: dict[str, dict[str, str]] = {axis: dict(states) for axis, states in _DEFAULT_STATES.items()}
        for axis, states in configuration.agent_state_map.items():
            self._states[axis].update({_normal(state): category for state, category in states.items()})

    def category(self, axis: str, state: str) -> str:
        """Return the category of a state on an axis."""
        states = self._states[axis]
        return states.get(state) or states.get(_normal(state), _OTHERWISE[axis])


def _normal(state: str) -> str:
    return state.lower().replace(" ", "_").replace("-", "_")


class Reported(NamedTuple):
    """What was last reported of an agent: the category of each axis, team, site and slots."""

    presence: str = ""
    routing: str = ""
    activity: str = ""
    team: str | None = None
    site: str | None = None
    slots: Slots = ()

    def after(self, fact: AgentFact) -> Reported:
        """Return what is reported once a fact is known."""
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
        return Reported(presence, routing, activity, team if fact[5] is None else fact[5], site if fact[6] is None else fact[6], slots)

    def category(self) -> str | None:
        """Return what the agent is taken to be doing, None if nothing is known."""
        return _category(self.presence, self.routing, self.activity)[0]

    def axis(self) -> str | None:
        """Return the axis that makes the category, None if nothing is known."""
        return _category(self.presence, self.routing, self.activity)[1]


@lru_cache(maxsize=1024)
def _category(presence: str, routing: str, activity: str) -> tuple[str | None, str | None]:
    """Return the category, and the axis that makes it."""
    for holds, category, axis in (
        (presence == "offline", "offline", "presence"),
        (activity == "handling", "handling", "activity"),
        (activity == "wrap_up", "wrap_up", "activity"),
        (routing == "handling", "handling", "routing"),
        (presence == "unavailable", "unavailable", "presence"),
        (routing == "unavailable", "unavailable", "routing"),
        (activity == "idle", "idle", "activity"),
        (routing == "idle", "idle", "routing"),
        (presence == "ready", "available", "presence"),
    ):
        if holds:
            return category, axis
    return None, None


class AgentState:
    """What is known of an agent and what of it counts; shared by all of whom the same is known, with the ways that lead on from it."""

    __slots__ = ("category", "group", "onward", "reported", "row", "timed", "unknown")

    def __init__(self, reported: Reported, group: int, bookings: tuple[tuple[int, Rates], ...]) -> None:
        category = reported.category()
        self.reported = reported
        #: the same as rows have it
        self.row = Raw(encode(reported))
        #: what it counts as; None: nothing
        self.category = None if category == "offline" else category
        #: the group of scopes it counts in
        self.group = group
        #: what each millisecond of it adds, by how the agent is planned (``streams.tracking.plans``)
        self.timed = (
            Timed(bookings),
            Timed(_with(bookings, group, _planned("other", category))),
            Timed(_with(bookings, group, _planned("work", category))),
        )
        #: the state of an agent of whom no more is known than this team and site
        self.unknown = self
        #: what a fact says (axis, category, team, site, slots) → where it leads
        self.onward: dict[tuple[str, str, str | None, str | None, SlotReport | None], AgentState] = {}


def _planned(kind: str, category: str | None) -> Rates:
    """Return what a planned millisecond adds, by whether the plan is kept."""
    kept = "unknown" if category is None else "adhered" if (category in _AT_WORK) == (kind == "work") else "missed"
    return ((f"planned_{kind}_{kept}_ms", 1),)


def _with(bookings: tuple[tuple[int, Rates], ...], group: int, rates: Rates) -> tuple[tuple[int, Rates], ...]:
    """Return what a millisecond adds together with what it adds in a group."""
    others = tuple(each for each in bookings if each[0] != group)
    return ((group, tuple(rate for target, own in bookings if target == group for rate in own) + rates), *others)


class AgentStates:
    """All states agents are or were in; a fact leads from one to the next at the cost of a look-up."""

    def __init__(self, configuration: Configuration, targets: Targets) -> None:
        self._configuration = configuration
        self._targets = targets
        self._starts: dict[tuple[Reported, str | None, str | None, str | None], AgentState] = {}

    def start(self, name: str, reported: Reported) -> AgentState:
        """Return the state of an agent of whom this is reported."""
        configuration = self._configuration
        person_id = id_of(name)
        person = configuration.people.get(person_id)
        if person is None or not self._targets.persons.is_configured(person_id, space_of(name)):
            return self._find(reported, None, None, None)
        return self._find(reported, person.team, person.site, person_id if configuration.is_individual(person_id) else None)

    def after(self, name: str, state: AgentState, fact: AgentFact) -> AgentState:
        """Return where a fact leads from a state."""
        said = fact[3:]
        found = state.onward.get(said)
        if found is None:
            found = state.onward[said] = self.start(name, state.reported.after(fact))
        return found

    def _find(self, reported: Reported, team: str | None, site: str | None, name: str | None) -> AgentState:
        """Return the state of those whose configured team and site are these; with a name, that of one whose own figures are kept."""
        key = (reported, team, site, name)
        found = self._starts.get(key)
        if found is None:
            place = self._targets.place_of(reported.team or team, reported.site or site)
            group = self._targets.of_person(*place, name)
            found = AgentState(reported, group, tuple(self._bookings(reported, group, place, self._targets.place_of(team, site))))
            self._starts[key] = found
            if reported.category() is not None:
                found.unknown = self._find(Reported(team=reported.team, site=reported.site), team, site, name)
        return found

    def _bookings(
        self, reported: Reported, group: int, place: tuple[str | None, str | None], configured: tuple[str | None, str | None]
    ) -> list[tuple[int, Rates]]:
        """Return what a millisecond adds in the agent's scopes, and in those in which the agent's contacts do not count."""
        category = reported.category()
        if category is None or category == "offline":
            return []
        rates = [(f"{category}_ms", 1)]
        slots = slots_of(reported.slots) if category in _AT_WORK else None
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
