"""Intervals and days on the wall clock, by hand from the zones' own rules."""

from __future__ import annotations

from datetime import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.times import format_ms, parse_time_ms
from streams.windows.calendar import Calendar
from streams.windows.slices import CELL_MS, MIN_CELL_MS, cell_of
from tests.oracle import wall

HOUR_MS = 3_600_000
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Asia/Tokyo",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
)


def day(zone: str, cell: str, day_start: str = "00:00") -> tuple[str, str]:
    """Return start and end of the local day that holds a cell."""
    span = Calendar(ZoneInfo(zone), day_start).day(parse_time_ms(cell))
    return format_ms(span.start_ms)[:16], format_ms(span.end_ms)[:16]


class TestDay:
    """Local days."""

    @pytest.mark.parametrize(
        ("zone", "cell", "start", "end", "hours"),
        [
            # The night in which Berlin goes from +01:00 to +02:00, at 01:00 UTC.
            ("Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00", "2026-03-29T22:00", 23),
            # And back.
            ("Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00", "2026-10-25T23:00", 25),
            ("Europe/Berlin", "2026-06-15T12:00:00Z", "2026-06-14T22:00", "2026-06-15T22:00", 24),
            # New York goes from -05:00 to -04:00 on 8 March, and back on 1 November.
            ("America/New_York", "2026-03-08T12:00:00Z", "2026-03-08T05:00", "2026-03-09T04:00", 23),
            ("America/New_York", "2026-11-01T12:00:00Z", "2026-11-01T04:00", "2026-11-02T05:00", 25),
            # Tokyo is always at +09:00.
            ("Asia/Tokyo", "2026-06-15T12:00:00Z", "2026-06-14T15:00", "2026-06-15T15:00", 24),
            ("Asia/Kolkata", "2026-06-15T12:00:00Z", "2026-06-14T18:30", "2026-06-15T18:30", 24),
            # +05:45
            ("Asia/Kathmandu", "2026-06-15T12:00:00Z", "2026-06-14T18:15", "2026-06-15T18:15", 24),
        ],
    )
    def test_from_midnight_to_midnight(self, zone: str, cell: str, start: str, end: str, hours: int) -> None:
        """A day is as long as the wall clock makes it: 23, 24 or 25 hours."""
        span = Calendar(ZoneInfo(zone)).day(parse_time_ms(cell))

        assert day(zone, cell) == (start, end)
        assert span.end_ms - span.start_ms == hours * HOUR_MS

    def test_the_first_and_the_last_cell(self) -> None:
        """Midnight itself begins the new day; the quarter before it belongs to the old one."""
        assert day("Asia/Tokyo", "2026-06-14T14:45:00Z") == ("2026-06-13T15:00", "2026-06-14T15:00")
        assert day("Asia/Tokyo", "2026-06-14T15:00:00Z") == ("2026-06-14T15:00", "2026-06-15T15:00")

    @pytest.mark.parametrize(
        ("zone", "cell", "start", "end"),
        [
            # 05:00 in Tokyo is 20:00 UTC of the day before; at 04:45 it is still yesterday's.
            ("Asia/Tokyo", "2026-06-14T20:00:00Z", "2026-06-14T20:00", "2026-06-15T20:00"),
            ("Asia/Tokyo", "2026-06-14T19:45:00Z", "2026-06-13T20:00", "2026-06-14T20:00"),
            # Berlin's 28 March from 05:00 (+01:00) to 05:00 (+02:00) has 23 hours: the change lies in its night.
            ("Europe/Berlin", "2026-03-29T02:00:00Z", "2026-03-28T04:00", "2026-03-29T03:00"),
            ("Europe/Berlin", "2026-03-29T03:00:00Z", "2026-03-29T03:00", "2026-03-30T03:00"),
        ],
    )
    def test_a_day_that_begins_at_five(self, zone: str, cell: str, start: str, end: str) -> None:
        """The hours before it belong to the day before."""
        assert day(zone, cell, "05:00") == (start, end)

    @given(
        st.sampled_from(ZONES),
        st.sampled_from(["00:00", "02:30", "05:00", "23:45"]),
        st.integers(parse_time_ms("2024-01-01T00:00:00Z"), parse_time_ms("2029-01-01T00:00:00Z")),
    )
    def test_days_leave_no_gap(self, zone: str, day_start: str, at_ms: int) -> None:
        """Every cell lies in exactly one day, and where that ends the next one begins, though a clock skips or repeats its start."""
        calendar, cell = Calendar(ZoneInfo(zone), day_start), cell_of(at_ms)
        span = calendar.day(cell)

        assert span.start_ms <= cell < span.end_ms
        assert calendar.day(span.end_ms).start_ms == span.end_ms
        assert calendar.day(span.start_ms - CELL_MS).end_ms == span.start_ms

    @given(
        st.sampled_from(ZONES),
        st.sampled_from(["00:00", "02:30", "05:00", "23:45"]),
        st.integers(parse_time_ms("2026-01-01T00:00:00Z") // CELL_MS, parse_time_ms("2027-01-01T00:00:00Z") // CELL_MS),
    )
    @settings(max_examples=30, deadline=None)
    def test_as_read_off_the_clock(self, zone: str, day_start: str, cell: int) -> None:
        """A day equals the one found by reading the clock every minute."""
        info = ZoneInfo(zone)

        assert Calendar(info, day_start).day(cell * CELL_MS) == wall.day(info, time.fromisoformat(day_start), cell * CELL_MS)

    @pytest.mark.parametrize(
        ("zone", "day_start", "cell", "start", "end"),
        [
            # 02:30 is skipped in Berlin on 29 March: the day begins at 03:00 (01:00 UTC), and the one before it ends there.
            ("Europe/Berlin", "02:30", "2026-03-29T12:00:00Z", "2026-03-29T01:00", "2026-03-30T00:30"),
            # It comes twice on 25 October: the day begins the first time (00:30 UTC).
            ("Europe/Berlin", "02:30", "2026-10-25T12:00:00Z", "2026-10-25T00:30", "2026-10-26T01:30"),
            # In Beirut midnight itself is skipped on 29 March 2026: 00:00 is 01:00, at 22:00 UTC.
            ("Asia/Beirut", "00:00", "2026-03-29T12:00:00Z", "2026-03-28T22:00", "2026-03-29T21:00"),
            # In Havana it comes twice on 1 November 2026: 01:00 at −04:00 is 00:00 at −05:00.
            ("America/Havana", "00:00", "2026-11-01T12:00:00Z", "2026-11-01T04:00", "2026-11-02T05:00"),
        ],
    )
    def test_a_begin_that_is_skipped_or_repeated(self, zone: str, day_start: str, cell: str, start: str, end: str) -> None:
        """It is the end of the gap, or the first of the two."""
        assert day(zone, cell, day_start) == (start, end)


class TestInterval:
    """Aligned intervals."""

    @given(
        st.sampled_from(ZONES),
        st.sampled_from([5, 15, 30, 60]),
        st.integers(parse_time_ms("2026-01-01T00:00:00Z") // MIN_CELL_MS, parse_time_ms("2027-01-01T00:00:00Z") // MIN_CELL_MS),
    )
    @settings(deadline=None)
    def test_as_read_off_the_clock(self, zone: str, minutes: int, cell: int) -> None:
        """An interval equals the one found by reading the clock every minute."""
        info = ZoneInfo(zone)

        assert Calendar(info).interval(cell * MIN_CELL_MS, minutes) == wall.interval(info, cell * MIN_CELL_MS, minutes)

    @given(
        st.sampled_from([("Australia/Lord_Howe", "2026-04-04T10:00:00Z"), ("Australia/Lord_Howe", "2026-10-03T10:00:00Z")]),
        st.integers(0, 120),
    )
    def test_none_shares_time_with_another(self, night: tuple[str, str], cell: int) -> None:
        """Around a change of half an hour every hour begins where the one before it ends."""
        calendar = Calendar(ZoneInfo(night[0]))
        span = calendar.interval(parse_time_ms(night[1]) + cell * MIN_CELL_MS, 60)

        assert calendar.interval(span.end_ms, 60).start_ms == span.end_ms
        assert calendar.interval(span.start_ms - MIN_CELL_MS, 60).end_ms == span.start_ms

    @pytest.mark.parametrize(
        ("zone", "cell", "minutes", "start"),
        [
            ("UTC", "2026-06-15T09:45:00Z", 15, "2026-06-15T09:45"),
            ("UTC", "2026-06-15T09:45:00Z", 30, "2026-06-15T09:30"),
            ("UTC", "2026-06-15T09:30:00Z", 30, "2026-06-15T09:30"),
            # 14:45 in Kolkata: the half hour from 14:30 there, the hour from 14:00 there (08:30 UTC).
            ("Asia/Kolkata", "2026-06-15T09:15:00Z", 30, "2026-06-15T09:00"),
            ("Asia/Kolkata", "2026-06-15T09:15:00Z", 60, "2026-06-15T08:30"),
            # 14:45 in Kathmandu (+05:45): the half hour from 14:30 there is 08:45 UTC.
            ("Asia/Kathmandu", "2026-06-15T09:00:00Z", 30, "2026-06-15T08:45"),
            # 02:15 in Berlin for the first and for the second time.
            ("Europe/Berlin", "2026-10-25T00:15:00Z", 30, "2026-10-25T00:00"),
            ("Europe/Berlin", "2026-10-25T01:15:00Z", 30, "2026-10-25T01:00"),
        ],
    )
    def test_on_the_wall_clock(self, zone: str, cell: str, minutes: int, start: str) -> None:
        """An interval begins where the local clock shows a multiple of its length."""
        span = Calendar(ZoneInfo(zone)).interval(parse_time_ms(cell), minutes)

        assert format_ms(span.start_ms)[:16] == start
        assert span.end_ms - span.start_ms == minutes * 60_000
