"""Bots and articles: sessions that are solved, left or handed over, with figures worked out by hand, and no text of a customer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.contact import ContactCategorized
from streams.connectors.kit.model import Context
from streams.connectors.kit.translating import translate
from streams.connectors.platforms import connector
from tests.connectors.platforms.surveys import figures, translated
from tests.support.platforms import FIXTURES, SHARED, fixture
from tests.support.require import require

NOON = datetime(2026, 4, 7, 12, tzinfo=UTC)
RENAMED = {
    "fields": {"event": "type", "session": "chat.id", "time": "at", "category": "topic"},
    "events": {"SESSION_OPEN": "started", "SOLVED": "confirmed_solved", "TO_AGENT": "handed_over", "TYPING": "nothing"},
}
#: Connector, file, settings, and the numbers of sessions, of solved and of contained ones.
SESSIONS: list[tuple[str, str, dict[str, Any], tuple[int, int, int]]] = [
    ("rasa", "sessions.jsonl", {"solved_actions": ["action_all_solved"]}, (2, 1, 1)),
    ("dialogflow-cx", "requests.jsonl", {}, (2, 1, 1)),
    ("bot", "events.jsonl", {}, (2, 1, 1)),
    ("bot", "renamed.jsonl", RENAMED, (2, 1, 1)),
    ("zendesk-guide", "votes.json", {}, (3, 2, 2)),
    ("zendesk-guide", "votes.json", {"unhelpful": "nothing"}, (2, 2, 2)),
]
PERSONAL = ("anna", "4915550", "88001", "88002", "88003", "88009", "acme.")


def at_once(events: list[Any]) -> list[Any]:
    """Return events as a live system has them: received when they occurred."""
    return [event.model_copy(update={"received_at": event.occurred_at}) for event in events]


def shares(events: list[Any]) -> tuple[int, int, int]:
    """Return sessions, those solved, and those contained."""
    totals = figures(events, of=())
    solved, contained = totals["self_service_rate"], totals["containment_rate"]
    assert solved["denominator"] == contained["denominator"]
    return solved["denominator"], solved["numerator"], contained["numerator"]


@pytest.mark.parametrize(("name", "file", "settings", "expected"), SESSIONS)
def test_sessions(name: str, file: str, settings: dict[str, Any], expected: tuple[int, int, int]) -> None:
    """Of each platform, in any order, each line up to three times."""
    body = fixture(name, file)
    done = translated(name, body, settings, now=NOON)
    assert done.rejected == []
    assert shares(at_once(done.events)) == expected
    if file.endswith("jsonl") and name != "dialogflow-cx":
        random = Random(3)
        lines = [line for line in body.splitlines() for _ in range(random.randint(1, 3))]
        random.shuffle(lines)
        again = translated(name, b"\n".join(lines), settings, now=NOON).events
        assert shares(at_once(again)) == expected


def test_a_request_without_a_time_occurs_when_it_arrives() -> None:
    """Dialogflow's requests; the same one again is the same event."""
    body = fixture("dialogflow-cx", "requests.jsonl")
    first = translated("dialogflow-cx", body, now=NOON).events
    again = translated("dialogflow-cx", body, now=NOON + timedelta(seconds=30)).events
    assert {event.occurred_at for event in first} == {NOON}
    assert [event.event_id for event in first] == [event.event_id for event in again]


def test_a_session_with_a_parameter_is_that_conversation() -> None:
    """The session parameter that names a conversation leads to it."""
    (line, *_) = fixture("dialogflow-cx", "requests.jsonl").splitlines()
    content = orjson.loads(line)
    content["sessionInfo"]["parameters"]["contact_id"] = "T-7"
    (event,) = translated("dialogflow-cx", orjson.dumps(content), now=NOON).events
    assert event.conversation_id == "T-7"  # type: ignore[attr-defined]


@pytest.mark.parametrize("identity", ["+81 90-1234-5678", "whatsapp:+4915550123456", "1234567890", "anna@example.net"])
def test_ids_that_may_be_customers_are_hidden(identity: str) -> None:
    """A number or an address as id of a session passes as a keyed hash, and without a key not at all."""
    body = orjson.dumps({"event": "started", "session": identity, "time": "2026-04-07T08:00:00Z"})
    (event,) = translated("bot", body, now=NOON).events
    assert event.conversation_id == f"v1:{len(identity)}"  # type: ignore[attr-defined]
    assert identity not in event.model_dump_json()


@pytest.mark.parametrize("identity", ["b-1", "5e0c6b1a-2d1f-4c1e-9c4f-0a1b2c3d4e5f", "12345678-1234-1234-1234-123456789012", "sess_42"])
def test_ids_of_no_customer_pass(identity: str) -> None:
    """An id that a program generated is left unchanged."""
    body = orjson.dumps({"event": "started", "session": identity, "time": "2026-04-07T08:00:00Z"})
    (event,) = translated("bot", body, now=NOON).events
    assert event.conversation_id == identity  # type: ignore[attr-defined]


def test_without_a_key_such_a_session_is_rejected() -> None:
    """And the dead letter does not hold the id."""
    (line, *_) = [each for each in fixture("rasa", "sessions.jsonl").splitlines() if b"+49" in each]
    done = translate(connector("rasa"), line, Context(source="rasa"), origin="hooks/rasa", now=NOON)
    assert [each.reason for each in done.rejected] == ["no_customer_key"]
    assert b"4915550" not in done.rejected[0].raw
    plain = translate(connector("rasa"), line, Context(source="rasa", settings={"session_ids": "plain"}), origin="hooks/rasa", now=NOON)
    assert plain.events[0].conversation_id == "whatsapp:+4915550123456"  # type: ignore[attr-defined]


def test_categories() -> None:
    """An intent under categories gives a category; others give none."""
    settings = {"categories": {"delivery_time": "Delivery"}}
    events = translated("rasa", fixture("rasa", "sessions.jsonl"), settings, now=NOON).events
    kinds = [event.category for event in events if isinstance(event, ContactCategorized)]
    assert kinds == ["Delivery"]
    named = translated("zendesk-guide", fixture("zendesk-guide", "votes.json"), {"categories": {"360001": "Delivery"}}).events
    assert {getattr(event, "category", None) for event in named} == {"Delivery"}


def test_what_is_passed_over_has_a_reason() -> None:
    """By kind."""
    assert dict(translated("rasa", fixture("rasa", "sessions.jsonl"), now=NOON).ignored) == {"bot": 1, "slot": 1}
    assert dict(translated("zendesk-guide", fixture("zendesk-guide", "votes.json")).ignored) == {"vote on something else": 1}
    assert dict(translated("zendesk-guide", fixture("zendesk-guide", "articles.json")).ignored) == {"article": 1}


@pytest.mark.parametrize(
    ("name", "body", "settings", "reason"),
    [
        ("rasa", b'{"event":"levitate","sender_id":"s","timestamp":1775549600}', {}, "unknown_kind"),
        ("rasa", b'{"event":"pause","sender_id":"s"}', {}, "missing_field"),
        ("rasa", b'{"event":"action","name":"x","sender_id":"s","timestamp":1775549600}', {"solved_actions": "x"}, "bad_setting"),
        ("bot", b'{"event":"TYPING","session":"b"}', {}, "unknown_kind"),
        ("bot", b'{"event":"categorized","session":"b"}', {}, "missing_field"),
        ("bot", b'{"event":"started","session":"b"}', {"events": {"x": "fly"}}, "bad_setting"),
        ("dialogflow-cx", b'{"text":"x"}', {}, "unknown_kind"),
        ("dialogflow-cx", b'{"sessionInfo":{"session":"a/b"},"fulfillmentInfo":{}}', {"tags": {"a": "b"}}, "bad_setting"),
        ("zendesk-guide", b'{"id":1}', {}, "unknown_kind"),
        ("zendesk-guide", b'{"id":1,"value":1,"item_id":2}', {}, "missing_field"),
    ],
)
def test_an_unusable_record_has_a_reason(name: str, body: bytes, settings: dict[str, Any], reason: str) -> None:
    """Each with its reason."""
    assert [each.reason for each in translated(name, body, settings, now=NOON).rejected] == [reason]


def test_nothing_personal_passes() -> None:
    """Neither events nor dead letters hold a name, a number, a text or an id of a customer."""
    for name in ("rasa", "dialogflow-cx", "bot", "zendesk-guide"):
        for path in (each for each in (FIXTURES / name).iterdir() if not each.name.endswith("settings.json")):
            for settings in ({}, *(settings for each, _, settings, _ in SESSIONS if each == name)):
                # With a required field renamed, each record becomes a dead letter.
                bodies = [path.read_bytes(), path.read_bytes().replace(b'"timestamp"', b'"when"').replace(b'"created_at"', b'"made"')]
                for body in bodies:
                    done = translated(name, body, settings, now=NOON)
                    out = [event.model_dump_json() for event in done.events] + [each.raw.decode() + each.detail for each in done.rejected]
                    assert not [word for word in PERSONAL for text in out if word in text.lower()], (
                        name,
                        path.name,
                    )


@pytest.mark.parametrize(("name", "file", "settings", "_expected"), SESSIONS)
@given(data=st.data())
def test_strange_values_raise_nothing(name: str, file: str, settings: dict[str, Any], _expected: object, data: st.DataObject) -> None:
    """Values of every type at any path, and bytes that are truncated anywhere."""
    body = bytearray(fixture(name, file))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(body) - 1))
        put = data.draw(st.binary(max_size=8) | st.sampled_from([b"null", b"[]", b"{}", b"-1", b"1e9", b'"", "x":']))
        body[at : at + data.draw(st.integers(0, 12))] = put
    done = translated(name, bytes(body), settings, now=NOON)
    assert all(each.reason and each.detail for each in done.rejected)


def test_published_samples() -> None:
    """One Rasa session that is handed over: containment 0 of 1."""
    require(SHARED.is_dir(), "the shared samples are not beside this repository (../shared/payloads)")
    now = datetime(2026, 3, 2, 9, 1, tzinfo=UTC)
    done = translated("rasa", (SHARED / "DERIVED.rasa.event-broker.session.jsonl").read_bytes(), now=now)
    assert done.rejected == []
    assert shares(at_once(done.events)) == (1, 0, 0)
    done = translated("dialogflow-cx", (SHARED / "DERIVED.dialogflow-cx.webhook-request.json").read_bytes(), now=now)
    assert [(event.type, event.conversation_id) for event in done.events] == [  # type: ignore[attr-defined]
        ("self_service.started", "5158"),
        ("contact.handed_over", "5158"),
    ]
