"""Zendesk Support: incremental exports of ticket events, metric events and satisfaction ratings: the journal beside the webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.accounts import ZENDESK_CREDENTIALS, ZENDESK_SETTINGS
from streams.connectors.kit.desk import about, arrival, assigned, channel_of, channels_setting, in_ms, queue_of, queues_setting, second
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Compared, Connector, Context, Draft, Record, Seen, Setting, UnusableError
from streams.connectors.kit.reading import list_records
from streams.connectors.platforms.zendesk import CHANNELS, changed, commented, created, deleted, regrouped, word

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

__all__ = ["CONNECTOR"]

#: What a rule writes, in the word of the audit.
_RULES: Final = {"rule", "system", "automation", "trigger"}
#: Comments of one ticket that wait for who asked for it.
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
    now: Seen = {"requester": None, "waiting": [], **(seen or {})}
    if kind == "ticket":
        now["requester"] = fields.need("requester_id")
        return Compared(_said(ticket, now, context), now)
    events = [*_audit(ticket, fields, now, context)]
    return Compared([*events, *_said(ticket, now, context)], now)


def _audit(ticket: str, fields: Fields, now: Seen, context: Context) -> Iterator[Draft]:
    """Yield what an audit tells; note in ``now`` who asked, and comments."""
    at = second(fields.time("created_at") or fields.need_time("timestamp"))
    children = fields.entries("child_events")
    via = fields.text("via")
    first = [child for child in children if word(child.text("event_type")) == "create"]
    if first:
        set_to = {
            name: child.text(name)
            for child in first
            for name in ("status", "group_id", "requester_id", "assignee_id")
            if name in child.content
        }
        now["requester"] = set_to.get("requester_id") or fields.text("updater_id")
        yield from created(
            ticket, at, context, via=via, group=set_to.get("group_id"), requester=now["requester"], status=set_to.get("status")
        )
        if set_to.get("assignee_id"):
            yield assigned(ticket, at, set_to["assignee_id"])
    for child in children:
        what = word(child.text("event_type"))
        if what == "change":
            yield from _change(ticket, at, child, context, via)
        elif what == "comment" and not first and not _by_metrics(context):
            # The comment that a ticket begins with is its arrival.
            _note(child, at, now)


def _change(ticket: str, at: datetime, child: Fields, context: Context, via: str | None) -> Iterator[Draft]:
    previous = child.text("previous_value")
    if "status" in child.content:
        if word(child.text("status")) == "closed" and "merge" in (word(via) or ""):
            yield deleted(ticket, at, "merged")
        else:
            yield from changed(ticket, at, child.text("status"), previous)
    elif "group_id" in child.content:
        yield from regrouped(ticket, at, context, group=child.text("group_id"), previous=previous, via=via)
    elif "assignee_id" in child.content:
        yield assigned(ticket, at, child.text("assignee_id"))


def _note(child: Fields, at: datetime, now: Seen) -> None:
    public = child.true("public") if "public" in child.content else child.true("comment_public")
    entry = [child.need("id"), int(at.timestamp()), child.text("author_id"), public, (word(child.text("via")) or "") in _RULES]
    if entry not in now["waiting"]:
        now["waiting"] = [*now["waiting"], entry]
    if len(now["waiting"]) > _MAX_WAITING:
        raise UnusableError("missing_field", "requester_id: of more comments than are kept it is not known who asked; export tickets too")


def _said(ticket: str, now: Seen, context: Context) -> list[Draft]:
    """Return the comments that wait, once it is known who asked: whoever else writes is an agent."""
    requester = now["requester"]
    if requester is None:
        return []
    waiting, now["waiting"] = now["waiting"], []
    agents = {str(each) for each in context.settings.get("agents") or ()}
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
    """Yield the replies that metric events tell of, where these are to be counted by them."""
    what, metric = word(fields.need("type")), word(fields.need("metric"))
    number, at = fields.need("id"), second(fields.need_time("time"))
    if not _by_metrics(context) or metric != "reply_time" or fields.true("deleted"):
        return
    if what == "activate" and fields.number("instance_id") == 1:
        yield from arrival(ticket, at, channel=channel_of(context, None, CHANNELS), queue=queue_of(context, None))
    elif what == "activate":
        yield about(ticket, "contact.message", f"metric-{number}", at, author_kind="customer", public=True)
    elif what == "fulfill":
        yield about(ticket, "contact.message", f"metric-{number}", at, author_kind="agent", public=True)


def _rating(ticket: str, fields: Fields) -> Iterator[Draft]:
    score = (word(fields.need("score")) or "").removesuffix("_with_comment")
    given = fields.need_time("updated_at") if fields.get("updated_at") else fields.need_time("created_at")
    if score == "unoffered":
        return
    # Who answers was asked, though only those who have not answered are listed as such.
    yield about(ticket, "survey.invited", "invited", fields.need_time("created_at"), kind="csat", scale="0-1")
    if score == "offered":
        return
    if score not in _SCORES:
        raise UnusableError("unknown_kind", "score: neither good, bad, offered nor unoffered")
    what = f"rating-{fields.need('id')}"
    yield about(ticket, "survey.answered", what, given, kind="csat", score=_SCORES[score], scale="0-1", revision=in_ms(given))


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
        "ticket": "nothing of its own: it says who asked, where that is not known yet",
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
        "agent_state": "by webhooks alone",
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
        "The word in `via` of a ticket that was merged into another: one with `merge` in it.",
    ),
)
