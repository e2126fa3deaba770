"""Whether a site, a queue or what they belong to is open at an instant, on the wall clock of its zone."""

from __future__ import annotations

from datetime import date
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from schemas.times import from_ms
from streams.configuration.holiday_calendars import holiday_dates
from streams.configuration.hours import DAY_MINUTES, span_minutes, weekdays
from streams.windows.calendar import Span, first_shown
from streams.windows.exceptions import Exceptions
from streams.windows.slices import MIN_CELL_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from zoneinfo import ZoneInfo

    from streams.configuration import Configuration
    from streams.configuration.hours import Hours

__all__ = ["OpeningHours", "business_clocks", "hours_of_queue", "opening_of"]

#: Days in the cache of open spans.
_MAX_DAYS: Final = 64
#: Five-minute cells in the cache of days.
_MAX_CELLS: Final = 1024
#: Days in a block of open times that are summed together.
_BLOCK_DAYS: Final = 64

#: From midnight, in minutes; the end may lie on the next day.
Minutes = tuple[int, int]


class OpeningHours:
    """The opening hours of a queue or site.

    Args:
        zone: time zone of the hours.

        hours: in order of precedence: for a date, the first that has it; for the week, the first that has one.

        closures: closed spans, which override the hours.
    """

    def __init__(self, zone: ZoneInfo, hours: Iterable[Hours], closures: Iterable[Span] = ()) -> None:
        self._zone = zone
        self._closures = list(closures)
        self._week: list[list[Minutes]] | None = None
        #: in order of precedence: date → open spans, or the name of a holiday calendar
        self._dates: list[dict[int, list[Minutes]] | str] = []
        for configured in hours:
            closed: dict[str, tuple[str, ...]] = dict.fromkeys(configured.holidays, ())
            dates = {
                date.fromisoformat(day).toordinal(): [span_minutes(text) for text in spans]
                for day, spans in (closed | configured.exceptions).items()
            }
            self._dates += [dates] if dates else []
            if configured.holiday_calendar is not None and not any(isinstance(dates, str) for dates in self._dates):
                self._dates.append(configured.holiday_calendar)
            if self._week is None and configured.business_hours is not None:
                self._week = [[] for _ in range(7)]
                for key, spans in configured.business_hours.items():
                    for weekday in weekdays(key):
                        self._week[weekday] = [span_minutes(text) for text in spans]
        self._days: dict[int, list[Span]] = {}
        #: five-minute cell → ordinal of its day
        self._day_numbers: dict[int, int] = {}
        self._blocks: dict[int, list[int]] = {}

    def is_open(self, instant_ms: int) -> bool:
        """Return whether it is open; a span includes its begin and excludes its end."""
        return any(begin <= instant_ms < end for begin, end in self._open(self._day_of(instant_ms)))

    def open_ms(self, start_ms: int, end_ms: int) -> int:
        """Return the open time from start to end, in ms; 0 if the end is not after the start."""
        if end_ms <= start_ms:
            return 0
        first, last = self._day_of(start_ms), self._day_of(end_ms)
        if first == last:
            return self._until(last, end_ms) - self._until(last, start_ms)
        blocks = sum(self._before(block)[-1] for block in range(first // _BLOCK_DAYS, last // _BLOCK_DAYS))
        before_first, before_last = (self._before(day // _BLOCK_DAYS)[day % _BLOCK_DAYS] for day in (first, last))
        return blocks + before_last - before_first + self._until(last, end_ms) - self._until(first, start_ms)

    def open_spans(self, start_ms: int, end_ms: int) -> list[Span]:
        """Return the open spans from start to end."""
        days = range(self._day_of(start_ms), self._day_of(end_ms) + 1)
        cut = (Span(max(span.start_ms, start_ms), min(span.end_ms, end_ms)) for day in days for span in self._open(day))
        return [span for span in cut if span.start_ms < span.end_ms]

    def _day_of(self, instant_ms: int) -> int:
        # A date changes only between cells, and instants of one cell come together.
        cell = instant_ms // MIN_CELL_MS
        day = self._day_numbers.get(cell)
        if day is None:
            if len(self._day_numbers) >= _MAX_CELLS:
                self._day_numbers.clear()
            day = self._day_numbers[cell] = from_ms(instant_ms).astimezone(self._zone).date().toordinal()
        return day

    def _until(self, day: int, instant_ms: int) -> int:
        """Return the open time from the begin of a day to an instant in it, in ms."""
        open_ms = 0
        for begin, end in self._open(day):
            if begin < instant_ms:
                open_ms += min(end, instant_ms) - begin
        return open_ms

    def _before(self, block: int) -> list[int]:
        """Return the open times from the begin of a block to the begin of each of its days, and to its end, in ms."""
        open_ms = self._blocks.get(block)
        if open_ms is None:
            lengths = (sum(end - begin for begin, end in self._open(block * _BLOCK_DAYS + n)) for n in range(_BLOCK_DAYS))
            open_ms = self._blocks[block] = list(accumulate(lengths, initial=0))
        return open_ms

    def _open(self, day: int) -> list[Span]:
        """Return the open spans of a day, from midnight to midnight; they do not overlap."""
        cached = self._days.get(day)
        if cached is not None:
            return cached
        midnight, next_midnight = first_shown(self._zone, day, 0), first_shown(self._zone, day + 1, 0)
        open_spans: list[Span] = []
        # A span that passes midnight belongs to the day it begins on.
        for begin, end in sorted(
            (first_shown(self._zone, of_day, begin), first_shown(self._zone, of_day, end))
            for of_day in (day - 1, day)
            for begin, end in self._written(of_day)
        ):
            after = max(begin, midnight, open_spans[-1].end_ms if open_spans else midnight)
            if after < min(end, next_midnight):
                open_spans.append(Span(after, min(end, next_midnight)))
        for closed in self._closures:
            open_spans = [
                Span(begin, end)
                for span in open_spans
                for begin, end in ((span.start_ms, min(span.end_ms, closed.start_ms)), (max(span.start_ms, closed.end_ms), span.end_ms))
                if begin < end
            ]
        if len(self._days) >= _MAX_DAYS:
            self._days.clear()
        self._days[day] = open_spans
        return open_spans

    def _written(self, day: int) -> list[Minutes]:
        on = date.fromordinal(day)
        for dates in self._dates:
            if isinstance(dates, str):
                if day in holiday_dates(dates, on.year):
                    return []
            elif day in dates:
                return dates[day]
        return [(0, DAY_MINUTES)] if self._week is None else self._week[on.weekday()]


def hours_of_queue(configuration: Configuration, name: str) -> OpeningHours | None:
    """Return the hours of a queue, which fall back to its site's; None if the queue is not configured."""
    queue = configuration.queues.get(name)
    if queue is None:
        return None
    site = configuration.sites.get(queue.site) if queue.site is not None else None
    hours = [queue, *([site] if site is not None else [])]
    return OpeningHours(configuration.zone_of_site(queue.site), hours, Exceptions(configuration).closures("queue", name))


def business_clocks(configuration: Configuration) -> dict[str, OpeningHours]:
    """Return the hours of the queues whose times are measured on the business clock."""
    named = [name for name, queue in configuration.queues.items() if queue.clock == "business"]
    return {name: hours for name in named if (hours := hours_of_queue(configuration, name)) is not None}


def opening_of(configuration: Configuration) -> Callable[[str, int], bool]:
    """Return a function that returns whether a scope is open at an instant in ms.

    Hours of a queue fall back to its site's; a team has its site's. A department or business is open while one of its queues is,
    the total while any queue is. A scope without hours is always open.
    """
    hours_by_scope: dict[str, list[OpeningHours]] = {}

    def of_site(name: str | None) -> OpeningHours | None:
        site = configuration.sites.get(name) if name is not None else None
        if site is None or name is None:
            return None
        return OpeningHours(configuration.zone_of_site(name), [site], Exceptions(configuration).closures("site", name))

    def of_queue(name: str) -> OpeningHours | None:
        return hours_of_queue(configuration, name)

    def hours_of(scope: str) -> list[OpeningHours]:
        kind, name = scope.split(":", 1)
        hours: list[OpeningHours | None]
        match kind:
            case "queue":
                hours = [of_queue(name)]
            case "site":
                hours = [of_site(name)]
            case "team":
                team = configuration.teams.get(name)
                hours = [of_site(team.site if team is not None else None)]
            case _:
                queues = configuration.queues.items()
                hours = [of_queue(each) for each, queue in queues if kind == "total" or getattr(queue, kind) == name]
        return [opening for opening in hours if opening is not None]

    def is_open(scope: str, instant_ms: int) -> bool:
        if scope not in hours_by_scope:
            hours_by_scope[scope] = hours_of(scope)
        return not hours_by_scope[scope] or any(hours.is_open(instant_ms) for hours in hours_by_scope[scope])

    return is_open
