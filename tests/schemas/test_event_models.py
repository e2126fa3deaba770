"""The event models: every kind, its example, its strictness, and what is written is what is read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.agent import AgentHeartbeat
from schemas.contact import ContactConsultStarted, ContactQueued
from schemas.events import (
    AGENT_KINDS,
    CONTACT_KINDS,
    CUSTOMER_KINDS,
    encode,
    parse_agent_event,
    parse_contact_event,
    parse_customer_event,
)
from schemas.limits import bound_times

EXAMPLES: list[dict[str, Any]] = [json.loads(line) for line in (Path(__file__).parent / "examples.jsonl").read_text("utf-8").splitlines()]
PARSERS = ((CONTACT_KINDS, parse_contact_event), (AGENT_KINDS, parse_agent_event), (CUSTOMER_KINDS, parse_customer_event))
COMMON = {
    "event_id": "e-1",
    "occurred_at": "2026-08-06T12:34:56.789Z",
    "received_at": "2026-08-06T12:34:57Z",
    "source": "pbx-1",
    "conversation_id": "c-1",
}


def kinds(models: tuple[type[Any], ...]) -> set[str]:
    """Return the type names of models."""
    return {model.model_fields["type"].default for model in models}


def queued(**changes: object) -> ContactQueued:
    """Return a queued event with some fields changed, as the models read it."""
    event = parse_contact_event(json.dumps({"type": "contact.queued", **COMMON, "queue": "sales", **changes}).encode())
    assert isinstance(event, ContactQueued)
    return event


def test_every_kind_has_one_example() -> None:
    """The examples are one of each kind, so that no kind goes untested."""
    every = kinds(CONTACT_KINDS) | kinds(AGENT_KINDS) | kinds(CUSTOMER_KINDS)

    assert len(EXAMPLES) == len(every)
    assert {example["type"] for example in EXAMPLES} == every


def test_examples_fill_every_field() -> None:
    """Each field of each kind is filled in its example; the common optional ones in some example."""
    models = {model.model_fields["type"].default: model for model in (*CONTACT_KINDS, *AGENT_KINDS, *CUSTOMER_KINDS)}
    seldom = {"site", "sequence", "revision", "schema_version", "related_contact_id", "relation"}
    for example in EXAMPLES:
        wire = {field.alias or name for name, field in models[example["type"]].model_fields.items()}
        assert wire - seldom <= example.keys() <= wire, example["type"]

    assert seldom <= {name for example in EXAMPLES for name in example}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["type"]))
def test_examples_are_read_and_written_unchanged(example: dict[str, Any]) -> None:
    """A valid event is accepted by exactly the topics it belongs to, and reading what was written gives an equal event."""
    value = json.dumps(example).encode()
    for models, parse in PARSERS:
        if example["type"] in kinds(models):
            event = parse(value)
            assert parse(encode(event)) == event
            assert set(json.loads(encode(event))) - {"schema_version"} == example.keys() - {"schema_version"}
        else:
            with pytest.raises(ValidationError, match="does not match any of the expected tags"):
                parse(value)


def test_source_events_belong_to_both_engine_topics() -> None:
    """A heartbeat and a snapshot can be broadcast to contact-events and to agent-events."""
    assert kinds(CONTACT_KINDS) & kinds(AGENT_KINDS) == {"source.heartbeat", "source.snapshot"}


def test_type_comes_first_on_the_wire() -> None:
    """The type is the first key, where the fast decoder finds it without a search."""
    assert encode(queued()).startswith(b'{"type":"contact.queued",')


def test_absent_fields_are_not_written() -> None:
    """What a platform does not report is absent from the record, not null."""
    assert b"null" not in encode(queued())


def test_consultation_partner_is_named_with_on_the_wire() -> None:
    """The field `with`, a reserved word in Python, has another name only there."""
    event = ContactConsultStarted.model_validate({**COMMON, "with": "agent-9"})

    assert event.with_whom == "agent-9"
    assert json.loads(encode(event))["with"] == "agent-9"


def test_unknown_fields_are_ignored() -> None:
    """A newer sender may add fields."""
    assert queued(mood={"nested": [1, None]}) == queued()


def test_null_means_absent() -> None:
    """An optional field may be null instead of left out."""
    assert queued(channel=None, skills=None) == queued()


def test_events_cannot_be_changed() -> None:
    """An event is a fact; no code edits it on the way."""
    with pytest.raises(ValidationError, match="frozen"):
        queued().queue = "other"  # type: ignore[misc]


def test_times_are_utc_milliseconds_rounded_down() -> None:
    """A time in another zone and finer than a millisecond becomes UTC in milliseconds."""
    event = queued(occurred_at="2026-08-06T21:34:56.789999999+09:00")

    assert event.occurred_at == datetime(2026, 8, 6, 12, 34, 56, 789_000, tzinfo=UTC)
    assert event.occurred_at.tzinfo is UTC


def test_python_callers_may_pass_aware_datetimes_only() -> None:
    """A connector builds events from datetimes; one without a zone is refused."""
    moment = datetime(2026, 8, 6, 21, 0, 0, 999, tzinfo=timezone(timedelta(hours=9)))
    common: dict[str, Any] = {"event_id": "e-1", "received_at": moment, "source": "pbx-1", "person_id": "p-1"}

    assert AgentHeartbeat(occurred_at=moment, **common).occurred_at == datetime(2026, 8, 6, 12, tzinfo=UTC)
    with pytest.raises(ValidationError, match="offset"):
        AgentHeartbeat(occurred_at=moment.replace(tzinfo=None), **common)


@pytest.mark.parametrize(
    "change",
    [
        {"queue": ""},
        {"queue": "   "},
        {"queue": "\u3000"},
        {"queue": "a\nb"},
        {"queue": "a\x7f"},
        {"queue": "a\x85"},
        {"queue": "q" * 201},
        {"queue": 5},
        {"queue": None},
        {"event_id": "e" * 201},
        {"source": "s" * 101},
        {"conversation_id": " "},
        {"contact_id": ""},
        {"occurred_at": 1_786_000_000},
        {"occurred_at": "1786000000"},
        {"occurred_at": "2026-08-06T12:34:56"},
        {"occurred_at": "2026-08-06 12:34:56Z"},
        {"occurred_at": "2026-08-06"},
        {"priority": 1.5},
        {"priority": "1"},
        {"priority": True},
        {"channel": "fax"},
        {"skills": "ja"},
        {"skills": ["ja", ""]},
        {"skills": ["x"] * 501},
        {"relation": "child"},
        {"schema_version": 0},
        {"sequence": -1},
    ],
    ids=repr,
)
def test_what_breaks_a_rule_is_refused(change: dict[str, object]) -> None:
    """Each rule of the contract holds: lengths, blanks, control characters, types, literals, times."""
    with pytest.raises(ValidationError):
        queued(**change)


@pytest.mark.parametrize(
    ("occurred_ms", "received_ms", "published_ms", "reason"),
    [
        (1_786_000_000_000, 1_786_000_000_000, 1_786_000_000_000, None),
        (946_684_800_000, 1_786_000_000_000, 1_786_000_000_000, None),
        (946_684_799_999, 1_786_000_000_000, 1_786_000_000_000, "time_too_old"),
        (1_786_000_300_000, 1_786_000_000_000, 1_786_000_000_000, None),
        (1_786_000_300_001, 1_786_000_000_000, 1_786_000_000_000, "time_in_future"),
        (1_786_000_000_000, 1_786_000_300_000, 1_786_000_000_000, None),
        (1_786_000_000_000, 1_786_000_300_001, 1_786_000_000_000, "time_in_future"),
    ],
)
def test_times_that_cannot_be_true_have_a_reason(occurred_ms: int, received_ms: int, published_ms: int, reason: str | None) -> None:
    """The limits are inclusive: exactly 2000 and exactly five minutes ahead still pass."""

    class Timed:
        def __init__(self) -> None:
            self.occurred_ms = occurred_ms
            self.received_ms = received_ms

    assert bound_times(Timed(), published_ms) == reason
