"""The nights in which clocks change, through tracking and windows: intervals and days by hand and by the oracle."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from schemas.contact import ContactAnswered, ContactEnded, ContactModel, ContactQueued
from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration
from streams.replay import Replay
from tests.oracle.recount import recount
from tests.oracle.reporting import report
from tests.properties.compare import differences

if TYPE_CHECKING:
    from schemas.base import Event

MINUTE_MS = 60_000
QUARTER_MS = 15 * MINUTE_MS

#: A queue for each clock; the last one's day begins at 05:00.
SITES = {
    "berlin": {"zone": "Europe/Berlin"},
    "new-york": {"zone": "America/New_York"},
    "tokyo": {"zone": "Asia/Tokyo"},
    "kathmandu": {"zone": "Asia/Kathmandu"},
    "lord-howe": {"zone": "Australia/Lord_Howe"},
    "night-shift": {"zone": "Europe/Berlin", "day_start": "05:00"},
}
CONFIGURATION = Configuration.model_validate(
    {"sites": SITES, "queues": {site: {"site": site} for site in SITES}, "counting": {"interval_minutes": [30, 60]}}
)


def replayed(events: list[ContactModel]) -> dict[str, dict[str, Any]]:
    """Return the latest records after a replay, and see that they are the oracle's."""
    replay = Replay(CONFIGURATION)
    for each in events:
        replay.add(each.model_dump_json(exclude_none=True).encode(), "contact")
    replay.finish()
    recorded: list[Event] = [*events]
    assert differences(replay.latest, recount(recorded, CONFIGURATION), windows=("day", "interval_60m")) == []
    return replay.latest


@cache
def quarters(site: str, start: str, end: str) -> dict[str, dict[str, Any]]:
    """Return the records of one queue that is called five minutes into every quarter of an hour and answers a minute later."""
    first, last = parse_time_ms(start), parse_time_ms(end)
    events: list[ContactModel] = []
    for number in range((last - first) // QUARTER_MS):
        at = number * QUARTER_MS / 1000 + 300
        events += [
            report(ContactQueued, at, f"c{number}", start=start, queue=site, channel="voice"),
            report(ContactAnswered, at + 60, f"c{number}", start=start, agent="ann"),
        ]
    return replayed(events)


def offered(records: dict[str, dict[str, Any]], site: str, window: str) -> dict[str, int]:
    """Return the contacts offered by the begins of a queue's intervals or days, in UTC without seconds."""
    prefix = f"window|{window}|voice|queue:{site}|"
    chosen = sorted((int(key.removeprefix(prefix)), record) for key, record in records.items() if key.startswith(prefix))
    return {format_ms(start)[:16]: record["kpis"]["offered"]["value"] for start, record in chosen}


#: Site, calls from and to (UTC), the day that is looked at, its contacts (four an hour), and where its begin and end are.
DAYS = [
    # From +02:00 to +01:00 at 01:00 UTC: 22:00 to 23:00 UTC, 25 hours.
    ("berlin", "2026-10-24T20:00:00Z", "2026-10-26T01:00:00Z", "2026-10-24T22:00", 100, 25),
    # From +01:00 to +02:00 at 01:00 UTC: 23:00 to 22:00 UTC, 23 hours.
    ("berlin", "2026-03-28T20:00:00Z", "2026-03-30T01:00:00Z", "2026-03-28T23:00", 92, 23),
    # From −05:00 to −04:00 at 07:00 UTC: 05:00 to 04:00 UTC, 23 hours.
    ("new-york", "2026-03-08T03:00:00Z", "2026-03-09T06:00:00Z", "2026-03-08T05:00", 92, 23),
    # From −04:00 to −05:00 at 06:00 UTC: 04:00 to 05:00 UTC, 25 hours.
    ("new-york", "2026-11-01T03:00:00Z", "2026-11-02T06:00:00Z", "2026-11-01T04:00", 100, 25),
    # Always +09:00, in all those nights.
    ("tokyo", "2026-10-24T13:00:00Z", "2026-10-25T16:00:00Z", "2026-10-24T15:00", 96, 24),
    ("tokyo", "2026-03-28T13:00:00Z", "2026-03-29T16:00:00Z", "2026-03-28T15:00", 96, 24),
    ("tokyo", "2026-03-07T13:00:00Z", "2026-03-08T16:00:00Z", "2026-03-07T15:00", 96, 24),
    ("tokyo", "2026-10-31T13:00:00Z", "2026-11-01T16:00:00Z", "2026-10-31T15:00", 96, 24),
    # Always +05:45.
    ("kathmandu", "2026-10-24T17:00:00Z", "2026-10-25T20:00:00Z", "2026-10-24T18:15", 96, 24),
    # From +11:00 to +10:30 at 15:00 UTC: 13:00 to 13:30 UTC, 24 hours and a half; hours: 24 and the half that comes twice.
    ("lord-howe", "2026-04-04T12:00:00Z", "2026-04-05T15:00:00Z", "2026-04-04T13:00", 98, 25),
    # From +10:30 to +11:00 at 15:30 UTC: 13:30 to 13:00 UTC, 23 hours and a half; hours: 23 and the half that is left of 02:00-03:00.
    ("lord-howe", "2026-10-03T12:00:00Z", "2026-10-04T15:00:00Z", "2026-10-03T13:30", 94, 24),
    # The business day of 24 October from 05:00 at +02:00 to 05:00 at +01:00: 03:00 to 04:00 UTC; that of 28 March from 04:00 to 03:00 UTC.
    ("night-shift", "2026-10-24T01:00:00Z", "2026-10-25T06:00:00Z", "2026-10-24T03:00", 100, 25),
    ("night-shift", "2026-03-28T01:00:00Z", "2026-03-29T06:00:00Z", "2026-03-28T04:00", 92, 23),
]


@pytest.mark.parametrize(("site", "start", "end", "day", "contacts", "hours"), DAYS)
def test_days(site: str, start: str, end: str, day: str, contacts: int, hours: int) -> None:
    """A day has the contacts of all its hours, the repeated ones too; and its intervals of an hour have no others."""
    records = quarters(site, start, end)

    assert offered(records, site, "day")[day] == contacts
    whole = next(record for record in records.values() if record.get("window") == "day" and record["window_start"].startswith(day))
    low, high = whole["window_start"], whole["window_end"]
    within = {begin: number for begin, number in offered(records, site, "interval_60m").items() if low <= f"{begin}:00.000Z" < high}
    assert (len(within), sum(within.values())) == (hours, contacts)


@pytest.mark.parametrize(
    ("site", "start", "end", "window", "expected"),
    [
        # 01:00, twice 02:00, then 03:00 in Berlin.
        (
            *("berlin", "2026-10-24T20:00:00Z", "2026-10-26T01:00:00Z", "interval_60m"),
            {"2026-10-24T23:00": 4, "2026-10-25T00:00": 4, "2026-10-25T01:00": 4, "2026-10-25T02:00": 4},
        ),
        (
            *("berlin", "2026-10-24T20:00:00Z", "2026-10-26T01:00:00Z", "interval_30m"),
            {"2026-10-25T00:00": 2, "2026-10-25T00:30": 2, "2026-10-25T01:00": 2, "2026-10-25T01:30": 2},
        ),
        # 00:00, 01:00, then 03:00: 02:00 is skipped.
        (
            *("berlin", "2026-03-28T20:00:00Z", "2026-03-30T01:00:00Z", "interval_60m"),
            {"2026-03-28T23:00": 4, "2026-03-29T00:00": 4, "2026-03-29T01:00": 4},
        ),
        # Full hours in Kathmandu are at a quarter past.
        (*("kathmandu", "2026-10-24T17:00:00Z", "2026-10-25T20:00:00Z", "interval_60m"), {"2026-10-24T18:15": 4, "2026-10-24T19:15": 4}),
        (*("kathmandu", "2026-10-24T17:00:00Z", "2026-10-25T20:00:00Z", "interval_30m"), {"2026-10-24T18:15": 2, "2026-10-24T18:45": 2}),
        # 01:00-02:00 at +11:00, the second 01:30-02:00, and 02:00-03:00 at +10:30.
        (
            *("lord-howe", "2026-04-04T12:00:00Z", "2026-04-05T15:00:00Z", "interval_60m"),
            {"2026-04-04T14:00": 4, "2026-04-04T15:00": 2, "2026-04-04T15:30": 4},
        ),
        # 01:00-02:00 at +10:30, what is left of 02:00-03:00 at +11:00, and 03:00-04:00.
        (
            *("lord-howe", "2026-10-03T12:00:00Z", "2026-10-04T15:00:00Z", "interval_60m"),
            {"2026-10-03T14:30": 4, "2026-10-03T15:30": 2, "2026-10-03T16:00": 4},
        ),
    ],
)
def test_intervals(site: str, start: str, end: str, window: str, expected: dict[str, int]) -> None:
    """A repeated hour is two intervals, a skipped one none; a change of half an hour cuts its interval."""
    found = offered(quarters(site, start, end), site, window)

    around = {begin: number for begin, number in found.items() if min(expected) <= begin <= max(expected)}
    assert around == expected


def test_a_conversation_across_midnight_and_one_across_the_change() -> None:
    """Both belong to when they were offered, and last as long as they last: not by the hands of the clock."""
    # 23:58 to 00:03 in Berlin; then 02:50 at +02:00 to 02:10 at +01:00, which is 20 minutes later, and 10 minutes of talk.
    start = "2026-10-24T21:58:00Z"
    change = (2 * 60 + 52) * 60.0
    events: list[ContactModel] = [
        report(ContactQueued, 0, "midnight", start=start, queue="berlin", channel="voice"),
        report(ContactAnswered, 300, "midnight", start=start, agent="ann"),
        report(ContactEnded, 360, "midnight", start=start, by="agent"),
        report(ContactQueued, change, "change", start=start, queue="berlin", channel="voice"),
        report(ContactAnswered, change + 1200, "change", start=start, agent="ann"),
        report(ContactEnded, change + 1800, "change", start=start, by="agent"),
    ]
    records = replayed(events)

    def kpis(window: str, begin: str) -> dict[str, Any]:
        found: dict[str, Any] = records[f"window|{window}|voice|queue:berlin|{parse_time_ms(begin)}"]["kpis"]
        return {name: found[name]["value"] for name in ("offered", "answered", "asa", "att")}

    one = {"offered": 1, "answered": 1}
    assert kpis("day", "2026-10-23T22:00:00Z") == {**one, "asa": 300, "att": 60}
    assert kpis("interval_60m", "2026-10-24T21:00:00Z") == {**one, "asa": 300, "att": 60}
    assert kpis("day", "2026-10-24T22:00:00Z") == {**one, "asa": 1200, "att": 600}
    # The first 02:00-03:00, where it was offered; the second one has nothing.
    assert kpis("interval_60m", "2026-10-25T00:00:00Z") == {**one, "asa": 1200, "att": 600}
    assert f"window|interval_60m|voice|queue:berlin|{parse_time_ms('2026-10-25T01:00:00Z')}" not in records
