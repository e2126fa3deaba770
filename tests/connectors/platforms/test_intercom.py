"""Intercom: what topics and parts mean beyond the two tickets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.platforms.desks import becomes, content, rejections

T = 1_778_576_400


def notified(topic: str, *parts: dict[str, Any], **item: Any) -> dict[str, Any]:
    """Return a notification about conversation 7, begun at T."""
    listed = {"conversation_parts": [{"created_at": T + 60, **part} for part in parts]}
    conversation = {
        "id": "7",
        "created_at": T,
        "updated_at": T + 60,
        "source": {"type": "conversation"},
        "conversation_parts": listed,
        **item,
    }
    return {"id": "notif_1", "topic": topic, "created_at": T + 61, "data": {"item": conversation}}


def part(number: int, kind: str, author: str = "admin", **more: Any) -> dict[str, Any]:
    """Return a part of a conversation."""
    return {"id": str(number), "part_type": kind, "author": {"type": author, "id": "41"}, **more}


@pytest.mark.parametrize(
    ("topic", "kind", "status"),
    [
        ("conversation.admin.closed", "close", "resolved"),
        ("conversation.admin.opened", "open", "reopened"),
        ("conversation.admin.snoozed", "snoozed", "on_hold"),
        ("conversation.admin.unsnoozed", "unsnoozed", "open"),
    ],
)
def test_statuses(topic: str, kind: str, status: str) -> None:
    """With the part that reports it, and without."""
    for notification in (notified(topic, part(1, kind)), notified(topic)):
        (event,) = becomes("intercom", notification).events
        assert (event.type, event.status) == ("contact.status_changed", status)  # type: ignore[attr-defined]


def test_a_live_chat_is_answered_by_the_first_reply_of_an_agent() -> None:
    """A reply alone is no answer there: Intercom's own time identifies the first one; a mail needs none."""
    statistics = {"statistics": {"first_admin_reply_at": T + 60}}
    first = notified("conversation.admin.replied", part(1, "comment"), **statistics)
    later = notified("conversation.admin.replied", part(2, "comment", created_at=T + 90), **statistics)
    mail = notified("conversation.admin.replied", part(3, "comment"), source={"type": "email"}, **statistics)
    assert [each.type for each in becomes("intercom", first).events] == ["contact.answered", "contact.message"]
    assert [each.type for each in becomes("intercom", later, mail).events] == ["contact.message", "contact.message"]


def test_another_team_is_another_queue() -> None:
    """An assignment to a team queues there, one to an agent does not."""
    team = notified("conversation.admin.assigned", part(1, "assignment", assigned_to={"type": "team", "id": "9"}))
    agent = notified("conversation.admin.assigned", part(2, "assignment", assigned_to={"type": "admin", "id": "41"}))
    done = becomes("intercom", team, agent, settings={"queues": {9: "billing"}})
    assert [(each.type, getattr(each, "queue", None)) for each in done.events] == [
        ("contact.assigned", None),
        ("contact.queued", "billing"),
        ("contact.assigned", None),
    ]


def test_conversations_begun_by_the_business_are_outbound() -> None:
    """Such conversations count to no figure of contacts."""
    (event,) = becomes("intercom", notified("conversation.admin.single.created")).events
    assert (event.type, event.direction) == ("contact.arrived", "outbound")  # type: ignore[attr-defined]


def test_one_part_sent_by_two_topics_is_one_event() -> None:
    """A reply that also closes arrives as both."""
    both = [notified(f"conversation.admin.{topic}", part(5, "close")) for topic in ("replied", "closed")]
    assert content(becomes("intercom", *both)).keys() == {"7-part-5", "7-part-5-close"}


def test_admins_go_away_and_come_back() -> None:
    """Presence, with the notification's own id."""
    away = {"id": "n1", "topic": "admin.away_mode_updated", "created_at": T, "data": {"item": {"id": "41", "away_mode_enabled": True}}}
    out = {"id": "n2", "topic": "admin.logged_out", "created_at": T, "data": {"item": {"id": 41}}}
    events = becomes("intercom", away, out).events
    assert [(each.person_id, each.state) for each in events] == [("41", "away"), ("41", "offline")]  # type: ignore[attr-defined]


def test_what_is_missing_is_named() -> None:
    """A reply without its part has no time."""
    assert rejections(becomes("intercom", notified("conversation.user.replied"))) == [
        ("missing_field", "data.item.conversation_parts: what was written or done")
    ]
    assert rejections(becomes("intercom", {"topic": "conversation.user.created"})) == [("missing_field", "data.item: an object")]
