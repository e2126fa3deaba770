"""FreeSWITCH's mod_callcenter: events ``callcenter::info`` of the event socket, as plain blocks or JSON.

A conversation is the caller's session, a contact one stay in a queue (``CC-Member-UUID``). Events have no ids of their own:
the sequence of the socket restarts with FreeSWITCH.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from streams.connectors.kit.drafting import draft, hashed_id, renamed
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Compared, Connector, Record, Setting, UnusableError
from streams.connectors.kit.reading import block_records, json_records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from streams.connectors.kit.model import Context, Draft, Seen

__all__ = ["CONNECTOR"]

_SUBCLASS: Final = "callcenter::info"
#: The headers that are read; others of a channel, often personal, are dropped.
_HEADERS: Final = frozenset(
    {"Event-Name", "Event-Subclass", "Event-Date-Timestamp", "Event-Sequence", "Channel-State", "Answer-State", "Hangup-Cause"},
)

_KINDS: Final = {
    "member-queue-start": "contact.queued; with a key for customers contact.arrived before it",
    "member-queue-resume": "as member-queue-start: the caller called again, and returns to the same position in the queue",
    "agent-offering": "contact.agent_offered",
    "bridge-agent-start": "contact.answered",
    "bridge-agent-fail": "contact.offer_ended: withdrawn, declined or no_answer",
    "bridge-agent-end": "contact.ended; contact.transferred too, once the caller enters another queue",
    "member-queue-end": "contact.left_queue of a caller without an answer: abandoned, timeout, empty, keypress or transfer",
    "agent-status-change": "agent.state_changed, axis presence",
    "agent-state-change": "agent.state_changed, axes activity and routing",
}
_OF_AGENT: Final = frozenset({"agent-status-change", "agent-state-change"})
_IGNORED: Final = {
    "members-count": "waiting callers are counted by their own events",
    "agent-add": "a change of configuration, not of presence",
    "agent-del": "a change of configuration, not of presence",
    "agent-max-no-answer": "the status that an agent gets by it has its own event",
    "agent-contact": "the address at which an agent is called",
    "other": "not about queues, members or agents",
}

_LEFT: Final = {"TIMEOUT": "timeout", "NO_AGENT_TIMEOUT": "empty", "EXIT_WITH_KEY": "keypress", "NONE": "withdrawn"}
_OUTCOMES: Final = {"ORIGINATOR_CANCEL": "withdrawn", "LOSE_RACE": "withdrawn", "USER_BUSY": "declined", "CALL_REJECTED": "declined"}
_PRESENCE: Final = {"Available": "available", "Available (On Demand)": "available", "On Break": "on_break", "Logged Out": "offline"}
_ACTIVITY: Final = {"Waiting": "idle", "Receiving": "ringing", "In a queue call": "handling"}

#: A caller who enters another queue this soon after an agent's end was transferred.
_PASSED_ON_SECONDS: Final = 5.0
_MAX_STAYS: Final = 50


def _read(body: bytes, origin: str) -> Iterator[Record]:
    is_json = body.lstrip()[:1] in {b"{", b"["}
    for record in json_records(body, origin) if is_json else block_records(body, origin):
        content = {
            name: unquote(value) if isinstance(value, str) and not is_json else value
            for name, value in record.content.items()
            if name in _HEADERS or name.startswith("CC-")
        }
        yield Record(content, record.raw, record.origin, record.number)


def _kind(record: Record) -> str:
    if record.content.get("Event-Subclass") != _SUBCLASS:
        return "other"
    action = Fields(record.content).need("CC-Action")
    return action if action in _KINDS or action in _IGNORED else "other"


def _key(record: Record) -> str:
    fields = Fields(record.content)
    if _kind(record) in _OF_AGENT:
        return f"agent:{fields.need('CC-Agent')}"
    return f"session:{fields.need('CC-Member-Session-UUID')}"


def _compare(record: Record, seen: Seen | None, context: Context) -> Compared:
    fields, kind = Fields(record.content), _kind(record)
    at = fields.time("Event-Date-Timestamp")
    if at is None:
        raise UnusableError("missing_field", "Event-Date-Timestamp: required")
    if kind in _OF_AGENT:
        return Compared(_of_agent(fields, kind, at), seen)
    state: dict[str, Any] = {member: dict(stay) for member, stay in (seen or {}).items()}
    session, member = fields.need("CC-Member-Session-UUID"), fields.need("CC-Member-UUID")
    common = {"conversation_id": f"{context.source}:{session}", "contact_id": member}
    stay = state.setdefault(member, {})
    while len(state) > _MAX_STAYS:
        del state[next(iter(state))]
    events = list(_of_member(fields, kind, at, stay, common, context))
    events += _passed_on(state, common, session)
    return Compared(events, state)


def _of_member(fields: Fields, kind: str, at: datetime, stay: dict[str, Any], common: dict[str, Any], context: Context) -> Iterator[Draft]:
    named = renamed(context.settings.get("queues"), fields.need("CC-Queue"))
    queue, ids = named or "", (common["conversation_id"], common["contact_id"])
    if kind in {"member-queue-start", "member-queue-resume"}:
        stay["entered"] = at.timestamp()
        if (key := context.caller(fields.text("CC-Member-CID-Number"))) is not None:
            yield draft("contact.arrived", hashed_id(*ids, "arrived"), at, **common, channel="voice", customer_key=key)
        yield draft("contact.queued", hashed_id(*ids, queue, "queued"), at, **common, queue=queue, channel="voice")
        return
    if kind == "member-queue-end":
        yield from _left(fields, at, stay, common, queue)
        return
    agent = fields.need("CC-Agent")
    details = common | {"queue": queue, "agent": agent}
    if kind == "agent-offering":
        yield draft("contact.agent_offered", hashed_id(*ids, agent, "offered", at.isoformat()), at, **details)
    elif kind == "bridge-agent-fail":
        outcome = _OUTCOMES.get(fields.text("CC-Hangup-Cause") or "", "no_answer")
        yield draft("contact.offer_ended", hashed_id(*ids, agent, "offer ended", at.isoformat()), at, **details, outcome=outcome)
    elif kind == "bridge-agent-start":
        stay["answered"] = at.timestamp()
        yield draft("contact.answered", hashed_id(*ids, agent, "answered", at.isoformat()), at, **details, wait_seconds=_wait(fields))
    else:
        stay["ended"], stay["agent"], stay["queue"] = at.timestamp(), agent, queue
        yield draft("contact.ended", hashed_id(*ids, "ended"), at, **common)


def _left(fields: Fields, at: datetime, stay: dict[str, Any], common: dict[str, Any], queue: str) -> Iterator[Draft]:
    ids = (common["conversation_id"], common["contact_id"])
    if fields.text("CC-Cause") != "Cancel":
        # Arrives after the talk; new only where the agent's end was missed.
        if "answered" in stay and "ended" not in stay:
            stay["ended"] = at.timestamp()
            yield draft("contact.ended", hashed_id(*ids, "ended"), at, **common)
        return
    cancelled = fields.text("CC-Cancel-Reason") or "NONE"
    if cancelled == "BREAK_OUT":
        states = (fields.text("Channel-State"), fields.text("Answer-State"), fields.text("Hangup-Cause"))
        is_there = any(states) and states[1] != "hangup" and not states[2] and states[0] not in {"CS_HANGUP", "CS_REPORTING", "CS_DESTROY"}
        reason = "transfer" if is_there else "abandoned"
    else:
        reason = _LEFT.get(cancelled, "withdrawn")
    joined, leaving = fields.time("CC-Member-Joined-Time"), fields.time("CC-Member-Leaving-Time")
    wait = None if joined is None or leaving is None else max(0.0, (leaving - joined).total_seconds())
    yield draft("contact.left_queue", hashed_id(*ids, "left"), at, **common, queue=queue, reason=reason, wait_seconds=wait)


def _wait(fields: Fields) -> float | None:
    joined, answered = fields.time("CC-Member-Joined-Time"), fields.time("CC-Agent-Answered-Time")
    return None if joined is None or answered is None else max(0.0, (answered - joined).total_seconds())


def _passed_on(state: dict[str, Any], common: dict[str, Any], session: str) -> Iterator[Draft]:
    """Yield the transfer by an agent: another stay began about when the agent's part ended."""
    entered = [stay["entered"] for stay in state.values() if "entered" in stay]
    for member, stay in state.items():
        if "agent" not in stay or stay.get("told"):
            continue
        if any(abs(entry - stay["ended"]) <= _PASSED_ON_SECONDS for entry in entered if entry != stay.get("entered")):
            stay["told"] = True
            at = Fields({"at": stay["ended"]}).need_time("at")
            yield draft(
                "contact.transferred", hashed_id(session, member, "passed on"), at, conversation_id=common["conversation_id"],
                contact_id=member, agent=stay["agent"], from_queue=stay["queue"],
            )  # fmt: skip


def _of_agent(fields: Fields, kind: str, at: datetime) -> Iterator[Draft]:
    agent = fields.need("CC-Agent")
    if kind == "agent-status-change":
        status = fields.need("CC-Agent-Status")
        states = {"presence": _PRESENCE.get(status, status)}
    else:
        state = fields.need("CC-Agent-State")
        # An idle agent is given no calls, whatever the status is.
        states = {"routing": "not_receiving" if state == "Idle" else "idle"}
        if state in _ACTIVITY:
            states["activity"] = _ACTIVITY[state]
    for axis, name in states.items():
        yield draft("agent.state_changed", hashed_id(agent, axis, name, at.isoformat()), at, person_id=agent, axis=axis, state=name)


CONNECTOR: Final = Connector(
    name="freeswitch-callcenter",
    title="FreeSWITCH mod_callcenter",
    family="telephone",
    delivery="live",
    ways=("connection", "file"),
    kinds=_KINDS,
    ignored=_IGNORED,
    read=_read,
    kind=_kind,
    compare=_compare,
    key=_key,
    remembered_days=2,
    reports={
        "arrival": "a caller is first seen in the queue",
        "queue": "",
        "ring": "",
        "hold": "another event (CHANNEL_HOLD) reports hold, not the module",
        "wrap_up": "an agent is shown as waiting at once; wrap_up_time only delays the next call",
        "ended_by": "the hang-up cause in the events is that of the call to the agent",
        "transfer": "",
        "agent_state": "",
    },
    personal=("CC-Member-CID-Name", "CC-Member-CID-Number"),
    settings=(
        Setting(name="queues", meaning="Queue as the module names it → its name here.", default={}),
        Setting(name="host", meaning="Where FreeSWITCH is.", default="127.0.0.1"),
        Setting(name="port", meaning="Its port; 0 for 8021.", default=0),
        Setting(name="tls", meaning="Connect by TLS, as through a tunnel: the event socket has none.", default=False),
        Setting(name="tls_ca", meaning="File of the authority that signed the certificate, if it is your own.", default=""),
    ),
    credentials=(Setting(name="secret", meaning="The `password` of `event_socket.conf.xml`.", required=True),),
    guessed=(
        "a caller who enters another queue within 5 s of the agent's end was transferred by that agent; other transfers are not reported",
        "BREAK_OUT without any state of the channel is a caller who abandoned the queue",
    ),
)
