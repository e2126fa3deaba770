"""Plans of one agent: ordered, and effective at each instant (``docs/counting.md`` section 13)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING

from schemas.limits import far_fetched_plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.configuration import Configuration

__all__ = ["NEVER_MS", "NOT_PLANNED", "PLANNED_OTHER", "PLANNED_WORK", "Activities", "PlanFact", "Plans"]

#: How an agent is planned at an instant.
NOT_PLANNED, PLANNED_OTHER, PLANNED_WORK = 0, 1, 2
#: Later than any instant.
NEVER_MS = 1 << 62

#: (occurred_ms, sequence, event_id, holds from ms, to ms, whether it is work); plans sort by the first three.
PlanFact = tuple[int, int, str, int, int, bool]

_WORK = ("work", "available", "on_queue")


class Activities:
    """Activities of a planning tool: work or not."""

    def __init__(self, configuration: Configuration) -> None:
        self._work = dict.fromkeys(_WORK, True)
        self._work.update({_normal(name): kind == "work" for name, kind in configuration.planned_activities.items()})

    def is_work(self, activity: str) -> bool:
        """Return whether an activity means being available for contacts."""
        is_work = self._work.get(activity)
        return self._work.get(_normal(activity), False) if is_work is None else is_work


def _normal(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")


class Plans:
    """The current and recent plans of one agent."""

    __slots__ = ("_begins", "_spans", "facts", "first_end_ms")

    def __init__(self, facts: list[PlanFact]) -> None:
        self.facts = facts
        self._begins: list[int] = []
        #: effective spans in order: (from, to, plan)
        self._spans: list[tuple[int, int, PlanFact]] = []
        #: the earliest end of a plan; ``NEVER_MS`` without plans
        self.first_end_ms = NEVER_MS
        self._lay_out()

    def add(self, fact: PlanFact) -> None:
        """Add a plan; where several overlap, the latest reported counts."""
        insort(self.facts, fact)
        self._put(fact)
        if fact[4] < self.first_end_ms:  # noqa: PLR1730 - at every event
            self.first_end_ms = fact[4]

    def hidden(self) -> list[PlanFact]:
        """Remove and return the plans without effect: tools report plans again every night, weeks ahead."""
        holding = {plan for _, _, plan in self._spans}
        gone = [fact for fact in self.facts if fact not in holding]
        self.facts = [fact for fact in self.facts if fact in holding]
        self._note_end()
        return gone

    def over(self, before_ms: int) -> list[PlanFact]:
        """Remove and return the plans that ended before an instant."""
        gone = [fact for fact in self.facts if fact[4] < before_ms]
        if gone:
            self.facts = [fact for fact in self.facts if fact[4] >= before_ms]
            self._lay_out()
        return gone

    def far_fetched(self) -> list[PlanFact]:
        """Return the plans that are no longer accepted: too long, or too far off."""
        return [fact for fact in self.facts if far_fetched_plan(fact[0], fact[3], fact[4]) is not None]

    def without(self, gone: Sequence[PlanFact]) -> Plans | None:
        """Return the remaining plans without some, None if none are left."""
        left = [fact for fact in self.facts if fact not in gone]
        return Plans(left) if left else None

    def at(self, at_ms: int) -> tuple[int, int]:
        """Return the planned state at an instant, and until when it lasts at least."""
        place = bisect_right(self._begins, at_ms)
        if place:
            _, end, plan = self._spans[place - 1]
            if at_ms < end:
                return (PLANNED_WORK if plan[5] else PLANNED_OTHER), end
        return NOT_PLANNED, self._begins[place] if place < len(self._begins) else NEVER_MS

    def between(self, start_ms: int, end_ms: int) -> Iterator[tuple[int, int, int]]:
        """Yield (planned state, from, to) over the time from start to end."""
        while start_ms < end_ms:
            planned, until = self.at(start_ms)
            yield planned, start_ms, min(until, end_ms)
            start_ms = until

    @property
    def begin_ms(self) -> int | None:
        """The start of the first span."""
        return self._begins[0] if self._begins else None

    def _lay_out(self) -> None:
        self._spans, self._begins = [], []
        for fact in self.facts:
            self._put(fact)
        self._note_end()

    def _note_end(self) -> None:
        self.first_end_ms = min((fact[4] for fact in self.facts), default=NEVER_MS)

    def _put(self, fact: PlanFact) -> None:
        """Lay a plan over the spans of earlier reported plans."""
        spans, (_, _, _, begin, end, _) = self._spans, fact
        if begin < end and (not spans or spans[-1][1] <= begin):
            spans.append((begin, end, fact))
            self._begins.append(begin)
            return
        first = max(0, bisect_right(self._begins, begin) - 1)
        if first < len(spans) and spans[first][1] <= begin:
            first += 1
        last = max(first, bisect_left(self._begins, end))
        parts: list[tuple[int, int, PlanFact]] = []
        free = begin  # not yet laid out from here on
        for low, high, plan in spans[first:last]:
            if plan < fact:
                if low < begin:
                    parts.append((low, begin, plan))
                if high > end:
                    parts += ((free, end, fact), (end, high, plan))
                    free = high
                continue
            if free < low:
                parts.append((free, low, fact))
            parts.append((low, high, plan))
            free = max(free, high)
        if free < end:
            parts.append((free, end, fact))
        spans[first:last] = parts
        self._begins[first:last] = [part[0] for part in parts]
