"""Replies overdue, the backlog by age, and the figures about messages, from records and sums, by hand: docs/counting.md section 11."""

from __future__ import annotations

from typing import Any

import pytest
from orjson import loads

from schemas.metrics import NowFigures
from schemas.panes import NowRecord
from streams.catalogue import KPI_BY_ID
from streams.configuration import Configuration
from streams.configuration.models import ServiceLevelDefinition
from streams.windows.kpis import contact_kpis
from streams.windows.pending import has_replies
from streams.windows.rollup import RollUp

HOUR_MS = 3_600_000
#: 2026-04-01 09:00 UTC; tests count minutes from it.
START_MS = 1_775_034_000_000
NINE = START_MS // HOUR_MS
CONFIGURATION = Configuration.model_validate(
    {
        "queues": {
            "q": {"channel": "mail"},
            "open": {"channel": "mail", "clock": "business", "business_hours": {"mon-sun": ["09:10-10:00"]}},
            "chats": {"channel": "chat", "department": "web", "reply_target_seconds": 60},
            "talks": {"channel": "chat", "department": "shop"},
        }
    }
)


class Center:
    """A roll-up of two source partitions of contacts, fed with records of now and of progress."""

    def __init__(self, queue: str = "q", channel: str = "mail") -> None:
        self.place = queue, channel
        self.rollup = RollUp(CONFIGURATION, 0, [("contacts", 0), ("contacts", 1)], [("agents", 0)])

    def now(self, partition: int, **figures: Any) -> Center:
        """Apply a now record of the queue from a source partition."""
        queue, channel = self.place
        record = NowRecord(source_topic="contacts", source_partition=partition, scope=f"queue:{queue}", channel=channel, **figures)
        self.rollup.apply(f"now|{channel}|contacts|{partition}|-|queue:{queue}", record.model_dump(mode="json"))
        return self

    def published(self, minutes: float) -> list[dict[str, Any]]:
        """Advance time, and return the now records that are published."""
        at = START_MS + round(minutes * 60_000)
        progress = {"progress_ms": at, "received_through_ms": at, "sources": {}, "stale_sources": []}
        for origin in ("contacts|0", "contacts|1", "agents|0"):
            self.rollup.apply(f"progress|-|{origin}|-|-", progress)
        return [loads(record) for key, record in self.rollup.collect() if key.startswith("now|") and record is not None]


def test_bands_of_age() -> None:
    """On the calendar, by the hour: 4 h, 24 h, 72 h and 168 h are each in the older band; partitions add up."""
    center = Center().now(0, backlog={"untouched": 9}, backlog_hours=[(NINE - 169, 1), (NINE - 168, 2), (NINE - 167, 3), (NINE - 72, 4)])
    center.now(1, backlog={"untouched": 9}, backlog_hours=[(NINE - 71, 5), (NINE - 24, 6), (NINE - 23, 7), (NINE - 4, 8), (NINE - 3, 9)])

    # 7 d and more: 1 + 2; 3 to 7 d: 3 + 4; 1 to 3 d: 5 + 6; 4 to 24 h: 7 + 8; below 4 h: 9.
    [record] = center.published(0)
    assert record["backlog_by_age"] == {"0-4h": 9, "4-24h": 15, "1-3d": 11, "3-7d": 7, "over-7d": 3}
    assert NowFigures.model_validate(record).backlog_by_age == record["backlog_by_age"]


def test_the_backlog_grows_older_by_the_hour() -> None:
    """One record when the hour changes and a ticket comes into the next band, and none before."""
    center = Center().now(0, backlog={"untouched": 1}, backlog_hours=[(NINE - 3, 1)])

    published = [
        (minutes, [record["backlog_by_age"]["4-24h"] for record in center.published(minutes)]) for minutes in (0, 20, 59, 60, 61, 120)
    ]
    assert published == [(0, [0]), (20, []), (59, []), (60, [1]), (61, []), (120, [])]


def test_the_backlog_of_a_queue_on_the_business_clock() -> None:
    """Open 50 min a day: 4 h of open time after four days and 40 min of the fifth, at 9:10 + 40 min = 9:50."""
    center = Center("open").now(0, backlog={"untouched": 1}, backlog_hours=[(NINE, 1)])
    day = 24 * 60

    published = [
        (minutes, [record["backlog_by_age"]["4-24h"] for record in center.published(minutes)])
        for minutes in (0, 4 * day + 49, 4 * day + 50)
    ]
    assert published == [(0, [0]), (4 * day + 49, []), (4 * day + 50, [1])]


def test_replies_become_overdue_with_time() -> None:
    """Overdue only after the due time, one record at each change and none between; those passed before are a number."""
    due = [START_MS + minutes * 60_000 for minutes in (10, 20)]
    center = Center().now(0, replies_overdue=3, reply_due_ms=due).now(1, reply_due_ms=due[1:])

    published = [(minutes, [record["reply_overdue"] for record in center.published(minutes)]) for minutes in (5, 9, 10, 10.1, 15, 20.1, 30)]
    assert published == [(5, [3]), (9, []), (10, []), (10.1, [4]), (15, []), (20.1, [6]), (30, [])]


@pytest.mark.parametrize(
    ("scope", "channel", "expected"),
    [
        ("queue:q", "mail", True),
        ("queue:(unassigned)", "ticket", True),
        ("queue:chats", "chat", True),
        ("queue:chats", "voice", False),
        ("queue:talks", "chat", False),
        ("department:web", "chat", True),
        ("department:shop", "chat", False),
        ("total:all", "chat", True),
        ("total:all", "voice", False),
        ("team:web", None, False),
    ],
)
def test_where_replies_have_a_target(scope: str, channel: str | None, expected: bool) -> None:
    """Reply channels and queues with a target have the figure; elsewhere overdue replies are unknown, not 0."""
    assert has_replies(CONFIGURATION, scope, channel) is expected


def test_without_a_target_there_is_no_figure() -> None:
    """A chat queue without a target has no figure, rather than 0."""
    [record] = Center("talks", "chat").now(0).published(0)

    assert "reply_overdue" not in record
    assert "backlog_by_age" not in record


#: Sums → KPI → value, numerator, denominator, coverage.
FIGURES: list[tuple[dict[str, int], str, tuple[float | None, float, float | None, float | None]]] = [
    ({"response_ms": 100_000, "response_count": 8}, "average_response_time", (12.5, 100, 8, 1)),
    ({"exchanges": 9, "exchanged": 4, "resolved": 5}, "exchanges_per_contact", (2.25, 9, 4, 0.8)),
    ({"resolved": 5}, "exchanges_per_contact", (None, 0, 0, 0)),
    ({"thanked": 1, "texts_looked": 4, "texts": 8}, "gratitude_rate", (0.25, 1, 4, 0.5)),
    ({"texts": 8}, "gratitude_rate", (None, 0, 0, 0)),
    ({"thanked": 1, "texts_looked": 2}, "gratitude_rate", (0.5, 1, 2, None)),
    ({"duplicate_replies": 2, "replies": 10, "replies_named": 5}, "duplicate_replies", (2, 2, None, 0.5)),
    ({"replies": 10}, "duplicate_replies", (None, 0, None, 0)),
    ({}, "duplicate_replies", (0, 0, None, None)),
    ({"callback_wait_ms": 650_000, "callbacks_reached": 2}, "callback_wait", (325, 650, 2, 1)),
    ({}, "callback_wait", (None, 0, 0, None)),
]


@pytest.mark.parametrize(("sums", "kpi", "expected"), FIGURES)
def test_figures_from_sums(sums: dict[str, int], kpi: str, expected: tuple[float | None, ...]) -> None:
    """Value, both parts and coverage; what no source reports is null, never 0."""
    assert tuple(contact_kpis(sums, ServiceLevelDefinition(), "mail", by_offer=True)[kpi].values()) == expected
    assert KPI_BY_ID[kpi].has_parts is (expected[2] is not None)
