"""Times on the business clock, by hand: a desk in Tokyo that is open on weekdays from 09:00 to 18:00, which is 00:00 to 09:00 UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.contact import ContactMessage, ContactModel, ContactQueued, ContactStatusChanged
from schemas.times import parse_time, parse_time_ms
from streams.configuration import Configuration
from streams.replay import Replay
from streams.serving.store import Store
from streams.windows.hours import business_clocks
from tests.oracle.reporting import report

if TYPE_CHECKING:
    from collections.abc import Iterable

DESK = {"site": "tokyo", "channel": "mail", "department": "care", "clock": "business"}
CENTER: dict[str, Any] = {
    "sites": {"tokyo": {"zone": "Asia/Tokyo", "business_hours": {"mon-fri": ["09:00-18:00"]}, "holiday_calendar": "JP"}},
    "queues": {"desk": DESK, "plain": {**DESK, "clock": "calendar"}},
}
MINUTE = 60
#: A Friday, half an hour before the desk closes; the Monday after it is a holiday (勤労感謝の日).
FRIDAY = "2026-11-20T08:30:00Z"
#: 09:20 on the Tuesday.
TUESDAY = "2026-11-24T00:20:00Z"


def mails(queue: str) -> list[ContactModel]:
    """Return a mail of Friday evening that is answered on Tuesday at 09:20 and resolved at 10:00."""
    answered = (parse_time(TUESDAY) - parse_time(FRIDAY)).total_seconds()
    return [
        report(ContactQueued, 0, "m1", start=FRIDAY, queue=queue),
        report(ContactMessage, answered, "m1", start=FRIDAY, author_kind="agent", agent="ann", public=True),
        report(ContactStatusChanged, answered + 40 * MINUTE, "m1", start=FRIDAY, status="resolved"),
    ]


def replayed(events: Iterable[ContactModel], center: dict[str, Any], until: str | None = None) -> Replay:
    """Return a finished replay."""
    replay = Replay(Configuration.model_validate(center))
    for each in events:
        replay.add(each.model_dump_json(exclude_none=True).encode(), "contact")
    replay.finish(None if until is None else parse_time_ms(until))
    return replay


def figures(replay: Replay, scope: str) -> dict[str, Any]:
    """Return the KPIs of the Friday on which the mail came in; the department has no site and its day is that of UTC."""
    day = "2026-11-19T15:00:00Z" if scope.startswith("queue:") else "2026-11-20T00:00:00Z"
    found: dict[str, Any] = replay.latest[f"window|day|mail|{scope}|{parse_time_ms(day)}"]["kpis"]
    return found


@pytest.mark.parametrize("scope", ["queue:desk", "department:care"])
def test_only_open_time_counts(scope: str) -> None:
    """30 minutes on Friday and 20 on Tuesday until the first response, 90 until it is resolved: in the queue and in what it belongs to."""
    kpis = figures(replayed(mails("desk"), CENTER), scope)

    assert kpis["first_response_time"] == {"value": 50 * MINUTE, "numerator": 50 * MINUTE, "denominator": 1, "coverage": 1}
    assert kpis["resolution_time"] == {"value": 90 * MINUTE, "numerator": 90 * MINUTE, "denominator": 1, "coverage": 1}
    # Waits are on the calendar, always: from Friday 17:30 to Tuesday 09:20.
    assert kpis["asa"]["value"] == (3 * 24 * 60 + 15 * 60 + 50) * MINUTE


def test_a_queue_on_the_calendar() -> None:
    """The same mail in a queue with the same hours and no business clock took its nights and the long weekend too."""
    kpis = figures(replayed(mails("plain"), CENTER), "queue:plain")

    assert kpis["first_response_time"]["value"] == kpis["asa"]["value"]
    assert kpis["resolution_time"]["value"] == kpis["asa"]["value"] + 40 * MINUTE


def test_while_it_is_closed_out_of_turn() -> None:
    """The desk closes at 17:45 on Friday and opens at 09:05 on Tuesday: 15 and 15 minutes until the first response."""
    typhoon = {"name": "Typhoon 台風", "kind": "closed", "from": "2026-11-20T17:45", "to": "2026-11-24T09:05", "sites": ["tokyo"]}
    kpis = figures(replayed(mails("desk"), {**CENTER, "calendar_exceptions": [typhoon]}), "queue:desk")

    assert kpis["first_response_time"]["value"] == 30 * MINUTE


def test_the_age_of_the_backlog() -> None:
    """On Tuesday at 09:20 the mail is 50 open minutes old in the queue, and as old as the calendar has it in its department."""
    replay = replayed(mails("desk")[:1], CENTER, until=TUESDAY)

    assert replay.latest["now|mail|queue:desk"]["backlog_oldest_seconds"] == 50 * MINUTE
    assert replay.latest["now|mail|department:care"]["backlog_oldest_seconds"] == (3 * 24 * 60 + 15 * 60 + 50) * MINUTE


def test_the_age_grows_where_it_is_served() -> None:
    """A record of Friday is read on Tuesday: what has passed since is reckoned on the same clock."""
    replay = replayed(mails("desk")[:1], CENTER, until="2026-11-20T08:45:00Z")
    configuration = Configuration.model_validate(CENTER)
    later = {**replay.latest["progress|0"], "as_of": TUESDAY, "revision": 1000}
    ages = {}
    for name, business in (("with", business_clocks(configuration)), ("without", {})):
        store = Store()
        store.business = business
        for key, record in {**replay.latest, "progress|0": later}.items():
            store.feed(key.encode(), orjson.dumps(record))
        entry = next(entry for entry in store.entries() if entry.key == "now|mail|queue:desk")
        ages[name] = store.backlog_oldest_seconds(entry)

    assert ages == {"with": 50 * MINUTE, "without": (3 * 24 * 60 + 15 * 60 + 50) * MINUTE}
