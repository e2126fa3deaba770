"""Results of the alert deliveries of this process, for its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from aiokafka import TopicPartition

__all__ = ["Delivered", "Deliveries", "Result"]

Result = Literal["delivered", "failed", "refused"]


class Delivered(NamedTuple):
    """The deliveries at one moment."""

    attempts: Mapping[Result, int]
    rejected: int
    oldest_seconds: float


@dataclass(slots=True)
class Deliveries:
    """Attempts by result, and the age of undelivered alerts."""

    attempts: dict[Result, int] = field(default_factory=lambda: {"delivered": 0, "failed": 0, "refused": 0})
    #: Unreadable records, which are left out.
    rejected: int = 0
    #: Partition → when its oldest undelivered alert was published, in milliseconds since the epoch.
    waiting_since_ms: dict[TopicPartition, int] = field(default_factory=dict)

    def at(self, seconds: float) -> Delivered:
        """Return the deliveries at a moment in seconds since the epoch."""
        now_ms = int(seconds * 1000)
        oldest = min(self.waiting_since_ms.values(), default=now_ms)
        return Delivered(dict(self.attempts), self.rejected, max(0, now_ms - oldest) / 1000)
