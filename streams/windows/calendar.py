"""Which interval and which day a cell belongs to, on the wall clock of a zone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from schemas.times import from_ms, to_ms

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["Calendar", "Span"]


class Span(NamedTuple):
    """From start to end, in ms."""

    start_ms: int
    end_ms: int


class Calendar:
    """The wall clock of one site; ``day_start`` is local time, a multiple of 15 minutes."""

    def __init__(self, zone: ZoneInfo, day_start: str = "00:00") -> None:
        self._zone = zone
        self._day_start = time.fromisoformat(day_start)
        self._days: dict[int, Span] = {}

    def interval(self, cell_ms: int, minutes: int) -> Span:
        """Return the aligned interval of 15, 30 or 60 minutes that holds the cell."""
        length = minutes * 60_000
        offset = self._zone.utcoffset(from_ms(cell_ms).astimezone(self._zone)) or timedelta(0)
        local = cell_ms + offset // timedelta(milliseconds=1)
        start = cell_ms - local % length
        return Span(start, start + length)

    def day(self, cell_ms: int) -> Span:
        """Return the local day that holds the cell: 23, 24 or 25 hours."""
        found = self._days.get(cell_ms)
        if found is None:
            date = from_ms(cell_ms).astimezone(self._zone).date()
            found = self._day_of(date.toordinal())
            if cell_ms < found.start_ms:
                found = self._day_of(date.toordinal() - 1)
            self._days[cell_ms] = found
        return found

    def _day_of(self, ordinal: int) -> Span:
        start, end = (
            to_ms(datetime.combine(datetime.fromordinal(day), self._day_start, self._zone).astimezone(UTC))
            for day in (ordinal, ordinal + 1)
        )
        return Span(start, end)
