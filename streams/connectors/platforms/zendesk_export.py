"""Zendesk Support: incremental exports of ticket events, metric events and satisfaction ratings: the journal beside the webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.accounts import ZENDESK_CREDENTIALS, ZENDESK_SETTINGS
from streams.connectors.kit.desk import about, arrival, assigned, channel_of, channels_setting, in_ms, queue_of, queues_setting, second
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Compared, Connector, Context, Draft, Record, Seen, Setting, UnusableError
from streams.connectors.kit.reading import list_records
from streams.connectors.platforms.zendesk import CHANNELS, changed, commented, created, deleted, normalized, regrouped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

__all__ = ["CONNECTOR"]

#: Values of `via` in the audit of a comment that a rule writes.
_RULES: Final = {"rule", "system", "automation", "trigger"}
#: The most comments of one ticket that wait for its requester.
_MAX_WAITING: Final = 500
_SCORES: Final = {"good": 1, "bad": 0}


def _kind(record: Record) -> str:
    content = record.content
    if "child_events" in content:
        return "ticket_event"
    if "metric" in content:
        return "ticket_metric_event"
    if "score" in content:
        return "satisfaction_rating"
    if "requester_id" in content and "status" in content:
        return "ticket"
    raise UnusableError("unknown_kind", "neither ticket event, metric event, satisfaction rating nor ticket")


def _key(record: Record) -> str:
    fields = Fields(record.content)
    return fields.need("id" if _kind(record) == "ticket" else "ticket_id")


def _compare(record: Record, seen: Seen | None, context: Context) -> Compared:
    fields = Fields(record.content)
    kind = _kind(record)
    ticket = _key(record)
    if kind == "ticket_metric_event":
        return Compared(_metric(ticket, fields, context), seen)
    if kind == "satisfaction_rating":
        return Compared(_rating(ticket, fields), seen)
    state: Seen = {"requester": None, "waiting": [], **(seen or {})}
    if kind == "ticket":
        state["requester"] = fields.need("requester_id")
        return Compared(_known_comments(ticket, state, context), state)
    events = [*_audit(ticket, fields, state, context)]
    return Compared([*events, *_known_comments(ticket, state, context)], state)


def _audit(ticket: str, fields: Fields, state: Seen, context: Context) -> Iterator[Draft]:
    """Yield the events of an audit; record the requester, and comments, in ``state``."""
    at = second(fields.time("created_at") or fields.need_time("timestamp"))
    children = fields.entries("child_events")
    via = fields.text("via")
    first = [child for child in children if normalized(child.text("event_type")) == "create"]
    if first:
        set_to = {
            name: child.text(name)
            for child in first
            for name in ("status", "group_id", "requester_id", "assignee_id")
            if name in child.content
        }
        state["requester"] = set_to.get("requester_id") or fields.text("updater_id")
        yield from created(
            ticket, at, context, via=via, group=set_to.get("group_id"), requester=state["requester"], status=set_to.get("status")
        )
        if set_to.get("assignee_id"):
            yield assigned(ticket, at, set_to["assignee_id"])
    for child in children:
        event_type = normalized(child.text("event_type"))
        if event_type == "change":
            yield from _change(ticket, at, child, context, via)
        elif event_type == "comment" and not first and not _by_metrics(context):
            # The comment that a ticket begins with is its arrival.
            _hold_comment(child, at, state)


def _change(ticket: str, at: datetime, child: Fields, context: Context, via: str | None) -> Iterator[Draft]:
    previous = child.text("previous_value")
    if "status" in child.content:
        if normalized(child.text("status")) == "closed" and "merge" in (normalized(via) or ""):
            yield deleted(ticket, at, "merged")
        else:
            yield from changed(ticket, at, child.text("status"), previous)
    elif "group_id" in child.content:
        yield from regrouped(ticket, at, context, group=child.text("group_id"), previous=previous, via=via)
    elif "assignee_id" in child.content:
        yield assigned(ticket, at, child.text("assignee_id"))


def _hold_comment(child: Fields, at: datetime, state: Seen) -> None:
    public = child.true("public") if "public" in child.content else child.true("comment_public")
    entry = [child.need("id"), int(at.timestamp()), child.text("author_id"), public, (normalized(child.text("via")) or "") in _RULES]
    if entry not in state["waiting"]:
        state["waiting"] = [*state["waiting"], entry]
    if len(state["waiting"]) > _MAX_WAITING:
        raise UnusableError("missing_field", "requester_id: too many comments wait for the requester of their ticket; export tickets too")


def _known_comments(ticket: str, state: Seen, context: Context) -> list[Draft]:
    """Return the waiting comments once the requester is known: every other author is an agent."""
    requester = state["requester"]
    if requester is None:
        return []
    waiting, state["waiting"] = state["waiting"], []
    agents = {str(agent) for agent in context.settings.get("agents") or ()}
    return [
        commented(
            ticket,
            _at(seconds),
            comment=comment,
            author=author,
            staff=author in agents if agents else author != requester,
            public=public,
            rule=rule,
        )
        for comment, seconds, author, public, rule in waiting
    ]


def _at(seconds: Any) -> datetime:
    return Fields({"at": seconds}).need_time("at")


def _by_metrics(context: Context) -> bool:
    return context.settings.get("replies") == "metric_events"


def _metric(ticket: str, fields: Fields, context: Context) -> Iterator[Draft]:
    """Yield the replies of metric events, where replies are counted by them."""
    event_type, metric = normalized(fields.need("type")), normalized(fields.need("metric"))
    number, at = fields.need("id"), second(fields.need_time("time"))
    if not _by_metrics(context) or metric != "reply_time" or fields.true("deleted"):
        return
    if event_type == "activate" and fields.number("instance_id") == 1:
        yield from arrival(ticket, at, channel=channel_of(context, None, CHANNELS), queue=queue_of(context, None))
    elif event_type == "activate":
        yield about(ticket, "contact.message", f"metric-{number}", at, author_kind="customer", public=True)
    elif event_type == "fulfill":
        yield about(ticket, "contact.message", f"metric-{number}", at, author_kind="agent", public=True)


def _rating(ticket: str, fields: Fields) -> Iterator[Draft]:
    score = (normalized(fields.need("score")) or "").removesuffix("_with_comment")
    given = fields.need_time("updated_at") if fields.get("updated_at") else fields.need_time("created_at")
    if score == "unoffered":
        return
    # A customer who answers was invited, though only customers without an answer are listed as such.
    yield about(ticket, "survey.invited", "invited", fields.need_time("created_at"), kind="csat", scale="0-1")
    if score == "offered":
        return
    if score not in _SCORES:
        raise UnusableError("unknown_kind", "score: neither good, bad, offered nor unoffered")
    event_name = f"rating-{fields.need('id')}"
    yield about(ticket, "survey.answered", event_name, given, kind="csat", score=_SCORES[score], scale="0-1", revision=in_ms(given))


CONNECTOR = Connector(
    name="zendesk-export",
    title="Zendesk Support, incremental export",
    family="desk",
    delivery="journal",
    ways=("pull", "file"),
    kinds={
        "ticket_event": "contact.arrived, contact.queued, contact.status_changed, contact.assigned, contact.transferred, contact.message",
        "ticket_metric_event": "nothing, or contact.message with `replies: metric_events`",
        "satisfaction_rating": "survey.invited, survey.answered",
        "ticket": "nothing of its own: it has the requester, where that is not known yet",
    },
    ignored={},
    read=list_records("ticket_events", "ticket_metric_events", "satisfaction_ratings", "tickets"),
    kind=_kind,
    compare=_compare,
    key=_key,
    reports={
        "arrival": "",
        "queue": "",
        "transfer": "",
        "agent_state": "only by webhooks",
        "first_response": "",
        "resolution": "",
        "csat": "",
    },
    personal=(
        "comment",
        "subject",
        "raw_subject",
        "description",
        "requester_id",
        "updater_id",
        "child_events.*.author_id",
        "child_events.*.body",
        "child_events.*.html_body",
        "child_events.*.plain_body",
        "child_events.*.subject",
        "child_events.*.requester_id",
        "child_events.*.from_title",
        "metadata",
        "system",
        "via.source",
    ),
    settings=(
        *ZENDESK_SETTINGS,
        queues_setting("a group"),
        channels_setting(CHANNELS),
        Setting(
            name="agents",
            meaning="Ids of the agents, where customers who are copied in write too; without it every author but the requester is an agent",
            default=[],
        ),
        Setting(
            name="replies",
            meaning="`comments` counts replies by the comments of tickets, `metric_events` by Zendesk's own metric reply_time",
            default="comments",
        ),
    ),
    credentials=ZENDESK_CREDENTIALS,
    guessed=(
        "The envelope of ticket events beyond their documented fields: compare with `/api/v2/incremental/ticket_events/sample`.",
        "The value of `via` of a ticket that was merged into another: one with `merge` in it.",
    ),
)
