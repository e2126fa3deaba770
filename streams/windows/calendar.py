"""The interval and the day of a cell, on the wall clock of a time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.times import from_ms, to_ms
from streams.windows.slices import MIN_CELL_MS

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from streams.configuration import Configuration

__all__ = ["Calendar", "Calendars", "Span", "first_shown"]

#: Cells in the caches of spans: some days.
_MAX_CELLS: Final = 4096


class Span(NamedTuple):
    """From start to end, in ms."""

    start_ms: int
    end_ms: int


class Calendar:
    """The calendar of one site; ``day_start`` is local time, at the begin of a cell."""

    def __init__(self, zone: ZoneInfo, day_start: str = "00:00") -> None:
        self._zone = zone
        begins = time.fromisoformat(day_start)
        self._day_start = 60 * begins.hour + begins.minute
        self._days: dict[int, Span] = {}
        self._intervals: dict[tuple[int, int], Span] = {}

    def interval(self, cell_ms: int, minutes: int) -> Span:
        """Return the aligned interval that holds the cell; a change of clocks within an interval splits it."""
        key = (cell_ms, minutes)
        interval = self._intervals.get(key)
        if interval is None:
            if len(self._intervals) >= _MAX_CELLS:
                self._intervals.clear()
            length, offset = minutes * 60_000, self._offset(cell_ms)
            start = cell_ms - (cell_ms + offset) % length
            end = start + length
            while self._offset(start) != offset:
                start += MIN_CELL_MS
            while self._offset(end - MIN_CELL_MS) != offset:
                end -= MIN_CELL_MS
            interval = self._intervals[key] = Span(start, end)
        return interval

    def day(self, cell_ms: int) -> Span:
        """Return the local day that holds the cell: 23, 24 or 25 hours."""
        day = self._days.get(cell_ms)
        if day is None:
            if len(self._days) >= _MAX_CELLS:
                self._days.clear()
            today = from_ms(cell_ms).astimezone(self._zone).date().toordinal()
            day = self._day_of(today)
            if cell_ms < day.start_ms:
                day = self._day_of(today - 1)
            self._days[cell_ms] = day
        return day

    def _offset(self, at_ms: int) -> int:
        offset = self._zone.utcoffset(from_ms(at_ms).astimezone(self._zone)) or timedelta(0)
        return offset // timedelta(milliseconds=1)

    def _day_of(self, ordinal: int) -> Span:
        return Span(*(first_shown(self._zone, day, self._day_start) for day in (ordinal, ordinal + 1)))


def first_shown(zone: ZoneInfo, day: int, minutes: int) -> int:
    """Return the first instant at which a zone's clock shows a minute of a day (an ordinal), or a later time; in a gap, its end."""
    local = datetime.combine(date.fromordinal(day + minutes // 1440), time(minutes % 1440 // 60, minutes % 60), zone)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return to_ms(instant)
    # The time falls in a gap: the change lies between its readings on the old and on the new clock.
    early, late = to_ms(local.replace(fold=1).astimezone(UTC)), to_ms(instant)
    before = from_ms(early).astimezone(zone).utcoffset()
    while late - early > 1:
        middle = (early + late) // 2
        if from_ms(middle).astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late


class Calendars:
    """The calendars of all scopes; scopes of one zone and day start share a calendar."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._by_scope: dict[str, Calendar] = {}
        self._by_clock: dict[tuple[str, str], Calendar] = {}

    def of(self, scope: str) -> Calendar:
        """Return the calendar of a scope: that of its site, or of the default zone."""
        calendar = self._by_scope.get(scope)
        if calendar is None:
            site = self._site_of(*scope.split(":", 1))
            of_site = self._configuration.sites.get(site) if site is not None else None
            zone, day_start = self._configuration.zone_of_site(site), "00:00" if of_site is None else of_site.day_start
            calendar = self._by_scope[scope] = self._by_clock.setdefault((zone.key, day_start), Calendar(zone, day_start))
        return calendar

    def _site_of(self, kind: str, name: str) -> str | None:
        if kind == "site":
            return name
        if kind == "agent":
            return self._configuration.place_of_person(name)[1]
        if kind not in {"queue", "team"}:
            return None
        group = self._configuration.queues.get(name) if kind == "queue" else self._configuration.teams.get(name)
        return None if group is None else group.site
