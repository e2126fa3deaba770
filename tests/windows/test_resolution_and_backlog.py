"""Figures of resolution, callbacks, surveys and backlog from sums, by hand: docs/counting.md sections 7 and 8."""

from __future__ import annotations

from typing import Any

import pytest
from orjson import loads

from schemas.metrics import NowFigures
from schemas.panes import NowRecord
from schemas.times import format_ms
from streams.configuration import Configuration
from streams.configuration.models import ServiceLevelDefinition
from streams.windows.kpis import contact_kpis
from streams.windows.rollup import RollUp

#: 2026-04-01 09:00 UTC; tests count seconds from it.
START_MS = 1_775_034_000_000
SUMS = {
    "offered": 8,
    "handled": 4,
    "transfers_out": 1,
    "escalations": 3,
    "callbacks_requested": 5,
    "callbacks_reached": 2,
    "first_response_ms": 100_001,
    "first_response_count": 3,
    "resolved": 10,
    "first_resolved": 8,
    "resolution_ms": 900_500,
    "resolution_count": 6,
    "first_contact_resolved": 5,
    "first_contact_undone": 1,
    "reopened": 2,
    "surveys_invited": 20,
    "surveys_answered": 12,
    "csat_count": 6,
    "csat_milli": 25_500,
    "csat_top": 4,
    "nps_count": 3,
    "nps_promoters": 1,
    "nps_detractors": 2,
}
#: KPI → value, numerator, denominator, coverage.
EXPECTED: dict[str, tuple[float, float, float | None, float | None]] = {
    "escalation_count": (3, 3, None, None),
    "callbacks_requested": (5, 5, None, None),
    "transfer_rate": (0.25, 1, 4, 1),
    "escalation_rate": (0.75, 3, 4, 1),
    "callback_reach_rate": (0.4, 2, 5, 1),
    "first_response_time": (100_001 / 3000, 100.001, 3, 1),
    "resolution_time": (900_500 / 6000, 900.5, 6, 0.75),
    "resolution_rate": (1.25, 10, 8, 1),
    "first_contact_resolution": (0.5, 4, 8, 1),
    "reopen_rate": (0.2, 2, 10, 1),
    "csat": (4.25, 25.5, 6, 0.5),
    "csat_top2": (4 / 6, 4, 6, 0.5),
    "nps": (-100 / 3, -100, 3, 0.25),
    "survey_response_rate": (0.6, 12, 20, 1),
}


@pytest.mark.parametrize("by_offer", [False, True], ids=("trailing", "interval"))
@pytest.mark.parametrize("kpi", EXPECTED, ids=str)
def test_figures_from_sums(kpi: str, by_offer: bool) -> None:
    """Value, both parts and coverage, the same for trailing windows and for intervals."""
    figure = contact_kpis(SUMS, ServiceLevelDefinition(), "mail", by_offer=by_offer)[kpi]

    assert tuple(figure.values()) == EXPECTED[kpi]


@pytest.mark.parametrize("kpi", [kpi for kpi, expected in EXPECTED.items() if expected[2] is not None], ids=str)
def test_null_without_contacts(kpi: str) -> None:
    """With an empty denominator value and coverage are null, never 0."""
    figure = contact_kpis({}, ServiceLevelDefinition(), "mail", by_offer=True)[kpi]

    assert (figure["value"], figure["denominator"], figure["coverage"]) == (None, 0, None)


class Center:
    """A roll-up of two source partitions of contacts, fed with records of now and of progress."""

    def __init__(self) -> None:
        self.rollup = RollUp(Configuration(), 0, [("contacts", 0), ("contacts", 1)], [("agents", 0)])

    def now(self, partition: int, channel: str = "mail", **figures: Any) -> Center:
        """Apply a now record of queue:q from a source partition, times as seconds after the start."""
        for name in ("callback_due_ms", "waiting_since_ms"):
            if name in figures:
                figures[name] = [START_MS + seconds * 1000 for seconds in figures[name]]
        if "backlog_oldest_ms" in figures:
            figures["backlog_oldest_ms"] = START_MS + figures["backlog_oldest_ms"] * 1000
        record = NowRecord(source_topic="contacts", source_partition=partition, scope="queue:q", channel=channel, **figures)
        self.rollup.apply(f"now|{channel}|contacts|{partition}|-|queue:q", record.model_dump())
        return self

    def published(self, seconds: int) -> list[dict[str, Any]]:
        """Advance time, and return the now records that are published."""
        at = START_MS + seconds * 1000
        progress = {"progress_ms": at, "received_through_ms": at, "sources": {}, "stale_sources": []}
        for origin in ("contacts|0", "contacts|1", "agents|0"):
            self.rollup.apply(f"progress|-|{origin}|-|-", progress)
        return [loads(record) for key, record in self.rollup.collect() if key.startswith("now|") and record is not None]


def test_callbacks_become_overdue_with_time() -> None:
    """Overdue only after the due time, one record at each change and none between; one without a due time never is."""
    center = Center().now(0, callbacks_waiting=2, callback_due_ms=[100]).now(1, callbacks_waiting=1, callback_due_ms=[200])

    published = [(seconds, [r["callbacks_overdue"] for r in center.published(seconds)]) for seconds in (50, 99, 100, 101, 150, 201, 300)]
    assert published == [(50, [0]), (99, []), (100, []), (101, [1]), (150, []), (201, [2]), (300, [])]

    [record] = center.now(0).published(310)
    assert (record["callbacks_waiting"], record["callbacks_overdue"]) == (1, 1)


def test_the_backlog_of_all_source_partitions() -> None:
    """Counts add up, the oldest is the oldest of all; its age is at as-of and alone makes no new record."""
    center = Center().now(0, backlog={"untouched": 2, "on_hold": 1}, backlog_oldest_ms=-3600).now(1, backlog={"untouched": 1})

    [record] = center.published(60)
    record.pop("backlog_by_age")  # held in test_pending.py
    assert {name: value for name, value in record.items() if name.startswith("backlog_")} == {
        "backlog_untouched": 3,
        "backlog_in_progress": 0,
        "backlog_waiting_on_customer": 0,
        "backlog_on_hold": 1,
        "backlog_oldest_since": format_ms(START_MS - 3_600_000),
        "backlog_oldest_seconds": 3660,
    }
    assert NowFigures.model_validate(record).backlog_untouched == 3
    assert center.published(120) == []

    [record] = center.now(0).now(1, backlog={"on_hold": 1}, backlog_oldest_ms=70).published(130)
    assert (record["backlog_untouched"], record["backlog_on_hold"], record["backlog_oldest_seconds"]) == (0, 1, 60)


def test_calls_have_no_backlog() -> None:
    """Where the channel has none, the figures are not there, rather than 0."""
    [record] = Center().now(0, channel="voice").published(10)

    assert (record["callbacks_waiting"], record["callbacks_overdue"]) == (0, 0)
    assert not [name for name in record if name.startswith("backlog")]
