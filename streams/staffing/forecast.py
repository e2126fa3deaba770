"""What volume is to be expected: the mean of the same interval on the same weekdays before, at the level of today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Forecast", "naive", "weighted_error"]

_DAY_MS: Final = 86_400_000
_WEEK_MS: Final = 7 * _DAY_MS
#: So many weeks are averaged: more are too old, fewer too noisy.
_WEEKS: Final = 4
#: Today's level is taken from so many intervals before now.
_LEVEL_INTERVALS: Final = 8
#: Contacts that pull the level of a quiet queue towards 1: three calls in place of one are no day three times as busy.
_LEVEL_CONTACTS: Final = 20.0


def naive(history: Mapping[int, float], start_ms: int) -> float | None:
    """Return what came in the same interval a week before: the method that others have to beat."""
    return history.get(start_ms - _WEEK_MS)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected contacts of a queue.

    Args:
        history: start of an interval in milliseconds → contacts offered in it, over and settled intervals alone.

        interval_ms: the length of intervals.
    """

    history: Mapping[int, float]
    interval_ms: int

    def expected(self, start_ms: int, now_ms: int) -> float | None:
        """Return the contacts expected in the interval that begins at ``start_ms``, known what was over at ``now_ms``.

        None where neither a week nor a day before is known.
        """
        base = self._base(start_ms, now_ms)
        return None if base is None else base * self._level(now_ms)

    def error(self, now_ms: int, intervals: int) -> float | None:
        """Return Σ |expected − came| ÷ Σ came of that many intervals before ``now_ms``, each as it was expected when it began."""
        last = now_ms // self.interval_ms * self.interval_ms
        starts = range(last - intervals * self.interval_ms, last, self.interval_ms)
        return weighted_error(self.history, starts, lambda start: self.expected(start, start))

    def _base(self, start_ms: int, now_ms: int) -> float | None:
        before = [start_ms - week * _WEEK_MS for week in range(1, _WEEKS + 1)]
        known = [self.history[at] for at in before if at in self.history and at + self.interval_ms <= now_ms]
        if known:
            return sum(known) / len(known)
        yesterday = start_ms - _DAY_MS
        return self.history.get(yesterday) if yesterday + self.interval_ms <= now_ms else None

    def _level(self, now_ms: int) -> float:
        """Return how busy today is beside what was to be expected of the last intervals."""
        last = now_ms // self.interval_ms * self.interval_ms
        came = expected = 0.0
        for start in range(last - _LEVEL_INTERVALS * self.interval_ms, last, self.interval_ms):
            base = self._base(start, now_ms)
            if base is not None and start in self.history:
                came += self.history[start]
                expected += base
        return (came + _LEVEL_CONTACTS) / (expected + _LEVEL_CONTACTS)


def weighted_error(history: Mapping[int, float], starts: Iterable[int], expected: Callable[[int], float | None]) -> float | None:
    """Return Σ |expected − came| ÷ Σ came over intervals of which both are known; None where nothing came."""
    missed = whole = 0.0
    for start in starts:
        foreseen = expected(start)
        if foreseen is not None and start in history:
            missed += abs(foreseen - history[start])
            whole += history[start]
    return missed / whole if whole else None
