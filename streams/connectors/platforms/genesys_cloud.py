"""Genesys Cloud: detail events of conversations, and states of users, by EventBridge or by the notification service's WebSocket.

Both ways deliver the same events; ids are of conversation, session and time, so that an event that arrives by both counts once. The order
is not guaranteed. A queue's session and an agent's session have different ids: queue and agent identify the leg.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.amazon_connect import CREDENTIALS
from streams.connectors.kit.drafting import draft, renamed
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.genesys_users import OF_USERS
from streams.connectors.kit.model import Connector, Setting, UnusableError
from streams.connectors.kit.reading import json_records
from streams.connectors.kit.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.connectors.kit.model import Context, Draft, Record

__all__ = ["CONNECTOR"]

#: ``v2.detail.events.conversation.{id}.acd.start`` in an envelope, the same with the id in a notification.
_DETAIL: Final = re.compile(r"v2\.detail\.events\.conversation\.[^.]{1,64}\.([a-z.]{1,40})")
_USER: Final = re.compile(r"v2\.users\.[^.]{1,64}\.(activity|presence|routingStatus)")
_AUDIT: Final = re.compile(r"v2\.audits\.entitytype\.[^.]{1,64}\.entityid\.[^.]{1,64}")

_CHANNELS: Final = {"VOICE": "voice", "CHAT": "chat", "EMAIL": "mail", "CALLBACK": "callback", "VIDEO": "video"}
#: Type of message → channel; others are social.
_MESSAGES: Final = {"SMS": "sms", "WEBMESSAGING": "chat", "OPEN": "chat"}
_DIRECTIONS: Final = {"INBOUND": "inbound", "OUTBOUND": "outbound"}
_BY: Final = {"ENDPOINT": "customer", "CLIENT": "customer", "PEER": "agent", "SYSTEM": "system", "TIMEOUT": "system"}
_TRANSFERS: Final = {
    "TRANSFER": "blind",
    "FORWARD_TRANSFER": "blind",
    "NO_ANSWER_TRANSFER": "blind",
    "NOT_AVAILABLE_TRANSFER": "blind",
    "DND_TRANSFER": "blind",
    "CONFERENCE_TRANSFER": "attended",
    "CONSULT_TRANSFER": "attended",
}
#: How a ring ended that was not answered; otherwise it was withdrawn.
_NOT_ANSWERED: Final = {"TIMEOUT": "no_answer", "CLIENT": "declined", "ENDPOINT": "declined", "DND_ENDPOINT": "declined"}


def _kind(record: Record) -> str:
    content = record.content
    topic = content.get("detail-type", content.get("topicName"))
    if not isinstance(topic, str):
        raise UnusableError("missing_field", "topicName: required")
    detail, user = _DETAIL.fullmatch(topic), _USER.fullmatch(topic)
    if detail is not None:
        return detail[1]
    if user is not None:
        return f"users.{user[1]}"
    if _AUDIT.fullmatch(topic) is not None:
        return f"audit of {_body(record).text('entityType')}"
    return topic


def _body(record: Record) -> Fields:
    content: Any = record.content
    if "detail-type" in content:
        content = content.get("detail")
    body = content.get("eventBody") if isinstance(content, dict) else None
    if not isinstance(body, dict):
        raise UnusableError("wrong_type", "eventBody: an object")
    return Fields(body)


def _translate(record: Record, context: Context) -> Iterator[Draft]:
    kind, body = _kind(record), _body(record)
    if kind in OF_USERS:
        yield from OF_USERS[kind](body, context)
    else:
        yield from _DetailEvent(kind, body, context).events()


class _DetailEvent:
    """A detail event of a conversation."""

    def __init__(self, kind: str, body: Fields, context: Context) -> None:
        self._kind, self._body, self._context = kind, body, context
        self._at = body.need_time("eventTime")
        self._conversation = body.need("conversationId")
        session = body.text("sessionId") or body.text("participantId") or ""
        self._id = f"{self._conversation}-{session}-{kind}-{self._at.timestamp():.3f}"
        self._queue = renamed(context.settings.get("queues"), body.text("queueId"))
        self._agent = renamed(context.settings.get("agents"), body.text("userId"))

    def events(self) -> Iterator[Draft]:
        """Yield its canonical events."""
        yield from _OF_CONVERSATIONS[self._kind](self)

    def _draft(self, kind: str, /, **fields: Any) -> Draft:
        event = f"{self._id}-{kind.partition('.')[2]}"
        return draft(kind, event, self._at, conversation_id=self._conversation, **fields)

    def _channel(self) -> str | None:
        medium = self._body.text("mediaType")
        if medium == "MESSAGE":
            return _MESSAGES.get(self._body.text("messageType") or "", "social")
        return _CHANNELS.get(medium or "")

    def customer_start(self) -> Iterator[Draft]:
        """Yield the arrival."""
        channel = self._channel()
        if channel is not None:
            number = (self._body.text("ani") or "").removeprefix("tel:") or self._body.text("externalContactId")
            direction = _DIRECTIONS.get(self._body.text("direction") or "")
            yield self._draft("contact.arrived", channel=channel, direction=direction, customer_key=self._context.customer(number))

    def customer_end(self) -> Iterator[Draft]:
        """Yield the end of the conversation, after that of an agent's share at the same instant."""
        reason = self._body.text("disconnectType")
        yield self._draft("contact.ended", by=_BY.get(reason or ""), reason=reason, sequence=2)

    def acd_start(self) -> Iterator[Draft]:
        """Yield the entry into a queue. An agent who consults another queue stays with the customer: the entry has its own contact."""
        yield self._draft("contact.queued", queue=self._need_queue(), channel=self._channel(), contact_id=self._body.text("sessionId"))

    def acd_end(self) -> Iterator[Draft]:
        """Yield how the wait ended."""
        outcome, contact, queue = self._body.need("acdOutcome"), self._body.text("sessionId"), self._need_queue()
        wait = self._body.seconds("connectedDurationMs", per_second=1_000)
        if outcome == "ANSWERED":
            agent = renamed(self._context.settings.get("agents"), self._body.text("answeredUserId"))
            if agent is not None:
                yield self._draft("contact.offer_ended", agent=agent, queue=queue, outcome="accepted")
            reports = ["hold", "wrap_up", "ring"]
            yield self._draft("contact.answered", agent=agent, queue=queue, contact_id=contact, wait_seconds=wait, reports=reports)
        else:
            reason = {"ABANDON": "abandoned", "FLOW_OUT": "overflow"}.get(outcome, "withdrawn")
            yield self._draft("contact.left_queue", queue=queue, contact_id=contact, reason=reason, wait_seconds=wait)

    def user_start(self) -> Iterator[Draft]:
        """Yield the beginning of a ring; a direct call to an agent is no offer."""
        if self._queue is not None and self._agent is not None:
            yield self._draft("contact.agent_offered", agent=self._agent, queue=self._queue)

    def user_end(self) -> Iterator[Draft]:
        """Yield the end of a leg, or of a ring that was not answered; a direct call to an agent has no leg."""
        agent, reason = self._need_agent(), self._body.text("disconnectType") or ""
        if self._queue is None:
            return
        hold = self._body.seconds("heldDurationMs", per_second=1_000) or 0.0
        if not self._body.number("interactingDurationMs") and not hold:
            ring = self._body.seconds("alertingDurationMs", per_second=1_000)
            outcome = _NOT_ANSWERED.get(reason, "withdrawn")
            if ring is not None:
                yield self._draft("contact.offer_ended", agent=agent, queue=self._queue, outcome=outcome, ring_seconds=ring)
            return
        # The end has the length of the hold, not its time.
        yield self._draft("contact.resumed", agent=agent, hold_seconds=hold)
        # After the hold, whatever the rank of their kinds.
        if reason in _TRANSFERS:
            yield self._draft("contact.transferred", kind=_TRANSFERS[reason], from_queue=self._queue, agent=agent, sequence=1)
        else:
            yield self._draft("contact.ended", agent=agent, sequence=1)

    def acw(self) -> Iterator[Draft]:
        """Yield the work after the contact, reported when it is over."""
        if self._agent is not None and self._queue is not None:
            yield self._draft(
                "contact.wrapped_up", agent=self._agent, wrap_up_seconds=self._body.seconds("wrapupDurationMs", per_second=1_000)
            )

    def _need_queue(self) -> str:
        if self._queue is None:
            raise UnusableError("missing_field", "queueId: required")
        return self._queue

    def _need_agent(self) -> str:
        if self._agent is None:
            raise UnusableError("missing_field", "userId: required")
        return self._agent


_OF_CONVERSATIONS: Final[dict[str, Callable[[_DetailEvent], Iterator[Draft]]]] = {
    "customer.start": _DetailEvent.customer_start,
    "customer.end": _DetailEvent.customer_end,
    "acd.start": _DetailEvent.acd_start,
    "acd.end": _DetailEvent.acd_end,
    "user.start": _DetailEvent.user_start,
    "user.end": _DetailEvent.user_end,
    "acw": _DetailEvent.acw,
}


_PERSONAL: Final = (
    "ani",
    "dnis",
    "addressFrom",
    "addressTo",
    "addressSelf",
    "addressOther",
    "subject",
    "wrapupNotes",
    "externalContactId",
    "externalOrganizationId",
    "conversationExternalContactIds",
    "conversationExternalOrganizationIds",
    "attributes",
    "entity.name",
    "username",
)

CONNECTOR: Final = Connector(
    name="genesys-cloud",
    title="Genesys Cloud",
    family="telephone",
    delivery="live",
    ways=("webhook", "connection", "pull", "file"),
    kinds={
        "customer.start": "contact.arrived",
        "customer.end": "contact.ended",
        "acd.start": "contact.queued",
        "acd.end": "contact.answered, or contact.left_queue: abandoned (ABANDON), overflow (FLOW_OUT)",
        "user.start": "contact.agent_offered",
        "user.end": "contact.ended of the agent's share or contact.transferred, with contact.resumed; or contact.offer_ended",
        "acw": "contact.wrapped_up",
        "audit of UserPresence": "agent.state_changed: presence",
        "users.activity": "agent.state_changed: presence and routing, as far as they changed",
        "users.presence": "agent.state_changed: presence",
        "users.routingStatus": "agent.state_changed: routing",
    },
    ignored={
        "flow.start": "a menu or flow; acd.start and acd.end report the wait",
        "flow.end": "a menu or flow; acd.start and acd.end report the wait",
        "flow.outcome": "an outcome of a flow, which no figure needs",
        "wrapup": "a code without time or user; acw has the time",
        "attributes": "attributes of a participant, which may be personal",
        "contact": "the customer's record, which is personal",
        "outbound": "the dialer's view of a contact, which customer.start reports",
        "voicemail.start": "a voicemail is recorded; acd.end reports that the customer left the queue",
        "voicemail.end": "a voicemail was recorded; acd.end reports that the customer left the queue",
        "channel.metadata": "a heartbeat of the notification channel",
        "v2.system.socket_closing": "the notification channel closes and is opened again",
        "audit of None": "an audit of no entity",
    },
    read=json_records,
    kind=_kind,
    translate=_translate,
    reports={
        "arrival": "",
        "queue": "",
        "ring": "",
        "hold": "",
        "wrap_up": "",
        "ended_by": "",
        "transfer": "",
        "agent_state": "",
    },
    personal=tuple(f"{prefix}eventBody.{path}" for prefix in ("", "detail.") for path in _PERSONAL),
    verification=Verification(kind="token", header="X-Api-Key"),
    settings=(
        Setting(
            name="region", meaning="Of Genesys Cloud for notifications, such as mypurecloud.de; of AWS for a queue, such as eu-central-1"
        ),
        Setting(name="users", meaning="Ids of the users whose presence and routing are followed by notifications", default=[]),
        Setting(name="topics", meaning="Further topics of notifications, by their full names", default=[]),
        Setting(name="queue_url", meaning="Of the queue of SQS that EventBridge fills: it is read instead of notifications"),
        Setting(name="endpoint_url", meaning="Address of SQS, if not the region's public one"),
        Setting(name="url", meaning="Where the API is, if not at https://api.REGION"),
        Setting(name="login_url", meaning="Where tokens are given, if not at https://login.REGION"),
        Setting(name="queues", meaning="Names of queues by their ids: events have ids alone.", default={}),
        Setting(name="agents", meaning="Names of agents by the ids of their users: events have ids alone.", default={}),
    ),
    credentials=(
        Setting(name="client_id", meaning="Of an OAuth client with client credentials; needed for notifications"),
        Setting(name="client_secret", meaning="Of that client"),
        *CREDENTIALS,
    ),
    extra="amazon",
    guessed=(
        "a ring that is not answered is a user.end without interacting time; TIMEOUT is no answer, CLIENT and ENDPOINT are a refusal",
        "the meaning of each disconnectType; of a customer ENDPOINT and CLIENT are the customer, PEER is the agent",
    ),
)
