"""Zendesk: webhooks and export give the same events with the same ids, so that one makes up for losses of the other."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from streams.connectors.kit.model import Context
from streams.connectors.kit.translating import translate
from streams.connectors.platforms import connector
from tests.connectors.platforms.desks import becomes, content, rejections
from tests.support.platforms import counted, figures, fixture, translated, two_tickets

HOOKS = [line for line in fixture("zendesk", "two-tickets.jsonl").splitlines() if line]
EXPORT = fixture("zendesk-export", "ticket-events.json")
#: Its receipt is a notification there, which counts nothing.
RECEIPT = "70012-comment-403"


def hook(kind: str, event: dict[str, Any], **detail: Any) -> dict[str, Any]:
    """Return a webhook about ticket 8 of 2026-05-12T09:30:00.5Z."""
    return {
        "type": f"zen:event-type:{kind}",
        "id": "0c",
        "time": "2026-05-12T09:30:00.500000000Z",
        "detail": {"id": "8", "created_at": "2026-05-12T09:00:00Z", "via": {"channel": "mail"}, **detail},
        "event": event,
    }


def audit(*children: dict[str, Any], via: str = "Mail", ticket: int = 8, at: str = "2026-05-12T09:30:00Z") -> dict[str, Any]:
    """Return a ticket event of the export about ticket 8."""
    return {"id": 1, "ticket_id": ticket, "created_at": at, "updater_id": 9001, "via": via, "child_events": [*children]}


def test_both_feeds_give_the_same_events() -> None:
    """Event by event, with all fields, but for the receipt."""
    by_hook = content(becomes("zendesk", *HOOKS))
    by_export = content(becomes("zendesk-export", EXPORT))
    assert by_hook.pop(RECEIPT)["author_kind"] == "system"
    # The webhook's report of the author counts.
    assert {event.pop("revision", None) for event in by_hook.values() if event["type"] == "contact.message"} == {1}
    assert by_hook == by_export
    assert by_hook["70011-arrived"]["customer_key"].startswith("k1:")


@pytest.mark.parametrize("seed", range(12))
def test_with_webhooks_lost_and_both_mixed(seed: int) -> None:
    """Deliveries lost, repeated and out of order, the export among them: no event is lost, and none counts twice."""
    chance = Random(seed)
    delivered = [hook for hook in HOOKS if chance.random() < 0.6]
    hooks = translated(connector("zendesk"), [("hook", b"\n".join(delivered))], seed=seed, source="zendesk").events if delivered else []
    export = translated(connector("zendesk-export"), [("export", EXPORT)], seed=seed, source="zendesk").events
    events = [*hooks, *export]
    chance.shuffle(events)
    result = counted(events)
    wanted = two_tickets(csat=False)
    assert figures(result, wanted, {})["all"] == pytest.approx(wanted["all"])
    assert result["dead_letters"] == []


@pytest.mark.parametrize("order", [1, -1])
def test_a_customer_who_is_copied_in_is_known_by_the_webhook(order: int) -> None:
    """The export takes the author for an agent, whose message would be a response; in any order, it is none."""
    made = hook("ticket.created", {}, requester_id="9001", status="NEW", updated_at="2026-05-12T09:00:00Z")
    comment = {"id": "51", "is_public": True, "author": {"id": "9007", "is_staff": False}}
    hooks = becomes("zendesk", made, hook("ticket.comment_added", {"comment": comment})).events
    first = audit({"event_type": "Create", "requester_id": 9001}, at="2026-05-12T09:00:00Z")
    export = becomes("zendesk-export", first, audit({"id": 51, "event_type": "Comment", "author_id": 9007, "public": True})).events
    assert counted(export)["totals"]["first_response_time"]["value"] == 1800
    assert counted([*hooks, *export][::order])["totals"]["first_response_time"]["value"] is None


def test_webhooks_that_are_hours_late_replace_nothing_of_the_export() -> None:
    """They are late events; the same events by the export were received when they occurred, and count."""
    context = Context(source="zendesk", customer_key=str.upper)
    late = translate(connector("zendesk"), b"\n".join(HOOKS), context, origin="hook", now=datetime(2026, 5, 12, 15, tzinfo=UTC)).events
    export = translated(connector("zendesk-export"), [("export", EXPORT)], source="zendesk").events
    for events in ([*late, *export], [*export, *late]):
        result = counted(events)
        wanted = two_tickets(csat=False)
        assert figures(result, wanted, {})["all"] == pytest.approx(wanted["all"])


def test_webhooks_alone_lose_undelivered_events() -> None:
    """The reason for the export: without the delivery of a solution the figure is missing."""
    delivered = [hook for hook in HOOKS if b'"SOLVED"' not in hook]
    assert counted(becomes("zendesk", *delivered).events)["totals"]["resolution_time"]["value"] is None


def test_the_comment_that_a_ticket_begins_with_is_its_arrival() -> None:
    """By any author and either feed: it answers nothing."""
    comment = {"id": "61", "is_public": True, "author": {"id": "5501", "is_staff": True}}
    delivery = hook("ticket.comment_added", {"comment": comment}, created_at="2026-05-12T09:30:00Z")
    assert becomes("zendesk", delivery).events == []
    first = audit({"event_type": "Create", "requester_id": 9001}, {"id": 61, "event_type": "Comment", "author_id": 5501, "public": True})
    assert [each.type for each in becomes("zendesk-export", first).events] == ["contact.arrived", "contact.queued"]


def test_the_requester_is_that_of_the_ticket() -> None:
    """Comments wait until the requester is known, by the ticket's first event or by the ticket, and are then reported once."""
    comments = [
        {"id": 51, "event_type": "Comment", "author_id": 9001, "public": True},
        {"id": 52, "event_type": "Comment", "author_id": 5501, "public": False},
    ]
    ticket = {"id": 8, "requester_id": 9001, "status": "open", "created_at": "2026-05-12T09:00:00Z"}
    assert content(becomes("zendesk-export", audit(*comments))) == {}
    comments_by_id = content(becomes("zendesk-export", audit(*comments), {"tickets": [ticket]}, audit(*comments)))
    assert {event_id: (comment["author_kind"], comment["public"]) for event_id, comment in comments_by_id.items()} == {
        "8-comment-51": ("customer", True),
        "8-comment-52": ("agent", False),
    }
    # A customer who is copied in is no agent, where agents are named.
    named = content(becomes("zendesk-export", ticket, audit({**comments[0], "author_id": 9007}), settings={"agents": [5501]}))
    assert named["8-comment-51"]["author_kind"] == "customer"


def test_more_comments_than_are_stored_are_rejected() -> None:
    """State is bounded, and the detail names the fix."""
    comments = [{"id": number, "event_type": "Comment", "author_id": 7, "public": True} for number in range(501)]
    ((reason, detail),) = rejections(becomes("zendesk-export", audit(*comments)))
    assert reason == "missing_field"
    assert "export tickets too" in detail


def test_statuses_in_either_case() -> None:
    """Webhooks have upper case, the export has not; each is one event in either case."""
    statuses = {"open": "open", "pending": "waiting_on_customer", "hold": "on_hold", "solved": "resolved", "closed": "closed"}
    for status, meaning in statuses.items():
        loud = content(becomes("zendesk", hook("ticket.status_changed", {"current": status.upper(), "previous": "NEW"})))
        quiet = content(becomes("zendesk-export", audit({"event_type": "Change", "status": status, "previous_value": "new"})))
        assert loud == quiet
        assert loud[f"8-status-{status}-1778578200"]["status"] == meaning
    again = content(becomes("zendesk", hook("ticket.status_changed", {"current": "OPEN", "previous": "SOLVED"})))
    assert again["8-status-open-1778578200"]["status"] == "reopened"
    assert becomes("zendesk", hook("ticket.status_changed", {"current": "ARCHIVED", "previous": "CLOSED"})).events == []
    assert rejections(becomes("zendesk", hook("ticket.status_changed", {"current": "WEIRD"})))[0][0] == "unknown_kind"


def test_another_group() -> None:
    """A ticket that had a group is transferred; one that had none is only given its first. Groups have names by the setting."""
    named = {"queues": {330: "care", "331": "billing"}}
    translated_hook = becomes("zendesk", hook("ticket.group_assignment_changed", {"current": 331, "previous": "330"}), settings=named)
    exported = becomes("zendesk-export", audit({"event_type": "Change", "group_id": "331", "previous_value": "330"}), settings=named)
    assert content(translated_hook) == content(exported)
    assert [(event.type, getattr(event, "from_queue", None)) for event in translated_hook.events] == [
        ("contact.transferred", "care"),
        ("contact.queued", None),
    ]
    first = becomes("zendesk", hook("ticket.group_assignment_changed", {"current": "331", "previous": None}), settings=named)
    assert [event.type for event in first.events] == ["contact.queued"]


def test_deleted_merged_and_spam_count_nowhere() -> None:
    """Each by webhook, deletion and merging by the export too."""
    by_hook = becomes(
        "zendesk", hook("ticket.soft_deleted", {}), hook("ticket.merged", {"target_ticket_id": "9"}), hook("ticket.marked_as_spam", {})
    )
    assert [each.reason for each in by_hook.events] == ["no_reply_needed", "merged", "spam"]  # type: ignore[attr-defined]
    by_export = becomes(
        "zendesk-export",
        audit({"event_type": "Change", "status": "deleted", "previous_value": "open"}),
        audit({"event_type": "Change", "status": "closed", "previous_value": "open"}, via="Merge"),
    )
    assert content(by_export).keys() == {"8-excluded-no_reply_needed", "8-excluded-merged"}
    assert content(by_export).items() <= content(by_hook).items()


def test_a_rating_that_changes_is_one_answer() -> None:
    """Good or bad on a scale of two; offered is an invitation; the last rating has the highest revision."""
    rating = {"id": 61, "ticket_id": 8, "created_at": "2026-05-12T09:00:00Z"}
    done = becomes(
        "zendesk-export",
        {**rating, "score": "offered", "updated_at": "2026-05-12T09:00:00Z"},
        {**rating, "score": "bad", "updated_at": "2026-05-12T09:30:00Z"},
        {**rating, "score": "good_with_comment", "updated_at": "2026-05-12T09:40:00Z"},
        {**rating, "score": "unoffered"},
    )
    assert {each.event_id for each in done.events} == {"8-invited", "8-rating-61"}
    answers = [each for each in done.events if each.type == "survey.answered"]
    assert [(each.score, each.scale) for each in answers] == [(0, "0-1"), (1, "0-1")]  # type: ignore[attr-defined]


def test_agents_are_available_by_channel() -> None:
    """Ids of agents are numbers or texts."""
    change = {"updated_at": "2026-05-12T09:29:00.1Z", "previous_state": "offline", "new_state": "online", "channel": "support"}
    (event,) = becomes("zendesk", hook("agent.state_changed", change, agent_id=10011)).events
    assert (event.person_id, event.state, event.channel) == ("10011", "online", "ticket")  # type: ignore[attr-defined]


def test_ways_into_the_desk_are_channels() -> None:
    """The export writes them with capitals and spaces; a setting may override it."""
    for hooked, exported, channel in (("web_form", "Web form", "web_form"), ("sms", "SMS", "sms"), ("api", "Web service", "ticket")):
        made = hook("ticket.created", {}, requester_id=1, via={"channel": hooked}, status="NEW")
        first = audit({"event_type": "Create", "requester_id": 1}, via=exported, at="2026-05-12T09:00:00Z")
        assert content(becomes("zendesk", made)) == content(becomes("zendesk-export", first))
        assert becomes("zendesk", made).events[0].channel == channel  # type: ignore[attr-defined]
    made = hook("ticket.created", {}, via={"channel": "api"})
    assert becomes("zendesk", made, settings={"channels": {"api": "web_form"}}).events[0].channel == "web_form"  # type: ignore[attr-defined]
