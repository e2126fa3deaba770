"""Open or closed: every instant here was read off a calendar and a table of zones by hand, and is written in UTC."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.times import parse_time_ms
from streams.configuration import Configuration
from streams.configuration.hours import Hours
from streams.windows.hours import OpeningHours, opening_of

WEEK = {"mon-fri": ["09:00-12:00", "13:00-17:30"], "sat": ["10:00-14:00"]}


def opening(zone: str, *entries: dict[str, Any]) -> OpeningHours:
    """Return the hours of entries as in the file."""
    return OpeningHours(ZoneInfo(zone), [Hours.model_validate(entry) for entry in entries])


def at(hours: OpeningHours, *instants: str) -> list[bool]:
    """Return whether it is open at each instant, written without its seconds and in UTC."""
    return [hours.is_open(parse_time_ms(f"{instant}:00Z")) for instant in instants]


class TestWeek:
    """A week in Tokyo, nine hours ahead of UTC in summer and winter. 2026-03-02 is a Monday."""

    def test_a_working_day(self) -> None:
        """Open from the first minute of a span until its last; the break is closed."""
        tokyo = opening("Asia/Tokyo", {"business_hours": WEEK})

        # 08:59, 09:00, 11:59, 12:00, 12:59, 13:00, 17:29, 17:30 in Tokyo
        found = at(tokyo, *(f"2026-03-02T{time}" for time in ("00:00", "02:59", "03:00", "03:59", "04:00", "08:29", "08:30")))
        assert found == [True, True, False, False, True, True, False]
        assert at(tokyo, "2026-03-01T23:59") == [False]

    def test_the_weekend(self) -> None:
        """Saturday has its own hours; Sunday is not named and closed."""
        tokyo = opening("Asia/Tokyo", {"business_hours": WEEK})

        # Saturday 2026-03-07 at 09:59, 10:00, 14:00; Sunday at 11:00
        assert at(tokyo, "2026-03-07T00:59", "2026-03-07T01:00", "2026-03-07T05:00", "2026-03-08T02:00") == [False, True, False, False]

    def test_the_milliseconds_around_an_edge(self) -> None:
        """The end is not part of a span, the begin is."""
        tokyo = opening("Asia/Tokyo", {"business_hours": WEEK})
        nine, noon = parse_time_ms("2026-03-02T00:00:00Z"), parse_time_ms("2026-03-02T03:00:00Z")

        assert [tokyo.is_open(ms) for ms in (nine - 1, nine, noon - 1, noon)] == [False, True, True, False]

    def test_days_written_in_other_ways(self) -> None:
        """Lists of days, and ranges that go around the week."""
        utc = opening("UTC", {"business_hours": {"sat-mon": ["08:00-09:00"], "wed,fri": ["10:00-11:00"]}})

        eight = [f"2026-03-0{day}T08:30" for day in range(2, 9)]
        ten = [f"2026-03-0{day}T10:30" for day in range(2, 9)]
        assert at(utc, *eight) == [True, False, False, False, False, True, True]
        assert at(utc, *ten) == [False, False, True, False, True, False, False]

    def test_no_week_is_always_open(self) -> None:
        """But for the dates that are named."""
        utc = opening("UTC", {"holidays": ["2026-12-25"]})

        assert at(utc, "2026-12-24T23:59", "2026-12-25T00:00", "2026-12-25T23:59", "2026-12-26T00:00") == [True, False, False, True]


class TestPastMidnight:
    """Spans that begin on one day and end on the next."""

    def test_a_night_shift(self) -> None:
        """It belongs to the day it begins on: Friday's night includes Saturday's early morning, and no night includes Monday's."""
        utc = opening("UTC", {"business_hours": {"mon-fri": ["22:00-02:00"]}})

        # Monday 2026-03-02 01:00 and 22:00, Saturday 01:59 and 02:00, Saturday 22:00
        instants = ("2026-03-02T01:00", "2026-03-02T22:00", "2026-03-07T01:59", "2026-03-07T02:00", "2026-03-07T22:00")
        assert at(utc, *instants) == [False, True, True, False, False]

    def test_into_a_holiday(self) -> None:
        """The night before continues into it; its own evening does not begin."""
        utc = opening("UTC", {"business_hours": {"mon-sun": ["22:00-02:00"]}, "holidays": ["2026-12-25"]})

        assert at(utc, "2026-12-25T01:00", "2026-12-25T22:30", "2026-12-26T01:00", "2026-12-26T22:30") == [True, False, False, True]

    def test_the_whole_day(self) -> None:
        """00:00-24:00 leaves no gap at midnight."""
        utc = opening("UTC", {"business_hours": {"mon-tue": ["00:00-24:00"]}})

        assert at(utc, "2026-03-01T23:59", "2026-03-02T00:00", "2026-03-02T23:59", "2026-03-03T00:00", "2026-03-03T23:59") == [
            False,
            True,
            True,
            True,
            True,
        ]
        assert at(utc, "2026-03-04T00:00") == [False]


class TestClocksChange:
    """The nights on which a zone's clocks are set."""

    def test_berlin_forward(self) -> None:
        """2026-03-29: 02:00 CET becomes 03:00 CEST at 01:00 UTC. What begins at 02:30 begins with 03:00, what ends at 02:30 ends there."""
        begins = opening("Europe/Berlin", {"business_hours": {"sun": ["02:30-05:00"]}})
        ends = opening("Europe/Berlin", {"business_hours": {"sun": ["01:00-02:30"]}})

        # 01:59 CET, 03:00 CEST, 04:59 CEST, 05:00 CEST
        assert at(begins, "2026-03-29T00:59", "2026-03-29T01:00", "2026-03-29T02:59", "2026-03-29T03:00") == [False, True, True, False]
        # 00:59 CET, 01:00 CET, 01:59 CET, 03:00 CEST
        assert at(ends, "2026-03-28T23:59", "2026-03-29T00:00", "2026-03-29T00:59", "2026-03-29T01:00") == [False, True, True, False]

    def test_berlin_back(self) -> None:
        """2026-10-25: 03:00 CEST becomes 02:00 CET at 01:00 UTC. A repeated time is its first occurrence."""
        long = opening("Europe/Berlin", {"business_hours": {"sun": ["02:30-03:00"]}})
        early = opening("Europe/Berlin", {"business_hours": {"sun": ["01:00-02:30"]}})

        # 02:29 CEST, 02:30 CEST, 02:00 CET, 02:59 CET, 03:00 CET
        instants = ("2026-10-25T00:29", "2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:59", "2026-10-25T02:00")
        assert at(long, *instants) == [False, True, True, True, False]
        # 02:29 CEST, 02:30 CEST, and 02:15 CET: closed, and not opened again
        assert at(early, "2026-10-25T00:29", "2026-10-25T00:30", "2026-10-25T01:15") == [True, False, False]

    def test_new_york(self) -> None:
        """09:00 is 14:00 UTC before 2026-03-08 and 13:00 after it; on 2026-11-01, a Sunday of 25 hours, back again."""
        newyork = opening("America/New_York", {"business_hours": {"mon-sun": ["09:00-17:00"]}})

        assert at(newyork, "2026-03-07T13:59", "2026-03-07T14:00", "2026-03-08T12:59", "2026-03-08T13:00") == [False, True, False, True]
        assert at(newyork, "2026-10-31T13:00", "2026-11-01T13:00", "2026-11-01T14:00", "2026-11-01T22:00") == [True, False, True, False]

    def test_new_york_at_night(self) -> None:
        """22:00-02:00 is four hours on the clock, also when it is set back and five pass, or forward, when it ends with the gap."""
        newyork = opening("America/New_York", {"business_hours": {"sat": ["22:00-02:00"]}})

        # 2026-03-07 22:00 EST is 03:00 UTC; 02:00 is skipped: it ends with 03:00 EDT, 07:00 UTC.
        assert at(newyork, "2026-03-08T02:59", "2026-03-08T03:00", "2026-03-08T06:59", "2026-03-08T07:00") == [False, True, True, False]
        # 2026-10-31 22:00 EDT is 02:00 UTC; 02:00 comes once, as EST: 07:00 UTC.
        assert at(newyork, "2026-11-01T01:59", "2026-11-01T02:00", "2026-11-01T06:59", "2026-11-01T07:00") == [False, True, True, False]

    def test_a_zone_that_changes_at_midnight(self) -> None:
        """Santiago, 2026-09-06: midnight becomes 01:00 at 04:00 UTC; the day begins there, and the one before ends there."""
        santiago = opening("America/Santiago", {"business_hours": {"sun": ["00:00-24:00"]}})

        assert at(santiago, "2026-09-06T03:59", "2026-09-06T04:00", "2026-09-07T02:59", "2026-09-07T03:00") == [False, True, True, False]


class TestDates:
    """Holidays and exceptions."""

    def test_an_exception_replaces_the_day(self) -> None:
        """Christmas Eve, a Thursday, has its own hours and nothing of the week's; an empty list is closed."""
        berlin = opening(
            "Europe/Berlin",
            {"business_hours": WEEK, "exceptions": {"2026-12-24": ["08:00-12:30"], "2026-12-31": []}, "holidays": ["2026-12-25"]},
        )

        # 08:00, 12:29, 12:30 and 14:00 CET
        assert at(berlin, "2026-12-24T07:00", "2026-12-24T11:29", "2026-12-24T11:30", "2026-12-24T13:00") == [True, True, False, False]
        assert at(berlin, "2026-12-25T09:00", "2026-12-31T09:00", "2026-12-30T09:00") == [False, False, True]

    def test_a_queue_over_its_site(self) -> None:
        """The queue's entry of a date takes precedence, then the site's; the queue's week replaces the site's."""
        site = {"business_hours": WEEK, "holidays": ["2026-12-25", "2026-12-28"]}
        queue = {"business_hours": {"mon-sun": ["18:00-20:00"]}, "exceptions": {"2026-12-25": ["06:00-07:00"]}}
        hours = opening("UTC", queue, site)

        assert at(hours, "2026-12-25T06:30", "2026-12-25T18:30", "2026-12-28T18:30", "2026-12-29T18:30", "2026-12-29T09:30") == [
            True,
            False,
            False,
            True,
            False,
        ]


class TestScopes:
    """Which hours a scope has. 2026-03-02, a Monday, 10:00 UTC: 11:00 in Berlin, 19:00 in Tokyo."""

    CONFIGURATION = Configuration.model_validate(
        {
            "sites": {
                "berlin": {"zone": "Europe/Berlin", "business_hours": {"mon-fri": ["09:00-17:00"]}},
                "tokyo": {"zone": "Asia/Tokyo", "business_hours": {"mon-fri": ["09:00-17:00"]}},
            },
            "queues": {
                "sales": {"site": "berlin", "department": "care"},
                "late": {"site": "berlin", "business": "night", "business_hours": {"mon": ["20:00-23:00"]}},
                "japan": {"site": "tokyo", "department": "care", "business": "asia"},
            },
            "teams": {"a": {"site": "tokyo"}, "b": {}},
        }
    )

    @pytest.mark.parametrize(
        ("scope", "is_open"),
        [
            ("queue:sales", True),
            ("queue:late", False),
            ("queue:japan", False),
            ("queue:nobody's", True),
            ("site:berlin", True),
            ("site:tokyo", False),
            ("site:nobody's", True),
            ("team:a", False),
            ("team:b", True),
            ("department:care", True),
            ("business:asia", False),
            ("business:night", False),
            ("total:all", True),
        ],
    )
    def test_of_a_scope(self, scope: str, is_open: bool) -> None:
        """A queue its own or its site's, a team its site's, larger ones while one of their queues is open, what has none always."""
        assert opening_of(self.CONFIGURATION)(scope, parse_time_ms("2026-03-02T10:00:00Z")) is is_open

    def test_the_total_in_the_night(self) -> None:
        """At 02:00 in Berlin and 10:00 in Tokyo one queue is open; at 22:00 UTC, late at night in Berlin, one; on Sunday none."""
        is_open = opening_of(self.CONFIGURATION)

        instants = ("2026-03-02T01:00:00Z", "2026-03-02T21:30:00Z", "2026-03-02T22:30:00Z", "2026-03-08T10:00:00Z")
        # 02:00 Berlin / 10:00 Tokyo; 22:30 Berlin: late; 23:30 Berlin / 07:30 Tokyo: none; Sunday
        assert [is_open("total:all", parse_time_ms(instant)) for instant in instants] == [True, True, False, False]
