"""The limits a record is held to beside its shape: its size, how far its times may lie apart, how many tell of one id."""

from __future__ import annotations

from typing import Any, Final, Literal, Protocol

__all__ = [
    "ENDS_WORKERS",
    "MAX_AHEAD_MS",
    "MAX_COMPLETE_AHEAD_MS",
    "MAX_COUNTED_ANEW",
    "MAX_FACTS",
    "MAX_FORECASTS",
    "MAX_INSTANCES",
    "MAX_JOINED_KEYS",
    "MAX_OPEN",
    "MAX_PLANS",
    "MAX_RECORD_BYTES",
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

#: The largest record value read, in bytes; the broker's own limit is higher, so that a refusal has a reason and not an error.
MAX_RECORD_BYTES = 256 * 1024

#: 2000-01-01T00:00:00Z: what occurred earlier is a platform's unset clock.
MIN_TIME_MS = 946_684_800_000

#: How far a clock may run ahead of the next one down the line, in milliseconds.
MAX_AHEAD_MS = 5 * 60 * 1000

#: How far a heartbeat may say that a source is complete beyond its own receipt, in milliseconds: what two clocks that are kept differ by.
MAX_COMPLETE_AHEAD_MS = 2_000

TimeReason = Literal["time_too_old", "time_in_future", "complete_through_in_future"]

TIME_DETAILS: Final[dict[TimeReason, str]] = {
    "time_too_old": "occurred_at is before the year 2000",
    "time_in_future": "occurred_at is more than 5 minutes after received_at, or either that much after the record was published",
    "complete_through_in_future": "complete_through is more than 2 seconds after received_at: nobody knows that nothing is still to come",
}
"""What each means, for who looks at a dead letter."""

#: A conversation has no more events, nor a person of those that may still change something: each is one row of state, which has to
#: fit into a record whatever the texts in it.
MAX_FACTS = 2_000

#: It waits in at most so many queues at a time, and so many agents work on it: each of its events is held against all of them.
MAX_OPEN = 50

#: And a person no more plans: half a year of shifts with their breaks.
MAX_PLANS = 3_000

#: For events of a conversation that arrive after later ones, so many of its events are counted again at most.
MAX_COUNTED_ANEW = 25_000

#: Of a queue and channel no more forecasts that have not passed: twelve weeks of quarters of an hour, in one row of state.
MAX_FORECASTS = 8_000

#: From more systems than this nothing is taken on one partition: each is named in every record of how far the partition has come.
MAX_SOURCES = 250

#: A source's events come by at most so many ways at a time, each of which says how far it is complete.
MAX_INSTANCES = 16

#: Links join at most so many keys to one customer: with each of them a fact of the customer costs more to count.
MAX_JOINED_KEYS = 20

#: Why an event is refused that is one too many of its conversation or person: no record shows that, only what is known by then.
TOO_MANY_EVENTS: Final = "too_many_events"

#: Why an event is refused that comes before others of its conversation once too many of these have been counted again.
TOO_MANY_OUT_OF_ORDER: Final = "too_many_out_of_order"

#: Why an event is refused that would begin, or go on with, a contact or person where too much is kept of its source already.
TOO_MANY_OPEN: Final = "too_many_open_conversations"
TOO_MANY_PEOPLE: Final = "too_many_people"

#: Why an event is refused of a source that is one too many.
TOO_MANY_SOURCES: Final = "too_many_sources"

#: The reason of a dead letter that ended two processes before it was found; a defect of ours, whatever is in it.
ENDS_WORKERS: Final = "ends_workers"

#: The reason of the one dead letter of a batch that would take too much memory, or is not packed as its codec has it.
UNREADABLE_BATCH: Final = "unreadable_batch"

#: Why a record is set aside of a source that is quarantined on its partition: nothing is wrong with it by itself.
SOURCE_QUARANTINED: Final = "source_quarantined"

#: A plan or forecast is about a shift or an interval, not about a year, and nobody plans or promises for a time farther off.
_LONGEST_DAYS, _FARTHEST_DAYS = 31, 400
_DAY_MS = 86_400_000


class _Timed(Protocol):
    """A decoded event: its times in milliseconds since the epoch."""

    occurred_ms: int
    received_ms: int


def bound_times(event: _Timed, appended_ms: int) -> TimeReason | None:
    """Return why the times of a decoded event cannot be true, or None; then it was received no later than its record was appended.

    `appended_ms` is the Kafka timestamp of the record: milliseconds since the epoch, by the broker's clock. A connector's clock that
    runs ahead loses no event, and moves nothing beyond that.
    """
    received_ms = event.received_ms
    if event.occurred_ms < MIN_TIME_MS:
        return "time_too_old"
    if event.occurred_ms - received_ms > MAX_AHEAD_MS or received_ms - appended_ms > MAX_AHEAD_MS:
        return "time_in_future"
    return None if received_ms <= appended_ms else _set_back(event, appended_ms)


def _set_back(event: Any, appended_ms: int) -> TimeReason | None:
    """Have an event be received when its record was appended."""
    if event.occurred_ms - appended_ms > MAX_AHEAD_MS:
        return "time_in_future"
    wrong = bound_complete_through(event, appended_ms) if getattr(event, "complete_through_ms", None) is not None else None
    event.received_ms = appended_ms
    return wrong


def bound_complete_through(heartbeat: Any, appended_ms: int) -> TimeReason | None:
    """Return why a decoded heartbeat is not believed, or None; then it says nothing of a time after its record was appended."""
    if heartbeat.complete_through_ms - heartbeat.received_ms > MAX_COMPLETE_AHEAD_MS:
        return "complete_through_in_future"
    heartbeat.complete_through_ms = min(heartbeat.complete_through_ms, appended_ms)
    return None


# ---- What a sender says of times to come: how long, and how far off ---------------------------------------------------------------


def far_fetched_plan(occurred_ms: int, start_ms: int, end_ms: int) -> str | None:
    """Return what is permitted where a plan is too long or ends too far off, None if it is neither."""
    if end_ms - start_ms > _LONGEST_DAYS * _DAY_MS:
        return f"end: at most {_LONGEST_DAYS} days after start"
    return _far_off("end", occurred_ms, end_ms)


def far_fetched_forecast(occurred_ms: int, start_ms: int, seconds: float) -> str | None:
    """Return what is permitted where a forecast is of no interval, of too long a one, or of one too far off; None if of none of these."""
    if not 0 < seconds <= _LONGEST_DAYS * _DAY_MS / 1000:
        return f"interval_seconds: more than 0 and at most {_LONGEST_DAYS * _DAY_MS // 1000}"
    return _far_off("interval_start", occurred_ms, start_ms)


def far_fetched_due(occurred_ms: int, due_ms: int | None) -> str | None:
    """Return what is permitted where a callback is due too far off, None if it is not."""
    return None if due_ms is None else _far_off("due", occurred_ms, due_ms)


def far_fetched(event: Any) -> str | None:
    """Return what is permitted where a decoded event tells of times too long or too far off, None otherwise."""
    kind = event.type
    if kind == "schedule.planned":
        return far_fetched_plan(event.occurred_ms, event.start_ms, event.end_ms)
    if kind == "forecast.set":
        return far_fetched_forecast(event.occurred_ms, event.interval_start_ms, event.interval_seconds)
    return far_fetched_due(event.occurred_ms, event.due_ms) if hasattr(event, "due_ms") else None


def _far_off(field: str, occurred_ms: int, at_ms: int) -> str | None:
    return f"{field}: at most {_FARTHEST_DAYS} days after occurred_at" if at_ms - occurred_ms > _FARTHEST_DAYS * _DAY_MS else None
