"""Twilio TaskRouter, by callbacks, Event Streams and the REST API: cases beyond the matrix of all platforms."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
import pytest
from hypothesis import given
from twilio.request_validator import RequestValidator

from streams.connectors.kit.verifying import Delivery, Refusal, Verified, Verifier
from streams.connectors.platforms import connector
from tests.support.platforms import FIXTURES, KNOWN_REASONS, SHARED, counted, fixture, mutated, reasons, translated
from tests.support.require import require

TASKROUTER, STREAMS = connector("twilio-taskrouter"), connector("twilio-event-streams")
FILES = FIXTURES / "twilio-taskrouter"


def forms(file: str) -> list[dict[str, Any]]:
    """Return the callbacks of one of our files."""
    return [dict(parse_qsl(line)) for line in (FILES / file).read_text().splitlines()]


def event_of(content: dict[str, Any]) -> Any:
    """Return the one event that a callback becomes."""
    (event,) = translated(TASKROUTER, [("one", urlencode(content).encode())]).events
    return event


def streamed() -> list[dict[str, Any]]:
    """Return our CloudEvents."""
    contents: list[dict[str, Any]] = orjson.loads(fixture("twilio-event-streams", "three-calls.json"))
    return contents


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_warm_transfer(seed: int | None) -> None:
    """Ana is with the customer from 20 to 160 s (10 s of work after it), Ben, who joins, from 110 to 260 s (20 s)."""
    done = translated(TASKROUTER, [("file", (FILES / "warm-transfer.form.txt").read_bytes())], seed=seed)
    queues = counted(done.events)["queues"]
    names = ("offered", "answered", "handled", "asa", "att", "average_hold", "acw", "aht", "transfer_rate")
    assert [queues["Care"]["voice"][name]["value"] for name in names] == [1, 1, 1, 10, 140, None, 10, 150, 1]
    assert [queues["Accounts"]["voice"][name]["value"] for name in names] == [1, 1, 1, 10, 150, None, 20, 170, 0]


def test_all_forms_give_the_same_events() -> None:
    """A callback, a CloudEvent and an entry of the REST API have the same ids and times: repeats count once."""
    called, asked, sent = (
        {event.event_id: event for event in translated(TASKROUTER, [("file", path.read_bytes())]).events}
        for path in (
            FILES / "three-calls.form.txt",
            FILES / "three-calls.rest.json",
            FIXTURES / "twilio-event-streams" / "three-calls.json",
        )
    )
    # 3 arrivals, 3 + 1 entries, 5 rings and 2 + 3 of their ends, 3 answers, 3 ends and beginnings of wrap-up, 3 ends of it, 1 who gave up.
    assert len(called) == 3 + 4 + 5 + 5 + 3 + 6 + 3 + 1
    assert called == asked == sent


def test_states_of_a_worker() -> None:
    """An activity is a presence, by the name that the workspace gives it."""
    events: list[Any] = translated(TASKROUTER, [("file", (FILES / "states.form.txt").read_bytes())]).events
    assert [(event.person_id, event.axis, event.state, event.reason) for event in events] == [
        ("ana", "presence", "available", "Available"),
        ("ana", "presence", "break", "Break"),
        ("ana", "presence", "offline", "Offline"),
    ]


@pytest.mark.parametrize(
    ("reason", "left"), [("hangup", "abandoned"), ("Task TTL Exceeded", "timeout"), ("redirected", "withdrawn"), ("", "withdrawn")]
)
def test_canceled_tasks(reason: str, left: str) -> None:
    """The canceller gives the reason as a free text."""
    content = next(each for each in forms("three-calls.form.txt") if each["EventType"] == "task.canceled") | {"TaskCanceledReason": reason}
    events: list[Any] = translated(TASKROUTER, [("one", urlencode(content).encode())]).events
    assert [(event.type, event.reason) for event in events] == [("contact.left_queue", left)]


def test_a_task_that_was_begun_by_an_agent_is_outbound() -> None:
    """The customer of such a task is the called party."""
    content = forms("three-calls.form.txt")[0] | {"TaskAttributes": '{"direction":"outbound","to":"+4930555010","from":"+4930555099"}'}
    event, inbound = (event_of(each) for each in (content, forms("three-calls.form.txt")[0]))
    assert (event.direction, inbound.direction) == ("outbound", "inbound")
    assert event.customer_key == inbound.customer_key is not None


@pytest.mark.parametrize("attributes", ["", "{", "[]", "null", "7", '{"from":7}'])
def test_attributes_are_what_a_flow_wrote(attributes: str) -> None:
    """Attributes that are no JSON object, or hold something else, lose no task."""
    content = forms("three-calls.form.txt")[0] | {"TaskAttributes": attributes}
    event = event_of(content)
    assert (event.type, event.customer_key) == ("contact.arrived", None)


def test_signatures_of_the_vendors_library_are_verified() -> None:
    """A callback by its fields, CloudEvents by the hash of the body; neither as the other."""
    theirs, token = RequestValidator("an auth token"), "an auth token"
    content, url = forms("three-calls.form.txt")[0], "https://hooks.example.com/v1/hooks/twilio"
    form = Delivery(urlencode(content).encode(), {"X-Twilio-Signature": theirs.compute_signature(url, content)}, {}, url)
    body = fixture("twilio-event-streams", "three-calls.json")
    query = {"bodySHA256": theirs.compute_hash(body.decode())}
    hashed = f"{url}?bodySHA256={query['bodySHA256']}"
    events = Delivery(body, {"X-Twilio-Signature": theirs.compute_signature(hashed, {})}, query, hashed)
    assert TASKROUTER.verification is not None
    assert STREAMS.verification is not None
    called, streamed_ = Verifier(TASKROUTER.verification, [token]), Verifier(STREAMS.verification, [token])
    assert isinstance(called.check(form, 0.0), Verified)
    assert isinstance(streamed_.check(events, 0.0), Verified)
    assert isinstance(streamed_.check(form, 0.0), Refusal)
    assert isinstance(called.check(form._replace(body=form.body + b"&More=1"), 0.0), Refusal)
    assert isinstance(streamed_.check(events._replace(body=body + b" "), 0.0), Refusal)


@pytest.mark.parametrize("kind", ["workflow.entered", "task.updated", "worker.created", "task-channel.updated", "task.system-deleted"])
def test_ignored(kind: str) -> None:
    """Changes of configuration, and repeats of reservations, count nothing."""
    done = translated(TASKROUTER, [("one", urlencode({"EventType": kind, "Timestamp": "1777888800"}).encode())])
    assert (done.ignored, done.events, done.rejected) == ({kind: 1}, [], [])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"EventType=task.renamed&Timestamp=1777888800", "unknown_kind"),
        (b"EventType=task.created&TaskSid=WT1", "missing_field"),
        (b"Timestamp=1777888800", "missing_field"),
        (b"EventType=reservation.accepted&TaskSid=WT1&Timestamp=1777888800", "missing_field"),
        (b"=&%%%", "not_a_form"),
        (b'{"specversion":"1.0","data":{}}', "wrong_type"),
        (b'{"event_data":[]}', "wrong_type"),
        (b"{", "not_json"),
    ],
)
def test_rejected(body: bytes, reason: str) -> None:
    """An unusable record is rejected with a reason."""
    assert [each.reason for each in translated(TASKROUTER, [("one", body)]).rejected] == [reason]


def test_no_personal_value_passes() -> None:
    """Neither numbers nor attributes are in an event, nor in the rest of a rejected record."""
    values = (b"4930555010", b"Beispiel", b"Muster")
    bodies = [urlencode(rejection).encode() for file in ("three-calls.form.txt", "states.form.txt") for rejection in forms(file)]
    bodies += [orjson.dumps(rejection) for rejection in streamed()]
    bodies += [orjson.dumps(rejection) for rejection in orjson.loads((FILES / "three-calls.rest.json").read_bytes())["events"]]
    for body in bodies:
        done = translated(TASKROUTER, [("one", body)])
        done.rejected += translated(TASKROUTER, [("one", body.replace(b"task.", b"new.").replace(b"reservation.", b"new."))]).rejected
        published = [event.model_dump_json().encode() for event in done.events] + [
            rejection.raw + rejection.detail.encode() for rejection in done.rejected
        ]
        assert not [value for value in values if value in b"".join(published)]


@given(mutated(forms("three-calls.form.txt") + forms("states.form.txt") + streamed()))
def test_mutated(content: dict[str, Any]) -> None:
    """With any value in a field, a record is translated or rejected for a known reason."""
    assert reasons(STREAMS, [content]) <= KNOWN_REASONS


@pytest.mark.parametrize(
    ("file", "types", "rejected"),
    [
        ("DERIVED.twilio-taskrouter.event-callback.reservation-accepted.form.txt", ["contact.offer_ended", "contact.answered"], []),
        # The published excerpt ends in the middle.
        ("twilio-taskrouter.event-streams.reservation-created.PARTIAL.txt", [], ["not_json"]),
        # Statistics are no events.
        ("twilio-taskrouter.taskqueue-statistics.json", [], ["missing_field"]),
        ("twilio-taskrouter.workers-statistics.json", [], ["missing_field"]),
    ],
)
def test_collected_samples(file: str, types: list[str], rejected: list[str]) -> None:
    """Every collected file is translated, ignored or rejected for a stated reason; the matrix has the life cycle."""
    require(SHARED.is_dir(), f"the shared samples are not there: {SHARED}")
    done = translated(TASKROUTER, [(file, (SHARED / file).read_bytes())])
    assert ([event.type for event in done.events], [each.reason for each in done.rejected]) == (types, rejected)


def test_all_samples_are_named() -> None:
    """No collected file of TaskRouter is left out: four are listed above, one in the matrix."""
    require(SHARED.is_dir(), f"the shared samples are not there: {SHARED}")
    assert len([path for path in SHARED.iterdir() if "twilio-taskrouter." in path.name]) == 4 + 1
