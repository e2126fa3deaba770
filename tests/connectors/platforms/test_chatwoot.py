"""Chatwoot: live chats, bots, changed answers, and webhooks by account and by inbox."""

from __future__ import annotations

from typing import Any

from tests.connectors.platforms.desks import becomes, content
from tests.support.platforms import counted, fixture

T = 1_778_576_400
WIDGET = "Channel::WebWidget"


def conversation(event: str, after: int = 0, **more: Any) -> dict[str, Any]:
    """Return a webhook about conversation 6 of inbox 12, begun at T, in its state some seconds later."""
    about = {"id": 6, "inbox_id": 12, "channel": WIDGET, "created_at": T, "updated_at": T + after + 0.25, "status": "open"}
    return {"event": event, **about, "meta": {"sender": {"id": 1}, "assignee": {"id": 15}}, **more}


def changed(after: int, name: str, previous: object, current: object) -> dict[str, Any]:
    """Return an update of conversation 6."""
    return conversation("conversation_updated", after, changed_attributes=[{name: {"previous_value": previous, "current_value": current}}])


def message(event: str, number: int, kind: Any, updated: float | None = None, **more: Any) -> dict[str, Any]:
    """Return a message of conversation 6."""
    return {
        "event": event,
        "id": number,
        "message_type": kind,
        "created_at": "2026-05-12T09:01:00.000Z",
        "conversation": {"id": 6, "updated_at": updated},
        "sender": {"id": 15, "type": "user"},
        **more,
    }


def test_account_and_inbox_webhook_count_once() -> None:
    """Both deliveries of an event count once."""
    lines = fixture("chatwoot", "two-tickets.jsonl")
    once, twice = becomes("chatwoot", lines), becomes("chatwoot", lines, lines)
    assert len(twice.events) == 2 * len(once.events)
    assert counted(twice.events)["totals"] == counted(once.events)["totals"]


def test_a_live_chat_is_answered_when_chatwoot_reports_it() -> None:
    """First reply after 60 s: answered, with first response; a mail is answered by the message itself."""
    webhooks = [
        conversation("conversation_created"),
        message("message_created", 2, "outgoing"),
        changed(60, "first_reply_created_at", None, "2026-05-12T09:01:00.000Z"),
    ]
    totals = counted(becomes("chatwoot", *webhooks).events)["totals"]
    assert (totals["answered"]["value"], totals["asa"]["value"], totals["first_response_time"]["value"]) == (1, 60, 60)
    mail = {**webhooks[2], "channel": "Channel::Email"}
    assert becomes("chatwoot", mail).events == []


def test_a_conversation_with_a_bot_is_queued_when_the_bot_opens_it() -> None:
    """In an inbox with a bot a pending conversation waits for no agent."""
    webhooks = [
        conversation("conversation_created", status="pending"),
        message("message_created", 1, "outgoing", sender={"id": 3, "type": "agent_bot"}),
        changed(300, "status", "pending", "open"),
    ]
    done = becomes("chatwoot", *webhooks, settings={"bot_inboxes": [12], "queues": {"12": "shop"}})
    assert [(each.type, getattr(each, "queue", None)) for each in done.events] == [
        ("contact.arrived", None),
        ("contact.message", None),
        ("contact.handed_over", "shop"),
        ("contact.queued", "shop"),
        ("contact.status_changed", None),
    ]
    assert done.events[1].author_kind == "bot"  # type: ignore[attr-defined]
    without = becomes("chatwoot", *webhooks)
    assert [each.type for each in without.events][1] == "contact.queued"


def test_an_answer_that_changes_is_one() -> None:
    """The same id, and a revision that grows with the conversation's last update."""
    rated = [
        message(
            "message_updated", 9, "template", updated, content_attributes={"submitted_values": {"csat_survey_response": {"rating": score}}}
        )
        for score, updated in ((2, T + 100.5), (4, T + 900.5))
    ]
    events = [each for each in becomes("chatwoot", *rated).events if each.type == "survey.answered"]
    assert [(each.event_id, each.score) for each in events] == [("6-survey-9", 2), ("6-survey-9", 4)]  # type: ignore[attr-defined]


def test_authors_of_messages() -> None:
    """Agents, bots, rules of automation and Chatwoot itself; types of messages are names or numbers."""
    webhooks = [
        message("message_created", 1, 0),
        message("message_created", 2, 1),
        message("message_created", 3, "outgoing", sender=None),
        message("message_created", 4, "outgoing", content_attributes={"automation_rule_id": 4}),
        message("message_created", 5, "outgoing", private=True),
        message("message_created", 6, "template"),
        message("message_created", 7, 2),
    ]
    done = becomes("chatwoot", *webhooks)
    assert [(each.author_kind, each.public, each.automatic) for each in done.events] == [  # type: ignore[attr-defined]
        ("customer", True, False),
        ("agent", True, False),
        ("system", True, True),
        ("system", True, True),
        ("agent", False, False),
        ("system", True, True),
    ]
    assert dict(done.ignored) == {"activities": 1}


def test_a_status_sent_twice_is_one_event() -> None:
    """By an event of its own and as an update."""
    update = changed(60, "status", "resolved", "open")
    both = content(becomes("chatwoot", update, {**update, "event": "conversation_status_changed"}))
    assert [each["status"] for each in both.values()] == ["reopened"]
