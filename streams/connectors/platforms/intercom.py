"""Intercom: conversations and ratings by webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.base import REPLY_CHANNELS
from streams.connectors.kit.desk import about, arrival, channel_of, channels_setting, in_ms, moved, queue_of, queues_setting, stamp
from streams.connectors.kit.drafting import draft
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Context, Draft, Record, UnusableError
from streams.connectors.kit.reading import json_records
from streams.connectors.kit.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["CONNECTOR"]

#: ``source.type`` of a conversation → channel.
_CHANNELS: Final = {
    "conversation": "chat",
    "email": "mail",
    "sms": "sms",
    "whatsapp": "social",
    "facebook": "social",
    "instagram": "social",
    "twitter": "social",
}
_CUSTOMERS: Final = {"user", "lead", "contact"}
#: Type of a part → status of its conversation.
_STATUSES: Final = {"close": "resolved", "open": "reopened", "snoozed": "on_hold", "unsnoozed": "open"}
#: Topic → type of a part, for deliveries without parts.
_BY_TOPIC: Final = {"closed": "close", "opened": "open", "snoozed": "snoozed", "unsnoozed": "unsnoozed"}
_ITEM: Final = "data.item"
_OTHERS: Final = ("company", "contact", "content_stat", "event", "job", "ticket", "user", "visitor", "call", "article")


def _kind(record: Record) -> str:
    topic = Fields(record.content).need("topic")
    family = topic.partition(".")[0]
    return f"{family}.*" if family in _OTHERS else topic


def _translate(record: Record, context: Context) -> Iterable[Draft]:
    topic = _kind(record)
    fields = Fields(record.content)
    if topic.startswith("admin."):
        return _admin_state(topic, fields)
    item = _object(fields, _ITEM)
    conversation = item.need("id")
    if topic in {"conversation.user.created", "conversation.admin.single.created"}:
        return _created(conversation, item, context, outbound="admin" in topic)
    if topic == "conversation.rating.added":
        return _rated(conversation, item)
    return _parts(conversation, topic, item, context)


def _object(fields: Fields, path: str) -> Fields:
    content = fields.get(path)
    if not isinstance(content, dict):
        raise UnusableError("missing_field", f"{path}: an object")
    return Fields(content)


def _channel(item: Fields, context: Context) -> str:
    # Before version 2.0 of the API a conversation has no other type.
    return channel_of(context, item.text("source.type") or "conversation", _CHANNELS)


def _created(conversation: str, item: Fields, context: Context, *, outbound: bool) -> Iterator[Draft]:
    at = item.need_time("created_at")
    customer = item.text("source.author.email") or item.text("user.email") or item.text("source.author.id") or item.text("user.id")
    key = None if outbound else context.customer(customer and customer.lower())
    channel = _channel(item, context)
    if outbound:
        yield about(conversation, "contact.arrived", "arrived", at, channel=channel, direction="outbound")
        return
    yield from arrival(conversation, at, channel=channel, queue=queue_of(context, item.text("team_assignee_id")), customer_key=key)


def _rated(conversation: str, item: Fields) -> list[Draft]:
    # created_at is the time of the invitation.
    at = item.time("conversation_rating.updated_at") or item.need_time("updated_at")
    score = item.number("conversation_rating.rating")
    if score is None:
        raise UnusableError("missing_field", "data.item.conversation_rating.rating: required")
    return [about(conversation, "survey.answered", "rating", at, kind="csat", score=score, scale="1-5", revision=in_ms(at))]


def _parts(conversation: str, topic: str, item: Fields, context: Context) -> Iterator[Draft]:
    action = topic.rpartition(".")[2]
    parts = item.entries("conversation_parts.conversation_parts")
    if not parts:
        if action not in _BY_TOPIC:
            raise UnusableError("missing_field", "data.item.conversation_parts: what was written or done")
        at = item.need_time("updated_at")
        status = _STATUSES[_BY_TOPIC[action]]
        yield about(conversation, "contact.status_changed", f"{status}-{stamp(at)}", at, status=status)
    for part in parts:
        yield from _part(conversation, action, part, item, context)


def _part(conversation: str, action: str, part: Fields, item: Fields, context: Context) -> Iterator[Draft]:
    number, kind, at = part.need("id"), part.text("part_type") or "comment", part.need_time("created_at")
    author = part.text("author.type")
    agent = part.text("author.id") if author == "admin" else None
    if action in {"replied", "noted"}:
        by = "agent" if author == "admin" else "customer" if author in _CUSTOMERS else "bot"
        public = action == "replied" and kind != "note"
        message = about(
            conversation, "contact.message", f"part-{number}", at, author_kind=by, agent=agent, public=public, automatic=by == "bot"
        )
        channel = _channel(item, context)
        # In a live chat a reply alone is no answer; Intercom reports the time of the first answer.
        if public and agent and channel not in REPLY_CHANNELS and item.time("statistics.first_admin_reply_at") == at:
            yield about(conversation, "contact.answered", "answered", at, agent=agent)
        yield message
    if action == "assigned":
        yield from _assigned(conversation, part, item, context)
    if kind in _STATUSES:
        yield about(conversation, "contact.status_changed", f"part-{number}-{kind}", at, status=_STATUSES[kind])


def _assigned(conversation: str, part: Fields, item: Fields, context: Context) -> Iterator[Draft]:
    at, to, kind = part.need_time("created_at"), part.text("assigned_to.id"), part.text("assigned_to.type")
    team = to if kind == "team" else None
    agent = to if kind == "admin" and to != "0" else None
    yield about(conversation, "contact.assigned", f"part-{part.need('id')}-assigned", at, agent=agent, team=team)
    if team is not None:
        yield from moved(conversation, at, context, group=team, previous=None, channel=_channel(item, context))


def _admin_state(topic: str, fields: Fields) -> list[Draft]:
    admin = _object(fields, _ITEM)
    if topic == "admin.away_mode_updated":
        away = admin.true("away_mode_enabled")
        if away is None:
            raise UnusableError("missing_field", "data.item.away_mode_enabled: required")
        state = "away" if away else "available"
    else:
        state = "available" if topic == "admin.logged_in" else "offline"
    event_id, at = f"admin-{fields.need('id')}", fields.need_time("created_at")
    return [draft("agent.state_changed", event_id, at, person_id=admin.need("id"), axis="presence", state=state)]


CONNECTOR = Connector(
    name="intercom",
    title="Intercom",
    family="desk",
    delivery="live",
    ways=("webhook", "file"),
    kinds={
        "conversation.user.created": "contact.arrived, contact.queued",
        "conversation.admin.single.created": "contact.arrived, outbound",
        "conversation.user.replied": "contact.message; contact.status_changed where it reopens the conversation",
        "conversation.admin.replied": "contact.message, in a live chat contact.answered",
        "conversation.operator.replied": "contact.message of a bot",
        "conversation.admin.noted": "contact.message that the customer does not see",
        "conversation.admin.assigned": "contact.assigned, contact.queued of another team",
        "conversation.admin.closed": "contact.status_changed",
        "conversation.user.closed": "contact.status_changed",
        "conversation.operator.closed": "contact.status_changed",
        "conversation.admin.opened": "contact.status_changed",
        "conversation.admin.snoozed": "contact.status_changed",
        "conversation.admin.unsnoozed": "contact.status_changed",
        "conversation.rating.added": "survey.answered",
        "admin.away_mode_updated": "agent.state_changed",
        "admin.logged_in": "agent.state_changed",
        "admin.logged_out": "agent.state_changed",
    },
    ignored={
        "ping": "Intercom tests the address",
        "conversation.read": "no figure depends on it",
        "conversation.priority.updated": "no figure depends on it",
        "conversation.contact.attached": "no figure depends on it",
        "conversation.contact.detached": "no figure depends on it",
        "conversation.deleted": "events counted before stay counted",
        "conversation_part.redacted": "texts are not stored anyway",
        "conversation_part.tag.created": "no figure depends on it",
        **{f"{family}.*": "it is about no conversation" for family in _OTHERS},
    },
    read=json_records,
    kind=_kind,
    translate=_translate,
    reports={
        "arrival": "",
        "queue": "",
        "transfer": "only the new team is reported, not the one before",
        "agent_state": "",
        "first_response": "",
        "resolution": "",
        "csat": "",
    },
    personal=(
        f"{_ITEM}.source.author",
        f"{_ITEM}.source.subject",
        f"{_ITEM}.source.body",
        f"{_ITEM}.source.url",
        f"{_ITEM}.user",
        f"{_ITEM}.contacts",
        f"{_ITEM}.custom_attributes",
        f"{_ITEM}.conversation_message",
        f"{_ITEM}.conversation_parts.conversation_parts.*.author",
        f"{_ITEM}.conversation_parts.conversation_parts.*.body",
        f"{_ITEM}.conversation_parts.conversation_parts.*.assigned_to.name",
        f"{_ITEM}.conversation_parts.conversation_parts.*.attachments",
        f"{_ITEM}.conversation_rating.remark",
        f"{_ITEM}.conversation_rating.contact",
        f"{_ITEM}.assignee",
        f"{_ITEM}.links",
        f"{_ITEM}.tags",
        f"{_ITEM}.name",
        f"{_ITEM}.email",
        f"{_ITEM}.phone",
    ),
    verification=Verification(header="X-Hub-Signature", algorithm="sha1", prefix="sha1="),
    settings=(queues_setting("a team"), channels_setting(_CHANNELS)),
    guessed=(
        "The topics of closing beside `conversation.admin.closed`, and those of admins' state and their fields.",
        "That a webhook has `statistics` as the API does: without it a live chat has no speed of answer, only a first response.",
    ),
)
