"""What one person is planned to do: plans in their order, and what holds of them when (``docs/counting.md`` section 13)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING

from schemas.limits import far_fetched_plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.configuration import Configuration

__all__ = ["Activities", "PlanFact", "Plans"]

#: (occurred_ms, sequence, event_id, holds from ms, to ms, whether it is work); plans sort by the first three.
PlanFact = tuple[int, int, str, int, int, bool]

_WORK = ("work", "available", "on_queue")


class Activities:
    """From a planning tool's words to work or not."""

    def __init__(self, configuration: Configuration) -> None:
        self._work = dict.fromkeys(_WORK, True)
        self._work.update({_normal(name): kind == "work" for name, kind in configuration.planned_activities.items()})

    def is_work(self, activity: str) -> bool:
        """Say whether who is planned so is to be available for contacts."""
        return self._work.get(_normal(activity), False)


def _normal(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")


class Plans:
    """The plans of one person that have not been over for long."""

    __slots__ = ("_begins", "_spans", "facts")

    def __init__(self, facts: list[PlanFact]) -> None:
        self.facts = facts
        self._begins: list[int] = []
        #: what holds: (from, to, plan), one after another
        self._spans: list[tuple[int, int, PlanFact]] = []
        self._lay_out()

    def add(self, fact: PlanFact) -> None:
        """Take in one more plan; the latest told counts where several hold."""
        insort(self.facts, fact)
        self._put(fact)

    def hidden(self) -> list[PlanFact]:
        """Forget the plans that hold nowhere any more, and return them: they are told again every night, weeks ahead."""
        holding = {plan for _, _, plan in self._spans}
        gone = [fact for fact in self.facts if fact not in holding]
        self.facts = [fact for fact in self.facts if fact in holding]
        return gone

    def over(self, before_ms: int) -> list[PlanFact]:
        """Forget the plans that ended before an instant, and return them."""
        gone = [fact for fact in self.facts if fact[4] < before_ms]
        if gone:
            self.facts = [fact for fact in self.facts if fact[4] >= before_ms]
            self._lay_out()
        return gone

    def far_fetched(self) -> list[PlanFact]:
        """Return the plans that are taken no more: too long, or of a time too far off."""
        return [fact for fact in self.facts if far_fetched_plan(fact[0], fact[3], fact[4]) is not None]

    def without(self, gone: Sequence[PlanFact]) -> Plans | None:
        """Return what is left without some plans, None if that is nothing."""
        left = [fact for fact in self.facts if fact not in gone]
        return Plans(left) if left else None

    def between(self, start_ms: int, end_ms: int) -> Iterator[tuple[int, int, bool]]:
        """Yield what of the time from start to end is planned, and whether it is work."""
        spans = self._spans
        for index in range(max(0, bisect_right(self._begins, start_ms) - 1), len(spans)):
            begin, end, plan = spans[index]
            if begin >= end_ms:
                return
            if end > start_ms:
                yield max(begin, start_ms), min(end, end_ms), plan[5]

    @property
    def begin_ms(self) -> int | None:
        """When the first of what is planned begins."""
        return self._begins[0] if self._begins else None

    def _lay_out(self) -> None:
        self._spans, self._begins = [], []
        for fact in self.facts:
            self._put(fact)

    def _put(self, fact: PlanFact) -> None:
        """Have a plan hold where none told later does."""
        spans, (_, _, _, begin, end, _) = self._spans, fact
        first = max(0, bisect_right(self._begins, begin) - 1)
        if first < len(spans) and spans[first][1] <= begin:
            first += 1
        last = max(first, bisect_left(self._begins, end))
        parts: list[tuple[int, int, PlanFact]] = []
        free = begin  # from here on it holds, as far as is known
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
