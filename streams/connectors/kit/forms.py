"""Tables that form builders export: local times in their formats, and columns by their names in several languages. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Final, Literal

from streams.connectors.kit.drafting import hashed_id
from streams.connectors.kit.model import Setting, UnusableError
from streams.connectors.kit.surveys import Given, contact_of

if TYPE_CHECKING:
    from streams.connectors.kit.model import Context, Record

__all__ = ["DATE_ORDER", "DateOrder", "column", "date_order", "digest", "given", "local_time"]

DateOrder = Literal["mdy", "dmy", "ymd"]

DATE_ORDER: Final = Setting(
    name="date_order",
    meaning="Order of day, month and year in dates that do not begin with a year of four digits: mdy, dmy or ymd",
    default="mdy",
)

_AFTERNOON: Final = {"pm", "p.m.", "午後", "오후", "下午"}
_HALVES: Final = r"[ap]\.?m\.?|午前|午後|오전|오후|上午|下午"
_TIME: Final = re.compile(
    r"(?P<first>[0-9]{1,4})[/.\-]\s?(?P<second>[0-9]{1,2})[/.\-]\s?(?P<third>[0-9]{1,4})\.?,?\s+"
    rf"(?:(?P<before>{_HALVES})\s*)?"
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second_of>[0-9]{2}))?"
    rf"(?:\s*(?P<after>{_HALVES}))?"
    r"(?:\s*(?:GMT|UTC)(?P<offset>[+-][0-9]{1,2}(?::?[0-9]{2})?)?)?",
    re.IGNORECASE,
)
_YEAR_DIGITS: Final = 4
_HOURS: Final = 12


def date_order(context: Context) -> DateOrder:
    """Return the configured order of dates; raise UnusableError ``bad_setting``."""
    order = str(context.settings.get("date_order") or DATE_ORDER.default)
    if order not in {"mdy", "dmy", "ymd"}:
        raise UnusableError("bad_setting", "date_order: mdy, dmy or ymd")
    return order  # type: ignore[return-value]


def local_time(text: str, zone: tzinfo, order: DateOrder, where: str) -> datetime:
    """Return a time such as ``2026/03/02 8:00:00 午後 GMT+9`` or ``3/2/26 20:00:00``; raise UnusableError ``bad_time``.

    Without an offset it is in the zone; of two instants when a clock is set back, the earlier.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise UnusableError("bad_time", f"{where}: no date and time as this platform writes them")
    first, second, third = match["first"], match["second"], match["third"]
    if len(first) == _YEAR_DIGITS or order == "ymd":
        year, month, day = first, second, third
    elif order == "dmy" or "." in text.split(maxsplit=1)[0]:
        day, month, year = first, second, third
    else:
        month, day, year = first, second, third
    hour = int(match["hour"])
    half = (match["before"] or match["after"] or "").lower()
    if half:
        if hour > _HOURS:
            raise UnusableError("bad_time", f"{where}: more than 12 hours in half a day")
        hour = hour % _HOURS + (_HOURS if half in _AFTERNOON else 0)
    try:
        at = datetime(
            int(year) + (0 if len(year) == _YEAR_DIGITS else 2000),
            int(month),
            int(day),
            hour,
            int(match["minute"]),
            int(match["second_of"] or 0),
            tzinfo=_offset(match["offset"]) if re.search("GMT|UTC", text, re.IGNORECASE) else zone,
        )
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UnusableError("bad_time", f"{where}: no time of the calendar; is date_order right?") from error


def _offset(text: str | None) -> tzinfo:
    if text is None:
        return UTC
    digits = text[1:].replace(":", "")
    hours, minutes = (int(digits[:-2]), int(digits[-2:])) if len(digits) > 2 else (int(digits), 0)  # noqa: PLR2004 - hhmm or hh
    return timezone((-1 if text[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))


def column(record: Record, *names: str) -> str | None:
    """Return the value of the first of these columns that exists, None if it is empty."""
    for name in names:
        if name in record.content:
            return record.content[name] or None
    return None


def given(record: Record, context: Context) -> list[Given]:
    """Return every column but the contact's as a question."""
    contact = contact_of(context)
    return [Given((name,), value or None) for name, value in record.content.items() if name != contact]


def digest(*parts: str | None) -> str:
    """Return an id of these texts."""
    return hashed_id(*(part or "" for part in parts), size=12)
