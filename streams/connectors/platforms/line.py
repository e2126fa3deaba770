"""LINE Official Account: messages of customers, by webhook. LINE does not report replies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.answers import Answers
from streams.connectors.kit.drafting import draft
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.messenger import digest
from streams.connectors.kit.model import Connector, Setting
from streams.connectors.kit.reading import list_records
from streams.connectors.kit.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from streams.connectors.kit.model import Context, Draft, Record

__all__ = ["CONNECTOR"]


def _kind(record: Record) -> str:
    fields = Fields(record.content)
    kind = fields.need("type")
    if kind != "message":
        return kind
    if fields.text("mode") == "standby":
        return "message in standby"
    return "message" if fields.get("source.userId") and fields.text("source.type") == "user" else "message in a group"


def _translate(record: Record, context: Context) -> Iterator[Draft]:
    fields = Fields(record.content, context.zone)
    at, customer = fields.need_time("timestamp"), fields.need("source.userId")
    # Older accounts send no webhookEventId.
    name = fields.text("webhookEventId") or f"message-{fields.need('message.id')}"
    common: dict[str, Any] = {"conversation_id": _conversation(customer, at, context)}
    key = context.customer(customer)
    channel, queue = context.settings["channel"], context.settings["queue"]
    yield draft("contact.arrived", f"{name}-arrived", at, **common, channel=channel, direction="inbound", customer_key=key)
    if queue:
        yield draft("contact.queued", f"{name}-queued", at, **common, queue=queue, channel=channel)
    yield draft("contact.message", f"{name}-message", at, **common, author_kind="customer", public=True, automatic=False)


def _conversation(customer: str, at: datetime, context: Context) -> str:
    """Return the id of a customer's conversation of a day: LINE has no conversations, and a customer's id must not pass."""
    day = at.astimezone(context.zone).date().isoformat()
    return f"line-{digest(customer, day)}"


_NO_MESSAGE: Final = "a customer asks nothing by it"
_ELSEWHERE: Final = "LINE reports messages of customers, not replies"

CONNECTOR = Connector(
    name="line",
    title="LINE Official Account",
    family="message",
    delivery="live",
    ways=("webhook", "file"),
    kinds={"message": "contact.arrived, contact.queued where a queue is set, and contact.message by the customer"},
    ignored={
        "message in a group": "a group or room is no contact of a customer",
        "message in standby": "another module of the account handles it",
        "accountLink": _NO_MESSAGE,
        "activated": _NO_MESSAGE,
        "beacon": _NO_MESSAGE,
        "botResumed": _NO_MESSAGE,
        "botSuspended": _NO_MESSAGE,
        "deactivated": _NO_MESSAGE,
        "delivery": _NO_MESSAGE,
        "follow": _NO_MESSAGE,
        "join": _NO_MESSAGE,
        "leave": _NO_MESSAGE,
        "memberJoined": _NO_MESSAGE,
        "memberLeft": _NO_MESSAGE,
        "membership": _NO_MESSAGE,
        "module": _NO_MESSAGE,
        "postback": "a tap on a button or menu, answered by a program",
        "things": _NO_MESSAGE,
        "unfollow": _NO_MESSAGE,
        "unsend": "a message that the customer deletes was sent all the same",
        "videoPlayComplete": _NO_MESSAGE,
    },
    read=list_records("events"),
    kind=_kind,
    translate=_translate,
    reports={
        "arrival": "",
        "queue": "LINE has no queues; the setting `queue` names one",
        "agent_state": _ELSEWHERE,
        "first_response": _ELSEWHERE,
        "resolution": _ELSEWHERE,
        "csat": "LINE asks none",
    },
    personal=(
        "joined.members.*.userId",
        "left.members.*.userId",
        "message.address",
        "message.contentProvider.originalContentUrl",
        "message.contentProvider.previewImageUrl",
        "message.fileName",
        "message.keywords",
        "message.latitude",
        "message.longitude",
        "message.mention",
        "message.text",
        "message.title",
        "postback.data",
        "postback.params",
        "replyToken",
        "source.userId",
    ),
    verification=Verification(header="X-Line-Signature", encoding="base64"),
    answers=Answers(accepted=200, within_seconds=2.0),
    settings=(
        Setting(name="channel", meaning="`social` or `chat`: how waiting and replies are counted", default="social"),
        Setting(name="queue", meaning="the queue that messages wait in; without one they count as unassigned", default=""),
    ),
)
