"""Closed out of turn, and the business clock: open time by hand, and as the oracle counts minutes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.times import parse_time_ms
from streams.configuration import Configuration
from streams.windows.hours import business_clocks, hours_of_queue, opening_of
from tests.oracle.wall import open_ms as oracle_open_ms
from tests.windows.test_hours import WEEK, opening

NOON_MS = 12 * 3_600_000

TYPHOON = {"name": "Typhoon 台風", "kind": "closed", "from": "2026-11-20T13:00", "to": "2026-11-20T16:00", "sites": ["tokyo"]}


def center(*exceptions: dict[str, Any]) -> Configuration:
    """Return a center with two sites, queues with and without hours of their own, and calendar exceptions."""
    return Configuration.model_validate(
        {
            "sites": {"tokyo": {"zone": "Asia/Tokyo", "business_hours": WEEK}, "berlin": {"zone": "Europe/Berlin"}},
            "queues": {
                "desk": {"site": "tokyo", "clock": "business"},
                "night": {"site": "tokyo", "business_hours": {"mon-sun": ["00:00-24:00"]}},
                "bonn": {"site": "berlin"},
            },
            "calendar_exceptions": list(exceptions),
        },
    )


class TestClosures:
    """Calendar exceptions of kind closed."""

    def test_from_one_instant_to_another(self) -> None:
        """Site and all its queues are closed from 13:00 to 16:00 in Tokyo, others not: Friday 2026-11-20, 04:00 to 07:00 UTC."""
        is_open = opening_of(center(TYPHOON))
        instants = [parse_time_ms(f"2026-11-20T{time}:00Z") for time in ("03:59", "04:00", "06:59", "07:00", "08:30")]

        assert [is_open("queue:night", ms) for ms in instants] == [True, False, False, True, True]
        assert [is_open("site:tokyo", ms) for ms in instants] == [False, False, False, True, False]  # break, closed, closed, open, over
        assert [is_open("queue:bonn", ms) for ms in instants] == [True] * 5

    def test_without_an_end_and_an_outage(self) -> None:
        """Without an end it stays closed; an outage closes nothing."""
        is_open = opening_of(
            center({**TYPHOON, "to": None}, {"name": "carrier", "kind": "outage", "from": "2026-11-20T13:00", "queues": ["bonn"]})
        )
        later = parse_time_ms("2027-03-01T03:30:00Z")

        assert (is_open("queue:night", later), is_open("queue:bonn", later)) == (False, True)


class TestOpenTime:
    """The business clock."""

    @pytest.mark.parametrize(
        ("start", "end", "minutes"),
        [
            # Tokyo, 09:00-12:00 and 13:00-17:30; Friday 2026-11-20 is nine hours ahead of UTC.
            ("2026-11-20T00:00:00Z", "2026-11-20T00:10:00Z", 10),
            ("2026-11-20T02:50:00Z", "2026-11-20T04:05:00Z", 15),  # across the break
            ("2026-11-19T20:00:00Z", "2026-11-20T00:01:30Z", 1.5),  # since before it opened
            (
                "2026-11-20T08:20:00Z",
                "2026-11-24T00:10:00Z",
                10 + 240 + 450 + 10,
            ),  # Friday 17:20 to Tuesday 09:10: Saturday 4 h, Monday 7.5 h
            ("2026-11-20T09:00:00Z", "2026-11-20T10:00:00Z", 0),
            ("2026-11-20T01:00:00Z", "2026-11-20T00:00:00Z", 0),
            # 52 weeks of 5 × 7.5 h and 4 h.
            ("2026-01-05T00:00:00Z", "2027-01-04T00:00:00Z", 52 * (5 * 450 + 240)),
        ],
    )
    def test_by_hand(self, start: str, end: str, minutes: float) -> None:
        """Only the time in which it is open counts."""
        desk = business_clocks(center())["desk"]

        assert desk.open_ms(parse_time_ms(start), parse_time_ms(end)) == minutes * 60_000

    def test_while_it_is_closed_out_of_turn(self) -> None:
        """13:00-16:00 does not count."""
        desk = business_clocks(center(TYPHOON))["desk"]

        assert desk.open_ms(parse_time_ms("2026-11-20T00:00:00Z"), parse_time_ms("2026-11-20T09:00:00Z")) == (180 + 90) * 60_000

    @pytest.mark.parametrize(("date", "hours"), [("2026-10-25", 2), ("2026-03-29", 1.5), ("2026-06-15", 2)])
    def test_the_nights_of_the_clocks(self, date: str, hours: float) -> None:
        """00:30-02:30 in Berlin: a repeated 02:30 is its first occurrence; a skipped one is 03:00, an hour and a half later."""
        berlin = opening("Europe/Berlin", {"business_hours": {"mon-sun": ["00:30-02:30"]}})
        midnight = parse_time_ms(f"{date}T00:00:00Z")

        assert berlin.open_ms(midnight - NOON_MS, midnight + NOON_MS) == hours * 3_600_000

    @given(st.integers(0, 400_000), st.integers(0, 4_000), st.sampled_from(["desk", "night", "bonn"]))
    @settings(max_examples=25, deadline=None)
    def test_as_the_oracle_counts_its_minutes(self, begin: int, length: int, queue: str) -> None:
        """Any span has as much open time as there are open minutes."""
        configuration = center(
            TYPHOON, {"name": "storm", "kind": "closed", "from": "2026-10-25T02:10", "to": "2026-10-25T02:50", "queues": ["bonn"]}
        )
        start = parse_time_ms("2026-03-28T12:00:00Z") + 60_000 * begin
        hours = hours_of_queue(configuration, queue)

        assert hours is not None
        end = start + 60_000 * length
        expected = oracle_open_ms(configuration, queue, start, end)
        assert hours.open_ms(start, end) == expected
        assert sum(span.end_ms - span.start_ms for span in hours.open_spans(start, end)) == expected
