"""The limits a record is held to beside its shape: its size, and how far its times may lie apart."""

from __future__ import annotations

from typing import Literal, Protocol

__all__ = ["MAX_AHEAD_MS", "MAX_RECORD_BYTES", "MIN_TIME_MS", "TimeReason", "check_times"]

#: The largest record value read, in bytes; the broker's own limit is higher, so that a refusal has a reason and not an error.
MAX_RECORD_BYTES = 256 * 1024

#: 2000-01-01T00:00:00Z: what occurred earlier is a platform's unset clock.
MIN_TIME_MS = 946_684_800_000

#: How far a clock may run ahead of the next one down the line, in milliseconds.
MAX_AHEAD_MS = 5 * 60 * 1000

TimeReason = Literal["time_too_old", "time_in_future"]


class _Timed(Protocol):
    """A decoded event: its times in milliseconds since the epoch."""

    occurred_ms: int
    received_ms: int


def check_times(event: _Timed, published_at_ms: int) -> TimeReason | None:
    """Return why the times of a decoded event cannot be true, or None.

    `published_at_ms` is the Kafka timestamp of the record: milliseconds since the epoch, set at publishing.
    """
    received_ms = event.received_ms
    if event.occurred_ms < MIN_TIME_MS:
        return "time_too_old"
    if event.occurred_ms - received_ms > MAX_AHEAD_MS or received_ms - published_at_ms > MAX_AHEAD_MS:
        return "time_in_future"
    return None
