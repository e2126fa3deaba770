"""Lines of a queue_log become canonical events; the fixtures are ours, in the format of Asterisk."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.decoding import decode_agent_event, decode_contact_event
from schemas.events import encode
from streams.connectors.follow import read_lines
from streams.connectors.lines import MAX_LINE_BYTES, Line, Rejected
from streams.connectors.queue_log import EVENT_KINDS, INFORMATIONAL, KindTable, KindTableError, QueueLogParser, hashed_customer
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
#: 2026-03-02T09:00:00Z
T = 1_772_442_000
OFFER_ENDED = {"type": "contact.offer_ended", "agent": "SIP/7", "queue": "sales"}
SAMPLES = Path(__file__).parents[3] / "shared" / "payloads"


def parser(**settings: Any) -> QueueLogParser:
    """Return a parser of the source pbx, at noon of the day of the lines."""
    return QueueLogParser("pbx", now=lambda: NOW, **settings)


def line(text: str | bytes, number: int = 1) -> Line:
    """Return a line as the reader of files gives it."""
    raw = text.encode() if isinstance(text, str) else text
    return Line(raw[:MAX_LINE_BYTES], "queue_log", number, 0, len(raw) + 1, len(raw))


def events(*lines: str, using: QueueLogParser | None = None) -> list[dict[str, Any]]:
    """Parse lines that must all be good; return their events as JSON has them."""
    used = using or parser()
    parsed: list[dict[str, Any]] = []
    for number, text in enumerate(lines, start=1):
        outcome = used.parse(line(text, number))
        assert not isinstance(outcome, Rejected), outcome
        parsed += [json.loads(encode(event)) for event in outcome]
    return parsed


def rejected(text: str | bytes) -> Rejected:
    """Parse a line that must be bad."""
    outcome = parser().parse(line(text, 7))
    assert isinstance(outcome, Rejected), outcome
    return outcome


def only(parsed: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the only event."""
    assert len(parsed) == 1
    return parsed[0]


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("NONE|ENTERQUEUE||0312345678|1", {"type": "contact.queued", "queue": "sales", "channel": "voice"}),
        ("SIP/7|CONNECT|12|1772441990.8|4", {"type": "contact.answered", "agent": "SIP/7", "queue": "sales", "wait_seconds": 12.0}),
        ("SIP/7|CONNECT|12", {"type": "contact.answered", "agent": "SIP/7", "queue": "sales", "wait_seconds": 12.0}),
        ("SIP/7|COMPLETEAGENT|12|95|1", {"type": "contact.ended", "by": "agent"}),
        ("SIP/7|COMPLETECALLER|12|95|1", {"type": "contact.ended", "by": "customer"}),
        ("NONE|ABANDON|2|3|41", {"type": "contact.left_queue", "reason": "abandoned", "queue": "sales", "wait_seconds": 41.0}),
        ("NONE|EXITWITHTIMEOUT|2|3|60", {"type": "contact.left_queue", "reason": "timeout", "queue": "sales", "wait_seconds": 60.0}),
        ("NONE|EXITWITHTIMEOUT|2", {"type": "contact.left_queue", "reason": "timeout", "queue": "sales"}),
        ("NONE|EXITWITHKEY|9|2|3|17", {"type": "contact.left_queue", "reason": "keypress", "queue": "sales", "wait_seconds": 17.0}),
        ("NONE|EXITWITHKEY|9|2", {"type": "contact.left_queue", "reason": "keypress", "queue": "sales"}),
        ("NONE|EXITEMPTY|2|3|5", {"type": "contact.left_queue", "reason": "empty", "queue": "sales", "wait_seconds": 5.0}),
        ("NONE|WITHDRAW|2|3|8|overflowing", {"type": "contact.left_queue", "reason": "withdrawn", "queue": "sales", "wait_seconds": 8.0}),
        ("SIP/7|BLINDTRANSFER|0398765432|internal|12|30|1", {"type": "contact.transferred", "kind": "blind", "from_queue": "sales"}),
        ("SIP/7|ATTENDEDTRANSFER|BRIDGE|4f1d|12|30|1", {"type": "contact.transferred", "kind": "attended", "from_queue": "sales"}),
        ("SIP/7|ATTENDEDTRANSFER|LINK|SIP/7-1|SIP/9-2|12|30|1", {"type": "contact.transferred", "kind": "attended", "from_queue": "sales"}),
        ("SIP/7|TRANSFER|200|internal", {"type": "contact.transferred", "from_queue": "sales"}),
        ("SIP/7|TRANSFER|200|internal|12|30|1", {"type": "contact.transferred", "from_queue": "sales"}),
        ("SIP/7|RINGNOANSWER|15500", {**OFFER_ENDED, "outcome": "no_answer", "ring_seconds": 15.5}),
        ("SIP/7|RINGCANCELED|2500", {**OFFER_ENDED, "outcome": "withdrawn", "ring_seconds": 2.5}),
        ("SIP/7|AGENTDUMP|", {**OFFER_ENDED, "outcome": "declined"}),
        ("SIP/7|SYSCOMPAT|", {"type": "contact.ended", "by": "system"}),
    ],
)  # fmt: skip
def test_each_kind_of_call_line_becomes_its_event(tail: str, expected: dict[str, Any]) -> None:
    """The fields of a line become those of the event, hold in seconds, ring in milliseconds, and nothing else is added."""
    event = only(events(f"{T}|{T}.7|sales|{tail}"))

    event_id = event.pop("event_id")
    assert event == {
        "occurred_at": "2026-03-02T09:00:00.000Z",
        "received_at": "2026-03-02T09:00:00.000Z",
        "source": "pbx",
        "sequence": 0,
        "schema_version": 1,
        "conversation_id": f"pbx:{T}.7",
        "contact_id": f"pbx:{T}.7",
        **expected,
    }
    assert event_id


def states(*lines: str) -> list[str]:
    """Return the presence after each line."""
    return [event["state"] for event in events(*lines)]


def test_member_lines_become_presence_and_never_activity() -> None:
    """A queue_log reports presence, not idle agents: occupancy stays unknown."""
    parsed = events(
        f"{T}|MANAGER|sales|SIP/7|ADDMEMBER|",
        f"{T + 1}|NONE|sales|SIP/7|PAUSE|Lunch Break",
        f"{T + 2}|NONE|sales|SIP/7|UNPAUSE|",
        f"{T + 3}|REALTIME|sales|SIP/7|REMOVEMEMBER|",
    )

    assert {(event["type"], event["axis"], event["person_id"]) for event in parsed} == {("agent.state_changed", "presence", "SIP/7")}
    assert [event["state"] for event in parsed] == ["available", "lunch_break", "available", "offline"]
    assert [event.get("reason") for event in parsed] == [None, "Lunch Break", None, None]


def test_a_pause_without_a_reason_is_a_pause() -> None:
    """A member added paused, or paused without a reason, is paused."""
    assert states(f"{T}|CLI|sales|SIP/7|ADDMEMBER|PAUSED", f"{T}|NONE|sales|SIP/8|PAUSE|") == ["paused", "paused"]


def test_an_agent_is_offline_only_when_removed_from_every_queue() -> None:
    """An agent who leaves one of two queues stays available, and is offline after leaving the other."""
    added = (f"{T}|CLI|sales|SIP/7|ADDMEMBER|", f"{T}|CLI|support|SIP/7|ADDMEMBER|")
    removed = (f"{T + 9}|CLI|sales|SIP/7|REMOVEMEMBER|", f"{T + 9}|CLI|support|SIP/7|REMOVEMEMBER|")

    assert states(*added, *removed) == ["available", "available", "available", "offline"]


def test_an_agent_who_may_still_ring_in_one_queue_is_available() -> None:
    """An agent who is paused in one of two known queues is available; paused in both, or by PAUSEALL, is not."""
    added = (f"{T}|CLI|sales|SIP/7|ADDMEMBER|", f"{T}|CLI|support|SIP/7|ADDMEMBER|")

    assert states(*added, f"{T}|NONE|sales|SIP/7|PAUSE|lunch", f"{T}|NONE|support|SIP/7|PAUSE|lunch")[2:] == ["available", "lunch"]
    assert states(*added, f"{T}|NONE|NONE|SIP/7|PAUSEALL|lunch", f"{T}|NONE|sales|SIP/7|UNPAUSE|")[2:] == ["lunch", "available"]
    assert states(*added, f"{T}|NONE|NONE|SIP/7|PAUSEALL|", f"{T}|NONE|NONE|SIP/7|UNPAUSEALL|")[2:] == ["paused", "available"]


def test_agents_who_log_in_are_available_and_logged_off_offline() -> None:
    """Both generations of agent channels are understood."""
    presence = states(
        f"{T}|{T}.1|NONE|Agent/20|AGENTLOGIN|SIP/7-1",
        f"{T}|{T}.1|NONE|Agent/20|AGENTLOGOFF|SIP/7-1|3600",
        f"{T}|NONE|NONE|Agent/21|AGENTCALLBACKLOGIN|7@internal",
        f"{T}|NONE|NONE|Agent/21|AGENTCALLBACKLOGOFF|7@internal|3600|Autologoff",
    )

    assert presence == ["available", "offline", "available", "offline"]


def test_lines_that_only_inform_are_counted_and_not_rejected() -> None:
    """Lines about neither contacts nor presence are passed over, and so are an empty line and a kind that the operator named."""
    used = parser(ignored_kinds=frozenset({"MENU"}))

    assert events(*(f"{T}|NONE|NONE|NONE|{kind}|" for kind in sorted(INFORMATIONAL)), "", f"{T}|NONE|NONE|NONE|MENU|3", using=used) == []
    assert used.ignored == {**dict.fromkeys(INFORMATIONAL, 1), "blank": 1, "MENU": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{T}|{T}.7|sales", "truncated"),
        (f"{T}|{T}.7|sales|SIP/7|CONNECT", "truncated"),
        (f"{T}|{T}.7|sales|SIP/7|CONNECT|", "truncated"),
        (f"{T}|{T}.7|sales|NONE|ABANDON|1|1", "truncated"),
        (f"{T}|{T}.7|sales|SIP/7|BLINDTRANSFER|200", "truncated"),
        ("[Mar  2 09:00:00] NOTICE[1]: app_queue.c: something", "foreign"),
        ("just some words", "foreign"),
        (f" {T}|{T}.7|sales|SIP/7|CONNECT|5", "foreign"),
        ("2026-02-30 09:00:00|1.1|sales|NONE|ABANDON|1|1|3", "foreign"),
        (f"{T}|{T}.7|sales|SIP/7|CONNEC|5", "unknown_kind"),
        (f"{T}|{T}.7|sales|SIP/7|connect|5", "unknown_kind"),
        (f"{T}|{T}.7|sales|SIP/7|COMPLETEAGENT|3||", "truncated"),
        (f"{T}|{T}.7|sales|NONE|EXITCODE|SOMETHING", "unknown_kind"),
        (f"{T}|NONE|NONE|SIP/7|WRAPUPSTART|15", "no_call"),
        ("600|NONE|NONE|NONE|QUEUESTART", "time_too_old"),
        ("946684799|1.1|sales|NONE|ABANDON|1|1|3", "time_too_old"),
        (f"{int(NOW.timestamp()) + 301}|1.1|sales|NONE|ABANDON|1|1|3", "time_in_future"),
        ("999999999999|1.1|sales|NONE|ABANDON|1|1|3", "time_in_future"),
        (f"{T}|{T}.7|sales|NONE|ABANDON|1|1|-3", "negative_duration"),
        (f"{T}|{T}.7|sales|SIP/7|RINGNOANSWER|-1", "negative_duration"),
        (f"{T}|{T}.7|sales|SIP/7|COMPLETEAGENT|3|-60|1", "negative_duration"),
        (f"{T}|{T}.7|sales|SIP/7|BLINDTRANSFER|200|internal|3|-60|1", "negative_duration"),
        (f"{T}|{T}.7|sales|SIP/7|ATTENDEDTRANSFER|LINK|a|b|-3|60|1", "negative_duration"),
        (f"{T}|{T}.7|sales|NONE|ABANDON|1|1|nan", "not_a_number"),
        (f"{T}|{T}.7|sales|NONE|ABANDON|1|1|1e3", "not_a_number"),
        (f"{T}|{T}.7|sales|NONE|ABANDON|1|1|1_0", "not_a_number"),
        (f"{T}|{T}.7|sales|NONE|ABANDON|1|1|999999999999", "not_permitted"),
        (f"{T}|{T}.7|{'q' * 201}|NONE|ENTERQUEUE||1|1", "not_permitted"),
        (f"{T}|{T}.7|sa\x07les|NONE|ENTERQUEUE||1|1", "not_permitted"),
        (f"{T}|NONE|sales|NONE|ENTERQUEUE||1|1", "no_call"),
        (f"{T}|{T}.7|NONE|NONE|ENTERQUEUE||1|1", "no_queue"),
        (f"{T}|{T}.7|sales|NONE|RINGNOANSWER|1000", "no_member"),
        (f"{T}|NONE|sales||PAUSE|lunch", "no_member"),
        (f"{T}|NONE|NONE|SIP/7|ADDMEMBER|", "no_queue"),
        (f"{T}|{T}.7|sales|NONE|ENTERQUEUE||{'1' * MAX_LINE_BYTES}|1", "too_long"),
    ],
)  # fmt: skip
def test_a_bad_line_is_rejected_with_its_bytes_and_others_are_read(text: str | bytes, reason: str) -> None:
    """Every error of a line has its reason, keeps the bytes, and names the line."""
    rejection = rejected(text)

    raw = text.encode() if isinstance(text, str) else text
    assert (rejection.reason, rejection.origin, rejection.raw) == (reason, "queue_log:7", raw[:MAX_LINE_BYTES])
    assert rejection.detail


def test_a_rejection_does_not_quote_the_line() -> None:
    """A caller's number in a bad line stays in the bytes and out of the log."""
    for text in (f"{T}|{T}.7|{'0312345678' * 30}|NONE|ENTERQUEUE||0312345678|1", f"{T}|1|0312345678|0312345678|0312345678|0312345678"):
        assert "0312345678" not in rejected(text).detail


def test_a_rejected_member_line_changes_no_membership() -> None:
    """A pause with an impossible reason is a dead letter and leaves the agent available."""
    used = parser()
    events(f"{T}|CLI|sales|SIP/7|ADDMEMBER|", using=used)

    assert isinstance(used.parse(line(f"{T}|NONE|sales|SIP/7|PAUSE|{'x' * 101}")), Rejected)
    assert only(events(f"{T}|CLI|other|SIP/7|REMOVEMEMBER|", using=used))["state"] == "available"


def test_waits_that_contradict_the_clock_are_passed_on_as_reported() -> None:
    """The hold is the one that Asterisk reports; the connector does not correct it."""
    entered, connected = events(f"{T}|{T}.7|sales|NONE|ENTERQUEUE||1|1", f"{T + 3}|{T}.7|sales|SIP/7|CONNECT|600|x|1")

    assert (entered["occurred_at"], connected["occurred_at"]) == ("2026-03-02T09:00:00.000Z", "2026-03-02T09:00:03.000Z")
    assert connected["wait_seconds"] == 600.0


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        (f"{T}", "UTC", "2026-03-02T09:00:00.000Z"),
        (f"{T}.123456", "UTC", "2026-03-02T09:00:00.123Z"),
        (f"{T}.9", "UTC", "2026-03-02T09:00:00.900Z"),
        ("2026-03-02 10:00:00", "Europe/Berlin", "2026-03-02T09:00:00.000Z"),
        ("2026-03-02 18:00:00.654321", "Asia/Tokyo", "2026-03-02T09:00:00.654Z"),
    ],
)
def test_times_are_read_as_seconds_or_as_calendar_text(text: str, zone: str, expected: str) -> None:
    """Whole and fractional seconds since the epoch need no zone; calendar text is read in the zone of the PBX."""
    event = only(events(f"{text}|1.7|sales|NONE|ABANDON|1|1|3", using=parser(zone=ZoneInfo(zone))))

    assert event["occurred_at"] == expected


def test_nothing_of_the_caller_passes_without_a_key() -> None:
    """Number and name of the caller are in no event."""
    parsed = events(f"{T}|{T}.7|sales|NONE|ENTERQUEUE|https://crm/0312345678|0312345678|1|Jane_Doe")

    assert "0312345678" not in json.dumps(parsed)
    assert "Jane" not in json.dumps(parsed)
    assert "customer_key" not in json.dumps(parsed)


def test_with_a_key_the_caller_is_a_keyed_hash() -> None:
    """The same number gives the same key, another secret another one, and a withheld number none; queued keeps its id."""
    text = f"{T}|{T}.7|sales|NONE|ENTERQUEUE||03-1234 5678|1"
    with_key = events(text, using=parser(customer_key=hashed_customer(b"secret one")))
    again = events(text.replace("03-1234 5678", "0312345678"), using=parser(customer_key=hashed_customer(b"secret one")))
    other = events(text, using=parser(customer_key=hashed_customer(b"secret two")))
    withheld = events(text.replace("03-1234 5678", "Anonymous"), using=parser(customer_key=hashed_customer(b"secret one")))

    assert [event["type"] for event in with_key] == ["contact.arrived", "contact.queued"]
    assert [event["sequence"] for event in with_key] == [0, 1]
    assert with_key[0]["customer_key"].startswith("v1:")
    assert with_key[0]["customer_key"] == again[0]["customer_key"] != other[0]["customer_key"]
    assert [event["type"] for event in withheld] == ["contact.queued"]
    assert with_key[1]["event_id"] == only(events(text))["event_id"]
    assert "1234" not in json.dumps(with_key)


def test_ids_are_the_same_whenever_and_wherever_a_line_is_read() -> None:
    """A line read again, from another offset or file, has its id; the same line twice in one second are two events."""
    twice = [f"{T}|{T}.7|sales|SIP/7|RINGNOANSWER|1000"] * 2
    before = f"{T - 5}|{T}.7|sales|NONE|ENTERQUEUE||1|1"

    first = [event["event_id"] for event in events(*twice)]
    moved = [event["event_id"] for event in events(before, *twice)][1:]

    assert first == moved
    assert len(set(first)) == 2


def test_another_source_has_other_ids() -> None:
    """Two PBXs that write the same line are two PBXs."""
    text = f"{T}|{T}.7|sales|NONE|ABANDON|1|1|3"
    other = QueueLogParser("pbx-2", now=lambda: NOW).parse(line(text))

    assert not isinstance(other, Rejected)
    assert only(events(text))["event_id"] != other[0].event_id


def test_lines_of_one_instant_are_in_order() -> None:
    """The order of the file is the platform's order; an instant that recurs continues counting."""
    parsed = events(
        f"{T}|{T}.7|sales|NONE|ENTERQUEUE||1|1",
        f"{T}|{T}.7|sales|SIP/7|CONNECT|0|x|0",
        f"{T + 1}|{T}.7|sales|SIP/7|COMPLETEAGENT|0|1|1",
        f"{T}|{T}.8|sales|NONE|ABANDON|1|1|0",
    )

    assert [event["sequence"] for event in parsed] == [0, 1, 0, 2]


def test_a_restored_parser_continues_where_the_other_stopped() -> None:
    """Memberships, ids and order survive a restart through the state, which is JSON."""
    lines = [
        f"{T}|CLI|sales|SIP/7|ADDMEMBER|",
        f"{T}|CLI|support|SIP/7|ADDMEMBER|",
        f"{T}|{T}.7|sales|SIP/7|RINGNOANSWER|1000",
        f"{T}|{T}.7|sales|SIP/7|RINGNOANSWER|1000",
        f"{T}|CLI|sales|SIP/7|REMOVEMEMBER|",
    ]
    complete = events(*lines)
    for cut in range(len(lines)):
        before, after = parser(), parser()
        first = events(*lines[:cut], using=before)
        after.restore(json.loads(json.dumps(before.state())))
        assert first + events(*lines[cut:], using=after) == complete


def test_history_is_received_when_it_occurred_and_followed_lines_when_they_arrived() -> None:
    """The reader marks a line as either."""
    text = f"{T}|{T}.7|sales|NONE|ABANDON|1|1|3"
    arrived = datetime(2026, 3, 2, 9, 0, 1, tzinfo=UTC)
    followed = parser().parse(line(text), arrived)

    assert only(events(text))["received_at"] == "2026-03-02T09:00:00.000Z"
    assert not isinstance(followed, Rejected)
    assert followed[0].received_at == arrived


ENTERED = f"{T}|{T}.7|sales|NONE|ENTERQUEUE||1|1"
COMPLETED = f"{T + 60}|{T}.7|sales|SIP/7|COMPLETEAGENT|20|30|1"


def types(parsed: Sequence[dict[str, Any]]) -> list[str]:
    """Return the types of events."""
    return [event["type"].removeprefix("contact.") for event in parsed]


class TestAnswersThatWereLost:
    """COMPLETEAGENT and COMPLETECALLER have all fields of a CONNECT."""

    def test_of_a_call_that_waited(self) -> None:
        """The answer is before the end by the talk time."""
        answered, ended = events(ENTERED, COMPLETED)[1:]

        assert (answered["type"], answered["occurred_at"], answered["wait_seconds"]) == (
            "contact.answered",
            "2026-03-02T09:00:30.000Z",
            20.0,
        )
        assert (answered["agent"], answered["queue"], answered["received_at"]) == ("SIP/7", "sales", "2026-03-02T09:00:30.000Z")
        assert (ended["occurred_at"], ended["by"]) == ("2026-03-02T09:01:00.000Z", "agent")

    def test_not_before_the_call_began(self) -> None:
        """A talk longer than the call is cut to it."""
        answered = events(ENTERED, COMPLETED.replace("|20|30|", "|20|300|"))[1]

        assert answered["occurred_at"] == "2026-03-02T09:00:00.000Z"

    def test_never_twice(self) -> None:
        """A call that was answered, left, was transferred or is in a separate file gets no derived answer."""
        for middle in ("SIP/7|CONNECT|20|x|1", "NONE|ABANDON|1|1|20", "SIP/7|BLINDTRANSFER|200|internal|12|30|1"):
            assert "answered" not in types(events(ENTERED, f"{T + 20}|{T}.7|sales|{middle}", COMPLETED)[2:])
        assert types(events(COMPLETED)) == ["ended"]
        assert types(events(ENTERED, COMPLETED, COMPLETED)) == ["queued", "answered", "ended", "ended"]


class TestQueueStart:
    """Asterisk restarted."""

    LINES = (
        ENTERED,
        f"{T + 1}|{T}.8|sales|NONE|ENTERQUEUE||1|1",
        f"{T + 2}|{T}.8|sales|SIP/7|CONNECT|1|x|1",
        f"{T + 9}|NONE|NONE|NONE|QUEUESTART|",
    )

    def test_open_calls_end_once(self) -> None:
        """Waiting and connected callers; a second start ends nothing."""
        parsed = events(*self.LINES, f"{T + 10}|NONE|NONE|NONE|QUEUESTART|")[3:]

        assert [(event["type"], event["by"], event["contact_id"]) for event in parsed] == [
            ("contact.ended", "system", f"pbx:{T}.7"),
            ("contact.ended", "system", f"pbx:{T}.8"),
        ]
        assert len({event["event_id"] for event in parsed}) == 2

    def test_after_a_restart_of_the_connector(self) -> None:
        """Open calls are in the state."""
        before, after = parser(), parser()
        events(*self.LINES[:3], using=before)
        after.restore(json.loads(json.dumps(before.state())))

        assert types(events(self.LINES[3], using=after)) == ["ended", "ended"]

    def test_of_another_asterisk_in_the_same_file(self) -> None:
        """A site may ignore it."""
        used = parser(kinds=KindTable({"QUEUESTART": "ignored"}))

        assert types(events(*self.LINES, using=used)) == ["queued", "queued", "answered"]
        assert used.ignored == {"QUEUESTART": 1}

    def test_calls_that_lost_their_end_are_forgotten(self) -> None:
        """A call that is open for a day is forgotten."""
        parsed = events(ENTERED, f"{T + 86_401}|2.1|sales|NONE|ENTERQUEUE||1|1", f"{T + 86_402}|NONE|NONE|NONE|QUEUESTART|", using=later())

        assert [event["contact_id"] for event in parsed[2:]] == ["pbx:2.1"]


def later() -> QueueLogParser:
    """Return a parser a year later."""
    return QueueLogParser("pbx", now=lambda: NOW + timedelta(days=365))


def test_the_state_of_the_last_release_is_read() -> None:
    """It had members and instants; earlier calls are not reconstructed."""
    used = parser()
    used.restore({"members": {"SIP/7": {"sales": None}}, "instants": [[T * 1000, 1, {}]]})

    assert types(events(COMPLETED, f"{T + 61}|NONE|NONE|NONE|QUEUESTART|", using=used)) == ["ended"]
    assert only(events(f"{T + 62}|NONE|sales|SIP/7|PAUSE|tea", using=used))["state"] == "tea"


class TestKindsOfOnesOwn:
    """A site defines the meaning of its dialplan's lines."""

    TABLE = KindTable(
        {
            "BYE|*|now": "left_queue:voicemail",
            "BYE": "left_queue:callback",
            "BYE|x|now": "left_queue:overflow",
            "PICKED": "answered",
            "IN": "queued",
            "OUT|busy": "ended:system",
            "MISS": "offer_ended:no_answer",
            "MOVE": "transferred:queue",
            "CALLME": "callback_requested",
            "AWAY": "presence:offline",
            "PAPER": "wrap_up_started",
            "SHUT": "not_offered:closed",
        },
        ignored=["NOISE"],
    )

    @pytest.mark.parametrize(
        ("tail", "expected"),
        [
            ("SIP/7|BYE", {"type": "contact.left_queue", "reason": "callback"}),
            ("SIP/7|BYE|y|now", {"type": "contact.left_queue", "reason": "voicemail"}),
            ("SIP/7|BYE|x|now|more", {"type": "contact.left_queue", "reason": "overflow", "queue": "sales"}),
            ("SIP/7|BYE|x|later", {"type": "contact.left_queue", "reason": "callback"}),
            ("SIP/7|PICKED", {"type": "contact.answered", "agent": "SIP/7", "queue": "sales"}),
            ("SIP/7|IN", {"type": "contact.queued", "queue": "sales", "channel": "voice"}),
            ("SIP/7|OUT|busy", {"type": "contact.ended", "by": "system"}),
            ("SIP/7|MISS", {"type": "contact.offer_ended", "outcome": "no_answer", "agent": "SIP/7"}),
            ("SIP/7|MOVE", {"type": "contact.transferred", "kind": "queue", "from_queue": "sales"}),
            ("SIP/7|CALLME", {"type": "contact.callback_requested"}),
            ("SIP/7|AWAY", {"type": "agent.state_changed", "axis": "presence", "state": "offline", "person_id": "SIP/7"}),
            ("SIP/7|PAPER", {"type": "contact.wrap_up_started", "agent": "SIP/7"}),
            ("SIP/7|SHUT", {"type": "contact.not_offered", "reason": "closed"}),
        ],
    )
    def test_meanings(self, tail: str, expected: dict[str, Any]) -> None:
        """Parameters choose, the most specific entry first; the line has what a meaning needs."""
        event = only(events(f"{T}|{T}.7|sales|{tail}", using=parser(kinds=self.TABLE)))

        assert event.items() >= expected.items()
        assert event.get("conversation_id", f"pbx:{T}.7") == f"pbx:{T}.7"

    def test_parameters_that_no_entry_has(self) -> None:
        """A kind that is known with other parameters only is a dead letter, an ignored one is not."""
        used = parser(kinds=self.TABLE)
        outcome = used.parse(line(f"{T}|{T}.7|sales|SIP/7|OUT|calm"))

        assert isinstance(outcome, Rejected)
        assert outcome.reason == "unknown_kind"
        assert used.parse(line(f"{T}|{T}.7|sales|SIP/7|NOISE|calm")) == ()

    @pytest.mark.parametrize("tail", ["NONE|AWAY", "NONE|MISS"])
    def test_without_a_member(self, tail: str) -> None:
        """An event of an agent needs a member."""
        outcome = parser(kinds=self.TABLE).parse(line(f"{T}|{T}.7|sales|{tail}"))

        assert isinstance(outcome, Rejected)
        assert outcome.reason == "no_member"

    def test_an_own_kind_closes_the_call(self) -> None:
        """A call that left by a site's own kind is not ended again when Asterisk restarts."""
        parsed = events(ENTERED, f"{T + 1}|{T}.7|sales|NONE|BYE", f"{T + 9}|NONE|NONE|NONE|QUEUESTART|", using=parser(kinds=self.TABLE))

        assert types(parsed) == ["queued", "left_queue"]

    @pytest.mark.parametrize(
        ("entry", "meaning", "message"),
        [
            ("BYE", "gone", "none of ignored, queued"),
            ("BYE", "left_queue", "none of left_queue:abandoned"),
            ("BYE", "left_queue:lost", "none of left_queue:abandoned"),
            ("BYE", "ended:", "none of ended"),
            ("", "ended", "write KIND"),
            ("*", "ended", "write KIND"),
        ],
    )
    def test_a_wrong_table_is_refused(self, entry: str, meaning: str, message: str) -> None:
        """The message has the error, and what is permitted."""
        with pytest.raises(KindTableError, match=message.replace("*", r"\*")):
            KindTable({entry: meaning})


class TestWrapUp:
    """WRAPUPSTART names the agent alone."""

    def test_is_of_the_last_call(self) -> None:
        """Also when that call has ended, and after a restart of the connector."""
        before, after = parser(), parser()
        events(ENTERED, f"{T + 20}|{T}.7|sales|SIP/7|CONNECT|20|x|1", COMPLETED, using=before)
        after.restore(json.loads(json.dumps(before.state())))
        event = only(events(f"{T + 60}|NONE|NONE|SIP/7|WRAPUPSTART|15", using=after))

        assert (event["type"], event["contact_id"], event["wrap_up_seconds"]) == ("contact.wrapped_up", f"pbx:{T}.7", 15.0)


class TestHourThatComesTwice:
    """Local times of 2025-10-26 in Berlin, where 03:00 became 02:00."""

    def read(self, *times: str) -> tuple[list[str], int]:
        """Return the times of lines in UTC, and the number of ambiguous ones."""
        used = parser(zone=ZoneInfo("Europe/Berlin"))
        lines = [f"2025-10-26 {time}|1.{n}|q|NONE|ABANDON|1|1|3" for n, time in enumerate(times)]
        times_in_utc = [event["occurred_at"][11:19] for event in events(*lines, using=used)]
        return times_in_utc, int(used.notes()[0].split()[0]) if used.notes() else 0

    def test_a_line_before_the_last_one_is_of_the_second_time(self) -> None:
        """And so are the lines after it, until the hour is over; those before it are of the first."""
        assert self.read("01:59:00", "02:10:00", "02:40:00", "02:05:00", "02:30:00", "02:59:59", "03:00:01") == (
            ["23:59:00", "00:10:00", "00:40:00", "01:05:00", "01:30:00", "01:59:59", "02:00:01"],
            0,
        )

    def test_a_second_out_of_order_is_no_second_time(self) -> None:
        """Lines of several threads may be a moment out of order."""
        assert self.read("02:10:00", "02:09:59", "02:11:00")[0] == ["00:10:00", "00:09:59", "00:11:00"]

    def test_without_such_a_line_a_note_counts_them(self) -> None:
        """Nothing resolves the time of these lines."""
        assert self.read("01:00:00", "02:10:00", "02:20:00", "03:10:00") == (["23:00:00", "00:10:00", "00:20:00", "02:10:00"], 2)

    def test_over_a_restart_of_the_connector(self) -> None:
        """The last time is in the state."""
        before, after = parser(zone=ZoneInfo("Europe/Berlin")), parser(zone=ZoneInfo("Europe/Berlin"))
        events("2025-10-26 02:40:00|1.1|q|NONE|ABANDON|1|1|3", using=before)
        after.restore(json.loads(json.dumps(before.state())))

        assert only(events("2025-10-26 02:05:00|1.2|q|NONE|ABANDON|1|1|3", using=after))["occurred_at"] == "2025-10-26T01:05:00.000Z"


class TestEncoding:
    """Text in other encodings than UTF-8."""

    def test_the_named_one_is_read(self) -> None:
        """Also one in which a byte of a character may look like a separator."""
        used = parser(encoding="cp932")
        event = only(_events_of(f"{T}|{T}.7|窓口|ポール|CONNECT|20".encode("cp932"), used))

        assert (event["queue"], event["agent"], used.notes()) == ("窓口", "ポール", [])

    def test_undecodable_text_is_replaced_and_counted(self) -> None:
        """The event keeps its id and counts."""
        used = parser()
        event = only(_events_of(f"{T}|{T}.7|sales|Jos".encode() + b"\xe9|CONNECT|20", used))

        assert (event["agent"], len(used.notes())) == ("Jos\ufffd", 1)


def _events_of(raw: bytes, used: QueueLogParser) -> list[dict[str, Any]]:
    outcome = used.parse(line(raw))
    assert not isinstance(outcome, Rejected), outcome
    return [json.loads(encode(event)) for event in outcome]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([str(T), f"{T}.5", "2026-03-02 09:00:00", "0", "x"]),
            st.sampled_from([f"{T}.7", "NONE", ""]),
            st.sampled_from(["sales", "NONE", "窓口", ""]),
            st.sampled_from(["SIP/7", "NONE", "a\x00b"]),
            st.sampled_from(sorted(EVENT_KINDS | INFORMATIONAL)),
            st.lists(st.one_of(st.integers(-5, 10**9).map(str), st.text(max_size=5)), max_size=6),
        ).map(lambda parts: "|".join([*parts[:5], *parts[5]]).encode(errors="replace")),
        max_size=20,
    )
)
def test_whatever_a_line_holds_it_is_events_the_workers_can_read_or_a_rejection(lines: list[bytes]) -> None:
    """No line raises, and no event leaves that the decoders of the topics would refuse."""
    used = parser(customer_key=hashed_customer(b"secret"))
    for number, raw in enumerate(lines, start=1):
        outcome = used.parse(line(raw, number))
        for event in () if isinstance(outcome, Rejected) else outcome:
            (decode_agent_event if event.type.startswith("agent.") else decode_contact_event)(encode(event))


@given(st.binary(max_size=200))
def test_any_bytes_at_all_raise_nothing(raw: bytes) -> None:
    """A log full of noise gives rejections, each with its bytes."""
    outcome = parser().parse(line(raw))
    if isinstance(outcome, Rejected):
        assert outcome.raw == raw


def test_the_shared_samples_are_understood() -> None:
    """Every line of the collected samples gives events or informs, but for the two of 1970."""
    files = sorted(SAMPLES.glob("*queue_log*.txt"))
    require(files, f"the shared samples are not there: {SAMPLES}")
    seen: set[str] = set()
    reasons: list[str] = []
    for file in files:
        used = QueueLogParser("pbx", now=lambda: NOW + timedelta(days=365))
        for sample in read_lines(file):
            outcome = used.parse(sample)
            if isinstance(outcome, Rejected):
                reasons.append(outcome.reason)
            else:
                seen |= {event.type for event in outcome}

    assert reasons == ["time_too_old", "time_too_old"]
    assert seen >= {
        "contact.queued",
        "contact.answered",
        "contact.left_queue",
        "contact.ended",
        "contact.transferred",
        "agent.state_changed",
    }
