"""Whether figures that are not those of now move on or stand still; no clock, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MOVED_SECONDS", "Pace"]

#: What has not moved for so long stands still: who catches up flushes every few seconds, however busy the machine.
MOVED_SECONDS: Final = 10.0


class Pace:
    """When as-of was last seen to move on, by partition of queue-panes."""

    def __init__(self) -> None:
        self._as_of: dict[int, int] = {}
        self._moved: dict[int, float] = {}

    def note(self, as_of_ms: Mapping[int, int], now: float) -> None:
        """Take note of where partitions are at an instant, in seconds."""
        if as_of_ms == self._as_of:
            return
        for partition, ms in as_of_ms.items():
            # What is seen for the first time may have stood there for long.
            if ms > self._as_of.get(partition, ms):
                self._moved[partition] = now
        self._as_of = dict(as_of_ms)

    def moving(self, now: float) -> frozenset[int]:
        """Return the partitions that have moved on of late."""
        return frozenset(partition for partition, at in self._moved.items() if now - at <= MOVED_SECONDS)
