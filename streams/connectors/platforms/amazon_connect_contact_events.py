"""Amazon Connect's contact events, as EventBridge delivers them to a queue of SQS or an API destination; with the envelope or without.

They are delivered at best effort and in no order. Each has all that is known of its contact by then: its fields become events with ids of
contact and transition, so that the next one makes up for one that is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.times import to_ms
from streams.connectors.kit.amazon_connect import (
    AGENTS,
    ASKED,
    CHANNELS,
    CONTINUES,
    CREDENTIALS,
    NOT_OF_A_CUSTOMER,
    QUEUES,
    agent,
    conversation,
    direction,
    queue,
)
from streams.connectors.kit.drafting import draft
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Setting, UnusableError
from streams.connectors.kit.reading import json_records
from streams.connectors.kit.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from streams.connectors.kit.model import Context, Draft, Record

__all__ = ["CONNECTOR"]

_DETAIL_TYPE: Final = "Amazon Connect Contact Event"


def _detail(record: Record) -> Fields:
    """Return the event without its envelope. Names begin with a capital in some events (``AgentInfo``)."""
    content = record.content
    if "detail-type" in content:
        if content["detail-type"] != _DETAIL_TYPE:
            raise UnusableError("unknown_kind", "detail-type: no contact event of Amazon Connect")
        content = Fields(content).need_object("detail")
    return Fields({name[:1].lower() + name[1:]: value for name, value in content.items()})


def _kind(record: Record) -> str:
    if record.content.get("detail-type") == "Amazon Connect Cases Event":
        return "CASE"
    detail = _detail(record)
    method = detail.text("initiationMethod")
    return method if method in NOT_OF_A_CUSTOMER else detail.need("eventType")


def _translate(record: Record, context: Context) -> Iterator[Draft]:
    """Yield the events of a contact up to this one."""
    detail = _detail(record)
    contact = detail.need("contactId")
    method, channel = detail.text("initiationMethod"), CHANNELS.get((detail.text("channel") or "").upper())
    initiated = detail.need_time("initiationTimestamp")
    queued, ended = detail.time("queueInfo.enqueueTimestamp"), detail.time("disconnectTimestamp")
    answered = detail.time("agentInfo.connectedToAgentTimestamp")
    name = queue(context, detail.text("queueInfo.queueArn"))
    agent_name = agent(context, detail.text("agentInfo.agentArn"))
    common = {"conversation_id": conversation(detail, "initialContactId", "contactId"), "contact_id": contact}
    if method not in CONTINUES and channel is not None:
        yield draft("contact.arrived", f"{contact}-arrived", initiated, **common, channel=channel, direction=direction(method, channel))
    before = detail.text("previousContactId")
    if before is not None:
        yield from _of_before(before, method, initiated, common["conversation_id"])
    if queued is not None and name is not None:
        at = f"{contact}-queued-{queued.timestamp():.3f}"
        yield draft("contact.queued", at, queued, **common, queue=name, channel=channel, related_contact_id=before)
    if answered is not None:
        reports = ["hold", "wrap_up", "ring"] if context.settings.get("agent_events") else ["wrap_up"]
        yield draft("contact.answered", f"{contact}-answered", answered, **common, queue=name, agent=agent_name, reports=reports)
    if ended is None:
        return
    if answered is not None:
        yield draft("contact.ended", f"{contact}-ended", ended, **common)
        if detail.text("eventType") == "COMPLETED":
            yield from _wrapped_up(detail, contact, agent_name, common)
    elif queued is not None and name is not None:
        yield draft("contact.left_queue", f"{contact}-left", ended, **common, queue=name, reason="abandoned")
    elif method == "INBOUND":
        yield draft("contact.not_offered", f"{contact}-left", ended, **common, reason="menu_ended")


def _of_before(before: str, method: str | None, initiated: datetime, conversation_id: str) -> Iterator[Draft]:
    """Yield how the contact before ended in this one: its own events do not report that."""
    common = {"conversation_id": conversation_id, "contact_id": before}
    if method == "TRANSFER":
        # The agent may stay until another has joined: the contact's own end reports when. Of several transfers the last counts.
        yield draft("contact.transferred", f"{before}-transferred", initiated, **common, agent_stays=True, revision=to_ms(initiated))
    elif method == "QUEUE_TRANSFER":
        yield draft("contact.left_queue", f"{before}-left", initiated, **common, reason="transfer", revision=1)


def _wrapped_up(detail: Fields, contact: str, agent_name: str | None, common: dict[str, str]) -> Iterator[Draft]:
    """Yield the work after the contact; an event without its times means none."""
    began = detail.time("agentInfo.afterContactWorkStartTimestamp") or detail.need_time("disconnectTimestamp")
    ended = detail.time("agentInfo.afterContactWorkEndTimestamp") or began
    yield draft("contact.wrap_up_started", f"{contact}-wrap-up-started", began, **common, agent=agent_name)
    seconds = detail.seconds("agentInfo.afterContactWorkDuration")
    yield draft("contact.wrapped_up", f"{contact}-wrapped-up", ended, **common, agent=agent_name, wrap_up_seconds=seconds)


CONNECTOR: Final = Connector(
    name="amazon-connect-contact-events",
    title="Amazon Connect contact events",
    family="telephone",
    delivery="live",
    ways=("webhook", "pull", "file"),
    kinds={
        "INITIATED": "contact.arrived; of a transfer contact.transferred or left_queue of the contact before",
        "CONNECTED_TO_SYSTEM": "the events of the contact so far",
        "QUEUED": "contact.queued",
        "CONNECTED_TO_AGENT": "contact.answered",
        "DISCONNECTED": "contact.ended; in a queue contact.left_queue: abandoned; before any contact.not_offered",
        "COMPLETED": "contact.wrap_up_started and contact.wrapped_up",
    },
    ignored={
        "AMD_DISABLED": "reports that answering machines are not detected",
        "CONTACT_DATA_UPDATED": "attributes, tags and routing criteria, which no figure needs",
        "PAUSED": "an agent paused a task; its time continues",
        "RESUMED": "an agent resumed a task",
        "CASE": "a case is no contact; its contacts have their own events",
        **NOT_OF_A_CUSTOMER,
    },
    read=json_records,
    kind=_kind,
    translate=_translate,
    reports={
        "arrival": "",
        "queue": "",
        "ring": "contact events do not report the agent that a contact rings; agent events do",
        "hold": "contact events do not report hold; agent events and contact records do",
        "wrap_up": "",
        "ended_by": "contact events do not report the party that hung up",
        "transfer": "",
        "agent_state": "agent events report it",
    },
    personal=(
        *(
            f"{prefix}{path}"
            for prefix in ("", "detail.")
            for path in ("customerEndpoint", "customerId", "attributes", "name", "description", "references")
        ),
    ),
    settings=(
        QUEUES,
        AGENTS,
        Setting(name="queue_url", meaning="Of the queue of SQS that the rule of EventBridge fills; needed to poll it"),
        *ASKED,
        Setting(
            name="agent_events",
            meaning="Agent events of the same Connect arrive too, as a source joined with this one: hold and rings are known.",
            default=False,
        ),
    ),
    verification=Verification(kind="token", header="X-Api-Key"),
    credentials=CREDENTIALS,
    extra="amazon",
    guessed=(
        "a customer who is disconnected in a queue abandoned it, also where a flow ended the contact",
        "the events of a transfer name the contact before as `previousContactId`",
    ),
)
