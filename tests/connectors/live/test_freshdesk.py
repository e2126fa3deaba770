"""Freshdesk is asked: tickets in the order of their last updates, page by page while they change, and ratings.

The server is a fake, written from public descriptions of the API: `updated_since`, pages of at most a hundred, `Retry-After`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aiohttp import web

from schemas.other import SourceHeartbeat
from streams.connectors.pull.entries import MemoryLedger
from tests.support.polling import Clock, poll_once, serving

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 4, 6, 9, tzinfo=UTC)


def formatted(at: datetime) -> str:
    """Return a time as Freshdesk writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Freshdesk:
    """The fake."""

    def __init__(self) -> None:
        self.tickets: dict[int, dict[str, Any]] = {}
        self.ratings: list[dict[str, Any]] = []
        self.questions = 0
        self.before_answer: Callable[[int], None] = lambda _: None
        self.limited = 0

    def ticket(self, number: int, at: datetime, **stats: str) -> None:
        """Make a ticket, or change it."""
        ticket = self.tickets.setdefault(
            number,
            {
                "id": number,
                "status": 2,
                "source": 1,
                "group_id": 11,
                "responder_id": None,
                "created_at": formatted(at),
                "requester_id": 7,
                "stats": {},
            },
        )
        ticket["updated_at"] = formatted(at)
        ticket["stats"] = {**ticket["stats"], **stats}

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a list."""
        self.questions += 1
        assert request.headers["Authorization"] == "Basic a2V5Olg="
        if self.limited:
            self.limited -= 1
            return web.json_response(
                {"message": "You have exceeded the limit of requests per minute"}, status=429, headers={"Retry-After": "21"}
            )
        query = request.query
        size, page = int(query["per_page"]), int(query["page"])
        assert size <= 100
        if request.path.endswith("ratings"):
            items = [rating for rating in self.ratings if rating["created_at"] >= query["created_since"]]
        else:
            self.before_answer(self.questions)
            assert (query["order_by"], query["order_type"], query["include"]) == ("updated_at", "asc", "stats")
            items = [ticket for ticket in self.tickets.values() if ticket["updated_at"] >= query["updated_since"]]
            items.sort(key=lambda ticket: (ticket["updated_at"], ticket["id"]))
        return web.json_response(items[(page - 1) * size : page * size], headers={"X-RateLimit-Remaining": "50"})

    def routes(self, app: web.Application) -> None:
        """Add where it answers."""
        app.router.add_get("/api/v2/tickets", self.answer)
        app.router.add_get("/api/v2/surveys/satisfaction_ratings", self.answer)


def arrived(ledger: MemoryLedger) -> Counter[str]:
    """Return which tickets were published as arrived, and how often."""
    return Counter(event.event_id.removesuffix("-arrived") for event in ledger.events if event.type == "contact.arrived")


def test_tickets_that_change_while_they_are_polled() -> None:
    """Of 450 tickets some are updated between two pages: all are published, each step once, and the limit is waited out."""

    async def scenario() -> None:
        clock, desk, ledger = Clock(NOW), Freshdesk(), MemoryLedger("platform")
        for number in range(450):
            desk.ticket(number, NOW - timedelta(hours=20) + timedelta(seconds=number))

        def meanwhile(question: int) -> None:
            if question in {2, 3}:
                for number in range(question * 10, question * 10 + 30):
                    desk.ticket(number, NOW - timedelta(minutes=question))

        desk.before_answer = meanwhile
        desk.limited = 1
        async with serving(desk.routes) as url:
            settings = {"url": url, "api_key": "key"}
            await poll_once("freshdesk", settings, ledger, clock)
            assert set(arrived(ledger)) == set(map(str, range(450)))
            assert 21.0 in clock.waited
            clock.now += timedelta(minutes=1)
            before = len(ledger.events)
            await poll_once("freshdesk", settings, ledger, clock)
            # What was polled again is not published again, except the last change.
            assert [event.type for event in ledger.events[before:]] == ["source.heartbeat"]
        beats = [event.complete_through for event in ledger.events if isinstance(event, SourceHeartbeat)]
        assert beats == [NOW - timedelta(minutes=2), NOW - timedelta(minutes=1)]

    asyncio.run(scenario())


def test_many_of_one_second() -> None:
    """A bulk update gives more tickets than a page the same second: none is passed over."""

    async def scenario() -> None:
        clock, desk, ledger = Clock(NOW), Freshdesk(), MemoryLedger("platform")
        for number in range(350):
            desk.ticket(number, NOW - timedelta(hours=1))
        async with serving(desk.routes) as url:
            await poll_once("freshdesk", {"url": url, "api_key": "key"}, ledger, clock)
        assert arrived(ledger) == Counter(map(str, range(350)))

    asyncio.run(scenario())


def test_two_changes_of_one_second() -> None:
    """A ticket is polled, and answered within the same second: times are in whole seconds, and the answer is published."""

    async def scenario() -> None:
        clock, desk, ledger = Clock(NOW), Freshdesk(), MemoryLedger("platform")
        at = NOW - timedelta(seconds=1)
        desk.ticket(1, at)
        async with serving(desk.routes) as url:
            settings = {"url": url, "api_key": "key"}
            await poll_once("freshdesk", settings, ledger, clock)
            desk.ticket(1, at, first_responded_at=formatted(at))
            await poll_once("freshdesk", settings, ledger, clock, rounds=2)
        kinds = Counter(event.type for event in ledger.events if event.type != "source.heartbeat")
        assert kinds["contact.message"] == 1

    asyncio.run(scenario())


def test_steps_and_ratings() -> None:
    """A ticket is answered and resolved between two rounds, and rated: each once."""

    async def scenario() -> None:
        clock, desk, ledger = Clock(NOW), Freshdesk(), MemoryLedger("platform")
        desk.ticket(1, NOW - timedelta(hours=1))
        async with serving(desk.routes) as url:
            settings = {"url": url, "api_key": "key"}
            await poll_once("freshdesk", settings, ledger, clock)
            clock.now += timedelta(minutes=10)
            at = formatted(NOW + timedelta(minutes=5))
            desk.ticket(1, NOW + timedelta(minutes=5), first_responded_at=at, agent_responded_at=at, resolved_at=at, status_updated_at=at)
            desk.tickets[1]["status"] = 4
            desk.ratings.append(
                {"id": 9, "ticket_id": 1, "created_at": at, "updated_at": at, "ratings": {"default_question": 103}, "feedback": "of anna"}
            )
            await poll_once("freshdesk", settings, ledger, clock, rounds=3)
        kinds = Counter(event.type for event in ledger.events if event.type != "source.heartbeat")
        assert (kinds["contact.message"], kinds["contact.status_changed"], kinds["survey.answered"]) == (1, 1, 1)
        assert ledger.rejected == []

    asyncio.run(scenario())
