"""Facts that the stage of contacts publishes when the customer of a contact changes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson

from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration
from streams.stages.track import ContactStage, TrackTopics

START_MS = parse_time_ms("2026-06-01T12:00:00Z")
TOPICS = TrackTopics("contacts", "panes", 1, "dead", "group", lambda: 0, "facts")


def facts_of(stage: ContactStage, number: int, kind: str, seconds: float, **fields: Any) -> list[dict[str, Any]]:
    """Take an event, flush, and return the facts about contacts."""
    at = {"occurred_at": format_ms(START_MS + round(1000 * seconds)), "received_at": format_ms(START_MS + 20_000 + number)}
    event = {"event_id": f"e{number}", "type": kind, "source": "pbx", "conversation_id": "c", **at, **fields}
    record = SimpleNamespace(
        topic="contacts", partition=0, offset=number, timestamp=START_MS + 60_000, key=b"c", value=orjson.dumps(event), headers=()
    )
    stage.process([record])
    facts = [orjson.loads(output.value or b"") for output in stage.collect().outputs if output.topic == "facts"]
    return [fact for fact in facts if fact["kind"] == "contact"]


def test_another_customer() -> None:
    """An earlier arrival that is received later has the contact's first key: the contact moves from one customer to the other."""
    stage = ContactStage(0, Configuration.model_validate({}), TOPICS)
    facts_of(stage, 0, "contact.arrived", 5, channel="voice", customer_key="v1:later")
    first = facts_of(stage, 1, "contact.queued", 6, queue="sales")
    moved = facts_of(stage, 2, "contact.arrived", 4, channel="voice", customer_key="v1:first")

    assert [(fact["customer_key"], fact.get("gone", False)) for fact in first] == [("v1:later", False)]
    assert [(fact["customer_key"], fact.get("gone", False)) for fact in moved] == [("v1:later", True), ("v1:first", False)]


def test_excluded() -> None:
    """An excluded contact is removed from its customer."""
    stage = ContactStage(0, Configuration.model_validate({}), TOPICS)
    facts_of(stage, 0, "contact.arrived", 5, channel="voice", customer_key="v1:k")
    facts_of(stage, 1, "contact.queued", 6, queue="sales")
    gone = facts_of(stage, 2, "contact.excluded", 7, reason="test")

    assert gone == [{"kind": "contact", "conversation_id": "c", "id_space": "pbx", "customer_key": "v1:k", "gone": True}]
