"""Conversions between RFC 3339 text, aware datetimes and integer milliseconds since the epoch, all exact; no clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

__all__ = ["TIME_PATTERN", "TimeFormatError", "format_ms", "from_ms", "parse_time", "parse_time_ms", "seconds_to_ms", "to_ms"]

#: The one accepted form of a time: RFC 3339 with capital ``T``, optional fraction of 1 to 9 digits, and ``Z`` or an offset.
TIME_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)

_MATCH = re.compile(TIME_PATTERN.removesuffix("$")).fullmatch
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_MS_A_DAY = 86_400_000


class TimeFormatError(ValueError):
    """A text is not a time in the documented form, or names a moment the calendar does not have."""


def to_ms(moment: datetime) -> int:
    """Return whole milliseconds since the epoch, rounded down; raise ValueError for a naive datetime."""
    if moment.utcoffset() is None:
        message = "a time needs an offset from UTC"
        raise ValueError(message)
    since = moment - _EPOCH
    return since.days * _MS_A_DAY + since.seconds * 1000 + since.microseconds // 1000


def from_ms(ms: int) -> datetime:
    """Return the UTC datetime of `ms` milliseconds since the epoch; raise OverflowError outside years 1 to 9999."""
    return _EPOCH + ms * _MS


def seconds_to_ms(seconds: float) -> int:
    """Return a duration in seconds as milliseconds, rounded to the nearest, halves to the even one."""
    return round(seconds * 1000)


def format_ms(ms: int) -> str:
    """Return `ms` as ``YYYY-MM-DDTHH:MM:SS.mmmZ``."""
    text = from_ms(ms).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return f"{text}Z"


def parse_time(text: str) -> datetime:
    """Return the UTC datetime of an RFC 3339 text, rounded down to the millisecond; raise TimeFormatError otherwise."""
    if _MATCH(text) is None:
        message = "not an RFC 3339 time with an offset"
        raise TimeFormatError(message)
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        message = "not a moment of the calendar"
        raise TimeFormatError(message) from error
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def parse_time_ms(text: str) -> int:
    """Return the milliseconds since the epoch of an RFC 3339 text, rounded down; raise TimeFormatError otherwise."""
    return to_ms(parse_time(text))
