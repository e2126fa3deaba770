"""Amazon Connect's contact records (CTR), as Kinesis or Firehose deliver them once a contact is over; a transfer begins a new contact.

A record is delivered at least once, and again with a later ``LastUpdateTimestamp`` when something in it changed: the latest version counts.
Events that exclude each other share an id, so that a later version replaces an earlier one of another kind.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from schemas.times import to_ms
from streams.connectors.kit.amazon_connect import (
    AGENTS,
    ASKED,
    CHANNELS,
    CONTINUES,
    CREDENTIALS,
    NOT_OF_A_CUSTOMER,
    QUEUES,
    STREAM,
    agent,
    conversation,
    direction,
    queue,
)
from streams.connectors.kit.drafting import draft
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector
from streams.connectors.kit.reading import joined_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.connectors.kit.model import Context, Draft, Record

__all__ = ["CONNECTOR"]

_BY: Final = {"CUSTOMER_DISCONNECT": "customer", "AGENT_DISCONNECT": "agent", "CONTACT_FLOW_DISCONNECT": "system", "EXPIRED": "system"}


def _kind(record: Record) -> str:
    fields = Fields(record.content)
    fields.need("ContactId")
    method = fields.need("InitiationMethod")
    return method if method in NOT_OF_A_CUSTOMER else "contact record"


def _translate(record: Record, context: Context) -> Iterator[Draft]:
    fields = Fields(record.content, context.zone)
    contact, method = fields.need("ContactId"), fields.text("InitiationMethod")
    channel = CHANNELS.get((fields.text("Channel") or "").upper())
    common: dict[str, Any] = {"conversation_id": conversation(fields, "InitialContactId", "ContactId"), "contact_id": contact}
    updated = fields.time("LastUpdateTimestamp")
    common["revision"] = None if updated is None else to_ms(updated)
    previous = fields.text("PreviousContactId")
    if method not in CONTINUES and previous is None and channel is not None:
        at = fields.need_time("InitiationTimestamp")
        customer = context.customer(fields.text("CustomerEndpoint.Address"))
        reached = direction(method, channel)
        yield draft("contact.arrived", f"{contact}-arrived", at, **common, channel=channel, direction=reached, customer_key=customer)
    name = queue(context, fields.text("Queue.ARN"), fields.text("Queue.Name"))
    queued = fields.time("Queue.EnqueueTimestamp")
    if queued is not None and name is not None:
        yield draft("contact.queued", f"{contact}-queued", queued, **common, queue=name, channel=channel, related_contact_id=previous)
    if fields.get("Agent.ConnectedToAgentTimestamp") is not None:
        yield from _answered(fields, contact, name, context, common)
    elif queued is not None and name is not None:
        yield from _left(fields, contact, name, common)
    elif method == "INBOUND" and fields.get("NextContactId") is None and fields.get("DisconnectTimestamp") is not None:
        ended = fields.need_time("DisconnectTimestamp")
        yield draft("contact.not_offered", f"{contact}-over", ended, **common, reason="menu_ended")


def _answered(fields: Fields, contact: str, name: str | None, context: Context, common: dict[str, Any]) -> Iterator[Draft]:
    agent_name = agent(context, fields.text("Agent.ARN"), fields.text("Agent.Username"))
    at, hold = fields.need_time("Agent.ConnectedToAgentTimestamp"), fields.seconds("Agent.CustomerHoldDuration")
    reports = ["wrap_up"] if hold is None else ["hold", "wrap_up"]
    yield draft("contact.answered", f"{contact}-out-of-queue", at, **common, agent=agent_name, queue=name, reports=reports)
    if hold is not None:
        # The record has the length of the hold, not its time: it is placed right after the answer.
        yield draft("contact.resumed", f"{contact}-resumed", at + timedelta(seconds=hold), **common, agent=agent_name, hold_seconds=hold)
    disconnected = fields.time("DisconnectTimestamp")
    if disconnected is not None:
        passed_on = fields.time("TransferCompletedTimestamp")
        if passed_on is not None or fields.get("NextContactId") is not None:
            yield draft("contact.transferred", f"{contact}-over", passed_on or disconnected, **common, from_queue=name, agent=agent_name)
        else:
            reason = fields.text("DisconnectReason")
            yield draft("contact.ended", f"{contact}-over", disconnected, **common, by=_BY.get(reason or ""), reason=reason)
    began, ended = fields.time("Agent.AfterContactWorkStartTimestamp"), fields.time("Agent.AfterContactWorkEndTimestamp")
    seconds = fields.seconds("Agent.AfterContactWorkDuration")
    if began is not None:
        yield draft("contact.wrap_up_started", f"{contact}-wrap-up-started", began, **common, agent=agent_name)
    if ended is not None or (seconds == 0 and disconnected is not None):
        wrapped_up = ended or disconnected or at
        yield draft("contact.wrapped_up", f"{contact}-wrapped-up", wrapped_up, **common, agent=agent_name, wrap_up_seconds=seconds)


def _left(fields: Fields, contact: str, name: str | None, common: dict[str, Any]) -> Iterator[Draft]:
    """Yield how a contact left its queue without an answer: to another queue or flow, or for good."""
    left = fields.time("Queue.DequeueTimestamp") or fields.time("DisconnectTimestamp")
    if left is None:
        return
    if fields.get("NextContactId") is not None:
        reason = "transfer"
    else:
        # A flow that takes a customer out of a queue reports no reason.
        reason = "abandoned" if fields.text("DisconnectReason") == "CUSTOMER_DISCONNECT" else "withdrawn"
    yield draft("contact.left_queue", f"{contact}-out-of-queue", left, **common, queue=name, reason=reason)


CONNECTOR: Final = Connector(
    name="amazon-connect-contact-records",
    title="Amazon Connect contact records",
    family="telephone",
    delivery="journal",
    ways=("pull", "file"),
    kinds={
        "contact record": "contact.arrived, queued, answered, resumed, left_queue, transferred or ended, and the wrap-up",
    },
    ignored=NOT_OF_A_CUSTOMER,
    read=joined_records,
    kind=_kind,
    translate=_translate,
    reports={
        "arrival": "",
        "queue": "",
        "ring": "a record has only the number of agents that were tried",
        "hold": "",
        "wrap_up": "",
        "ended_by": "",
        "transfer": "",
        "agent_state": "agent events report it",
    },
    personal=(
        "CustomerEndpoint",
        "CustomerVoiceActivity",
        "CustomerId",
        "Attributes",
        "Name",
        "Description",
        "References",
        "Recording",
        "Recordings",
        "TransferredToEndpoint",
        "AdditionalEmailRecipients",
        "SegmentAttributes",
        "VoiceIdResult",
    ),
    settings=(QUEUES, AGENTS, STREAM, *ASKED),
    credentials=CREDENTIALS,
    extra="amazon",
    guessed=(
        "the time of the hold is not reported, only its length: it is placed right after the answer",
        "the reason why a flow took a customer out of a queue is not reported: `withdrawn`",
    ),
)
