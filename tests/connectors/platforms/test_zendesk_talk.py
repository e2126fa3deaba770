"""Zendesk Talk: cases beyond the matrix of all platforms."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given

from streams.connectors.platforms import connector
from tests.support.platforms import FIXTURES, KNOWN_REASONS, mutated, reasons, translated

TALK = connector("zendesk-talk")
FILES = FIXTURES / "zendesk-talk"
CALLS: list[dict[str, Any]] = orjson.loads((FILES / "three-calls.calls.json").read_bytes())["calls"]
LEGS: list[dict[str, Any]] = orjson.loads((FILES / "three-calls.legs.json").read_bytes())["legs"]


def events_of(content: dict[str, Any], **settings: Any) -> list[Any]:
    """Return the events of one record."""
    done = translated(TALK, [("one", orjson.dumps(content))], settings=settings)
    assert not done.rejected
    return done.events


@pytest.mark.parametrize(
    ("status", "voicemail", "reason"),
    [
        ("abandoned_in_queue", False, "abandoned"),
        ("Abandoned in Queue", False, "abandoned"),
        ("completed", True, "voicemail"),
        ("pending_voicemail", False, "voicemail"),
        ("failed", False, "withdrawn"),
    ],
)
def test_calls_without_an_answer(status: str, voicemail: bool, reason: str) -> None:
    """How a call left its group, by its status."""
    events = events_of(CALLS[1] | {"completion_status": status, "voicemail": voicemail})
    assert [event.type for event in events] == ["contact.arrived", "contact.queued", "contact.left_queue"]
    assert events[2].reason == reason
    # It waited for 30 s, to the end of the call.
    assert [(event.occurred_at.minute, event.occurred_at.second) for event in events[1:]] == [(5, 5), (5, 35)]


def test_a_call_that_ended_in_the_menu() -> None:
    """It was never offered."""
    events = events_of(CALLS[1] | {"completion_status": "abandoned_in_ivr"})
    assert [(event.type, getattr(event, "reason", "")) for event in events] == [
        ("contact.arrived", ""),
        ("contact.not_offered", "menu_ended"),
    ]


def test_outbound_calls_are_no_offers() -> None:
    """A call to a customer gives an outbound arrival alone."""
    assert [(event.type, event.direction) for event in events_of(CALLS[0] | {"direction": "outbound"})] == [("contact.arrived", "outbound")]


@pytest.mark.parametrize(
    ("group", "settings", "queue"),
    [(11, {"queues": {"11": "Care"}}, "Care"), (11, {}, "Menu"), (None, {}, "Menu")],
)
def test_names_of_groups(group: int | None, settings: dict[str, Any], queue: str) -> None:
    """A group has its configured name, else that of the menu."""
    assert events_of(CALLS[1] | {"call_group_id": group, "ivr_destination_group_name": "Menu"}, **settings)[1].queue == queue


@pytest.mark.parametrize(("status", "outcome"), [("agent_missed", "no_answer"), ("Agent Declined", "declined"), ("completed", "withdrawn")])
def test_legs_without_an_answer(status: str, outcome: str) -> None:
    """A leg without talk is a ring without an answer."""
    events = events_of(LEGS[3] | {"completion_status": status})
    assert [event.type for event in events] == ["contact.agent_offered", "contact.offer_ended"]
    assert (events[1].outcome, events[1].ring_seconds) == (outcome, 15)


@pytest.mark.parametrize("kind", ["customer", "external", "supervisor"])
def test_other_legs_are_ignored(kind: str) -> None:
    """Only agents' legs are shares of a call."""
    assert translated(TALK, [("one", orjson.dumps(LEGS[1] | {"type": kind}))]).ignored == {f"{kind} leg": 1}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (LEGS[1] | {"type": "robot"}, "unknown_kind"),
        ({"id": 1}, "missing_field"),
        (CALLS[0] | {"duration": -1}, "negative_duration"),
        (CALLS[0] | {"created_at": "soon"}, "bad_time"),
    ],
)
def test_rejected(content: dict[str, Any], reason: str) -> None:
    """An unusable record is rejected with a reason."""
    assert reasons(TALK, [content]) == {reason}


def test_no_personal_value_passes() -> None:
    """Neither numbers, lines nor ids of customers are in an event, nor in the rest of a rejected record."""
    for content in CALLS + LEGS:
        done = translated(TALK, [("one", orjson.dumps(content))])
        done.rejected += translated(TALK, [("one", orjson.dumps(content | {"created_at": "soon", "type": "agent"}))]).rejected
        assert done.rejected
        published = [event.model_dump_json().encode() for event in done.events] + [
            rejection.raw + rejection.detail.encode() for rejection in done.rejected
        ]
        assert not [value for value in (b"4930555010", b"Beispiel", b"555001") if value in b"".join(published)]


@given(mutated(CALLS + LEGS))
def test_mutated(content: dict[str, Any]) -> None:
    """With any value in a field, a record is translated or rejected for a known reason."""
    assert reasons(TALK, [content]) <= KNOWN_REASONS
