"""One agent: ordered facts, the resulting states, plans, and the time spent in each state."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any

from schemas.limits import MAX_RECOUNTED, TOO_MANY_OUT_OF_ORDER
from streams.tracking.agent_states import Reported
from streams.tracking.facts import TooManyFactsError
from streams.tracking.plans import NEVER_MS, NOT_PLANNED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.tracking.agent_states import AgentFact, AgentState
    from streams.tracking.plans import PlanFact, Plans
    from streams.tracking.timeline import Timed
    from streams.tracking.timers import Bucket

__all__ = ["Agent", "Deferred", "Silence", "fact_of_row", "reported_of_row"]

_FACT_PARTS, _REPORTED = 8, 5
_HOUR_MS = 3_600_000


class Silence:
    """Effect of silence: an agent at work is stale after ``timeout_ms``; every agent expires ``retention_ms`` later."""

    __slots__ = ("retention_ms", "soonest_ms", "timeout_ms")

    def __init__(self, timeout_ms: int, retention_ms: int) -> None:
        self.timeout_ms = timeout_ms
        self.retention_ms = retention_ms
        #: a shorter silence changes nothing
        self.soonest_ms = min(timeout_ms, retention_ms)

    def forgotten_after(self, state: AgentState) -> int:
        """Return the silence in ms after which an agent in a state expires."""
        return self.retention_ms if state.category is None else self.timeout_ms + self.retention_ms

    def at(self, state: AgentState, seen: int | None, blank: AgentState, at_ms: int) -> tuple[AgentState, int]:
        """Return a state at an instant, after silence since ``seen``, and until when it lasts."""
        if seen is None:
            return blank, NEVER_MS
        forgotten = seen + self.forgotten_after(state)
        if at_ms >= forgotten:
            return blank, NEVER_MS
        if state.category is None:
            return state, forgotten
        stale = seen + self.timeout_ms
        return (state, stale) if at_ms < stale else (state.unknown, forgotten)

    def phases(self, state: AgentState, seen: int | None, blank: AgentState, low: int, high: int) -> Iterator[tuple[AgentState, int, int]]:
        """Yield the states from low to high, after silence since ``seen``."""
        while low < high:
            now, until = self.at(state, seen, blank, low)
            yield now, low, min(until, high)
            low = until


class Deferred:
    """Deferred facts and plans of an agent: they precede counted ones, and the next flush counts them."""

    __slots__ = ("facts", "hour", "plans", "recounted")

    def __init__(self, hour: int = 0, recounted: int = 0) -> None:
        #: ordered
        self.facts: list[AgentFact] = []
        self.plans: list[PlanFact] = []
        #: the newest hour of receipt since the epoch, and facts recounted for events received in it
        self.hour = hour
        self.recounted = recounted


class Agent:
    """One agent's facts and plans, and their part in the timeline."""

    __slots__ = (
        "base", "base_at", "blank", "deferred", "due", "facts", "held", "ids", "noted", "planned", "planned_until", "plans", "source",
        "stale", "states", "timed", "timer", "until",
    )  # fmt: skip

    def __init__(self, blank: AgentState, held: list[int]) -> None:
        #: the state without facts
        self.blank = blank
        #: numbers of agents and events of its source
        self.held = held
        self.noted: AgentState | None = None
        self.stale = False  # as noted
        self.plans: Plans | None = None
        self.deferred: Deferred | None = None
        self.source: str | None = None  # of the last fact
        #: its state in the timeline, and until when it lasts without further facts
        self.timed: Timed = blank.timed[NOT_PLANNED]
        self.until = NEVER_MS
        self.planned = NOT_PLANNED
        self.planned_until = NEVER_MS
        #: when it is checked again at the latest, and the bucket of that timer
        self.due = NEVER_MS
        self.timer: Bucket | None = None
        self.ids: set[str] = set()
        self.forget()

    def forget(self) -> None:
        """Drop everything but the plans."""
        self.base = self.blank
        self.base_at: int | None = None  # the last of the facts that have been folded into the base
        self.facts: list[AgentFact] = []
        self.states: list[AgentState] = []  # one for each fact
        self.ids = set() if self.plans is None else {fact[2] for fact in self.plans.facts}

    @property
    def last(self) -> AgentState:
        """The latest state, before any expiry."""
        return self.states[-1] if self.states else self.base

    def seen(self, index: int) -> int | None:
        """Return the instant of the last fact before an index."""
        return self.facts[index - 1][0] if index else self.base_at

    @property
    def newest(self) -> AgentFact | None:
        """The last fact not folded, counted or deferred."""
        return max((*self.facts[-1:], *(self.deferred.facts[-1:] if self.deferred is not None else ())), default=None)

    @property
    def known(self) -> int:
        """The number of facts not folded, counted or deferred."""
        return len(self.facts) + (0 if self.deferred is None else len(self.deferred.facts))

    def defer(self, fact: AgentFact, received_ms: int | None) -> None:
        """Defer a fact to the next flush.

        Raises:
            TooManyFactsError: as in ``charge``.
        """
        self.charge(fact, received_ms)
        if self.deferred is None:
            self.deferred = Deferred()
        insort(self.deferred.facts, fact)

    def charge(self, fact: AgentFact, received_ms: int | None) -> None:
        """Charge the recounts of a received fact that precedes others.

        Raises:
            TooManyFactsError: the recounts for events received within the hour are exhausted.
        """
        newest = self.newest
        if received_ms is None or newest is None or fact >= newest:
            return
        if self.deferred is None:
            self.deferred = Deferred()
        deferred, hour = self.deferred, received_ms // _HOUR_MS
        if hour > deferred.hour:
            deferred.hour, deferred.recounted = hour, 0
        after = self.known - bisect_left(self.facts, fact) - bisect_left(deferred.facts, fact)
        if deferred.recounted + after > MAX_RECOUNTED:
            raise TooManyFactsError("person_id", MAX_RECOUNTED, TOO_MANY_OUT_OF_ORDER)
        deferred.recounted += after

    @property
    def last_seen(self) -> int | None:
        """The instant of the last fact."""
        return self.facts[-1][0] if self.facts else self.base_at

    @property
    def first_ms(self) -> int | None:
        """The start of the first fact or plan not folded."""
        begins = [self.facts[0][0]] if self.facts else []
        if self.plans is not None and self.plans.begin_ms is not None:
            begins.append(self.plans.begin_ms)
        return min(begins, default=None)

    def phases(self, start_ms: int, end_ms: int, silence: Silence) -> Iterator[tuple[AgentState, int, int]]:
        """Yield the states from start to end, with silence."""
        index = bisect_left(self.facts, (start_ms,))
        state, seen, since = self.states[index - 1] if index else self.base, self.seen(index), start_ms
        for number in range(index, len(self.facts)):
            at, after = self.facts[number][0], self.states[number]
            if at >= end_ms:
                break
            if at > since:
                yield from silence.phases(state, seen, self.blank, since, at)
                since = at
            state, seen = after, at
        if since < end_ms:
            yield from silence.phases(state, seen, self.blank, since, end_ms)

    def spans(self, start_ms: int, end_ms: int, silence: Silence) -> Iterator[tuple[Timed, int, int]]:
        """Yield the states from start to end, with silence and plans."""
        plans = self.plans
        for state, low, high in self.phases(start_ms, end_ms, silence):
            if plans is None:
                yield state.timed[NOT_PLANNED], low, high
            else:
                for planned, begin, end in plans.between(low, high):
                    yield state.timed[planned], begin, end

    def fold(self, before_ms: int) -> None:
        """Fold the facts before an instant into the base state."""
        gone = bisect_left(self.facts, (before_ms,))
        self.base, self.base_at = self.states[gone - 1], self.facts[gone - 1][0]
        for fact in self.facts[:gone]:
            self.ids.discard(fact[2])
        del self.facts[:gone], self.states[:gone]
        self.held[1] -= gone

    def drop_plans(self, before_ms: int) -> bool:
        """Drop the plans that ended before an instant; return whether there was one."""
        if self.plans is None or self.plans.first_end_ms >= before_ms:
            return False
        gone = self.plans.over(before_ms)
        self.ids.difference_update(fact[2] for fact in gone)
        self.held[1] -= len(gone)
        if not self.plans.facts:
            self.plans = None
        return True

    def drop_hidden(self) -> None:
        """Drop the plans that later ones replace entirely."""
        if self.plans is not None:
            gone = self.plans.hidden()
            self.ids.difference_update(fact[2] for fact in gone)
            self.held[1] -= len(gone)

    def take_back(self, plans: Sequence[PlanFact]) -> None:
        """Drop some plans."""
        if self.plans is not None and plans:
            self.ids.difference_update(fact[2] for fact in plans)
            self.held[1] -= len(plans)
            self.plans = self.plans.without(plans)

    def row(self) -> tuple[Any, ...]:
        """Return the row without plans: base, instant of its last fact, source, facts, and (hour, recounted facts)."""
        deferred = self.deferred
        row = (self.base.row, self.base_at, self.source, self.facts)
        return row if deferred is None or not deferred.recounted else (*row, (deferred.hour, deferred.recounted))


def reported_of_row(row: list[Any]) -> Reported:
    """Return a stored report; older rows lack slots."""
    presence, routing, activity, team, site = row[:_REPORTED]
    slots = row[_REPORTED] if len(row) > _REPORTED else ()
    return Reported(presence, routing, activity, team, site, tuple(tuple(slot) for slot in slots))


def fact_of_row(row: list[Any]) -> AgentFact:
    """Return a stored fact; older rows lack slots."""
    at, sequence, name, axis, category, team, site = row[: _FACT_PARTS - 1]
    slots = row[_FACT_PARTS - 1] if len(row) == _FACT_PARTS else None
    return (at, sequence, name, axis, category, team, site, None if slots is None else tuple(slots))
