"""When the sums of customers are published."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson

from schemas.times import parse_time_ms
from streams.configuration import Configuration
from streams.stages.customers import CustomerStage, CustomerTopics

AT_MS = parse_time_ms("2026-06-01T12:00:00Z")
TOPICS = CustomerTopics("panes", 1, "facts", 1, "links", "contacts", 1)


def days(stage: CustomerStage, *facts: dict[str, Any]) -> list[dict[str, int]]:
    """Apply facts, flush, and return the published sums of days."""
    stage.process([SimpleNamespace(value=orjson.dumps(fact)) for fact in facts])
    published = [orjson.loads(output.value or b"{}") for output in stage.collect().outputs if output.topic == "panes"]
    return [record["counts"] for record in published if record["kind"] == "customer_day"]


def test_what_changed_before_progress_was_known() -> None:
    """An order is published once all required partitions have progress, without a further change."""
    stage = CustomerStage(0, Configuration.model_validate({}), TOPICS)
    progress = {"kind": "progress", "source_partition": 0, "received_through_ms": AT_MS}
    order = {"kind": "order", "event_id": "o1", "customer_key": "ann", "at_ms": AT_MS - 1000, "sequence": 0}
    order |= {"order_id": "1", "value_milli": 5000, "currency": "JPY"}

    assert days(stage, order, {**progress, "source_topic": "contacts", "progress_ms": AT_MS}) == []
    assert days(stage, {**progress, "source_topic": "links", "progress_ms": AT_MS}) == [{"order_customers": 1}]
    assert days(stage, {**progress, "source_topic": "links", "progress_ms": AT_MS + 10_000}) == []
