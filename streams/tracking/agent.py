"""One agent: ordered facts, the states they lead to, what is planned, and what of a stretch of time was spent how."""

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

__all__ = ["Agent", "Aside", "Silence", "fact_of_row", "reported_of_row"]

_FACT_PARTS, _REPORTED = 8, 5
_HOUR_MS = 3_600_000


class Silence:
    """What silence does: after ``timeout_ms`` an agent at work is stale, after ``retention_ms`` more every agent is forgotten."""

    __slots__ = ("retention_ms", "soonest_ms", "timeout_ms")

    def __init__(self, timeout_ms: int, retention_ms: int) -> None:
        self.timeout_ms = timeout_ms
        self.retention_ms = retention_ms
        #: nothing is changed by a shorter silence
        self.soonest_ms = min(timeout_ms, retention_ms)

    def forgotten_after(self, state: AgentState) -> int:
        """Return after how long of silence an agent in a state is forgotten."""
        return self.retention_ms if state.category is None else self.timeout_ms + self.retention_ms

    def at(self, state: AgentState, seen: int | None, blank: AgentState, at_ms: int) -> tuple[AgentState, int]:
        """Return what a state has become by an instant, if nothing was heard since ``seen``, and until when it stays so."""
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
        """Yield what a state becomes from low to high, if nothing was heard since ``seen``."""
        while low < high:
            now, until = self.at(state, seen, blank, low)
            yield now, low, min(until, high)
            low = until


class Aside:
    """What of an agent is to be counted at the next flush, because it comes before what has been counted."""

    __slots__ = ("facts", "hour", "plans", "recounted")

    def __init__(self, hour: int = 0, recounted: int = 0) -> None:
        #: ordered
        self.facts: list[AgentFact] = []
        self.plans: list[PlanFact] = []
        #: the newest hour of receipt since the epoch, and how many facts have been counted again for what was received in it
        self.hour = hour
        self.recounted = recounted


class Agent:
    """One agent's facts and plans, and how far the timeline knows of them."""

    __slots__ = (
        "aside",
        "base",
        "base_at",
        "blank",
        "due",
        "facts",
        "held",
        "ids",
        "noted",
        "planned",
        "planned_until",
        "plans",
        "source",
        "stale",
        "states",
        "timed",
        "timer",
        "until",
    )  # fmt: skip

    def __init__(self, blank: AgentState, held: list[int]) -> None:
        #: the state while nothing is known
        self.blank = blank
        #: what is kept of those of its source: agents, events
        self.held = held
        self.noted: AgentState | None = None
        self.stale = False  # as noted
        self.plans: Plans | None = None
        self.aside: Aside | None = None
        self.source: str | None = None  # of the last fact
        #: as the timeline has it, and until when that holds if nothing comes in
        self.timed: Timed = blank.timed[NOT_PLANNED]
        self.until = NEVER_MS
        self.planned = NOT_PLANNED
        self.planned_until = NEVER_MS
        #: when it is looked at again at the latest, and the list in which it is for that
        self.due = NEVER_MS
        self.timer: Bucket | None = None
        self.ids: set[str] = set()
        self.forget()

    def forget(self) -> None:
        """Forget all but what is planned."""
        self.base = self.blank
        self.base_at: int | None = None  # the last of the facts that have been folded into the base
        self.facts: list[AgentFact] = []
        self.states: list[AgentState] = []  # one for each fact
        self.ids = set() if self.plans is None else {fact[2] for fact in self.plans.facts}

    @property
    def last(self) -> AgentState:
        """The state by now, if nothing was forgotten."""
        return self.states[-1] if self.states else self.base

    def seen(self, place: int) -> int | None:
        """Return when the last of the facts before a place was heard."""
        return self.facts[place - 1][0] if place else self.base_at

    @property
    def newest(self) -> AgentFact | None:
        """The last fact that is not folded, counted or not."""
        return max((*self.facts[-1:], *(self.aside.facts[-1:] if self.aside is not None else ())), default=None)

    @property
    def known(self) -> int:
        """How many facts there are that are not folded, counted or not."""
        return len(self.facts) + (0 if self.aside is None else len(self.aside.facts))

    def set_aside(self, fact: AgentFact, received_ms: int | None) -> None:
        """Keep a fact for the next flush.

        Raises:
            TooManyFactsError: as ``charge`` has it.
        """
        self.charge(fact, received_ms)
        if self.aside is None:
            self.aside = Aside()
        insort(self.aside.facts, fact)

    def charge(self, fact: AgentFact, received_ms: int | None) -> None:
        """Add up what a fact costs that comes before others; not of one that nothing sent.

        Raises:
            TooManyFactsError: too many have been counted again for what was received within the hour.
        """
        newest = self.newest
        if received_ms is None or newest is None or fact >= newest:
            return
        if self.aside is None:
            self.aside = Aside()
        aside, hour = self.aside, received_ms // _HOUR_MS
        if hour > aside.hour:
            aside.hour, aside.recounted = hour, 0
        after = self.known - bisect_left(self.facts, fact) - bisect_left(aside.facts, fact)
        if aside.recounted + after > MAX_RECOUNTED:
            raise TooManyFactsError("person_id", MAX_RECOUNTED, TOO_MANY_OUT_OF_ORDER)
        aside.recounted += after

    @property
    def last_seen(self) -> int | None:
        """When something was heard for the last time."""
        return self.facts[-1][0] if self.facts else self.base_at

    @property
    def first_ms(self) -> int | None:
        """When the first began of what is known and not folded."""
        begins = [self.facts[0][0]] if self.facts else []
        if self.plans is not None and self.plans.begin_ms is not None:
            begins.append(self.plans.begin_ms)
        return min(begins, default=None)

    def phases(self, start_ms: int, end_ms: int, silence: Silence) -> Iterator[tuple[AgentState, int, int]]:
        """Yield the states from start to end, silence taken into account."""
        place = bisect_left(self.facts, (start_ms,))
        state, seen, since = self.states[place - 1] if place else self.base, self.seen(place), start_ms
        for number in range(place, len(self.facts)):
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
        """Yield what the time from start to end counts as, plans taken into account too."""
        plans = self.plans
        for state, low, high in self.phases(start_ms, end_ms, silence):
            if plans is None:
                yield state.timed[NOT_PLANNED], low, high
            else:
                for planned, begin, end in plans.between(low, high):
                    yield state.timed[planned], begin, end

    def fold(self, before_ms: int) -> None:
        """Keep of the facts before an instant no more than what they lead to."""
        gone = bisect_left(self.facts, (before_ms,))
        self.base, self.base_at = self.states[gone - 1], self.facts[gone - 1][0]
        for fact in self.facts[:gone]:
            self.ids.discard(fact[2])
        del self.facts[:gone], self.states[:gone]
        self.held[1] -= gone

    def drop_plans(self, before_ms: int) -> bool:
        """Forget the plans that ended before an instant; say whether there was one."""
        if self.plans is None or self.plans.first_end_ms >= before_ms:
            return False
        gone = self.plans.over(before_ms)
        self.ids.difference_update(fact[2] for fact in gone)
        self.held[1] -= len(gone)
        if not self.plans.facts:
            self.plans = None
        return True

    def drop_hidden(self) -> None:
        """Forget the plans that hold nowhere."""
        if self.plans is not None:
            gone = self.plans.hidden()
            self.ids.difference_update(fact[2] for fact in gone)
            self.held[1] -= len(gone)

    def take_back(self, plans: Sequence[PlanFact]) -> None:
        """Forget some plans."""
        if self.plans is not None and plans:
            self.ids.difference_update(fact[2] for fact in plans)
            self.held[1] -= len(plans)
            self.plans = self.plans.without(plans)

    def row(self) -> tuple[Any, ...]:
        """Return what is kept but for the plans: base, when its last fact was, source, facts, and what was counted again in which hour."""
        aside = self.aside
        row = (self.base.row, self.base_at, self.source, self.facts)
        return row if aside is None or not aside.recounted else (*row, (aside.hour, aside.recounted))


def reported_of_row(kept: list[Any]) -> Reported:
    """Return a report that was kept; older rows know nothing of slots."""
    presence, routing, activity, team, site = kept[:_REPORTED]
    slots = kept[_REPORTED] if len(kept) > _REPORTED else ()
    return Reported(presence, routing, activity, team, site, tuple(tuple(each) for each in slots))


def fact_of_row(kept: list[Any]) -> AgentFact:
    """Return a fact that was kept; older rows know nothing of slots."""
    at, sequence, name, axis, category, team, site = kept[: _FACT_PARTS - 1]
    said = kept[_FACT_PARTS - 1] if len(kept) == _FACT_PARTS else None
    return (at, sequence, name, axis, category, team, site, None if said is None else tuple(said))
