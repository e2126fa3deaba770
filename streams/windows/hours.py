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

#: Days that are remembered: today and some before, of whatever is asked in between.
_REMEMBERED: Final = 64
#: Some days of five minutes.
_REMEMBERED_GRAINS: Final = 1024
#: Days whose open time is summed at once.
_BLOCK: Final = 64

#: From midnight, in minutes; the end may lie on the next day.
Minutes = tuple[int, int]


class OpeningHours:
    """The hours of one place.

    Args:
        zone: whose wall clock the hours are written in.

        hours: where several, the first that says something of a date decides it, and the first with a week the week.

        closures: from when until when it is closed, whatever the hours say.
    """

    def __init__(self, zone: ZoneInfo, hours: Iterable[Hours], closures: Iterable[Span] = ()) -> None:
        self._zone = zone
        self._closures = list(closures)
        self._week: list[list[Minutes]] | None = None
        #: what is said of dates, in the order in which it is asked: by dates, or by the name of a holiday calendar
        self._said: list[dict[int, list[Minutes]] | str] = []
        for each in hours:
            closed: dict[str, tuple[str, ...]] = dict.fromkeys(each.holidays, ())
            dates = {
                date.fromisoformat(day).toordinal(): [span_minutes(text) for text in spans]
                for day, spans in (closed | each.exceptions).items()
            }
            self._said += [dates] if dates else []
            if each.holiday_calendar is not None and not any(isinstance(said, str) for said in self._said):
                self._said.append(each.holiday_calendar)
            if self._week is None and each.business_hours is not None:
                self._week = [[] for _ in range(7)]
                for key, spans in each.business_hours.items():
                    for weekday in weekdays(key):
                        self._week[weekday] = [span_minutes(text) for text in spans]
        self._days: dict[int, list[Span]] = {}
        #: five minutes → the day they are in
        self._day_numbers: dict[int, int] = {}
        self._blocks: dict[int, list[int]] = {}

    def is_open(self, instant_ms: int) -> bool:
        """Say whether it is open; a span holds its begin and not its end."""
        return any(begin <= instant_ms < end for begin, end in self._open(self._day_of(instant_ms)))

    def open_ms(self, start_ms: int, end_ms: int) -> int:
        """Return for how long it is open from start to end; 0 if the end is not after the start."""
        if end_ms <= start_ms:
            return 0
        first, last = self._day_of(start_ms), self._day_of(end_ms)
        if first == last:
            return self._until(last, end_ms) - self._until(last, start_ms)
        whole = sum(self._before(block)[-1] for block in range(first // _BLOCK, last // _BLOCK))
        before_first, before_last = (self._before(day // _BLOCK)[day % _BLOCK] for day in (first, last))
        return whole + before_last - before_first + self._until(last, end_ms) - self._until(first, start_ms)

    def open_spans(self, start_ms: int, end_ms: int) -> list[Span]:
        """Return when it is open from start to end."""
        days = range(self._day_of(start_ms), self._day_of(end_ms) + 1)
        cut = (Span(max(span.start_ms, start_ms), min(span.end_ms, end_ms)) for day in days for span in self._open(day))
        return [span for span in cut if span.start_ms < span.end_ms]

    def _day_of(self, instant_ms: int) -> int:
        # Dates change with cells, and events of some minutes come together.
        grain = instant_ms // MIN_CELL_MS
        found = self._day_numbers.get(grain)
        if found is None:
            if len(self._day_numbers) >= _REMEMBERED_GRAINS:
                self._day_numbers.clear()
            found = self._day_numbers[grain] = from_ms(instant_ms).astimezone(self._zone).date().toordinal()
        return found

    def _until(self, day: int, instant_ms: int) -> int:
        """Return for how long it is open from the begin of a day to an instant in it."""
        found = 0
        for begin, end in self._open(day):
            if begin < instant_ms:
                found += min(end, instant_ms) - begin
        return found

    def _before(self, block: int) -> list[int]:
        """Return for how long it is open from the begin of a block of days to that of each of its days, and to its end."""
        found = self._blocks.get(block)
        if found is None:
            lengths = (sum(end - begin for begin, end in self._open(block * _BLOCK + n)) for n in range(_BLOCK))
            found = self._blocks[block] = list(accumulate(lengths, initial=0))
        return found

    def _open(self, day: int) -> list[Span]:
        """Return when it is open on a day, from its midnight to the next one; no two spans touch the same time."""
        found = self._days.get(day)
        if found is not None:
            return found
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
                for each in open_spans
                for begin, end in ((each.start_ms, min(each.end_ms, closed.start_ms)), (max(each.start_ms, closed.end_ms), each.end_ms))
                if begin < end
            ]
        if len(self._days) >= _REMEMBERED:
            self._days.clear()
        self._days[day] = open_spans
        return open_spans

    def _written(self, day: int) -> list[Minutes]:
        on = date.fromordinal(day)
        for said in self._said:
            if isinstance(said, str):
                if day in holiday_dates(said, on.year):
                    return []
            elif day in said:
                return said[day]
        return [(0, DAY_MINUTES)] if self._week is None else self._week[on.weekday()]


def hours_of_queue(configuration: Configuration, name: str) -> OpeningHours | None:
    """Return a queue's own hours and, for what they leave open, its site's; None if the queue is not configured."""
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
    """Return what says whether a scope is open at an instant (ms).

    A queue has its own hours and, for what they leave open, its site's. A site has its own, a team its site's.
    A department or business is open while one of its queues is, the total while any queue is. What has no hours is always open.
    """
    known: dict[str, list[OpeningHours]] = {}

    def of_site(name: str | None) -> OpeningHours | None:
        site = configuration.sites.get(name) if name is not None else None
        if site is None or name is None:
            return None
        return OpeningHours(configuration.zone_of_site(name), [site], Exceptions(configuration).closures("site", name))

    def of_queue(name: str) -> OpeningHours | None:
        return hours_of_queue(configuration, name)

    def places(scope: str) -> list[OpeningHours]:
        kind, name = scope.split(":", 1)
        found: list[OpeningHours | None]
        match kind:
            case "queue":
                found = [of_queue(name)]
            case "site":
                found = [of_site(name)]
            case "team":
                team = configuration.teams.get(name)
                found = [of_site(team.site if team is not None else None)]
            case _:
                queues = configuration.queues.items()
                found = [of_queue(each) for each, queue in queues if kind == "total" or getattr(queue, kind) == name]
        return [each for each in found if each is not None]

    def is_open(scope: str, instant_ms: int) -> bool:
        if scope not in known:
            known[scope] = places(scope)
        return not known[scope] or any(place.is_open(instant_ms) for place in known[scope])

    return is_open
