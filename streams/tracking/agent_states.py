"""State of an agent: from reports on three axes to one category."""

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

#: In place of an axis: the source has not listed the agent, so all axes are unknown.
GONE = "gone"
#: (occurred_ms, sequence, event_id, axis or "", category of the axis or "", team, site, report of slots)
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
    """Categories of a platform's states."""

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
    """Last reports of an agent: the category of each axis, team, site and slots."""

    presence: str = ""
    routing: str = ""
    activity: str = ""
    team: str | None = None
    site: str | None = None
    slots: Slots = ()

    def after(self, fact: AgentFact) -> Reported:
        """Return the reports after a fact."""
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
        """Return the agent's category, None if unknown."""
        return _category(self.presence, self.routing, self.activity)[0]

    def axis(self) -> str | None:
        """Return the axis that decides the category, None if unknown."""
        return _category(self.presence, self.routing, self.activity)[1]


@lru_cache(maxsize=1024)
def _category(presence: str, routing: str, activity: str) -> tuple[str | None, str | None]:
    """Return the category, and the axis that decides it."""
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
    """State of an agent and its bookings, shared by all agents with equal reports, with transitions to next states."""

    __slots__ = ("category", "group", "onward", "reported", "row", "timed", "unknown")

    def __init__(self, reported: Reported, group: int, bookings: tuple[tuple[int, Rates], ...]) -> None:
        category = reported.category()
        self.reported = reported
        #: its encoding in rows
        self.row = Raw(encode(reported))
        #: category it counts under; None: none
        self.category = None if category == "offline" else category
        #: the group of scopes it counts in
        self.group = group
        #: amounts per millisecond, by plan (``streams.tracking.plans``)
        self.timed = (
            Timed(bookings),
            Timed(_with(bookings, group, _planned("other", category))),
            Timed(_with(bookings, group, _planned("work", category))),
        )
        #: the state with this team and site alone
        self.unknown = self
        #: (axis, category, team, site, slots) of a fact → next state
        self.onward: dict[tuple[str, str, str | None, str | None, SlotReport | None], AgentState] = {}


def _planned(kind: str, category: str | None) -> Rates:
    """Return the amounts of a planned millisecond, by adherence to the plan."""
    adherence = "unknown" if category is None else "adhered" if (category in _AT_WORK) == (kind == "work") else "missed"
    return ((f"planned_{kind}_{adherence}_ms", 1),)


def _with(bookings: tuple[tuple[int, Rates], ...], group: int, rates: Rates) -> tuple[tuple[int, Rates], ...]:
    """Return bookings with additional rates in a group."""
    others = tuple(booking for booking in bookings if booking[0] != group)
    return ((group, tuple(rate for target, own in bookings if target == group for rate in own) + rates), *others)


class AgentStates:
    """All states of agents; a fact leads from one to the next by a lookup."""

    def __init__(self, configuration: Configuration, targets: Targets) -> None:
        self._configuration = configuration
        self._targets = targets
        self._starts: dict[tuple[Reported, str | None, str | None, str | None], AgentState] = {}

    def start(self, name: str, reported: Reported) -> AgentState:
        """Return the state of an agent with these reports."""
        configuration = self._configuration
        person_id = id_of(name)
        person = configuration.people.get(person_id)
        if person is None or not self._targets.persons.is_configured(person_id, space_of(name)):
            return self._find(reported, None, None, None)
        return self._find(reported, person.team, person.site, person_id if configuration.is_individual(person_id) else None)

    def after(self, name: str, state: AgentState, fact: AgentFact) -> AgentState:
        """Return the state after a fact."""
        change = fact[3:]
        following = state.onward.get(change)
        if following is None:
            following = state.onward[change] = self.start(name, state.reported.after(fact))
        return following

    def _find(self, reported: Reported, team: str | None, site: str | None, name: str | None) -> AgentState:
        """Return the state for a configured team and site; with a name, of an agent with figures of its own."""
        key = (reported, team, site, name)
        state = self._starts.get(key)
        if state is None:
            place = self._targets.place_of(reported.team or team, reported.site or site)
            group = self._targets.of_person(*place, name)
            state = AgentState(reported, group, tuple(self._bookings(reported, group, place, self._targets.place_of(team, site))))
            self._starts[key] = state
            if reported.category() is not None:
                state.unknown = self._find(Reported(team=reported.team, site=reported.site), team, site, name)
        return state

    def _bookings(
        self, reported: Reported, group: int, place: tuple[str | None, str | None], configured: tuple[str | None, str | None]
    ) -> list[tuple[int, Rates]]:
        """Return the amounts per millisecond in the agent's scopes, and in scopes where its contacts do not count."""
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
        other_scopes = set(targets.scopes_of_people(*place)) - set(targets.scopes_of_people(*configured))
        unattributed = [(targets.group(sorted(other_scopes, key=str)), (("unattributed_ms", 1),))] if other_scopes else []
        return [(group, tuple(rates)), *unattributed]

    def _hourly(self, team: str | None) -> int | None:
        """Return the cost of an hour in a team, in hundredths; None without costs."""
        costs = self._configuration.costs
        if costs is None:
            return None
        entry = self._configuration.teams.get(team) if team is not None else None
        own = entry.costs.hourly if entry is not None and entry.costs is not None else None
        return scaled(costs.hourly if own is None else own)
