"""Expected volume: the mean of the same interval on the same weekday of earlier weeks, scaled by the level of today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Forecast", "naive", "weighted_error"]

_DAY_MS: Final = 86_400_000
_WEEK_MS: Final = 7 * _DAY_MS
#: Weeks that are averaged: more are too old, fewer too noisy.
_WEEKS: Final = 4
#: Intervals before now that give today's level.
_LEVEL_INTERVALS: Final = 8
#: Contacts that pull the level of a quiet queue towards 1: three calls instead of one do not make a day three times as busy.
_LEVEL_CONTACTS: Final = 20.0


def naive(history: Mapping[int, float], start_ms: int) -> float | None:
    """Return the volume of the same interval a week before: the baseline for other methods."""
    return history.get(start_ms - _WEEK_MS)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected contacts of a queue.

    Args:
        history: start of an interval in ms → contacts offered in it; completed intervals only.

        interval_ms: length of intervals.
    """

    history: Mapping[int, float]
    interval_ms: int

    def expected(self, start_ms: int, now_ms: int) -> float | None:
        """Return the contacts expected in the interval that begins at ``start_ms``, from intervals completed at ``now_ms``.

        None where history has neither an earlier week nor the day before.
        """
        base = self._base(start_ms, now_ms)
        return None if base is None else base * self._level(now_ms)

    def error(self, now_ms: int, intervals: int) -> float | None:
        """Return Σ |expected − actual| ÷ Σ actual of intervals before ``now_ms``, each as it was expected at its begin."""
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
        """Return the ratio of actual to expected contacts in the last intervals."""
        last = now_ms // self.interval_ms * self.interval_ms
        actual = expected = 0.0
        for start in range(last - _LEVEL_INTERVALS * self.interval_ms, last, self.interval_ms):
            base = self._base(start, now_ms)
            if base is not None and start in self.history:
                actual += self.history[start]
                expected += base
        return (actual + _LEVEL_CONTACTS) / (expected + _LEVEL_CONTACTS)


def weighted_error(history: Mapping[int, float], starts: Iterable[int], expected: Callable[[int], float | None]) -> float | None:
    """Return Σ |expected − actual| ÷ Σ actual over intervals that have both; None without contacts."""
    errors = total = 0.0
    for start in starts:
        forecast = expected(start)
        if forecast is not None and start in history:
            errors += abs(forecast - history[start])
            total += history[start]
    return errors / total if total else None
