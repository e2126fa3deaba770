"""Genesys Cloud: cases beyond the matrix of all platforms."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given

from streams.connectors.platforms import connector
from tests.support.platforms import FIXTURES, KNOWN_REASONS, SHARED, counted, mutated, reasons, translated
from tests.support.require import require

GENESYS = connector("genesys-cloud")
FILES = FIXTURES / "genesys-cloud"
NAMES = {"queues": {"q-care": "Care", "q-accounts": "Accounts"}, "agents": {"u-ana": "ana", "u-ben": "ben"}}


def contents(file: str) -> list[dict[str, Any]]:
    """Return the records of one of our files."""
    return [orjson.loads(line) for line in (FILES / file).read_bytes().splitlines()]


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_consultation_that_becomes_a_transfer(seed: int | None) -> None:
    """Ana is with the customer from 20 to 160 s (60 s hold, 10 s of work after it), Ben from 110 to 260 s (20 s)."""
    done = translated(GENESYS, [("file", (FILES / "consult-transfer.jsonl").read_bytes())], settings=NAMES, seed=seed)
    queues = counted(done.events)["queues"]
    names = ("offered", "answered", "handled", "asa", "att", "average_hold", "acw", "aht", "transfer_rate")
    assert [queues["Care"]["voice"][name]["value"] for name in names] == [1, 1, 1, 10, 80, 60, 10, 150, 1]
    assert [queues["Accounts"]["voice"][name]["value"] for name in names] == [1, 1, 1, 10, 150, 0, 20, 170, 0]


def test_an_agent_who_is_called_directly_has_no_share() -> None:
    """Without a queue it gives no offer, answer or end."""
    direct = [each for each in contents("three-calls.jsonl") if each.get("id") in {"eb-0001", "eb-0005", "eb-0007", "eb-0008", "eb-0009"}]
    for content in direct:
        content["detail"]["eventBody"].pop("queueId", None)
    done = translated(GENESYS, [("file", b"\n".join(map(orjson.dumps, direct)))])
    assert [event.type for event in done.events] == ["contact.arrived", "contact.ended"]
    result = counted(done.events)
    assert result["queues"] == {}
    assert "events_uncounted" not in result["totals"]


def test_states_of_a_user() -> None:
    """An audit names presences as the desktop does; a notification repeats all states, of which only changed ones become events."""
    done = translated(GENESYS, [("file", (FILES / "states.jsonl").read_bytes())], settings=NAMES)
    events: list[Any] = done.events
    assert [(event.person_id, event.axis, event.state, event.occurred_at.strftime("%M:%S")) for event in events] == [
        ("ana", "presence", "on queue", "00:00"),
        # Both changed within 5 s, so both are reported; the presence has the id from the audit, and counts once.
        ("ana", "presence", "on_queue", "00:00"),
        ("ana", "routing", "idle", "00:01"),
        ("ana", "routing", "interacting", "01:00"),
        # Then queues were activated, which is no state.
        ("ana", "presence", "break", "03:20"),
        ("ana", "routing", "off_queue", "03:20"),
        ("ana", "presence", "available", "05:00"),
        ("ana", "routing", "not_responding", "06:40"),
    ]
    assert events[0].event_id == events[1].event_id


def test_both_ways_give_the_same_event() -> None:
    """An event by EventBridge and by the notification channel has one id."""
    bridged = [each for each in contents("three-calls.jsonl") if "detail" in each]
    notified = [{name: value for name, value in each["detail"].items() if name != "timestamp"} for each in bridged]
    first, second = (translated(GENESYS, [("file", b"\n".join(map(orjson.dumps, each)))]) for each in (bridged, notified))
    assert first.events
    assert first.events == second.events


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("TIMEOUT", "no_answer"), ("CLIENT", "declined"), ("PEER", "withdrawn"), ("TRANSFER", "withdrawn"), ("", "withdrawn")],
)
def test_rings_without_an_answer(reason: str, outcome: str) -> None:
    """A ring ends unanswered by the agent, by time, or because the customer left."""
    content = next(each for each in contents("three-calls.jsonl") if each.get("id") == "eb-0013")
    content["detail"]["eventBody"]["disconnectType"] = reason
    events: list[Any] = translated(GENESYS, [("one", orjson.dumps(content))]).events
    assert [(event.type, event.outcome, event.ring_seconds) for event in events] == [("contact.offer_ended", outcome, 15)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"detail-type": "v2.detail.events.conversation.{id}.new.kind"}, "unknown_kind"),
        ({"detail-type": "v2.something.but.conversation.{id}.customer.start"}, "unknown_kind"),
        ({"detail-type": 7}, "missing_field"),
        ({"detail": "text"}, "wrong_type"),
    ],
)
def test_rejected(change: dict[str, Any], reason: str) -> None:
    """An unknown record is rejected with a reason."""
    assert reasons(GENESYS, [contents("three-calls.jsonl")[0] | change]) == {reason}


def test_no_personal_value_passes() -> None:
    """Neither numbers nor notes are in an event, nor in the rest of a rejected record."""
    values = (b"4930555010", b"Beispiel", b"Muster")
    for content in contents("three-calls.jsonl") + contents("states.jsonl"):
        body = orjson.dumps(content)
        done = translated(GENESYS, [("one", body)])
        broken = body.replace(b'"eventTime":', b'"eventTime":"none","was":').replace(b'"2026-05-04T', b'"yesterday ')
        done.rejected += translated(GENESYS, [("one", broken)]).rejected
        published = [event.model_dump_json().encode() for event in done.events] + [
            rejection.raw + rejection.detail.encode() for rejection in done.rejected
        ]
        assert not [value for value in values if value in b"".join(published)]


@given(mutated(contents("three-calls.jsonl") + contents("states.jsonl")))
def test_mutated(content: dict[str, Any]) -> None:
    """With any value in a field, a record is translated or rejected for a known reason."""
    assert reasons(GENESYS, [content], NAMES) <= KNOWN_REASONS


@pytest.mark.parametrize(
    ("file", "types", "ignored", "rejected"),
    [
        ("genesys-cloud.eventbridge.customer-start.json", ["contact.arrived"], {}, []),
        ("genesys-cloud.eventbridge.non-conversation.json", [], {}, ["unknown_kind"]),
        ("genesys-cloud.eventbridge.user-presence-audit.json", ["agent.state_changed"], {}, []),
        ("genesys-cloud.notification.channel-heartbeat.json", [], {"channel.metadata": 1}, []),
        # Published with a brace that is missing.
        ("genesys-cloud.notification.users-activity.txt", [], {}, ["not_json"]),
    ],
)
def test_collected_samples(file: str, types: list[str], ignored: dict[str, int], rejected: list[str]) -> None:
    """Every collected file is translated, ignored or rejected for a stated reason; the matrix has the life cycle."""
    require(SHARED.is_dir(), f"the shared samples are not there: {SHARED}")
    done = translated(GENESYS, [(file, (SHARED / file).read_bytes())])
    assert ([event.type for event in done.events], done.ignored, [each.reason for each in done.rejected]) == (types, ignored, rejected)


def test_all_samples_are_named() -> None:
    """No collected file of Genesys Cloud is left out: five are listed above, one in the matrix."""
    require(SHARED.is_dir(), f"the shared samples are not there: {SHARED}")
    assert len([path for path in SHARED.iterdir() if "genesys-cloud." in path.name]) == 5 + 1
