"""The limits a record is held to beside its shape: its size, how far its times may lie apart, how many tell of one id."""

from __future__ import annotations

from typing import Any, Final, Literal, Protocol

from schemas.rejection import Rejected

__all__ = [
    "MAX_AHEAD_MS",
    "MAX_FACTS",
    "MAX_INSTANCES",
    "MAX_PLANS",
    "MAX_RECORD_BYTES",
    "MAX_SOURCES",
    "MIN_TIME_MS",
    "TIME_DETAILS",
    "TOO_MANY_EVENTS",
    "TOO_MANY_SOURCES",
    "TimeReason",
    "check_forecast",
    "check_times",
]

#: The largest record value read, in bytes; the broker's own limit is higher, so that a refusal has a reason and not an error.
MAX_RECORD_BYTES = 256 * 1024

#: 2000-01-01T00:00:00Z: what occurred earlier is a platform's unset clock.
MIN_TIME_MS = 946_684_800_000

#: How far a clock may run ahead of the next one down the line, in milliseconds.
MAX_AHEAD_MS = 5 * 60 * 1000

TimeReason = Literal["time_too_old", "time_in_future"]

TIME_DETAILS: Final[dict[TimeReason, str]] = {
    "time_too_old": "occurred_at is before the year 2000",
    "time_in_future": "occurred_at is more than 5 minutes after received_at, or received_at that much after the record was published",
}
"""What each means, for who looks at a dead letter."""

#: A conversation has no more events, nor a person of those that may still change something: each is one row of state, which has to
#: fit into a record whatever the texts in it.
MAX_FACTS = 2_000

#: And a person no more plans: half a year of shifts with their breaks.
MAX_PLANS = 3_000

#: From more systems than this nothing is taken on one partition: each is named in every record of how far the partition has come.
MAX_SOURCES = 250

#: A source's events come by at most so many ways at a time, each of which says how far it is complete.
MAX_INSTANCES = 16

#: Why an event is refused that is one too many of its conversation or person: no record shows that, only what is known by then.
TOO_MANY_EVENTS: Final = "too_many_events"

#: Why an event is refused of a source that is one too many.
TOO_MANY_SOURCES: Final = "too_many_sources"

#: A forecast is about an interval, not about a year, and not about a time nobody plans for.
_LONGEST_FORECAST_SECONDS, _FARTHEST_FORECAST_MS = 31 * 86_400, 400 * 86_400_000


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


def check_forecast(event: Any) -> None:
    """Raise Rejected if a decoded customer event is a forecast of an interval that nobody plans."""
    if event.type != "forecast.set":
        return
    if not 0 < event.interval_seconds <= _LONGEST_FORECAST_SECONDS:
        raise Rejected("invalid_value", f"interval_seconds: more than 0 and at most {_LONGEST_FORECAST_SECONDS}")
    if event.interval_start_ms > event.occurred_ms + _FARTHEST_FORECAST_MS:
        raise Rejected("invalid_value", "interval_start: at most 400 days after occurred_at")
