"""Conversions between RFC 3339 text, aware datetimes and integer milliseconds since the epoch, all exact; no clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

__all__ = [
    "SECOND_MS",
    "SUFFIX_MS",
    "TIME_PATTERN",
    "TimeFormatError",
    "format_ms",
    "from_ms",
    "parse_time",
    "parse_time_ms",
    "seconds_to_ms",
    "to_ms",
]

_SECOND_PATTERN = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_SUFFIX_PATTERN = r"(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"

#: The one accepted form of a time: RFC 3339 with a capital ``T``, an optional fraction of 1 to 9 digits, and ``Z`` or an offset.
TIME_PATTERN = f"^{_SECOND_PATTERN}{_SUFFIX_PATTERN}$"

_IS_TIME = re.compile(_SECOND_PATTERN + _SUFFIX_PATTERN).fullmatch
_IS_SECOND = re.compile(_SECOND_PATTERN).fullmatch
_SUFFIX = re.compile(r"(?:\.([0-9]{1,9}))?(?:Z|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))").fullmatch

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_MS_A_DAY = 86_400_000

#: The most texts in each cache of `parse_time_ms` before it is cleared: over an hour of seconds, and every millisecond of one.
_CACHED = 4096


class TimeFormatError(ValueError):
    """A text is not a time in the documented form, or names a moment the calendar does not have."""


def to_ms(moment: datetime) -> int:
    """Return whole milliseconds since the epoch, rounded down; raise ValueError for a naive datetime."""
    if moment.utcoffset() is None:
        raise ValueError("a time needs an offset from UTC")
    since = moment - _EPOCH
    return since.days * _MS_A_DAY + since.seconds * 1000 + since.microseconds // 1000


def from_ms(ms: int) -> datetime:
    """Return the UTC datetime of `ms` milliseconds since the epoch; raise OverflowError outside the years 1 to 9999."""
    return _EPOCH + ms * _MS


def seconds_to_ms(seconds: float) -> int:
    """Return a duration in seconds as milliseconds, rounded to the nearest, halves to the even one."""
    return round(seconds * 1000)


# Records written together name the same few instants.
@lru_cache(maxsize=4096)
def format_ms(ms: int) -> str:
    """Return `ms` as ``YYYY-MM-DDTHH:MM:SS.mmmZ``."""
    text = from_ms(ms).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return f"{text}Z"


def parse_time(text: str) -> datetime:
    """Return the UTC datetime of an RFC 3339 text, rounded down to the millisecond; raise TimeFormatError otherwise."""
    if _IS_TIME(text) is None:
        raise TimeFormatError("not an RFC 3339 time with an offset")
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise TimeFormatError("not a moment of the calendar") from error
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


#: The two digits of a second → its milliseconds.
_SECONDS = {f"{second:02}": 1000 * second for second in range(60)}
#: Where the seconds begin in ``YYYY-MM-DDTHH:MM:SS``.
_MINUTE_CHARACTERS = 17


class _SecondMs(dict[str, int]):
    """The milliseconds of ``YYYY-MM-DDTHH:MM:SS`` read as UTC, cached: events of one second arrive together."""

    def __init__(self) -> None:
        super().__init__()
        #: The text before the seconds → its milliseconds, cached for the same reason.
        self._minutes: dict[str, int] = {}

    def __missing__(self, text: str) -> int:
        minute, second = self._minutes.get(text[:_MINUTE_CHARACTERS]), _SECONDS.get(text[_MINUTE_CHARACTERS:])
        ms = self._parsed(text) if minute is None or second is None else minute + second
        if len(self) >= _CACHED:
            self.clear()
        self[text] = ms
        return ms

    def _parsed(self, text: str) -> int:
        # The first and the last years are left to `parse_time`: with an offset they can fall out of the calendar.
        if _IS_SECOND(text) is None or not "1000" <= text[:4] <= "9998":
            raise TimeFormatError("not an RFC 3339 time with an offset")
        try:
            ms = to_ms(datetime.fromisoformat(text).replace(tzinfo=UTC))
        except ValueError as error:
            raise TimeFormatError("not a moment of the calendar") from error
        if len(self._minutes) >= _CACHED:
            self._minutes.clear()
        self._minutes[text[:_MINUTE_CHARACTERS]] = ms - _SECONDS[text[_MINUTE_CHARACTERS:]]
        return ms


class _SuffixMs(dict[str, int]):
    """The milliseconds to add for the text after the seconds, such as ``.789Z`` or ``.5+09:00``, cached."""

    def __missing__(self, text: str) -> int:
        parts = _SUFFIX(text)
        if parts is None:
            raise TimeFormatError("not an RFC 3339 time with an offset")
        fraction, sign, hours, minutes = parts.groups()
        ms = int(fraction[:3].ljust(3, "0")) if fraction else 0
        if sign:
            offset = (int(hours) * 60 + int(minutes)) * 60_000
            ms += offset if sign == "-" else -offset
        if len(self) >= _CACHED:
            self.clear()
        self[text] = ms
        return ms


#: The two halves of `parse_time_ms`, for loops that cannot afford its call: ``SECOND_MS[text[:19]] + SUFFIX_MS[text[19:]]``.
SECOND_MS = _SecondMs()
SUFFIX_MS = _SuffixMs()


def parse_time_ms(text: str) -> int:
    """Return what ``to_ms(parse_time(text))`` returns, several times as fast; raise TimeFormatError also outside the years 1000 to 9998."""
    return SECOND_MS[text[:19]] + SUFFIX_MS[text[19:]]
