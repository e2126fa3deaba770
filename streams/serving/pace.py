"""Whether figures that lag catch up or are stalled; no clock, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MOVED_SECONDS", "Pace"]

#: A partition without progress for this long is stalled: a worker that catches up flushes every few seconds.
MOVED_SECONDS: Final = 10.0


class Pace:
    """When the as-of of each partition of queue-panes last advanced."""

    def __init__(self) -> None:
        self._as_of: dict[int, int] = {}
        self._moved: dict[int, float] = {}

    def record(self, as_of_ms: Mapping[int, int], now: float) -> None:
        """Record the as-of of partitions at an instant, in seconds."""
        if as_of_ms == self._as_of:
            return
        for partition, ms in as_of_ms.items():
            # The first as-of seen may be old.
            if ms > self._as_of.get(partition, ms):
                self._moved[partition] = now
        self._as_of = dict(as_of_ms)

    def moving(self, now: float) -> frozenset[int]:
        """Return the partitions that have advanced recently."""
        return frozenset(partition for partition, at in self._moved.items() if now - at <= MOVED_SECONDS)
