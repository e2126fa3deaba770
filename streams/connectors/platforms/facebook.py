"""Facebook Messenger and Instagram messaging of a page, by the webhooks of the Graph API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.answers import Answers
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.messenger import MESSENGER_SETTINGS, Message, message_drafts
from streams.connectors.kit.model import Connector, Context, Draft, Record, Setting, UnusableError
from streams.connectors.kit.reading import json_records, written
from streams.connectors.kit.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONNECTOR"]

_OBJECTS: Final = ("page", "instagram")
_LISTS: Final = ("messaging", "standby", "changes")
#: What an event of ``messaging`` may hold beside a message.
_OTHERS: Final = (
    "account_linking",
    "delivery",
    "message_edit",
    "message_reads",
    "optin",
    "pass_thread_control",
    "postback",
    "reaction",
    "read",
    "referral",
    "request_thread_control",
    "take_thread_control",
)


def _read(body: bytes, origin: str) -> Iterator[Record]:
    """Yield the events of a delivery, which has several events in each of several entries."""
    for record in json_records(body, origin):
        number = 0
        for entry in Fields(record.content).entries("entry"):
            for name in _LISTS:
                for event in entry.entries(name):
                    content: dict[str, Any] = {
                        "object": record.content.get("object"),
                        "list": name,
                        "page": entry.content.get("id"),
                        "event": event.content,
                    }
                    yield Record(content, written(content), origin, number)
                    number += 1


def _kind(record: Record) -> str:
    fields = Fields(record.content)
    if fields.text("object") not in _OBJECTS:
        raise UnusableError("unknown_kind", "object: page or instagram")
    list_name = fields.need("list")
    if list_name != "messaging":
        return list_name
    message = fields.get("event.message")
    if message is None:
        return next((other for other in _OTHERS if fields.get(f"event.{other}") is not None), "other events")
    return "deleted messages" if fields.get("event.message.is_deleted") else "message"


def _customer(record: Record) -> str:
    fields = Fields(record.content)
    return fields.need("event.recipient.id" if fields.true("event.message.is_echo") else "event.sender.id")


def _translate(record: Record, context: Context) -> Iterator[Draft]:
    fields = Fields(record.content)
    bots = {str(app) for app in context.settings.get("bot_apps") or ()}
    by_page = fields.true("event.message.is_echo")
    message = Message(
        fields.need("event.message.mid"),
        _customer(record),
        fields.need_time("event.timestamp"),
        "customer" if not by_page else "bot" if fields.text("event.message.app_id") in bots else "agent",
    )
    return message_drafts("facebook", message, context)


_NO_MESSAGE: Final = "a customer asks nothing by it"

CONNECTOR = Connector(
    name="facebook",
    title="Facebook Messenger and Instagram",
    family="message",
    delivery="live",
    ways=("webhook", "file"),
    kinds={"message": "contact.arrived, contact.queued where a queue is set, contact.message; an echo is the page's own message"},
    ignored={
        **dict.fromkeys(_OTHERS, _NO_MESSAGE),
        "postback": "a tap on a button or menu, answered by a program",
        "deleted messages": "a message that the customer deletes was sent all the same",
        "other events": _NO_MESSAGE,
        "standby": "another app has the conversation, and reports it",
        "changes": "posts and comments on the page are not followed",
    },
    read=_read,
    kind=_kind,
    translate=_translate,
    reports={
        "arrival": "",
        "queue": "a page has no queues; the setting `queue` names one",
        "agent_state": "Facebook reports the page, not the agent",
        "first_response": "",
        "resolution": "a page has no conversations that are closed",
        "csat": "the page asks none",
    },
    personal=("page", "event"),
    verification=Verification(header="X-Hub-Signature-256", prefix="sha256="),
    answers=Answers(accepted=200, within_seconds=10.0, challenge="hub"),
    settings=(*MESSENGER_SETTINGS, Setting(name="bot_apps", meaning="Ids of the apps whose messages a bot writes", default=[])),
    guessed=("The structure of events, the signature and the challenge (from memory).",),
)
