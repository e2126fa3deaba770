"""The limits of a record beyond its shape: its size, the distance between its times, the number of events of one id."""

from __future__ import annotations

from typing import Any, Final, Literal, Protocol

__all__ = [
    "ENDS_WORKERS",
    "MAX_AHEAD_MS",
    "MAX_COMPLETE_AHEAD_MS",
    "MAX_FACTS",
    "MAX_FORECASTS",
    "MAX_INSTANCES",
    "MAX_JOINED_KEYS",
    "MAX_OPEN",
    "MAX_PLANS",
    "MAX_RECORD_BYTES",
    "MAX_RECOUNTED",
    "MAX_SOURCES",
    "MIN_TIME_MS",
    "SOURCE_QUARANTINED",
    "TIME_DETAILS",
    "TOO_MANY_EVENTS",
    "TOO_MANY_OPEN",
    "TOO_MANY_OUT_OF_ORDER",
    "TOO_MANY_PEOPLE",
    "TOO_MANY_SOURCES",
    "UNREADABLE_BATCH",
    "TimeReason",
    "bound_complete_through",
    "bound_times",
    "far_fetched",
    "far_fetched_due",
    "far_fetched_forecast",
    "far_fetched_plan",
]

#: The largest record value that is read, in bytes. The broker's own limit is higher, so that a refusal has a reason and is no error.
MAX_RECORD_BYTES = 256 * 1024

#: 2000-01-01T00:00:00Z: an earlier time comes from a platform's unset clock.
MIN_TIME_MS = 946_684_800_000

#: How far a clock may run ahead of the next one on an event's way, in milliseconds.
MAX_AHEAD_MS = 5 * 60 * 1000

#: How far `complete_through` of a heartbeat may lie after its receipt, in milliseconds: the difference of two synchronized clocks.
MAX_COMPLETE_AHEAD_MS = 2_000

TimeReason = Literal["time_too_old", "time_in_future", "complete_through_in_future"]

TIME_DETAILS: Final[dict[TimeReason, str]] = {
    "time_too_old": "occurred_at is before the year 2000",
    "time_in_future": "occurred_at is more than 5 minutes after received_at, or either that much after the record was published",
    "complete_through_in_future": "complete_through is more than 2 seconds after received_at: no source can know that yet",
}
"""What each reason means, for readers of a dead letter."""

#: The most events of a conversation, and of a person those that may still change something. Each id is one row of state, which must
#: fit into a record whatever its texts are.
MAX_FACTS = 2_000

#: The most queues a conversation waits in at a time, and the most agents who work on it: each of its events is compared with all of them.
MAX_OPEN = 50

#: The most plans of a person: half a year of shifts with their breaks.
MAX_PLANS = 3_000

#: The most events of a conversation that are recounted because others arrived out of order.
MAX_RECOUNTED = 25_000

#: The most forecasts of a queue and channel that have not passed: twelve weeks of quarters of an hour, in one row of state.
MAX_FORECASTS = 8_000

#: The most sources on one partition: every progress record of the partition names each of them.
MAX_SOURCES = 250

#: The most instances of a source at a time; each reports how far it is complete.
MAX_INSTANCES = 16

#: The most keys that links join to one customer: each makes a fact of the customer more expensive to count.
MAX_JOINED_KEYS = 20

#: The event exceeds the limit of its conversation or person. The record alone does not show that, only the state.
TOO_MANY_EVENTS: Final = "too_many_events"

#: The event is out of order, and its conversation has reached the limit of recounted events.
TOO_MANY_OUT_OF_ORDER: Final = "too_many_out_of_order"

#: The event would start or continue a contact or person, and its source has reached the limit of these.
TOO_MANY_OPEN: Final = "too_many_open_conversations"
TOO_MANY_PEOPLE: Final = "too_many_people"

#: The event is from a source beyond the limit of sources.
TOO_MANY_SOURCES: Final = "too_many_sources"

#: The record ended two processes before it was found: an internal error, whatever its content.
ENDS_WORKERS: Final = "ends_workers"

#: The one dead letter of a batch that would take too much memory, or that its codec cannot unpack.
UNREADABLE_BATCH: Final = "unreadable_batch"

#: The source is quarantined on this partition; the record itself may be fine.
SOURCE_QUARANTINED: Final = "source_quarantined"

#: A plan or forecast is of a shift or an interval, not of a year, and is not made for a time farther off.
_LONGEST_DAYS, _FARTHEST_DAYS = 31, 400
_DAY_MS = 86_400_000


class _Timed(Protocol):
    """A decoded event: its times in milliseconds since the epoch."""

    occurred_ms: int
    received_ms: int


def bound_times(event: _Timed, appended_ms: int) -> TimeReason | None:
    """Return why the times of a decoded event cannot be true, or None; then it was received no later than its record was appended.

    `appended_ms` is the Kafka timestamp of the record: milliseconds since the epoch, by the broker's clock. A connector's clock that
    runs ahead loses no event, and moves no time beyond the append.
    """
    received_ms = event.received_ms
    if event.occurred_ms < MIN_TIME_MS:
        return "time_too_old"
    if event.occurred_ms - received_ms > MAX_AHEAD_MS or received_ms - appended_ms > MAX_AHEAD_MS:
        return "time_in_future"
    return None if received_ms <= appended_ms else _set_back(event, appended_ms)


def _set_back(event: Any, appended_ms: int) -> TimeReason | None:
    """Set the receipt of an event to the time its record was appended."""
    if event.occurred_ms - appended_ms > MAX_AHEAD_MS:
        return "time_in_future"
    wrong = bound_complete_through(event, appended_ms) if getattr(event, "complete_through_ms", None) is not None else None
    event.received_ms = appended_ms
    return wrong


def bound_complete_through(heartbeat: Any, appended_ms: int) -> TimeReason | None:
    """Return why a decoded heartbeat is refused, or None; then its `complete_through` is no later than the append of its record."""
    if heartbeat.complete_through_ms - heartbeat.received_ms > MAX_COMPLETE_AHEAD_MS:
        return "complete_through_in_future"
    heartbeat.complete_through_ms = min(heartbeat.complete_through_ms, appended_ms)
    return None


# ---- Future times that a sender reports: how long, and how far off ----------------------------------------------------------------


def far_fetched_plan(occurred_ms: int, start_ms: int, end_ms: int) -> str | None:
    """Return what is permitted if a plan is too long or ends too far off, else None."""
    if end_ms - start_ms > _LONGEST_DAYS * _DAY_MS:
        return f"end: at most {_LONGEST_DAYS} days after start"
    return _far_off("end", occurred_ms, end_ms)


def far_fetched_forecast(occurred_ms: int, start_ms: int, seconds: float) -> str | None:
    """Return what is permitted if the interval of a forecast is empty, too long or too far off, else None."""
    if not 0 < seconds <= _LONGEST_DAYS * _DAY_MS / 1000:
        return f"interval_seconds: more than 0 and at most {_LONGEST_DAYS * _DAY_MS // 1000}"
    return _far_off("interval_start", occurred_ms, start_ms)


def far_fetched_due(occurred_ms: int, due_ms: int | None) -> str | None:
    """Return what is permitted if a callback is due too far off, else None."""
    return None if due_ms is None else _far_off("due", occurred_ms, due_ms)


def far_fetched(event: Any) -> str | None:
    """Return what is permitted if a decoded event has future times that are too long or too far off, else None."""
    kind = event.type
    if kind == "schedule.planned":
        return far_fetched_plan(event.occurred_ms, event.start_ms, event.end_ms)
    if kind == "forecast.set":
        return far_fetched_forecast(event.occurred_ms, event.interval_start_ms, event.interval_seconds)
    return far_fetched_due(event.occurred_ms, event.due_ms) if hasattr(event, "due_ms") else None


def _far_off(field: str, occurred_ms: int, at_ms: int) -> str | None:
    return f"{field}: at most {_FARTHEST_DAYS} days after occurred_at" if at_ms - occurred_ms > _FARTHEST_DAYS * _DAY_MS else None
