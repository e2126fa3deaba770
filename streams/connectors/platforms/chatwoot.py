"""Chatwoot: conversations, messages and satisfaction by the webhooks of account and inbox; an event sent by both counts once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.base import REPLY_CHANNELS
from streams.connectors.kit.desk import about, assigned, channel_of, channels_setting, in_ms, queue_of, queues_setting, second, stamp
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Context, Draft, Record, Setting, UnusableError
from streams.connectors.kit.reading import json_records
from streams.connectors.kit.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

__all__ = ["CONNECTOR"]

_CHANNELS: Final = {
    "Channel::Email": "mail",
    "Channel::WebWidget": "chat",
    "Channel::Sms": "sms",
    "Channel::TwilioSms": "sms",
    "Channel::FacebookPage": "social",
    "Channel::Instagram": "social",
    "Channel::TwitterProfile": "social",
    "Channel::Whatsapp": "social",
    "Channel::Telegram": "social",
    "Channel::Line": "social",
    "Channel::Tiktok": "social",
}
_STATUSES: Final = {"open": "open", "resolved": "resolved", "pending": "waiting_on_customer", "snoozed": "on_hold"}
_MESSAGE_TYPES: Final = {"0": "incoming", "1": "outgoing", "2": "activity", "3": "template"}
_RATING: Final = "content_attributes.submitted_values.csat_survey_response.rating"


def _kind(record: Record) -> str:
    fields = Fields(record.content)
    kind = fields.need("event")
    if kind.startswith("automation_event."):
        return "automation_event.*"
    if kind == "message_created" and _message_type(fields) == "activity":
        return "activities"
    if kind == "message_updated" and fields.get(_RATING) is None:
        return "other updates of messages"
    return kind


def _message_type(fields: Fields) -> str:
    raw = fields.need("message_type")
    return _MESSAGE_TYPES.get(raw, raw)


def _translate(record: Record, context: Context) -> Iterable[Draft]:
    fields = Fields(record.content)
    kind = _kind(record)
    if kind == "conversation_created":
        return _created(fields, context)
    if kind in {"conversation_status_changed", "conversation_updated"}:
        return _changed(fields, context)
    if kind == "message_created":
        return _message(fields)
    return [*_asked(fields), _rated(fields)]


def _created(fields: Fields, context: Context) -> Iterator[Draft]:
    conversation, at = fields.need("id"), fields.need_time("created_at")
    channel = channel_of(context, fields.text("channel"), _CHANNELS)
    sender = fields.text("meta.sender.email") or fields.text("meta.sender.phone_number") or fields.text("meta.sender.id")
    key = context.customer(sender and sender.strip().lower())
    yield about(conversation, "contact.arrived", "arrived", at, channel=channel, customer_key=key)
    # Where a bot answers first, the conversation is queued once the bot opens it.
    if not _with_bot(fields, context):
        yield about(conversation, "contact.queued", "queued", at, channel=channel, queue=queue_of(context, fields.text("inbox_id")))


def _with_bot(fields: Fields, context: Context) -> bool:
    inboxes = context.settings.get("bot_inboxes") or ()
    if not isinstance(inboxes, (list, tuple)):
        raise UnusableError("bad_setting", "bot_inboxes: a list of ids")
    return fields.text("inbox_id") in {str(inbox) for inbox in inboxes}


def _changed(fields: Fields, context: Context) -> Iterator[Draft]:
    """Yield the events of the changes; a change of status arrives twice, as an event of its own and as an update."""
    conversation, at = fields.need("id"), second(fields.need_time("updated_at"))
    for changes in fields.entries("changed_attributes"):
        for name in changes.content:
            change = Fields(changes.content[name] if isinstance(changes.content[name], dict) else {})
            if name == "status":
                yield from _status(conversation, at, change, fields, context)
            elif name == "assignee_id":
                yield assigned(conversation, at, change.text("current_value"))
            elif name == "team_id":
                team = change.text("current_value")
                yield about(conversation, "contact.assigned", f"team-{team or 'none'}-{stamp(at)}", at, team=team)
            elif name == "first_reply_created_at" and change.get("current_value") is not None:
                yield from _answered(conversation, change.need_time("current_value"), fields, context)


def _status(conversation: str, at: datetime, change: Fields, fields: Fields, context: Context) -> Iterator[Draft]:
    current, previous = change.need("current_value"), change.text("previous_value")
    meaning = _STATUSES.get(current)
    if meaning is None:
        raise UnusableError("unknown_kind", "a status that is not known here")
    if previous == "pending" and current == "open" and _with_bot(fields, context):
        queue, channel = queue_of(context, fields.text("inbox_id")), channel_of(context, fields.text("channel"), _CHANNELS)
        yield about(conversation, "contact.handed_over", f"handed-over-{stamp(at)}", at, queue=queue)
        yield about(conversation, "contact.queued", f"queued-{stamp(at)}", at, queue=queue, channel=channel)
    if previous == "resolved" and current != "resolved":
        meaning = "reopened"
    yield about(conversation, "contact.status_changed", f"status-{current}-{stamp(at)}", at, status=meaning)


def _answered(conversation: str, at: datetime, fields: Fields, context: Context) -> Iterator[Draft]:
    """Yield the answer of a live chat, where a reply alone does not count as one."""
    if channel_of(context, fields.text("channel"), _CHANNELS) not in REPLY_CHANNELS:
        agent = fields.text("meta.assignee.id")
        yield about(conversation, "contact.answered", "answered", second(at), agent=agent)


def _message(fields: Fields) -> Iterator[Draft]:
    kind, sender = _message_type(fields), fields.text("sender.type")
    if fields.text("content_type") == "input_csat":
        yield from _asked(fields)
        return
    by: Any
    if kind == "incoming":
        by = "customer"
    elif kind == "outgoing" and fields.get("sender") is not None and fields.get("content_attributes.automation_rule_id") is None:
        by = "agent" if sender in {None, "user"} else "bot"
    else:
        by = "system"
    yield about(
        fields.need("conversation.id"),
        "contact.message",
        f"message-{fields.need('id')}",
        second(fields.need_time("created_at")),
        author_kind=by,
        agent=fields.text("sender.id") if by == "agent" else None,
        public=not fields.true("private"),
        automatic=by in {"system", "bot"},
    )


def _asked(fields: Fields) -> Iterator[Draft]:
    event_name = f"survey-{fields.need('id')}-invited"
    yield about(
        fields.need("conversation.id"), "survey.invited", event_name, second(fields.need_time("created_at")), kind="csat", scale="1-5"
    )


def _rated(fields: Fields) -> Draft:
    """Return the answer. Chatwoot reports when it asked, not when the customer answered; the latest report counts."""
    updated = fields.time("conversation.updated_at")
    return about(
        fields.need("conversation.id"),
        "survey.answered",
        f"survey-{fields.need('id')}",
        second(fields.need_time("created_at")),
        kind="csat",
        score=fields.number(_RATING),
        scale="1-5",
        revision=None if updated is None else in_ms(updated),
    )


CONNECTOR = Connector(
    name="chatwoot",
    title="Chatwoot",
    family="desk",
    delivery="live",
    ways=("webhook", "file"),
    kinds={
        "conversation_created": "contact.arrived, contact.queued",
        "conversation_status_changed": "contact.status_changed; contact.handed_over, contact.queued after a bot",
        "conversation_updated": "contact.assigned, contact.status_changed, in a live chat contact.answered",
        "message_created": "contact.message, survey.invited",
        "message_updated": "survey.answered",
    },
    ignored={
        "other updates of messages": "an edit or a receipt: texts are not stored anyway",
        "activities": "Chatwoot's own notes on other events",
        "automation_event.*": "a rule of automation, whose effects have webhooks too",
        "conversation_typing_on": "no figure depends on it",
        "conversation_typing_off": "no figure depends on it",
        "webwidget_triggered": "a view of the page is no contact",
        "contact_created": "it is about no conversation",
        "contact_updated": "it is about no conversation",
        "inbox_created": "it is about no conversation",
        "inbox_updated": "it is about no conversation",
    },
    read=json_records,
    kind=_kind,
    translate=_translate,
    reports={
        "arrival": "",
        "queue": "",
        "transfer": "a conversation does not change its inbox; another team is no other queue",
        "agent_state": "no webhook reports it",
        "first_response": "",
        "resolution": "",
        "csat": "",
    },
    personal=(
        "content",
        "processed_message_content",
        "additional_attributes",
        "custom_attributes",
        "content_attributes",
        "contact_inbox",
        "messages",
        "labels",
        "meta.sender",
        "meta.assignee.name",
        "meta.assignee.email",
        "sender",
        "contact",
        "attachments",
        "source_id",
        "changed_attributes",
        "conversation.meta",
        "conversation.messages",
        "conversation.contact_inbox",
        "conversation.additional_attributes",
        "conversation.custom_attributes",
        "conversation.labels",
        "name",
        "email",
        "phone_number",
        "identifier",
    ),
    verification=Verification(
        header="X-Chatwoot-Signature",
        prefix="sha256=",
        signed="timestamp.body",
        timestamp_header="X-Chatwoot-Timestamp",
        tolerance_seconds=300,
    ),
    settings=(
        queues_setting("an inbox"),
        channels_setting(_CHANNELS),
        Setting(
            name="bot_inboxes",
            meaning="Ids of the inboxes in which a bot answers first: conversations are queued once the bot opens them",
            default=[],
        ),
    ),
    guessed=("That a message's webhook has `conversation.updated_at`, which identifies the last of several answers.",),
)
