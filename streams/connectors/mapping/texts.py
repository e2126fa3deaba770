"""Read the contents of a record as text, number, duration or moment; errors quote nothing of the record."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, Literal
from zoneinfo import ZoneInfo

from schemas.base import MAX_SECONDS
from schemas.times import to_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.connectors.mapping.format import DurationFormat
    from streams.connectors.repeated_hour import RepeatedHour

__all__ = [
    "BadRecordError",
    "boolean_of",
    "duration_ms",
    "integer_of",
    "is_absent",
    "moment_reader",
    "number_of",
    "pattern_problem",
    "text_of",
]


class BadRecordError(Exception):
    """A record cannot be mapped; carries the reason, and a detail that names the column and quotes nothing of the record."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})")
_CLOCK_SECONDS: Final = re.compile(r"([0-9]{1,6}):([0-5][0-9]):([0-5][0-9](?:\.[0-9]{1,9})?)")
_MINUTES_SECONDS: Final = re.compile(r"([0-9]{1,8}):([0-5][0-9](?:\.[0-9]{1,9})?)")
_HOURS_MINUTES: Final = re.compile(r"([0-9]{1,6}):([0-5][0-9])")
_ISO_DURATION: Final = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,6})W)?(?:([0-9]{1,6})D)?(?:T(?=[0-9])(?:([0-9]{1,8})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,10}(?:[.,][0-9]{1,9})?)S)?)?"
)
_UNIT_MS: Final = {"seconds": 1000, "milliseconds": 1, "minutes": 60_000, "hours": 3_600_000, "days": 86_400_000}

#: A number beyond this many digits stays in scientific notation.
_MAX_DIGITS: Final = 30

#: What a pattern of a time may hold, and what every one needs.
_DIRECTIVES: Final = frozenset("YymdHMSfzpIbBjaA%")
_NEEDED: Final = (("Y", "y"), ("m", "b", "B", "j"), ("d", "j"), ("H", "I"), ("M",))


def text_of(value: object) -> str:
    """Return a scalar of a record as text; raise BadRecordError for an object or a list."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > _MAX_DIGITS:
            return str(value)
        return format(value, "f")
    if isinstance(value, int | float):
        return str(value)
    raise BadRecordError("wrong_type", "holds an object or a list; permitted: a text, a number, true or false")


def _decimal(value: object, decimal: str) -> Decimal | None:
    """Return a number, None for what is none."""
    text = text_of(value)
    if decimal != "." and isinstance(value, str):
        text = text.replace(decimal, ".", 1) if "." not in text else ""
    try:
        return Decimal(text) if _NUMBER.fullmatch(text) else None
    except InvalidOperation:  # the pattern lets none of these through
        return None


def _other_decimal(value: object, decimal: str) -> str:
    """Return a hint if the text is a number with the other decimal sign; it quotes nothing."""
    other = "," if decimal == "." else "."
    if not isinstance(value, str) or other not in value or _decimal(value, other) is None:
        return ""
    return f"; if {other!r} is the decimal sign, write decimal: {other!r} under read"


def number_of(value: object, decimal: str = ".") -> float:
    """Return a number."""
    number = None if isinstance(value, bool) else _decimal(value, decimal)
    if number is None:
        raise BadRecordError(
            "not_a_number", f"is no number; permitted: digits with at most one {decimal!r}{_other_decimal(value, decimal)}"
        )
    return float(number)


def integer_of(value: object, decimal: str = ".") -> int:
    """Return a whole number."""
    number = None if isinstance(value, bool) else _decimal(value, decimal)
    if number is None or number != number.to_integral_value():
        raise BadRecordError("not_a_number", "is no whole number; permitted: digits")
    return int(number)


def boolean_of(value: object) -> bool:
    """Return true or false."""
    if isinstance(value, bool):
        return value
    text = text_of(value).lower()
    if text not in {"true", "false"}:
        raise BadRecordError("not_a_boolean", "is neither true nor false; other texts need a map")
    return text == "true"


def duration_ms(value: object, form: DurationFormat, decimal: str = ".") -> int:
    """Return a duration in milliseconds, rounded to the nearest; raise BadRecordError."""
    seconds = _seconds(value, form, decimal)
    if seconds is None:
        hint = _other_decimal(value, decimal) if form in _UNIT_MS else ""
        raise BadRecordError("not_a_duration", f"is no duration; permitted: {_EXAMPLES[form]}{hint}")
    if seconds < 0:
        raise BadRecordError("negative_duration", "is negative; permitted: 0 or more")
    if seconds > MAX_SECONDS:
        raise BadRecordError("not_a_duration", f"is too long; permitted: at most {MAX_SECONDS:.0f} s")
    return round(seconds * 1000)


_EXAMPLES: Final[dict[str, str]] = {
    "seconds": "a number of seconds",
    "milliseconds": "a number of milliseconds",
    "minutes": "a number of minutes",
    "hours": "a number of hours",
    "days": "a number of days",
    "HH:MM:SS": "hours, minutes and seconds such as 00:02:23",
    "MM:SS": "minutes and seconds such as 02:23",
    "HH:MM": "hours and minutes such as 01:30",
    "ISO 8601": "weeks, days and time such as PT2M23S; not years or months, whose length differs",
}


def _seconds(value: object, form: DurationFormat, decimal: str) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if form in _UNIT_MS:
        number = _decimal(value, decimal)
        return None if number is None else number * _UNIT_MS[form] / 1000
    text = text_of(value)
    if form == "ISO 8601":
        match = _ISO_DURATION.fullmatch(text)
        if match is None:
            return None
        weeks, days, hours, minutes, seconds = (Decimal((part or "0").replace(",", ".")) for part in match.groups())
        return ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + seconds
    if form == "HH:MM:SS":
        match = _CLOCK_SECONDS.fullmatch(text)
        return None if match is None else Decimal(match[1]) * 3600 + Decimal(match[2]) * 60 + Decimal(match[3])
    if form == "MM:SS":
        match = _MINUTES_SECONDS.fullmatch(text)
        return None if match is None else Decimal(match[1]) * 60 + Decimal(match[2])
    match = _HOURS_MINUTES.fullmatch(text)
    return None if match is None else Decimal(match[1]) * 3600 + Decimal(match[2]) * 60


# ---- Moments -----------------------------------------------------------------------------------------------------------------------


def pattern_problem(pattern: str) -> str | None:
    """Return the error in the format of a moment, None if there is none."""
    if pattern in {"ISO 8601", "epoch seconds", "epoch milliseconds"}:
        return None
    used = re.findall(r"%(.?)", pattern)
    unknown = [directive for directive in used if directive not in _DIRECTIVES]
    if unknown:
        permitted = " ".join(f"%{directive}" for directive in sorted(_DIRECTIVES))
        return f"unknown directive %{unknown[0]}; permitted: {permitted}"
    if any(not set(choice) & set(used) for choice in _NEEDED):
        pattern = "a pattern with year, month, day, hour and minute, such as %Y-%m-%d %H:%M:%S"
        return f"permitted: ISO 8601, epoch seconds, epoch milliseconds, or {pattern}"
    return None


def moment_reader(
    form: str, zone: str | None, ambiguous: Literal["earlier", "later", "reject", "file order"], decimal: str = "."
) -> Callable[[object, RepeatedHour | None], int]:
    """Return a reader of a moment as milliseconds since the epoch, rounded down; it raises BadRecordError.

    The reader takes a repeated hour, which is needed with ``file order`` alone.
    """
    if form in {"epoch seconds", "epoch milliseconds"}:
        per_unit = 1000 if form == "epoch seconds" else 1
        return lambda value, _hour: _epoch_ms(value, per_unit, decimal)
    clock = ZoneInfo(zone) if zone is not None else None

    def read(value: object, hour: RepeatedHour | None) -> int:
        text = text_of(value)
        try:
            if form == "ISO 8601":
                # A day alone is no moment, though it can be read as its midnight.
                moment = datetime.fromisoformat(text) if "T" in text or " " in text else None
            else:
                moment = datetime.strptime(text, form)  # noqa: DTZ007 - the zone follows
        except ValueError:
            moment = None
        if moment is None:
            example = "such as 2026-03-29T09:30:00Z" if form == "ISO 8601" else f"as {form}"
            raise BadRecordError("not_a_time", f"is no time; permitted: date and time {example}")
        try:
            first, second = _in_utc(moment, clock, ambiguous)
            if hour is not None:
                return hour.chosen(to_ms(first), to_ms(second))
            return to_ms(second if ambiguous == "later" else first)
        except OverflowError:
            raise BadRecordError("not_a_time", "is no time of the calendar") from None

    return read


def _in_utc(moment: datetime, clock: ZoneInfo | None, ambiguous: str) -> tuple[datetime, datetime]:
    """Return a moment in UTC; two where a clock shows it twice."""
    if moment.tzinfo is not None:
        return moment.astimezone(UTC), moment.astimezone(UTC)
    if clock is None:
        raise BadRecordError("no_zone", "has no offset from UTC, and the mapping names no zone for it")
    earlier, later = (moment.replace(tzinfo=clock, fold=fold).astimezone(UTC) for fold in (0, 1))
    if earlier.astimezone(clock).replace(tzinfo=None) != moment:
        raise BadRecordError("time_not_in_zone", f"is a time that clocks in {clock.key} skipped")
    if earlier != later and ambiguous == "reject":
        raise BadRecordError("time_not_in_zone", f"is a time that clocks in {clock.key} showed twice")
    return earlier, later


def _epoch_ms(value: object, per_unit: int, decimal: str) -> int:
    number = None if isinstance(value, bool) else _decimal(value, decimal)
    if number is None:
        raise BadRecordError("not_a_time", f"is no time; permitted: a number of {'seconds' if per_unit > 1 else 'milliseconds'} since 1970")
    ms = int((number * per_unit).to_integral_value("ROUND_FLOOR"))
    if abs(ms) > timedelta(days=3_000_000).total_seconds() * 1000:
        raise BadRecordError("not_a_time", "is no time of the calendar")
    return ms


def is_absent(value: Any, absent_texts: frozenset[str]) -> bool:
    """Return whether a content of a record means nothing."""
    if value is None:
        return True
    if isinstance(value, dict | list):
        return not value
    text = text_of(value)
    return not text or text in absent_texts
