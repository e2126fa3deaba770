"""Asterisk's manager interface (AMI), Asterisk 12 and later: blocks of headers; those about queues, hold and members are counted.

A call is ``source:Uniqueid`` of the caller's channel, as in the queue_log. The events of a call are joined by ``Linkedid``: hold has the
agent's channel, which is the ``DestUniqueid`` of the answer.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.asterisk import event_time, member, member_states
from streams.connectors.kit.drafting import draft, hashed_id
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Compared, Connector, Setting, UnusableError
from streams.connectors.kit.reading import block_records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from streams.connectors.kit.model import Context, Draft, Record, Seen

__all__ = ["CONNECTOR"]

_RENAMED: Final = {"QueueMemberPaused": "QueueMemberPause"}

_MEMBER: Final = {
    "QueueMember": "a member in the answer to QueueStatus: as QueueMemberStatus",
    "QueueMemberAdded": "agent.state_changed, axis presence",
    "QueueMemberRemoved": "agent.state_changed, axis presence: offline once removed from the last queue",
    "QueueMemberPause": "agent.state_changed, axis presence: the reason while no queue may ring the member",
    "QueueMemberStatus": "agent.state_changed, axis activity: idle, ringing, handling (a call of a queue), busy (another one); "
    "axis presence: unavailable while the device cannot be reached",
}
_CALL: Final = {
    "Newchannel": "contact.arrived, if its context is one of `arrival_contexts`",
    "QueueCallerJoin": "contact.queued; with a key for customers contact.arrived before it",
    "QueueEntry": "a waiting caller in the answer to QueueStatus: contact.queued",
    "QueueCallerAbandon": "contact.left_queue: abandoned, unless QUEUESTATUS reports another reason",
    "AgentCalled": "contact.agent_offered",
    "AgentRingNoAnswer": "contact.offer_ended: no_answer",
    "AgentDump": "contact.offer_ended: declined",
    "AgentConnect": "contact.answered, with hold among what is reported",
    "AgentComplete": "contact.ended by agent or customer, or contact.transferred; contact.answered before it, if AgentConnect was missed",
    "Hold": "contact.held",
    "Unhold": "contact.resumed",
    "VarSet": "of the variable QUEUESTATUS: contact.left_queue (timeout, empty, withdrawn) or contact.not_offered (full, no member there)",
    "Hangup": "contact.ended, of a caller who is still in a queue or with an agent",
}

#: QUEUESTATUS → type of the event and its reason; other values report nothing beyond other events.
_LEFT: Final[dict[str, tuple[str, str | None]]] = {
    "TIMEOUT": ("contact.left_queue", "timeout"),
    "LEAVEEMPTY": ("contact.left_queue", "empty"),
    "LEAVEUNAVAIL": ("contact.left_queue", "empty"),
    "WITHDRAW": ("contact.left_queue", "withdrawn"),
    "FULL": ("contact.not_offered", "full"),
    "JOINEMPTY": ("contact.not_offered", None),
    "JOINUNAVAIL": ("contact.not_offered", None),
}
_BY: Final = {"agent": "agent", "caller": "customer"}

#: The most entries that are stored for one ``Linkedid``.
_MAX_LEGS, _MAX_HOLDS = 50, 20


def _kind(record: Record) -> str:
    content = record.content
    if "Event" not in content:
        if "Response" not in content:
            raise UnusableError("unknown_kind", "neither Event nor Response")
        return "Response"
    kind = _RENAMED.get(str(content["Event"]), str(content["Event"]))
    if kind not in _CALL and kind not in _MEMBER:
        return kind if kind == "QueueCallerLeave" else "other"
    return "other" if kind == "VarSet" and content.get("Variable") != "QUEUESTATUS" else kind


def _key(record: Record) -> str:
    fields = Fields(record.content)
    if _kind(record) in _MEMBER:
        return f"member:{member(fields)}"
    return f"call:{fields.text('Linkedid') or fields.need('Uniqueid')}"


def _long(name: str, fields: Fields) -> timedelta:
    """Return a duration, at most a year."""
    return timedelta(seconds=min(fields.seconds(name) or 0, 365 * 86_400))


def _compare(record: Record, seen: Seen | None, context: Context) -> Compared:
    fields, kind = Fields(record.content), _kind(record)
    if kind in _MEMBER:
        return member_states(fields, kind, seen, context)
    state: dict[str, Any] = {
        "callers": {uid: list(caller) for uid, caller in (seen or {}).get("callers", {}).items()},
        "legs": {uid: list(leg) for uid, leg in (seen or {}).get("legs", {}).items()},
        "holds": [list(hold) for hold in (seen or {}).get("holds", ())],
    }
    events = list(_of_call(fields, kind, state, context))
    if context.settings.get("beside_queue_log"):
        events = [event for event in events if event["type"] in _NOT_IN_QUEUE_LOG]
    is_over = kind == "Hangup" and not state["callers"] and fields.text("Uniqueid") == (fields.text("Linkedid") or fields.text("Uniqueid"))
    return Compared(events, None if is_over else state)


#: Events that the queue_log of the same Asterisk does not have.
_NOT_IN_QUEUE_LOG: Final = frozenset({"contact.arrived", "contact.agent_offered", "contact.held", "contact.resumed"})


def _of_call(fields: Fields, kind: str, state: dict[str, Any], context: Context) -> Iterator[Draft]:
    uid, at = fields.need("Uniqueid"), event_time(fields)
    if kind in {"Hold", "Unhold"}:
        yield from _hold(uid, kind, at.isoformat(), state, context)
        return
    call = _common(context, uid)
    caller: list[Any] | None = state["callers"].get(uid)
    if kind == "Newchannel":
        if fields.text("Context") in (context.settings.get("arrival_contexts") or ()):
            customer = context.caller(fields.text("CallerIDNum"))
            yield draft("contact.arrived", hashed_id(uid, "arrived"), at, **call, channel="voice", customer_key=customer)
        return
    if kind == "Hangup":
        state["callers"].pop(uid, None)
        if caller is not None and caller[1] in {"waiting", "talking"}:
            yield draft("contact.ended", hashed_id(uid, "hung up", at.isoformat()), at, **call)
        return
    if kind == "VarSet":
        yield from _queue_status(fields, at, caller, state, context)
        return
    queue = fields.need("Queue")
    if kind in {"QueueCallerJoin", "QueueEntry"}:
        yield from _joined(fields, kind, queue, at, state, context)
        return
    if kind == "QueueCallerAbandon":
        if caller is None or caller[1] != "gone":
            # Without the wait of a known caller, who may have left for another reason: it would be counted.
            wait = fields.seconds("HoldTime") if caller is None else None
            left = {"reason": "abandoned", "wait_seconds": wait, "sequence": 1}
            yield draft("contact.left_queue", hashed_id(uid, queue, "abandoned", at.isoformat()), at, **call, queue=queue, **left)
            _record_caller(state, uid, queue, "abandoned", at.isoformat())
        return
    yield from _of_agent(fields, kind, at, state, context)


def _queue_status(fields: Fields, at: datetime, caller: list[Any] | None, state: dict[str, Any], context: Context) -> Iterator[Draft]:
    """Yield how a caller left by the status of Queue() at its end.

    QueueCallerAbandon reports time-outs and queues without members too, and first: the status overrides it.
    """
    uid, left = fields.need("Uniqueid"), _LEFT.get(fields.text("Value") or "")
    if left is None:
        return
    queue = caller[0] if caller is not None and left[0] == "contact.left_queue" else None
    if caller is not None and caller[1] == "abandoned":
        at = Fields({"at": caller[2]}).need_time("at")
    yield draft(left[0], hashed_id(uid, "left", at.isoformat()), at, **_common(context, uid), queue=queue, reason=left[1])
    _record_caller(state, uid, queue, "gone")


def _joined(fields: Fields, kind: str, queue: str, at: datetime, state: dict[str, Any], context: Context) -> Iterator[Draft]:
    uid = fields.need("Uniqueid")
    call, caller = _common(context, uid), state["callers"].get(uid)
    if kind == "QueueEntry":
        if caller is not None and caller[:2] == [queue, "waiting"]:
            return
        # Whole seconds, rounded down: never before the caller joined.
        at -= _long("Wait", fields)
    customer = context.caller(fields.text("CallerIDNum"))
    if customer is not None and not context.settings.get("arrival_contexts"):
        yield draft("contact.arrived", hashed_id(uid, "arrived"), at, **call, channel="voice", customer_key=customer)
    yield draft("contact.queued", hashed_id(uid, queue, "queued", at.isoformat()), at, **call, queue=queue, channel="voice")
    _record_caller(state, uid, queue, "waiting")


def _of_agent(fields: Fields, kind: str, at: datetime, state: dict[str, Any], context: Context) -> Iterator[Draft]:
    """Yield the events of an agent and a caller."""
    uid, queue, agent = fields.need("Uniqueid"), fields.need("Queue"), member(fields)
    call, leg = _common(context, uid) | {"agent": agent, "queue": queue}, fields.text("DestUniqueid")
    ring = fields.seconds("RingTime")
    if leg is not None:
        yield from _known_leg(leg, uid, agent, fields, state, context)
    if kind == "AgentCalled":
        yield draft("contact.agent_offered", hashed_id(uid, leg, "offered", at.isoformat()), at, **call)
    elif kind in {"AgentRingNoAnswer", "AgentDump"}:
        outcome = {"outcome": "declined" if kind == "AgentDump" else "no_answer", "ring_seconds": ring}
        yield draft("contact.offer_ended", hashed_id(uid, leg, "offer ended", at.isoformat()), at, **call, **outcome)
    else:
        caller = state["callers"].get(uid, ["", "", ""])
        if kind == "AgentConnect" or caller[:2] == [queue, "waiting"]:
            # The same id from both kinds of event.
            answered = at if kind == "AgentConnect" else at - _long("TalkTime", fields)
            answer = {"wait_seconds": fields.seconds("HoldTime"), "reports": ["hold"] if context.settings.get("hold", True) else None}
            yield draft("contact.answered", hashed_id(uid, leg or queue, agent, "answered"), answered, **call, **answer)
        if kind == "AgentConnect":
            _record_caller(state, uid, queue, "talking")
        else:
            yield from _completed(fields, at, hashed_id(uid, leg or queue, agent, "completed"), _common(context, uid), agent)
            # A transferred caller waits in the next queue before the end here is reported.
            if caller[0] == queue:
                _record_caller(state, uid, queue, "gone")


def _completed(fields: Fields, at: datetime, event_id: str, call: dict[str, str], agent: str) -> Iterator[Draft]:
    if fields.text("Reason") == "transfer":
        yield draft("contact.transferred", event_id, at, **call, agent=agent, from_queue=fields.text("Queue"))
    else:
        yield draft("contact.ended", event_id, at, **call, by=_BY.get(fields.text("Reason") or ""))


def _known_leg(leg: str, uid: str, agent: str, fields: Fields, state: dict[str, Any], context: Context) -> Iterator[Draft]:
    """Record the agent of a channel; yield the events of the channel that arrived before."""
    # Hold by the agent's phone is reported under another id than that of the Local channel.
    is_local = (fields.text("DestChannel") or "").startswith("Local/")
    state["legs"].pop(leg, None)
    state["legs"][leg] = [uid, agent, is_local]
    while len(state["legs"]) > _MAX_LEGS:
        del state["legs"][next(iter(state["legs"]))]
    holds, state["holds"] = state["holds"], []
    for channel, kind, held_at in holds:
        yield from _hold(channel, kind, held_at, state, context)


def _hold(channel: str, kind: str, at: str, state: dict[str, Any], context: Context) -> Iterator[Draft]:
    leg = state["legs"].get(channel)
    if leg is None and channel not in state["callers"]:
        local = [entry for entry in state["legs"].values() if entry[2] and state["callers"].get(entry[0], ["", ""])[1] == "talking"]
        leg = local[-1] if local else None
        if leg is None:
            state["holds"] = [*state["holds"], [channel, kind, at]][-_MAX_HOLDS:]
    if leg is not None:
        event = "contact.held" if kind == "Hold" else "contact.resumed"
        yield draft(event, hashed_id(channel, kind, at), Fields({"at": at}).need_time("at"), **_common(context, leg[0]), agent=leg[1])


def _record_caller(state: dict[str, Any], uid: str, queue: str | None, status: str, at: str = "") -> None:
    state["callers"].pop(uid, None)
    state["callers"][uid] = [queue, status, at]
    while len(state["callers"]) > _MAX_LEGS:
        del state["callers"][next(iter(state["callers"]))]


def _common(context: Context, uid: str) -> dict[str, str]:
    call = f"{context.source}:{uid}"
    return {"conversation_id": call, "contact_id": call}


CONNECTOR: Final = Connector(
    name="asterisk-ami",
    title="Asterisk AMI",
    family="telephone",
    delivery="live",
    ways=("connection", "file"),
    kinds=_CALL | _MEMBER,
    ignored={
        "QueueCallerLeave": "a caller left a queue, without the reason, which other events have",
        "Response": "an answer to an action",
        "other": "not about queues, hold or members",
    },
    read=block_records,
    kind=_kind,
    compare=_compare,
    key=_key,
    remembered_days=2,
    reports={
        "arrival": "a channel is known to be a customer's only by its context: with the setting `arrival_contexts` it is reported",
        "queue": "",
        "ring": "",
        "hold": "",
        "wrap_up": "Asterisk does not call a member who wraps up, but sends no event",
        "ended_by": "",
        "transfer": "",
        "agent_state": "",
    },
    personal=(
        *(f"{side}{name}" for side in ("", "Dest") for name in ("CallerIDNum", "CallerIDName", "ConnectedLineNum", "ConnectedLineName")),
        "Exten",
        "DestExten",
        "AccountCode",
        "DestAccountCode",
    ),
    settings=(
        Setting(name="host", meaning="Where Asterisk is.", default="127.0.0.1"),
        Setting(name="port", meaning="Its port; 0 for 5038, with `tls` 5039.", default=0),
        Setting(name="tls", meaning="Connect by TLS; the certificate must be valid for `host`.", default=False),
        Setting(name="tls_ca", meaning="File of the authority that signed the certificate, if it is your own.", default=""),
        Setting(
            name="arrival_contexts", meaning="Contexts of the dialplan in which customers' calls begin: their channels arrive.", default=[]
        ),
        Setting(name="hold", meaning="Agents' phones report hold to Asterisk; false where they hold calls on their own.", default=True),
        Setting(
            name="beside_queue_log",
            meaning="The queue_log of this Asterisk is read too, under the same source: only what it lacks is reported.",
            default=False,
        ),
    ),
    credentials=(
        Setting(name="user", meaning="The section of `manager.conf`.", required=True),
        Setting(name="secret", meaning="Its `secret`.", required=True),
    ),
    guessed=("hold by an unknown channel of a call is that of its agent behind a Local channel",),
)
