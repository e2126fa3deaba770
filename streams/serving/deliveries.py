"""What became of the alerts that this process delivers, for its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from aiokafka import TopicPartition

__all__ = ["Delivered", "Deliveries", "Result"]

Result = Literal["delivered", "failed", "refused"]


class Delivered(NamedTuple):
    """The deliveries as they stand at one moment."""

    attempts: Mapping[Result, int]
    rejected: int
    oldest_seconds: float


@dataclass(slots=True)
class Deliveries:
    """Attempts by result, and since when alerts wait."""

    attempts: dict[Result, int] = field(default_factory=lambda: {"delivered": 0, "failed": 0, "refused": 0})
    #: Records that could not be read and were left out.
    rejected: int = 0
    #: Partition → when the first of its alerts that is not delivered came into the topic, in milliseconds since the epoch.
    waiting_since_ms: dict[TopicPartition, int] = field(default_factory=dict)

    def at(self, seconds: float) -> Delivered:
        """Return how things stand at a moment in seconds since the epoch."""
        now_ms = int(seconds * 1000)
        oldest = min(self.waiting_since_ms.values(), default=now_ms)
        return Delivered(dict(self.attempts), self.rejected, max(0, now_ms - oldest) / 1000)
