"""Zendesk Support: ticket and agent events by webhook, which may be lost or repeated: `zendesk_export` has the same events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.connectors.kit.desk import (
    about,
    arrival,
    assigned,
    channel_of,
    channels_setting,
    moved,
    queue_of,
    queues_setting,
    second,
    stamp,
)
from streams.connectors.kit.drafting import draft
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Context, Draft, Record, UnusableError
from streams.connectors.kit.reading import json_records
from streams.connectors.kit.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

__all__ = ["CHANNELS", "CONNECTOR", "SYSTEM", "changed", "commented", "created", "deleted", "normalized", "regrouped"]

#: The author of changes by a rule or by Zendesk itself.
SYSTEM: Final = "-1"

#: ``via.channel`` → channel; the export writes the same with capitals and spaces.
CHANNELS: Final = {
    "mail": "mail",
    "email": "mail",
    "web": "web_form",
    "web_form": "web_form",
    "web_widget": "web_form",
    "help_center": "web_form",
    "sms": "sms",
    "native_messaging": "social",
    "sunshine_conversations_api": "social",
    "whatsapp": "social",
    "line": "social",
    "facebook": "social",
    "instagram_dm": "social",
    "twitter": "social",
    "twitter_dm": "social",
}

_STATUSES: Final = {
    "new": "new",
    "open": "open",
    "pending": "waiting_on_customer",
    "hold": "on_hold",
    "solved": "resolved",
    "closed": "closed",
}
_DONE: Final = {"solved", "closed"}
#: Statuses that only move a ticket to other storage.
_STORED: Final = {"archived", "scrubbed"}

_PREFIX: Final = "zen:event-type:"
_OTHERS: Final = ("user", "organization", "article", "community_post", "custom_object", "omnichannel_config")
#: Where an agent is available → channel.
_AGENT_CHANNELS: Final = {"support": "ticket", "messaging": "social", "chat": "chat", "talk": "voice"}


def normalized(text: str | None) -> str | None:
    """Return a name of Zendesk as both feeds write it: ``Web form`` and ``WEB_FORM`` are ``web_form``."""
    return None if text is None else text.strip().lower().replace(" ", "_").replace("-", "_")


# ---- Events of webhooks and export: the same ids, times by the second ---------------------------------------------------------------


def created(
    ticket: str, at: datetime, context: Context, *, via: str | None, group: str | None, requester: str | None, status: str | None
) -> Iterator[Draft]:
    """Yield the events of a new ticket."""
    channel = channel_of(context, normalized(via), CHANNELS)
    yield from arrival(ticket, at, channel=channel, queue=queue_of(context, group), customer_key=context.customer(requester))
    if normalized(status) not in {None, "new", "open"}:
        yield from changed(ticket, at, status, None)


def changed(ticket: str, at: datetime, status: str | None, previous: str | None) -> Iterator[Draft]:
    """Yield the event of another status of a ticket; raise UnusableError for an unknown status."""
    current = normalized(status)
    if current in _STORED:
        return
    if current == "deleted":
        yield deleted(ticket, at)
        return
    meaning = _STATUSES.get(current or "")
    if meaning is None:
        raise UnusableError("unknown_kind", "a status that is not known here")
    if normalized(previous) in _DONE and current in {"new", "open"}:
        meaning = "reopened"
    yield about(ticket, "contact.status_changed", f"status-{current}-{stamp(at)}", at, status=meaning)


def commented(
    ticket: str,
    at: datetime,
    *,
    comment: str,
    author: str | None,
    staff: bool,
    public: bool | None,
    rule: bool,
    revision: int | None = None,
) -> Draft:
    """Return the event of a comment in a ticket; of two reports of its author the higher revision counts."""
    machine = rule or author in {None, SYSTEM}
    kind = "system" if machine else "agent" if staff else "customer"
    return about(
        ticket,
        "contact.message",
        f"comment-{comment}",
        at,
        author_kind=kind,
        agent=author if kind == "agent" else None,
        public=public,
        automatic=machine,
        revision=revision,
    )


def regrouped(ticket: str, at: datetime, context: Context, *, group: str | None, previous: str | None, via: str | None) -> Iterator[Draft]:
    """Yield the events of a ticket that went to another group."""
    yield from moved(ticket, at, context, group=group, previous=previous, channel=channel_of(context, normalized(via), CHANNELS))


def deleted(ticket: str, at: datetime, reason: str = "no_reply_needed") -> Draft:
    """Return the event that excludes a ticket."""
    return about(ticket, "contact.excluded", f"excluded-{reason}", at, reason=reason)


# ---- Webhooks ---------------------------------------------------------------------------------------------------------------------


def _kind(record: Record) -> str:
    kind = Fields(record.content).need("type").removeprefix(_PREFIX)
    family = kind.partition(".")[0]
    return f"{family}.*" if family in _OTHERS else kind


def _translate(record: Record, context: Context) -> Iterable[Draft]:
    fields = Fields(record.content)
    kind = _kind(record)
    if kind in {"agent.state_changed", "agent.unified_state_changed"}:
        return _agent_state(fields)
    ticket = fields.need("detail.id")
    at = second(fields.need_time("time"))
    if kind == "ticket.created":
        created_at = second(fields.time("detail.created_at") or at)
        # Later changes have events of their own.
        untouched = fields.time("detail.updated_at") in {None, fields.time("detail.created_at")}
        return created(
            ticket,
            created_at,
            context,
            via=fields.text("detail.via.channel"),
            group=fields.text("detail.group_id"),
            requester=fields.text("detail.requester_id"),
            status=fields.text("detail.status") if untouched else None,
        )
    if kind == "ticket.status_changed":
        return changed(ticket, at, fields.need("event.current"), fields.text("event.previous"))
    if kind == "ticket.comment_added":
        if at == fields.time("detail.created_at"):
            # The comment that a ticket begins with is its arrival.
            return []
        return [
            commented(
                ticket,
                at,
                comment=fields.need("event.comment.id"),
                author=fields.text("event.comment.author.id"),
                staff=fields.true("event.comment.author.is_staff") is True,
                public=fields.true("event.comment.is_public"),
                rule=False,
                # A webhook has the author's role; the export infers it.
                revision=1,
            )
        ]
    if kind == "ticket.agent_assignment_changed":
        return [assigned(ticket, at, fields.text("event.current"))]
    if kind == "ticket.group_assignment_changed":
        via = fields.text("detail.via.channel")
        return regrouped(ticket, at, context, group=fields.text("event.current"), previous=fields.text("event.previous"), via=via)
    if kind == "messaging_ticket.message_added":
        return [_messaged(ticket, at, fields)]
    return [deleted(ticket, at, {"ticket.merged": "merged", "ticket.marked_as_spam": "spam"}.get(kind, "no_reply_needed"))]


def _messaged(ticket: str, at: datetime, fields: Fields) -> Draft:
    actor = normalized(fields.need("event.actor.type"))
    kind = "agent" if actor == "agent" else "bot" if actor in {"system", "bot"} else "customer"
    agent = fields.text("event.actor.id") if kind == "agent" else None
    event_name = f"message-{fields.need('event.message.id')}"
    return about(ticket, "contact.message", event_name, at, author_kind=kind, agent=agent, public=True, automatic=kind == "bot")


def _agent_state(fields: Fields) -> list[Draft]:
    event_id, at = f"agent-state-{fields.need('id')}", fields.time("event.updated_at") or fields.need_time("time")
    person, state = fields.need("detail.agent_id"), fields.need("event.new_state")
    channel = _AGENT_CHANNELS.get(normalized(fields.text("event.channel")) or "")
    return [draft("agent.state_changed", event_id, at, person_id=person, axis="presence", state=state, channel=channel)]


_NO_FIGURE: Final = "no figure depends on it"

CONNECTOR = Connector(
    name="zendesk",
    title="Zendesk Support",
    family="desk",
    delivery="live",
    ways=("webhook", "file"),
    kinds={
        "ticket.created": "contact.arrived, contact.queued",
        "ticket.status_changed": "contact.status_changed; contact.excluded of a deleted ticket",
        "ticket.comment_added": "contact.message",
        "ticket.agent_assignment_changed": "contact.assigned",
        "ticket.group_assignment_changed": "contact.transferred, contact.queued",
        "ticket.merged": "contact.excluded",
        "ticket.marked_as_spam": "contact.excluded",
        "ticket.soft_deleted": "contact.excluded",
        "messaging_ticket.message_added": "contact.message",
        "agent.state_changed": "agent.state_changed, for one channel",
        "agent.unified_state_changed": "agent.state_changed",
    },
    ignored={
        **{
            f"ticket.{name}": _NO_FIGURE
            for name in (
                "attachment_linked_to_comment",
                "attachment_redacted_from_comment",
                "brand_changed",
                "comment_made_private",
                "comment_redacted",
                "custom_field_changed",
                "custom_status_changed",
                "description_changed",
                "email_ccs_changed",
                "external_id_changed",
                "followers_changed",
                "form_changed",
                "organization_changed",
                "permanently_deleted",
                "priority_changed",
                "problem_link_changed",
                "requester_changed",
                "schedule_changed",
                "sla_policy_changed",
                "subject_changed",
                "submitter_changed",
                "tags_changed",
                "task_due_at_changed",
                "type_changed",
            )
        },
        "ticket.undeleted": "a ticket that was deleted stays excluded",
        "ticket.satisfaction_rating_added": "its fields are not documented: zendesk-export has the ratings",
        "ticket.satisfaction_rating_changed": "its fields are not documented: zendesk-export has the ratings",
        "agent.work_item_added": "assignments and replies of the ticket report the agent",
        "agent.work_item_removed": "assignments and replies of the ticket report the agent",
        "agent.max_capacity_changed": "it arrives without the agent's load",
        **{f"{family}.*": "it is about no ticket and no agent's state" for family in _OTHERS},
    },
    read=json_records,
    kind=_kind,
    translate=_translate,
    reports={
        "arrival": "",
        "queue": "",
        "transfer": "",
        "agent_state": "",
        "first_response": "",
        "resolution": "",
        "csat": "only by zendesk-export",
    },
    personal=(
        "detail.subject",
        "detail.description",
        "detail.email",
        "detail.name",
        "detail.title",
        "detail.tags",
        "detail.requester_id",
        "event.comment.body",
        "event.comment.author.name",
        "event.message.body",
        "event.actor.name",
        "event.actor.id",
        "event.current",
        "event.previous",
    ),
    verification=Verification(
        header="X-Zendesk-Webhook-Signature",
        encoding="base64",
        signed="timestamp+body",
        timestamp_header="X-Zendesk-Webhook-Signature-Timestamp",
        tolerance_seconds=300,
    ),
    settings=(queues_setting("a group"), channels_setting(CHANNELS)),
    guessed=(
        "That `detail.created_at` and `time`, cut to the second, are the times that the export has of the same change.",
        "The types of actor of `messaging_ticket.message_added` beside `system` and `agent`: they count as the customer.",
        "The fields of `agent.unified_state_changed`: read as those of `agent.state_changed`.",
    ),
)
