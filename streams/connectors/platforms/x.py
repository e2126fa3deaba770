"""X: direct messages and mentions of an account, by the webhooks of its Account Activity API."""

from __future__ import annotations

from datetime import datetime
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

_DIRECT, _POST = "direct_message_events", "tweet_create_events"
_TIME: Final = "%a %b %d %H:%M:%S %z %Y"


def _read(body: bytes, origin: str) -> Iterator[Record]:
    """Yield the events of a delivery, which lists them by kind; other users named in it are ignored."""
    for record in json_records(body, origin):
        number = 0
        account = record.content.get("for_user_id")
        for kind, events in record.content.items():
            if not kind.endswith(("_events", "_event")):
                continue
            for event in events if isinstance(events, list) else [events]:
                content: dict[str, Any] = {"kind": kind, "account": account, "event": event}
                yield Record(content, written(content), origin, number)
                number += 1


def _kind(record: Record) -> str:
    fields = Fields(record.content)
    kind = fields.need("kind")
    account = fields.text("account")
    if kind == _POST:
        if fields.get("event.retweeted_status") is not None:
            return "retweets"
        if fields.text("event.user.id_str") == account and fields.text("event.in_reply_to_user_id_str") in {None, account}:
            return "own posts"
    if kind == _DIRECT and fields.text("event.type") != "message_create":
        return "other direct messages"
    return kind


def _parties(record: Record) -> tuple[str, str]:
    """Return the author, and the recipient."""
    fields = Fields(record.content)
    if fields.need("kind") == _DIRECT:
        return fields.need("event.message_create.sender_id"), fields.need("event.message_create.target.recipient_id")
    author, account = fields.need("event.user.id_str"), fields.need("account")
    return author, fields.need("event.in_reply_to_user_id_str") if author == account else account


def _customer(record: Record) -> str:
    author, recipient = _parties(record)
    return recipient if author == Fields(record.content).need("account") else author


def _translate(record: Record, context: Context) -> Iterator[Draft]:
    fields = Fields(record.content)
    author, _ = _parties(record)
    direct = fields.need("kind") == _DIRECT
    app = fields.text("event.message_create.source_app_id")
    bots = {str(each) for each in context.settings.get("bot_apps") or ()}
    message = Message(
        fields.need("event.id" if direct else "event.id_str"),
        _customer(record),
        fields.need_time("event.created_timestamp") if direct else _posted(fields),
        "customer" if author != fields.need("account") else "bot" if app in bots else "agent",
    )
    return message_drafts("x", message, context)


def _posted(fields: Fields) -> datetime:
    if (at := fields.time("event.timestamp_ms")) is not None:
        return at
    try:
        return datetime.strptime(fields.need("event.created_at"), _TIME)  # noqa: DTZ007 - the offset is in it
    except ValueError as error:
        raise UnusableError("bad_time", "event.created_at: no time") from error


_NO_MESSAGE: Final = "a customer asks nothing by it"

CONNECTOR = Connector(
    name="x",
    title="X (Twitter)",
    family="message",
    delivery="live",
    ways=("webhook", "file"),
    kinds={
        _DIRECT: "contact.arrived, contact.queued where a queue is set, contact.message",
        _POST: "the same, of a mention and of a reply to one",
    },
    ignored={
        "retweets": _NO_MESSAGE,
        "own posts": "a public post of the account is no contact",
        "other direct messages": _NO_MESSAGE,
        "direct_message_indicate_typing_events": _NO_MESSAGE,
        "direct_message_mark_read_events": _NO_MESSAGE,
        "favorite_events": _NO_MESSAGE,
        "follow_events": _NO_MESSAGE,
        "unfollow_events": _NO_MESSAGE,
        "block_events": _NO_MESSAGE,
        "unblock_events": _NO_MESSAGE,
        "mute_events": _NO_MESSAGE,
        "unmute_events": _NO_MESSAGE,
        "user_event": "the account withdrew its permission: ask for it again",
        "tweet_delete_events": "a post that the customer deletes was sent all the same",
    },
    read=_read,
    kind=_kind,
    translate=_translate,
    reports={
        "arrival": "",
        "queue": "X has no queues; the setting `queue` names one",
        "agent_state": "X reports the account, not the agent",
        "first_response": "",
        "resolution": "X has no conversations that are closed",
        "csat": "X asks none",
    },
    personal=("account", "event"),
    verification=Verification(header="x-twitter-webhooks-signature", prefix="sha256=", encoding="base64"),
    answers=Answers(accepted=200, within_seconds=8.0, challenge="crc"),
    settings=(*MESSENGER_SETTINGS, Setting(name="bot_apps", meaning="Ids of the apps whose direct messages a bot writes", default=[])),
    guessed=("The structures of the Account Activity API (from memory); that X waits ten seconds for an answer.",),
)
