"""Telephone systems on site, Asterisk's AMI and FreeSWITCH's mod_callcenter: cases beyond the matrix of all platforms."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any, cast
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given

from streams.connectors.kit.model import Context
from streams.connectors.kit.translating import translate
from streams.connectors.lines import Line
from streams.connectors.platforms import connector
from streams.connectors.queue_log import QueueLogParser
from tests.support.platforms import KNOWN_REASONS, SHARED, counted, figures, fixture, mutated, reasons, three_calls, translated
from tests.support.require import require

AMI, FREESWITCH, THREE_CX = "asterisk-ami", "freeswitch-callcenter", "3cx-cdr"
#: 2026-02-05T09:00:00Z
T = 1_770_282_000
CALL = {"Uniqueid": "c.1", "Linkedid": "c.1", "Queue": "support", "CallerIDNum": "5550171", "CallerIDName": "Kim Example"}
AGENT = {"DestUniqueid": "a.1", "DestChannel": "PJSIP/201-1", "Interface": "PJSIP/201", "MemberName": "Ann"}


def block(**headers: Any) -> str:
    """Return a block of headers."""
    return "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items()) + "\n"


def ami(kind: str, second: float, **headers: Any) -> str:
    """Return an event of AMI at a second."""
    return block(Event=kind, Timestamp=f"{T + second:.6f}", **headers)


def summaries(*blocks: str, name: str = AMI, settings: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Return summaries of events: type without its prefix, seconds, and reason, agent or state."""
    done = translated(connector(name), [("blocks", "".join(blocks).encode())], settings=settings)
    assert not done.rejected, done.rejected[0]
    rows = []
    for event in done.events:
        content = orjson.loads(event.model_dump_json())
        why = next((content[key] for key in ("reason", "outcome", "by", "state", "queue", "agent") if content.get(key)), None)
        rows.append((event.type.removeprefix("contact."), round(event.occurred_at.timestamp() - T, 3), why))
    return rows


def joined(second: float = 10, **headers: Any) -> str:
    """Return the event that the call joined its queue."""
    return ami("QueueCallerJoin", second, **{**CALL, **headers})


class TestWaysOutOfAnAsteriskQueue:
    """QueueCallerLeave arrives with each of them, without a reason."""

    LEAVE = ami("QueueCallerLeave", 40, **CALL)

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("TIMEOUT", ("left_queue", 40, "timeout")),
            ("LEAVEEMPTY", ("left_queue", 40, "empty")),
            ("LEAVEUNAVAIL", ("left_queue", 40, "empty")),
            ("WITHDRAW", ("left_queue", 40, "withdrawn")),
        ],
    )
    def test_by_the_variable(self, status: str, expected: tuple[Any, ...]) -> None:
        """The variable that Queue() sets has the reason; a hang-up afterwards ends nothing more."""
        variable = ami("VarSet", 40, Uniqueid="c.1", Linkedid="c.1", Variable="QUEUESTATUS", Value=status)
        hung_up = ami("Hangup", 50, Uniqueid="c.1", Linkedid="c.1")

        assert summaries(joined(), self.LEAVE, variable, hung_up)[-1] == expected

    def test_a_time_out_is_first_reported_as_an_abandon(self) -> None:
        """Asterisk does so, and reports the reason a moment later: in any order, the caller did not abandon the queue."""
        abandon = ami("QueueCallerAbandon", 40, **CALL, Position=1, OriginalPosition=1, HoldTime=30)
        why = ami("VarSet", 40.004, Uniqueid="c.1", Linkedid="c.1", Variable="QUEUESTATUS", Value="TIMEOUT")
        for blocks in ((joined(), self.LEAVE, abandon, why), (joined(), self.LEAVE, why, abandon)):
            done = translated(connector(AMI), [("one", "".join(blocks).encode())])
            queue = counted(done.events)["queues"]["support"]["voice"]
            assert [queue[figure]["value"] for figure in ("offered", "abandoned", "abandon_rate")] == [1, 0, 0.0]
        done = translated(connector(AMI), [("one", (joined() + self.LEAVE + abandon).encode())])
        assert counted(done.events)["totals"]["time_to_abandon"]["value"] == 30

    def test_without_a_reason(self) -> None:
        """A caller who left by a key is ended by the hang-up at the latest, and is not abandoned."""
        assert summaries(joined(), self.LEAVE, ami("Hangup", 50, Uniqueid="c.1", Linkedid="c.1"))[-1] == ("ended", 50, None)

    def test_not_let_in(self) -> None:
        """A caller who finds the queue full or without members was not offered."""
        for status, reason in (("FULL", "full"), ("JOINEMPTY", None)):
            variable = ami("VarSet", 40, Uniqueid="c.1", Linkedid="c.1", Variable="QUEUESTATUS", Value=status)
            assert summaries(variable) == [("not_offered", 40, reason)]

    def test_other_variables_and_calls(self) -> None:
        """No other report on channels is an event."""
        other = ami("VarSet", 1, Uniqueid="x", Linkedid="x", Variable="SECRET", Value="5550199")
        assert (
            summaries(other, ami("Newexten", 2, Uniqueid="x"), ami("Hangup", 3, Uniqueid="x", Linkedid="x"), block(Response="Success"))
            == []
        )


class TestAsteriskHold:
    """Hold, which is reported for the agent's channel."""

    CONNECT = ami("AgentConnect", 20, **CALL, **AGENT, HoldTime=10, RingTime=5)
    HOLD = ami("Hold", 30, Uniqueid="a.1", Linkedid="c.1") + ami("Unhold", 35, Uniqueid="a.1", Linkedid="c.1")

    def test_in_any_order(self) -> None:
        """Hold of an unknown channel waits until the channel is known."""
        assert summaries(joined(), self.CONNECT, self.HOLD)[3:] == [("held", 30, "Ann"), ("resumed", 35, "Ann")]
        assert summaries(self.HOLD, joined(), self.CONNECT)[2:4] == [("held", 30, "Ann"), ("resumed", 35, "Ann")]

    def test_behind_a_local_channel(self) -> None:
        """The phone holds under an id that no event of the queue has."""
        connect = self.CONNECT.replace("PJSIP/201-1", "Local/201@agents-1;1")
        assert summaries(joined(), connect, self.HOLD.replace("a.1", "a.9"))[3:] == [("held", 30, "Ann"), ("resumed", 35, "Ann")]
        assert summaries(joined(), self.CONNECT, self.HOLD.replace("a.1", "a.9"))[3:] == []

    def test_by_the_customer(self) -> None:
        """Hold by a customer is no hold by an agent."""
        assert summaries(joined(), self.CONNECT, self.HOLD.replace("a.1", "c.1"))[3:] == []

    def test_phones_that_hold_by_themselves(self) -> None:
        """Answers declare hold as reported unless the setting turns it off."""
        for settings, reports in ((None, ("hold",)), ({"hold": False}, None)):
            (answered,) = translated(connector(AMI), [("one", self.CONNECT.encode())], settings=settings).events
            assert answered.reports == reports  # type: ignore[attr-defined]


def test_a_missed_answer_of_asterisk_is_reported_at_its_end() -> None:
    """Under the id that the answer has, so that both together count once."""
    complete = ami("AgentComplete", 90, **CALL, **AGENT, HoldTime=10, TalkTime=60, Reason="caller")
    connect = ami("AgentConnect", 30, **CALL, **AGENT, HoldTime=10, RingTime=5)
    known = summaries(joined(), complete)

    assert known[2:] == [("answered", 30, "support"), ("ended", 90, "customer")]
    ids = [event.event_id for event in translated(connector(AMI), [("one", (joined() + complete + connect).encode())]).events]
    assert ids[2] == ids[4] != ids[3]
    # Nothing is derived for a call whose beginning is unknown.
    assert summaries(complete) == [("ended", 90, "customer")]


def test_a_transferred_caller_waits_before_the_end_is_reported() -> None:
    """Asterisk reports the next queue first, and the agent's channel may have another id by then: the answer is not repeated."""
    connect = ami("AgentConnect", 20, **CALL, **AGENT, HoldTime=10, RingTime=5)
    onwards = joined(50, Queue="billing")
    complete = ami("AgentComplete", 50, **CALL, **{**AGENT, "DestUniqueid": "a.7"}, HoldTime=10, TalkTime=30, Reason="transfer")
    hung_up = ami("Hangup", 60, Uniqueid="c.1", Linkedid="c.1")
    events = summaries(joined(), connect, onwards, complete, hung_up)

    assert [event[0] for event in events] == ["arrived", "queued", "answered", "arrived", "queued", "transferred", "ended"]


def test_callers_who_wait_when_the_connection_begins() -> None:
    """QueueStatus reports callers that joined before; known ones are not repeated."""
    entry = ami("QueueEntry", 50, **CALL, Position=1, Wait=40)

    assert summaries(entry) == [("arrived", 10, None), ("queued", 10, "support")]
    assert [each[0] for each in summaries(joined(), entry)] == ["arrived", "queued"]


def test_arrival_in_a_context_of_the_dialplan() -> None:
    """Only where the configuration names the contexts of customers."""
    began = ami("Newchannel", 0, Context="from-carrier", **{name: CALL[name] for name in ("Uniqueid", "Linkedid", "CallerIDNum")})

    assert summaries(began, joined(), settings={"arrival_contexts": ["from-carrier"]}) == [("arrived", 0, None), ("queued", 10, "support")]
    assert summaries(began, joined()) == [("arrived", 10, None), ("queued", 10, "support")]


def member(kind: str, second: float, queue: str = "support", **headers: Any) -> str:
    """Return an event of a member."""
    return ami(kind, second, **{"Queue": queue, "MemberName": "Ann", "Status": 1, "Paused": 0, "InCall": 0, **headers})


class TestMembersOfAsterisk:
    """One agent in several queues."""

    def test_presence(self) -> None:
        """Paused when no queue may ring the agent, offline when in none, away when the phone cannot be reached."""
        two = member("QueueMemberAdded", 0), member("QueueMemberAdded", 1, "sales")
        pause = [
            member("QueueMemberPause", 2 + n, queue, Paused=1, PausedReason="Tea Time") for n, queue in enumerate(("support", "sales"))
        ]

        def presence(*blocks: str) -> list[str]:
            return [each[2] for each in summaries(*two, *blocks) if each[2] != "idle"]

        assert presence() == ["available"]
        events = translated(connector(AMI), [("one", "".join((*two, *pause)).encode())]).events
        assert [(event.state, event.reason) for event in events] == [("available", None), ("idle", None), ("tea_time", "Tea Time")]  # type: ignore[attr-defined]
        assert presence(member("QueueMemberRemoved", 5)) == ["available"]
        assert presence(member("QueueMemberRemoved", 5), member("QueueMemberRemoved", 6, "sales"))[-1] == "offline"
        away = [member("QueueMemberStatus", 5, queue, Status=5) for queue in ("support", "sales")]
        assert presence(*away)[-1] == "unavailable"

    def test_activity(self) -> None:
        """Each state once, for any number of queues that report it."""
        states = [(1, 0), (6, 0), (2, 1), (2, 0), (1, 0)]
        blocks = [
            member("QueueMemberStatus", n, queue, Status=status, InCall=call)
            for n, (status, call) in enumerate(states)
            for queue in ("support", "sales")
        ]

        assert [each[2] for each in summaries(*blocks)][1:] == ["idle", "ringing", "handling", "busy", "idle"]

    def test_old_news(self) -> None:
        """An older report changes nothing."""
        assert summaries(member("QueueMemberRemoved", 9), member("QueueMemberAdded", 1)) == [("agent.state_changed", 9, "offline")]


def test_only_events_that_the_queue_log_lacks() -> None:
    """Hold, rings and activity; presence and the calls themselves are the log's."""
    body = fixture(AMI, "three-calls.txt")
    done = translated(connector(AMI), [("calls", body)], settings={"beside_queue_log": True})

    axes = {event.axis for event in done.events if event.type == "agent.state_changed"}  # type: ignore[attr-defined]
    assert axes == {"activity"}
    assert {event.type for event in done.events} == {
        "contact.arrived",
        "contact.agent_offered",
        "contact.held",
        "contact.resumed",
        "agent.state_changed",
    }


def info(action: str, second: float, **headers: Any) -> str:
    """Return an event of mod_callcenter at a second."""
    who = {"CC_Queue": "support", "CC_Member_UUID": "m1", "CC_Member_Session_UUID": "s1", "CC_Member_CID_Number": "5550171"}
    stamp = {"Event_Subclass": "callcenter::info", "Event_Date_Timestamp": round((T + second) * 1e6), "CC_Action": action}
    return block(**{**stamp, **({} if action.startswith("agent-st") else who), **headers})


class TestFreeSwitch:
    """Events ``callcenter::info``."""

    @pytest.mark.parametrize(
        ("cancelled", "headers", "reason"),
        [
            ("TIMEOUT", {}, "timeout"),
            ("NO_AGENT_TIMEOUT", {}, "empty"),
            ("EXIT_WITH_KEY", {}, "keypress"),
            ("BREAK_OUT", {"Channel_State": "CS_HANGUP", "Answer_State": "hangup"}, "abandoned"),
            ("BREAK_OUT", {"Channel_State": "CS_EXECUTE", "Answer_State": "answered"}, "transfer"),
            ("BREAK_OUT", {}, "abandoned"),
        ],
    )
    def test_ways_out(self, cancelled: str, headers: dict[str, str], reason: str) -> None:
        """A caller who hangs up is reported like one who is taken out of the queue; the channel distinguishes them."""
        times = {"CC_Member_Joined_Time": T, "CC_Member_Leaving_Time": T + 30}
        left = info("member-queue-end", 30, CC_Cause="Cancel", CC_Cancel_Reason=cancelled, **times, **headers)
        done = translated(connector(FREESWITCH), [("one", left.encode())])

        (event,) = done.events
        assert (event.reason, event.wait_seconds, event.conversation_id) == (reason, 30.0, "platform:s1")  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        ("cause", "outcome"),
        [("NO_ANSWER", "no_answer"), ("USER_BUSY", "declined"), ("CALL_REJECTED", "declined"), ("ORIGINATOR_CANCEL", "withdrawn")],
    )
    def test_offers(self, cause: str, outcome: str) -> None:
        """Of agents that ring together the others are cancelled."""
        failed = info("bridge-agent-fail", 20, CC_Agent="ann", CC_Hangup_Cause=cause)

        assert summaries(failed, name=FREESWITCH) == [("offer_ended", 20, outcome)]

    def test_states(self) -> None:
        """An idle agent is given no calls; the headers are encoded as in a URL."""
        events = summaries(
            info("agent-status-change", 0, CC_Agent="ann", CC_Agent_Status="On%20Break"),
            info("agent-state-change", 1, CC_Agent="ann", CC_Agent_State="Idle"),
            info("agent-state-change", 2, CC_Agent="ann", CC_Agent_State="In%20a%20queue%20call"),
            info("agent-status-change", 3, CC_Agent="ann", CC_Agent_Status="Logged%20Out"),
            name=FREESWITCH,
        )

        assert [event[2] for event in events] == ["on_break", "not_receiving", "idle", "handling", "offline"]

    def test_a_caller_who_returns_keeps_the_position(self) -> None:
        """Another session, so another conversation; the stay in the queue continues under its id."""
        assert summaries(info("member-queue-resume", 40, CC_Member_Session_UUID="s2"), name=FREESWITCH)[-1] == ("queued", 40, "support")

    def test_an_end_that_was_missed(self) -> None:
        """The end of the stay reports it, and counts nothing where the agent's end was reported."""
        answered = info("bridge-agent-start", 10, CC_Agent="ann")
        over = info("member-queue-end", 60, CC_Cause="Terminated")

        assert summaries(answered, over, name=FREESWITCH)[1:] == [("ended", 60, None)]
        assert summaries(answered, info("bridge-agent-end", 59, CC_Agent="ann"), over, name=FREESWITCH)[1:] == [("ended", 59, None)]

    def test_json_and_blocks_are_the_same(self) -> None:
        """The socket sends either."""
        body = fixture(FREESWITCH, "three-calls.txt")
        records = [record.content for record in connector(FREESWITCH).read(body, "file")]
        lines = b"\n".join(orjson.dumps(record) for record in records)

        blocks, objects = (translated(connector(FREESWITCH), [("file", each)]).events for each in (body, lines))
        assert blocks
        assert blocks == objects

    def test_other_events(self) -> None:
        """Events of channels are passed over, with any content."""
        other = block(Event_Name="CHANNEL_HANGUP", Caller_Caller_ID_Number="5550171")
        done = translated(connector(FREESWITCH), [("one", (other + info("members-count", 1)).encode())])

        assert (done.events, dict(done.ignored)) == ([], {"other": 1, "members-count": 1})


class TestThreeCx:
    """Call data records of 3CX."""

    BODY = fixture(THREE_CX, "calls.txt")

    @pytest.mark.parametrize("seed", [None, 1, 2])
    def test_calls(self, seed: int | None) -> None:
        """Answered after 10 s and 30 s for 180 s and 120 s, abandoned after 30 s; one missed offer each of the latter two."""
        done = translated(connector(THREE_CX), [("cdr.log", self.BODY)], seed=seed)
        queue = counted(done.events)["queues"]["support"]["voice"]

        wanted = {"offered": 3, "answered": 2, "abandoned": 1, "asa": 20, "time_to_abandon": 30, "att": 150, "non_response": 2, "acw": None}
        assert {figure: queue[figure]["value"] for figure in wanted} == wanted
        # 3CX answered the fourth before the queue: the time of its agent's answer is unknown.
        assert {(each.reason, each.detail.split(":")[0]) for each in done.rejected} == {("missing_field", "time-answered")}

    def test_other_fields(self) -> None:
        """In the order that the configuration repeats, with a comma in a name, the queue by its number, in the zone of 3CX."""
        line = b'2026/02/05 10:00:00,2026/02/05 10:00:30,2026/02/05 10:01:00,c7,Ext.800,Ext.201,Extension,"Lind, Ann",TerminatedByDst\r\n'
        fields = [
            "time-start",
            "time-answered",
            "time-end",
            "historyid",
            "to-dn",
            "final-dn",
            "final-type",
            "final-dispname",
            "reason-terminated",
        ]
        context = Context(source="pbx", zone=ZoneInfo("Europe/Oslo"), settings={"fields": fields, "queues": {"800": "help"}})
        done = translate(connector(THREE_CX), line, context, origin="cdr", now=datetime(2026, 3, 1, tzinfo=UTC))

        assert not done.rejected
        answered = next(each for each in done.events if each.type == "contact.answered")
        assert (answered.occurred_at, answered.agent, answered.queue) == (datetime(2026, 2, 5, 9, 0, 30, tzinfo=UTC), "Lind, Ann", "help")  # type: ignore[attr-defined]
        assert {each.received_at for each in done.events} == {each.occurred_at for each in done.events}

    def test_fields_in_another_order_than_configured(self) -> None:
        """They are detected by an invalid time, and the detail names what to check."""
        (wrong,) = translated(connector(THREE_CX), [("cdr", b"Call a,b,c,d,e,f,g,h")]).rejected
        assert (wrong.reason, "order" in wrong.detail) == ("bad_time", True)


@pytest.mark.parametrize("name", [AMI, FREESWITCH])
def test_no_personal_value_passes(name: str) -> None:
    """No number or name of a caller is in an event, nor in the rest of a rejected record."""
    body = fixture(name, "three-calls.txt")
    done = translated(connector(name), [("file", body)])
    spoilt = translated(connector(name), [("file", body.replace(b"177028", b"soon"))])

    assert done.events
    assert spoilt.rejected
    text = "".join(event.model_dump_json() for event in done.events) + repr([(each.raw, each.detail) for each in spoilt.rejected])
    assert "Kim" not in text
    assert "55501" not in text


def contents(name: str) -> list[dict[str, Any]]:
    """Return the records of our file."""
    return [record.content for record in connector(name).read(fixture(name, "three-calls.txt"), "file")]


@given(mutated(contents(AMI)))
def test_mutated_ami(content: dict[str, Any]) -> None:
    """With any value in a header, a block is translated or rejected for a known reason."""
    assert reasons(connector(AMI), [content]) <= KNOWN_REASONS


@given(mutated(contents(FREESWITCH)))
def test_mutated_freeswitch(content: dict[str, Any]) -> None:
    """With any value in a header, a block is translated or rejected for a known reason."""
    assert reasons(connector(FREESWITCH), [content]) <= KNOWN_REASONS


@pytest.mark.parametrize(
    ("name", "file", "rejected"),
    [
        # Published without times.
        (AMI, "asterisk.ami.queue-status.txt", {"missing_field"}),
        (AMI, "asterisk.ami.queue-caller-abandon.legacy-1.8.txt", {"missing_field"}),
        (FREESWITCH, "freeswitch.mod_callcenter.events.txt", {"missing_field"}),
    ],
)
def test_collected_samples(name: str, file: str, rejected: set[str]) -> None:
    """Every collected file is translated, ignored or rejected for a stated reason; the matrix has the life cycles."""
    require(SHARED.is_dir(), f"the shared samples are not there: {SHARED}")
    done = translated(connector(name), [(file, (SHARED / file).read_bytes())])

    assert {each.reason for each in done.rejected} == rejected
    assert done.records == len(done.rejected) + done.ignored.total()


LOG = f"""\
{T + 10}|{T}.40|support|NONE|ENTERQUEUE||5550171|1
{T + 20}|{T}.40|support|Ann|CONNECT|10|{T + 1}.71|8
{T + 200}|{T}.40|support|Ann|COMPLETECALLER|10|180|1
{T + 305}|{T + 300}.50|support|NONE|ENTERQUEUE||5550172|1
{T + 321}|{T + 300}.50|support|Ann|RINGNOANSWER|15000
{T + 335}|{T + 300}.50|support|NONE|ABANDON|1|1|30
{T + 605}|{T + 600}.60|support|NONE|ENTERQUEUE||5550173|1
{T + 625}|{T + 600}.60|support|Ann|RINGNOANSWER|15000
{T + 635}|{T + 600}.60|support|Bo|CONNECT|30|{T + 4}.74|9
{T + 755}|{T + 600}.60|support|Bo|BLINDTRANSFER|600|internal|30|120|1
{T + 755}|{T + 600}.60|billing|NONE|ENTERQUEUE||5550173|1
{T + 765}|{T + 600}.60|billing|Ann|CONNECT|10|{T + 5}.75|8
{T + 885}|{T + 600}.60|billing|Ann|COMPLETEAGENT|10|120|1
"""


class TestAmiAndQueueLog:
    """The same calls by both, under one source."""

    def by_log(self, reports: tuple[Any, ...]) -> list[Any]:
        """Return the events of the queue_log."""
        parser = QueueLogParser("pbx", now=lambda: datetime(2026, 3, 1, tzinfo=UTC), reports=reports)
        return [
            event
            for number, raw in enumerate(LOG.encode().splitlines(), 1)
            for event in cast("list[Any]", parser.parse(Line(raw, "queue_log", number, 0, 0, len(raw))))
        ]

    def by_ami(self, settings: dict[str, Any] | None = None) -> list[Any]:
        """Return the events of AMI."""
        body = fixture(AMI, "three-calls.txt")
        return translated(connector(AMI), [("file", body)], source="pbx", settings=settings).events

    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_each_call_counts_once(self, seed: int) -> None:
        """The log counts the calls, AMI adds their hold: the figures are those of AMI alone, in any order."""
        events = self.by_log(("hold",)) + self.by_ami({"beside_queue_log": True})
        Random(seed).shuffle(events)
        wanted = three_calls(wrap_up=False, arrival=False)

        by_scope = figures(counted(events), wanted, {})
        for scope, values in wanted.items():
            assert by_scope[scope] == pytest.approx(values), scope

    def test_each_alone(self) -> None:
        """Their calls have the same ids; the log alone knows no hold."""
        log, ami_alone = self.by_log(()), self.by_ami()
        wanted = three_calls(hold=False, wrap_up=False, arrival=False)

        assert {event.conversation_id for event in log} == {
            event.conversation_id for event in ami_alone if hasattr(event, "conversation_id")
        }
        assert figures(counted(log), wanted, {})["support"] == pytest.approx(wanted["support"])

    def test_activity_is_reported_by_ami(self) -> None:
        """The log has only the presence of an agent."""
        assert counted(self.by_ami())["totals"]["occupancy"]["value"] is not None
        assert counted(self.by_log(()))["totals"]["occupancy"]["value"] is None
