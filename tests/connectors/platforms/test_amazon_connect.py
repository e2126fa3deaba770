"""Amazon Connect's contact events, agent events and contact records: cases beyond the matrix of all platforms."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given

from streams.connectors.platforms import connector
from tests.support.platforms import (
    FIXTURES,
    KNOWN_REASONS,
    SHARED,
    counted,
    figures,
    fixture,
    mutated,
    not_reporting,
    reasons,
    three_calls,
    translated,
)
from tests.support.require import require

CASE = SHARED.parent / "cases" / "11-connect-warm-transfer"
CONTACT_EVENTS, AGENT_EVENTS, RECORDS = (f"amazon-connect-{name}" for name in ("contact-events", "agent-events", "contact-records"))
NAMES = {"queues": {"q-care-01": "Care", "q-acc-02": "Accounts"}, "agents": {"u-ana": "ana", "u-ben": "ben"}}


def contents(name: str, file: str = "three-calls.jsonl") -> list[dict[str, Any]]:
    """Return the records of one of our files."""
    return [orjson.loads(line) for line in fixture(name, file).splitlines()]


def kpis(result: dict[str, Any], queue: str, *names: str) -> list[float | None]:
    """Return figures of a queue of calls."""
    return [result["queues"][queue]["voice"][name]["value"] for name in names]


class TestWarmTransfer:
    """The first agent stays with the customer while the second joins: both are counted for their own time."""

    @pytest.mark.parametrize("seed", [None, 1, 2, 3])
    @pytest.mark.parametrize(
        ("file", "first", "aht"),
        [
            # Ana from 0:40 to 6:00, of which 120 s hold; then 60 s of work after it.
            ("warm-transfer.jsonl", 200, 200 + 120 + 60),
            # Ana leaves 5 s after the customer was put into the second queue.
            ("warm-transfer-left-early.jsonl", 160, 160 + 5 + 60),
        ],
    )
    def test_records(self, file: str, first: float, aht: float, seed: int | None) -> None:
        """By contact records, in any order and repeated."""
        done = translated(connector(RECORDS), [(file, fixture(RECORDS, file))], settings=NAMES, seed=seed)
        self.check(counted(done.events), first, aht)

    @pytest.mark.parametrize("seed", [None, 1, 2, 3])
    @pytest.mark.parametrize(("file", "first"), [("warm-transfer.jsonl", 320), ("warm-transfer-left-early.jsonl", 165)])
    def test_events(self, file: str, first: float, seed: int | None) -> None:
        """By contact events, whose talk has hold in it, in any order and repeated."""
        done = translated(connector(CONTACT_EVENTS), [(file, fixture(CONTACT_EVENTS, file))], settings=NAMES, seed=seed)
        self.check(counted(done.events), first, first + 60)

    @pytest.mark.parametrize(
        ("file", "talk", "aht"), [("ctr.json", 200, 380), ("ctr_b.json", 160, 160 + 5 + 60), ("ctr_c.json", 155, 155 + 5 + 60)]
    )
    def test_reported_case(self, file: str, talk: float, aht: float) -> None:
        """The reported case, by contact records."""
        require(CASE.is_dir(), f"the shared cases are not there: {CASE}")
        result = counted(translated(connector(RECORDS), [(file, (CASE / file).read_bytes())]).events)
        assert kpis(result, "Billing", "handled", "att", "aht", "transfer_rate") == [1, talk, aht, 1]
        wanted = [1, 1, 25, 0, 735, 765, 0]
        assert kpis(result, "Technical", "offered", "answered", "asa", "service_level", "att", "aht", "transfer_rate") == wanted

    def check(self, result: dict[str, Any], first: float, aht: float) -> None:
        """Compare the figures of both queues with those worked out by hand; 25 s of waiting are beyond 20."""
        assert kpis(result, "Care", "offered", "answered", "handled", "asa", "att", "aht", "transfer_rate") == [1, 1, 1, 30, first, aht, 1]
        names = ("offered", "answered", "handled", "asa", "service_level", "att", "aht", "transfer_rate")
        assert kpis(result, "Accounts", *names) == [1, 1, 1, 25, 0, 735, 735 + 30, 0]


class TestLastWord:
    """A record or event that differs from an earlier one replaces it, in any order of arrival."""

    @pytest.mark.parametrize("seed", [None, 1, 2, 3, 4])
    def test_a_record_that_learns_of_its_agent(self, seed: int | None) -> None:
        """Its first version has no agent, and the customer seems to have abandoned the queue; its last one is complete."""
        file = FIXTURES / RECORDS / "last-word.jsonl"
        result = counted(translated(connector(RECORDS), [("file", file.read_bytes())], settings=NAMES, seed=seed).events)
        names = ("offered", "answered", "abandoned", "handled", "asa", "att", "acw")
        assert kpis(result, "Care", *names) == [1, 1, 0, 1, 10, 150, 30]
        assert result["totals"]["events_uncounted"]["value"] == 0

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_a_customer_who_was_moved_to_another_queue(self, order: tuple[int, int]) -> None:
        """The first contact reports only its end in the queue; the next one reports that its customer did not abandon it."""
        first, *_, last = [each for each in contents(CONTACT_EVENTS) if each.get("detail", {}).get("contactId") == "call-0002"][:3]
        moved = orjson.loads(orjson.dumps(first))
        moved["detail"] |= {
            "contactId": "moved",
            "initiationMethod": "QUEUE_TRANSFER",
            "initiationTimestamp": last["detail"]["disconnectTimestamp"],
            "initialContactId": "call-0002",
            "previousContactId": "call-0002",
        }
        assert last["detail"]["eventType"] == "DISCONNECTED"
        body = b"\n".join(orjson.dumps((last, moved)[number]) for number in order)
        queues = counted(translated(connector(CONTACT_EVENTS), [("file", body)], settings=NAMES).events)["queues"]
        assert queues["Care"]["voice"]["offered"]["value"] == 1
        assert queues["Care"]["voice"]["abandoned"]["value"] == 0


class TestTogether:
    """Contact events and agent events of one Connect, as two sources that are joined, report all."""

    @pytest.mark.parametrize("seed", [None, 1, 2, 3])
    def test_the_three_calls(self, seed: int | None) -> None:
        """Hold and rings come from agent events, answers and ends from contact events, and nothing counts twice."""
        events: list[Any] = []
        for name, beside in ((CONTACT_EVENTS, {"agent_events": True}), (AGENT_EVENTS, {"contact_events": True})):
            body = fixture(name, "three-calls.jsonl")
            events += translated(connector(name), [(name, body)], settings=NAMES | beside, seed=seed, source=name).events
        result = counted(events, {"joined_sources": [[CONTACT_EVENTS, AGENT_EVENTS]]})
        wanted = three_calls()
        by_scope = figures(result, wanted, {"support": "Care", "billing": "Accounts"})
        for scope, values in wanted.items():
            assert by_scope[scope] == pytest.approx(values), scope


@pytest.mark.parametrize("lost", ["INITIATED", "QUEUED", "CONNECTED_TO_AGENT"])
def test_the_next_contact_event_makes_up_for_a_lost_one(lost: str) -> None:
    """Events are delivered at best effort; without all of one kind that is not the last the figures are the same."""
    rest = [each for each in contents(CONTACT_EVENTS) if each.get("detail", each)["eventType"] != lost]
    assert len(rest) < len(contents(CONTACT_EVENTS))
    done = translated(connector(CONTACT_EVENTS), [("rest", b"\n".join(map(orjson.dumps, rest)))], settings=NAMES)
    wanted = three_calls(hold=False, ring=False)
    silent = not_reporting(done.events, connector(CONTACT_EVENTS).not_reported)
    by_scope = figures(counted(done.events, silent), wanted, {"support": "Care", "billing": "Accounts"})
    for scope, values in wanted.items():
        assert by_scope[scope] == pytest.approx(values), scope


def test_records_without_line_ends() -> None:
    """Firehose writes one record after another with nothing between."""
    lines = fixture(RECORDS, "three-calls.jsonl").splitlines()
    joined = translated(connector(RECORDS), [("firehose", b"".join(lines))])
    assert joined.records == len(lines) == 5
    assert joined.events == translated(connector(RECORDS), [("firehose", b"\n".join(lines))]).events


def test_states_of_an_agent() -> None:
    """Presence by the status, activity by the contacts that are shown, and a heartbeat."""
    done = translated(connector(AGENT_EVENTS), [("events", fixture(AGENT_EVENTS, "three-calls.jsonl"))])
    ana: list[Any] = [event for event in done.events if getattr(event, "person_id", "") == "ana@acme"]
    assert [(event.type, getattr(event, "state", "")) for event in ana][:8] == [
        ("agent.state_changed", "offline"),
        ("agent.state_changed", "idle"),
        ("agent.state_changed", "available"),
        ("agent.heartbeat", ""),
        ("agent.state_changed", "ringing"),
        ("agent.state_changed", "interacting"),
        ("agent.state_changed", "after_contact_work"),
        ("agent.state_changed", "idle"),
    ]
    assert [(event.state, event.reason) for event in ana[-2:]] == [("pause", "Pause"), ("offline", None)]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (CONTACT_EVENTS, {"detail-type": "Amazon Connect Contact Event", "detail": {"eventType": "NEW", "contactId": "c"}}, "unknown_kind"),
        (CONTACT_EVENTS, {"detail-type": "EC2 Instance State-change Notification", "detail": {}}, "unknown_kind"),
        (CONTACT_EVENTS, {"eventType": "QUEUED", "contactId": "c"}, "missing_field"),
        (AGENT_EVENTS, {"EventType": "NEW", "EventId": "e"}, "unknown_kind"),
        (RECORDS, {"ContactId": "c"}, "missing_field"),
    ],
)
def test_rejected(name: str, content: dict[str, Any], reason: str) -> None:
    """An unknown record is rejected with a reason."""
    assert reasons(connector(name), [content]) == {reason}


@pytest.mark.parametrize("method", ["MONITOR", "DISCONNECT"])
@pytest.mark.parametrize(("name", "field"), [(CONTACT_EVENTS, "initiationMethod"), (RECORDS, "InitiationMethod")])
def test_contacts_of_no_customer_are_ignored(name: str, field: str, method: str) -> None:
    """A supervisor who listens is no contact, nor a flow after an agent hung up."""
    content = contents(name)[-1]
    content.get("detail", content)[field] = method
    done = translated(connector(name), [("one", orjson.dumps(content))])
    assert (done.ignored, done.events) == ({method: 1}, [])


def test_a_case_is_ignored() -> None:
    """A case that changed is no contact."""
    content = {"detail-type": "Amazon Connect Cases Event", "detail": {"eventType": "CASE.UPDATED", "case": {"caseId": "c"}}}
    assert translated(connector(CONTACT_EVENTS), [("case", orjson.dumps(content))]).ignored == {"CASE": 1}


@pytest.mark.parametrize("name", [CONTACT_EVENTS, AGENT_EVENTS, RECORDS])
def test_no_personal_value_passes(name: str) -> None:
    """Neither numbers, attributes nor names of persons are in an event, nor in the rest of a rejected record."""
    values = (b"+4930555010", b"Beispiel", b"Vorname", b"Nachname")
    for content in contents(name):
        body = orjson.dumps(content)
        done = translated(connector(name), [("one", body)])
        # The same with invalid times, so that it is rejected.
        done.rejected += translated(connector(name), [("one", body.replace(b"2026-05-04T", b"yesterday "))]).rejected
        assert done.rejected or done.ignored
        published = [event.model_dump_json().encode() for event in done.events] + [
            rejection.raw + rejection.detail.encode() for rejection in done.rejected
        ]
        assert not [value for value in values if value in b"".join(published)]


@given(mutated(contents(CONTACT_EVENTS)))
def test_mutated_contact_events(content: dict[str, Any]) -> None:
    """With any value in a field, a record is translated or rejected for a known reason."""
    assert reasons(connector(CONTACT_EVENTS), [content]) <= KNOWN_REASONS


@given(mutated(contents(AGENT_EVENTS)))
def test_mutated_agent_events(content: dict[str, Any]) -> None:
    """With any value in a field, a record is translated or rejected for a known reason."""
    assert reasons(connector(AGENT_EVENTS), [content]) <= KNOWN_REASONS


@given(mutated(contents(RECORDS)))
def test_mutated_contact_records(content: dict[str, Any]) -> None:
    """With any value in a field, a record is translated or rejected for a known reason."""
    assert reasons(connector(RECORDS), [content]) <= KNOWN_REASONS


def test_an_agents_own_queue_is_none() -> None:
    """A direct call to an agent passes through a queue without a name; the contact counts in its queue before."""
    own = "arn:aws:connect:eu-central-1:210987654321:instance/i/queue/agent/u-ben"
    for name, places in ((CONTACT_EVENTS, ("detail", "queueInfo", "queueArn")), (RECORDS, ("Queue", "ARN"))):
        changed = contents(name)
        for content in changed:
            at: Any = content
            for place in places[:-1]:
                at = at.get(place, {})
            if "q-acc-02" in at.get(places[-1], ""):
                at[places[-1]] = own
                at.pop("Name", None)
        done = translated(connector(name), [("file", b"\n".join(map(orjson.dumps, changed)))], settings=NAMES)
        assert not done.rejected
        result = counted(done.events)
        assert list(result["queues"]) == ["Care"]
        # Ben's share and Ana's after it; the call is offered and answered once, and one of three shares was transferred.
        assert kpis(result, "Care", "offered", "answered", "handled", "transfer_rate") == [3, 2, 3, 1 / 3]
        assert result["totals"]["events_uncounted"]["value"] == 0


@pytest.mark.parametrize(
    ("name", "file", "events", "rejected"),
    [
        (CONTACT_EVENTS, "amazon-connect.contact-event.connected-to-agent.json", 3, []),
        # Pages publish these with comments, which no bus and no stream sends.
        (CONTACT_EVENTS, "amazon-connect.case-event.updated.txt", 0, ["not_json"]),
        (AGENT_EVENTS, "amazon-connect.agent-event.heartbeat.txt", 0, ["not_json"]),
        (AGENT_EVENTS, "amazon-connect.agent-event.contacts-array.txt", 0, ["not_json"]),
        (RECORDS, "DERIVED.amazon-connect.ctr.json", 7, []),
        (RECORDS, "DERIVED.amazon-connect.ctr.abandoned.json", 3, []),
    ],
)
def test_collected_samples(name: str, file: str, events: int, rejected: list[str]) -> None:
    """Every collected file is translated, ignored or rejected for a stated reason; the matrix has the life cycles."""
    require(SHARED.is_dir(), f"the shared samples are not there: {SHARED}")
    done = translated(connector(name), [(file, (SHARED / file).read_bytes())])
    assert (len(done.events), [each.reason for each in done.rejected]) == (events, rejected)


def test_all_samples_are_named() -> None:
    """No collected file of Amazon Connect is left out: six are listed above, three in the matrix."""
    require(SHARED.is_dir(), f"the shared samples are not there: {SHARED}")
    assert len([path for path in SHARED.iterdir() if "amazon-connect." in path.name]) == 6 + 3
