"""Arrivals of contacts: an inhomogeneous Poisson process over the hours since the center opened."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

__all__ = ["LONGEST_GAP_SECONDS", "next_arrival_ms", "volume"]

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS

#: Hours since opening → share of the busiest volume; linear between, and repeated daily.
_CURVE: tuple[tuple[float, float], ...] = (
    (0.0, 0.45),
    (1.0, 0.85),
    (2.0, 1.0),
    (3.5, 0.95),
    (4.25, 0.85),
    (5.5, 0.95),
    (7.0, 1.0),
    (8.5, 0.75),
    (9.5, 0.32),
    (12.5, 0.24),
    (18.0, 0.20),
    (23.0, 0.24),
    (24.0, 0.45),
)
_HOURS = [hour for hour, _ in _CURVE]

#: The longest gap between calls of a voice queue: every trailing quarter of an hour of the demo has figures, also at night.
LONGEST_GAP_SECONDS = 150.0


def volume(since_opening_ms: int) -> float:
    """Return the share of the busiest volume at a time of day, 0 to 1."""
    hour = since_opening_ms % _DAY_MS / _HOUR_MS
    after = min(bisect_right(_HOURS, hour), len(_CURVE) - 1)
    (left, low), (right, high) = _CURVE[after - 1], _CURVE[after]
    return low + (high - low) * (hour - left) / (right - left)


def next_arrival_ms(now_ms: int, opened_ms: int, peak_per_hour: float, random: Random, longest_gap_seconds: float | None = None) -> int:
    """Return the time of the next contact, by thinning a steady process of the peak rate."""
    latest = None if longest_gap_seconds is None else now_ms + int(longest_gap_seconds * 1000)
    ms = float(now_ms)
    while True:
        ms += random.expovariate(peak_per_hour) * _HOUR_MS
        if latest is not None and ms >= latest:
            return latest
        if random.random() < volume(int(ms) - opened_ms):
            return int(ms)
