"""X and Facebook: a customer's messages of a day are a conversation, and the account's messages answer it, also days later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.connectors.platforms.desks import becomes, documents, rejections
from tests.support.platforms import counted

if TYPE_CHECKING:
    from streams.connectors.kit.translating import Translated

NAMED = {"queue": "social"}
#: 2026-05-15T20:00:00Z, a Friday, in ms; and half a day.
FRIDAY, HALF_DAY = 1_778_875_200_000, 43_200_000


def authors_of(done: Translated) -> dict[str, list[str]]:
    """Return the authors in each conversation with an arrival, in order of time."""
    arrived = {event.conversation_id for event in done.events if event.type == "contact.arrived"}  # type: ignore[attr-defined]
    authors: dict[str, list[str]] = {}
    for event in sorted(done.events, key=lambda each: each.occurred_at):
        if event.type == "contact.message" and event.conversation_id in arrived:  # type: ignore[attr-defined]
            authors.setdefault(event.conversation_id, []).append(event.author_kind)  # type: ignore[attr-defined]
    return authors


def message(at: int, mid: str, *, by_page: bool = False) -> dict[str, Any]:
    """Return a delivery of a message between customer C and page P."""
    parties = {"sender": {"id": "P"}, "recipient": {"id": "C"}} if by_page else {"sender": {"id": "C"}, "recipient": {"id": "P"}}
    event = {**parties, "timestamp": at, "message": {"mid": mid, "is_echo": by_page}}
    return {"object": "page", "entry": [{"id": "P", "messaging": [event]}]}


@pytest.mark.parametrize(("name", "app", "ignored"), [("x", "bot-7", 4), ("facebook", 99, 4)])
def test_two_days_of_one_customer(name: str, app: object, ignored: int) -> None:
    """Two questions with answers, and a bot's message."""
    done = becomes(name, *documents(name), settings={**NAMED, "bot_apps": [app]})
    assert [*authors_of(done).values()] == [["customer", "agent", "customer", "bot"], ["customer", "agent"]]
    assert sum(done.ignored.values()) == ignored
    assert done.rejected == []
    totals = counted(done.events)["totals"]
    figures = {figure: totals[figure]["value"] for figure in ("offered", "answered", "first_response_time", "events_uncounted")}
    # 09:00 to 09:10 on the first day, 09:00 to 09:20 on the third.
    assert figures == {"offered": 2, "answered": 2, "first_response_time": (600 + 1200) / 2, "events_uncounted": 0}


@pytest.mark.parametrize(("days", "answered"), [(3, 1), (1, 0)])
def test_a_question_of_friday_is_answered_on_monday(days: int, answered: int) -> None:
    """As many days back as configured; without a customer's message a reply counts nothing."""
    deliveries = [message(FRIDAY, "m_1"), message(FRIDAY + 5 * HALF_DAY, "m_2", by_page=True)]
    done = becomes("facebook", *deliveries, settings={**NAMED, "reply_days": days})
    totals = counted(done.events, {"counting": {"lost_after_seconds": {"social": 3 * 86_400}}})["totals"]
    assert (totals["offered"]["value"], totals["answered"]["value"]) == (1, answered)
    assert totals["first_response_time"]["value"] == (216_000 if answered else None)


def test_the_first_message_of_a_day_is_the_arrival() -> None:
    """In any order of arrival: one id, and the earliest has the highest revision."""
    done = becomes("facebook", message(FRIDAY + 60_000, "m_2"), message(FRIDAY, "m_1"), settings=NAMED)
    arrivals = [each for each in done.events if each.type == "contact.arrived"]
    assert len({each.event_id for each in arrivals}) == 1
    latest = max(arrivals, key=lambda each: each.revision or 0)
    assert latest.occurred_at.timestamp() * 1000 == FRIDAY


def test_without_a_queue_nothing_is_queued() -> None:
    """Messages count as unassigned then."""
    assert "contact.queued" not in {each.type for each in becomes("x", *documents("x")).events}


def test_reply_days_are_days() -> None:
    """An invalid setting is named."""
    done = becomes("facebook", message(FRIDAY, "m_2", by_page=True), settings={"reply_days": 40})
    assert rejections(done) == [("bad_setting", "reply_days: a whole number from 0 to 7")]
