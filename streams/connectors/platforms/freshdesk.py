"""Freshdesk: tickets with their stats and satisfaction ratings by the REST API, which has the current state and each step's last time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.connectors.kit.accounts import URL
from streams.connectors.kit.desk import (
    about,
    arrival,
    assigned,
    channel_of,
    channels_setting,
    in_ms,
    moved,
    queue_of,
    queues_setting,
    stamp,
)
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Compared, Connector, Context, Draft, Record, Seen, Setting, UnusableError
from streams.connectors.kit.reading import list_records

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONNECTOR"]

#: ``source`` of a ticket → channel.
_CHANNELS: Final = {"1": "mail", "2": "web_form", "5": "social", "6": "social", "9": "web_form", "10": "mail", "13": "social"}
_OUTBOUND_MAIL: Final = "10"
#: ``status`` → its meaning; others are the account's own.
_STATUSES: Final = {"2": "open", "3": "waiting_on_customer", "4": "resolved", "5": "closed", "6": "waiting_on_customer", "7": "on_hold"}
#: From the worst to the best, without a step at 0: a scale of seven.
_SCORES: Final = {-103: 1, -102: 2, -101: 3, 100: 4, 101: 5, 102: 6, 103: 7}


def _kind(record: Record) -> str:
    if "freshdesk_webhook" in record.content:
        return "automation_webhook"
    if "ratings" in record.content:
        return "satisfaction_rating"
    if "status" in record.content and "created_at" in record.content:
        return "ticket"
    raise UnusableError("unknown_kind", "neither ticket nor satisfaction rating")


def _key(record: Record) -> str:
    return Fields(record.content).need("ticket_id" if _kind(record) == "satisfaction_rating" else "id")


def _compare(record: Record, seen: Seen | None, context: Context) -> Compared:
    fields = Fields(record.content)
    if _kind(record) == "satisfaction_rating":
        return Compared([_rating(fields)], seen)
    ticket, updated = fields.need("id"), fields.need_time("updated_at")
    group, agent = fields.text("group_id"), fields.text("responder_id")
    state: Seen = seen or {"first_group": group, "group": group, "agent": None, "updated": 0}
    # An older state than one that was seen is read for its times alone.
    newer = in_ms(updated) > state["updated"]
    events = [*_times(ticket, fields, context, state["first_group"])]
    if newer:
        channel = channel_of(context, fields.text("source"), _CHANNELS)
        if group != state["group"]:
            events += moved(ticket, updated, context, group=group, previous=state["group"], channel=channel)
        if agent != state["agent"]:
            events.append(assigned(ticket, updated, agent))
        state = {**state, "group": group, "agent": agent, "updated": in_ms(updated)}
    return Compared(events, state)


def _times(ticket: str, fields: Fields, context: Context, first_group: str | None) -> Iterator[Draft]:
    """Yield a step for each time of the ticket; the same time gives the same event at every poll."""
    created = fields.need_time("created_at")
    channel = channel_of(context, fields.text("source"), _CHANNELS)
    if fields.text("source") == _OUTBOUND_MAIL:
        yield about(ticket, "contact.arrived", "arrived", created, channel=channel, direction="outbound")
    else:
        queue, key = queue_of(context, first_group), context.customer(fields.text("requester_id"))
        yield from arrival(ticket, created, channel=channel, queue=queue, customer_key=key)
    yield from _replies(ticket, fields)
    yield from _statuses(ticket, fields, context)
    if fields.true("spam") or fields.true("deleted"):
        reason = "spam" if fields.true("spam") else "no_reply_needed"
        yield about(ticket, "contact.excluded", f"excluded-{reason}", fields.need_time("updated_at"), reason=reason)


def _replies(ticket: str, fields: Fields) -> Iterator[Draft]:
    requested, first, last = (fields.time(f"stats.{name}_responded_at") for name in ("requester", "first", "agent"))
    for at in sorted({reply for reply in (first, last) if reply is not None}):
        # The current agent wrote the last reply; the author of the first is not reported.
        agent = fields.text("responder_id") if at == last else None
        yield about(ticket, "contact.message", f"reply-{stamp(at)}", at, author_kind="agent", agent=agent, public=True)
    if requested is not None:
        yield about(ticket, "contact.message", f"words-{stamp(requested)}", requested, author_kind="customer", public=True)


def _statuses(ticket: str, fields: Fields, context: Context) -> Iterator[Draft]:
    steps = {
        (status, at)
        for name, status in (
            ("reopened_at", "reopened"),
            ("resolved_at", "resolved"),
            ("closed_at", "closed"),
            ("pending_since", "waiting_on_customer"),
        )
        if (at := fields.time(f"stats.{name}")) is not None
    }
    configured = context.settings.get("statuses") or {}
    now = {**_STATUSES, **{str(number): str(status) for number, status in configured.items()}}.get(fields.need("status"))
    since = fields.time("stats.status_updated_at")
    if (
        now is not None
        and since is not None
        and since != fields.time("created_at")
        and not (now == "open" and ("reopened", since) in steps)
    ):
        steps.add((now, since))
    for status, at in sorted(steps, key=lambda step: (step[1], step[0])):
        yield about(ticket, "contact.status_changed", f"status-{status}-{stamp(at)}", at, status=status)


def _rating(fields: Fields) -> Draft:
    at = fields.time("updated_at") or fields.need_time("created_at")
    score = _SCORES.get(int(fields.number("ratings.default_question") or 0))
    if score is None:
        raise UnusableError("not_on_scale", "ratings.default_question: none of the seven answers of Freshdesk")
    event_name = f"rating-{fields.need('id')}"
    return about(fields.need("ticket_id"), "survey.answered", event_name, at, kind="csat", score=score, scale="1-7", revision=in_ms(at))


CONNECTOR = Connector(
    name="freshdesk",
    title="Freshdesk",
    family="desk",
    delivery="journal",
    ways=("pull", "file"),
    kinds={
        "ticket": "contact.arrived, contact.queued, contact.message, contact.status_changed, contact.assigned, contact.transferred",
        "satisfaction_rating": "survey.answered",
    },
    ignored={"automation_webhook": "its fields are texts without times: the tickets are polled instead"},
    read=list_records("results", "tickets", "satisfaction_ratings"),
    kind=_kind,
    compare=_compare,
    key=_key,
    # A ticket is reopened after months too.
    remembered_days=120,
    reports={
        "arrival": "",
        "queue": "",
        "transfer": "",
        "agent_state": "the API does not report when it changed",
        "first_response": "",
        "resolution": "",
        "csat": "",
    },
    personal=(
        "subject",
        "description",
        "description_text",
        "requester_id",
        "requester",
        "email",
        "phone",
        "name",
        "cc_emails",
        "fwd_emails",
        "reply_cc_emails",
        "ticket_cc_emails",
        "to_emails",
        "support_email",
        "custom_fields",
        "tags",
        "feedback",
        "user_id",
        "freshdesk_webhook",
    ),
    settings=(
        Setting(name="subdomain", meaning="Of the account: the first part of SUBDOMAIN.freshdesk.com; needed to poll it"),
        URL,
        queues_setting("a group"),
        channels_setting(_CHANNELS),
        Setting(
            name="statuses", meaning="Number of a status of your own → open, waiting_on_customer, on_hold, resolved or closed", default={}
        ),
    ),
    credentials=(Setting(name="api_key", meaning="Of an agent who sees all tickets: profile settings", required=True),),
    guessed=(
        "The meaning of `stats` (from memory), and that `pending_since` is the last time the ticket became pending.",
        "The seven values of a rating, -103 to 103: they are counted as 1 to 7.",
        "The numbers of `source` for social channels, and the statuses 6 (waiting on customer) and 7 (waiting on third party).",
    ),
)
