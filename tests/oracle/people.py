"""One person, from the facts to stretches of time in one category and place: sections 2 and 6 of ``docs/counting.md``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schemas.agent import AgentModel, AgentSkillsChanged, AgentStateChanged, SchedulePlanned
from schemas.times import to_ms
from tests.oracle.conversation import is_late
from tests.oracle.places import has_own_figures, scopes_of_place, team_and_site
from tests.oracle.staff import Moment, Slots, Span, reported, spans_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.configuration.models import Configuration

__all__ = ["BOOKED", "PersonVerdict", "Stretch", "follow"]

#: The categories whose time is booked.
BOOKED = ("handling", "wrap_up", "idle", "unavailable", "available")

DEFAULT_STATES = {
    "presence": {
        "available": "ready",
        "online": "ready",
        "ready": "ready",
        "on_queue": "ready",
        "offline": "offline",
        "logged_out": "offline",
        "signed_out": "offline",
    },
    "routing": {
        "idle": "idle",
        "ready": "idle",
        "interacting": "handling",
        "communicating": "handling",
        "off_queue": "unavailable",
        "not_responding": "unavailable",
    },
    "activity": {
        "idle": "idle",
        "ready": "idle",
        "ringing": "idle",
        "wrap_up": "wrap_up",
        "after_contact_work": "wrap_up",
    },
}
OTHERWISE = {"presence": "unavailable", "routing": "unavailable", "activity": "handling"}


@dataclass(frozen=True)
class Stretch:
    """Time a person spent in one category; ``end_ms`` is None for the last one, which still runs."""

    scopes: tuple[str, ...]
    category: str | None
    start_ms: int
    end_ms: int | None

    def within(self, low_ms: int, high_ms: int) -> int:
        """Return the milliseconds of the stretch in [low, high)."""
        end = high_ms if self.end_ms is None else min(self.end_ms, high_ms)
        return max(0, end - max(self.start_ms, low_ms))


@dataclass
class PersonVerdict:
    """The result of one person; the last stretch is the current one."""

    stretches: list[Stretch] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    late: list[AgentModel] = field(default_factory=list)


def _plain(state: str) -> str:
    return state.lower().replace(" ", "_").replace("-", "_")


def _category_of_state(axis: str, state: str, configuration: Configuration) -> str:
    categories = dict(DEFAULT_STATES[axis])
    for of_axis, states in configuration.agent_state_map.items():
        if of_axis == axis:
            categories.update({_plain(name): category for name, category in states.items()})
    return categories.get(_plain(state), OTHERWISE[axis])


def _category(axes: dict[str, str]) -> str | None:
    presence, routing, activity = (axes.get(axis) for axis in ("presence", "routing", "activity"))
    rules = (
        (presence == "offline", "offline"),
        (activity == "handling", "handling"),
        (activity == "wrap_up", "wrap_up"),
        (routing == "handling", "handling"),
        (presence == "unavailable", "unavailable"),
        (routing == "unavailable", "unavailable"),
        ("idle" in {activity, routing}, "idle"),
        (presence == "ready", "available"),
    )
    return next((category for holds, category in rules if holds), None)


def _scopes(person: str, team: str | None, site: str | None, configuration: Configuration) -> tuple[str, ...]:
    scopes = scopes_of_place(*team_and_site(person, team, site, configuration), configuration)
    return (f"agent:{person}", *scopes) if has_own_figures(person, configuration) else scopes


def follow(deliveries: Iterable[AgentModel], configuration: Configuration, through_ms: int | None = None) -> PersonVerdict:
    """Return the time of one person, in any order of deliveries; a person silent for too long before `through_ms` is stale."""
    verdict = PersonVerdict()
    facts: dict[str, AgentModel] = {}
    for event in sorted(deliveries, key=lambda event: (event.received_at, event.event_id)):
        if event.event_id in facts:
            continue
        if is_late(to_ms(event.occurred_at), to_ms(event.received_at), configuration.counting.grace_seconds * 1000):
            verdict.late.append(event)
        else:
            facts[event.event_id] = event
    alive = [event for event in facts.values() if not isinstance(event, SchedulePlanned)]
    ordered = sorted(alive, key=lambda event: (event.occurred_at, event.sequence or 0, event.event_id))
    timeout_ms = configuration.counting.person_timeout_seconds * 1000
    retention_ms = configuration.counting.closed_retention_seconds * 1000
    axes: dict[str, str] = {}
    team: str | None = None
    site: str | None = None
    slots: Slots = {}
    moments: list[Moment] = []
    for event, following in zip(ordered, [*ordered[1:], None][: len(ordered)], strict=True):
        if isinstance(event, AgentStateChanged):
            axes[event.axis] = _category_of_state(event.axis, event.state, configuration)
            slots = reported(slots, event)
        if isinstance(event, AgentStateChanged | AgentSkillsChanged):
            team = event.team or team
            site = event.site or site
        category = _category(axes)
        may_go_stale = category in BOOKED
        silent_from = to_ms(event.occurred_at) + timeout_ms
        forgotten_from = to_ms(event.occurred_at) + retention_ms + (timeout_ms if may_go_stale else 0)
        scopes = _scopes(event.person_id, team, site, configuration)
        ends = [to_ms(following.occurred_at)] if following is not None else []
        if may_go_stale and (following is None or silent_from < ends[0]):
            ends.append(silent_from)
        verdict.stretches.append(Stretch(scopes, category, to_ms(event.occurred_at), min(ends, default=None)))
        if following is None and may_go_stale and through_ms is not None and silent_from < through_ms:
            verdict.stretches.append(Stretch(scopes, "stale", silent_from, None))
        moments.append(Moment(to_ms(event.occurred_at), category, team, site, _taken_together(slots)))
        if may_go_stale:
            moments.append(Moment(silent_from, None, team, site))
        moments.append(Moment(forgotten_from))
        next_at = None if following is None else to_ms(following.occurred_at)
        moments = [each for each in moments if next_at is None or each.at_ms < next_at]
        gone_at = through_ms if following is None else to_ms(following.occurred_at)
        if gone_at is not None and forgotten_from < gone_at:
            axes, team, site, slots = {}, None, None, {}
            if following is None:
                verdict.stretches.append(Stretch((), None, forgotten_from, None))
    plans = [event for event in facts.values() if isinstance(event, SchedulePlanned)]
    if facts:
        verdict.spans = spans_of(next(iter(facts.values())).person_id, moments, plans, configuration)
    return verdict


def _taken_together(slots: Slots) -> tuple[int, int] | None:
    known = [each for each in slots.values() if {"capacity", "in_use"} <= each.keys()]
    return (sum(each["capacity"] for each in known), sum(each["in_use"] for each in known)) if known else None
