"""Opening hours of a site or queue in the configuration file; ``streams.windows.hours`` evaluates them at an instant."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, Field

from streams.configuration.base import PERMITTED, Model, refuse
from streams.configuration.holiday_calendars import HolidayCalendar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["DAY_MINUTES", "Hours", "hours_problems", "span_minutes", "weekdays"]

DAY_MINUTES: Final = 24 * 60
_WEEK_MINUTES: Final = 7 * DAY_MINUTES

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(_DAYS)
_WEEKDAYS: Final = rf"^({_DAY})(-({_DAY}))?(,({_DAY})(-({_DAY}))?)*$"
_SPAN: Final = r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$"
_DATE: Final = r"^\d{4}-\d{2}-\d{2}$"

PERMITTED[_WEEKDAYS] = "days such as mon, mon-fri or sat,sun"
PERMITTED[_SPAN] = 'local times such as "09:00-12:30"; "22:00-02:00" passes midnight, "00:00-24:00" is the entire day'
PERMITTED[_DATE] = 'a date such as "2026-12-25"'


def _real_date(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError as error:
        message = f'no such day; permitted: {PERMITTED[_DATE]}; found "{text}"'
        raise refuse(message) from error
    return text


Weekdays = Annotated[str, Field(pattern=_WEEKDAYS)]
SpanText = Annotated[str, Field(pattern=_SPAN)]
Date = Annotated[str, Field(pattern=_DATE), AfterValidator(_real_date)]
Spans = Annotated[tuple[SpanText, ...], Field(strict=False)]


class Hours(Model):
    """The hours of a site, or of a queue that has its own."""

    business_hours: dict[Weekdays, Spans] | None = None
    """Open in these spans of each week, by day; a day that is not named is closed.
    Without it always open, but for the keys below."""
    holiday_calendar: HolidayCalendar | None = None
    """Closed on the public holidays of a country or a part of it, including substitute days."""
    holidays: Annotated[tuple[Date, ...], Field(strict=False)] = ()
    """Closed on these dates too."""
    exceptions: dict[Date, Spans] = Field(default_factory=dict)
    """Open in these spans on a date, whatever the week or the holiday calendar permits; an empty list is closed."""


def weekdays(key: str) -> list[int]:
    """Return the days that a key names, Monday as 0; ``fri-mon`` goes around the week."""
    days: list[int] = []
    for part in key.split(","):
        first, _, last = part.partition("-")
        begin = _DAYS.index(first)
        days += [(begin + n) % 7 for n in range((_DAYS.index(last or first) - begin) % 7 + 1)]
    return days


def span_minutes(text: str) -> tuple[int, int]:
    """Return the minutes from midnight at which a span begins and ends; the end is past 24 hours if it passes midnight."""
    begin, end = (int(time[:2]) * 60 + int(time[3:]) for time in text.split("-"))
    return begin, end if end > begin else end + DAY_MINUTES


class _Placed(NamedTuple):
    begin: int
    end: int
    text: str
    at: tuple[int | str, ...]


#: Keys and indexes below a site or queue, the reason, and another location that it is about.
Problem = tuple[tuple[int | str, ...], str, tuple[int | str, ...] | None]


def hours_problems(entry: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield contradictions in the hours of a site or queue of the file; parts without a valid form are skipped."""
    weekly = entry.get("business_hours")
    if isinstance(weekly, dict):
        yield from _week_problems(weekly)
    exceptions = entry.get("exceptions")
    exceptions = exceptions if isinstance(exceptions, dict) else {}
    for day, spans in exceptions.items():
        placed = list(_placed(spans, ("exceptions", day)))
        yield from _span_problems(placed)
        yield from _overlaps(placed)
    closed: dict[Any, int] = {}
    holidays = entry.get("holidays")
    for index, day in enumerate(holidays if isinstance(holidays, list | tuple) else ()):
        at = ("holidays", index)
        if not isinstance(day, str):
            continue
        if day in closed:
            yield at, f"{day} is here twice", ("holidays", closed[day])
        elif day in exceptions:
            yield at, f"{day} is among exceptions too; permitted: a date in one of them", ("exceptions", day)
        closed.setdefault(day, index)


def _week_problems(weekly: Mapping[Any, Any]) -> Iterator[Problem]:
    keys: dict[int, str] = {}
    placed: list[_Placed] = []
    for key, spans in weekly.items():
        if not isinstance(key, str) or not re.fullmatch(_WEEKDAYS[1:-1], key):
            continue
        at = ("business_hours", key)
        here = list(_placed(spans, at))
        yield from _span_problems(here)
        for day in weekdays(key):
            if day in keys:
                where = "here" if keys[day] == key else f"in {keys[day]}"
                yield at, f"{_DAYS[day]} is {where} already; permitted: each day once", ("business_hours", keys[day])
                continue
            keys[day] = key
            placed += [_Placed(day * DAY_MINUTES + span.begin, day * DAY_MINUTES + span.end, span.text, span.at) for span in here]
    yield from _overlaps(placed, _WEEK_MINUTES)


def _placed(spans: Any, at: tuple[int | str, ...]) -> Iterator[_Placed]:
    for index, text in enumerate(spans if isinstance(spans, list | tuple) else ()):
        if isinstance(text, str) and re.fullmatch(_SPAN[1:-1], text):
            yield _Placed(*span_minutes(text), text, (*at, index))


def _span_problems(placed: list[_Placed]) -> Iterator[Problem]:
    for span in placed:
        begin, _, end = span.text.partition("-")
        if begin == end:
            yield span.at, f'"{span.text}" has no length; permitted: two different times, or "00:00-24:00" for the entire day', None


def _overlaps(placed: list[_Placed], around: int | None = None) -> Iterator[Problem]:
    """Yield each span that begins before an earlier one ends; ``around``: after how many minutes the first follows the last again."""
    ordered = sorted(placed)
    if around is not None and ordered:
        ordered.append(ordered[0]._replace(begin=ordered[0].begin + around, end=ordered[0].end + around))
    reported: set[tuple[int | str, ...]] = set()
    for before, after in pairwise(ordered):
        if after.begin < before.end and after.at not in reported:
            reported.add(after.at)
            yield after.at, f'"{after.text}" overlaps "{before.text}"; permitted: spans that do not', before.at
