"""Typeform is asked for responses; the server is a fake, written from what is public of its Responses API: parameters, order, pages."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from schemas.other import SourceHeartbeat
from streams.connectors.pull.entries import MemoryLedger
from streams.connectors.pull.failures import PollError
from tests.connectors.platforms.surveys import translated
from tests.support.platforms import fixture
from tests.support.polling import Clock, poll_once, serving

NOW = datetime(2026, 4, 7, 12, tzinfo=UTC)


class Typeform:
    """The fake: forms with responses, oldest first, a page at a time."""

    def __init__(self) -> None:
        self.responses: dict[str, list[dict[str, Any]]] = {"Zy8wQr": [], "Second": []}
        self.asked = 0

    def respond(self, form: str, token: str, when: datetime, score: int, contact: str) -> None:
        """Let a customer answer."""
        formatted = when.strftime("%Y-%m-%dT%H:%M:%SZ")
        answers = [{"type": "number", "number": score, "field": {"id": "f1", "ref": "csat", "type": "rating"}}]
        self.responses[form].append(
            {
                "token": token,
                "response_type": "completed",
                "landed_at": formatted,
                "submitted_at": formatted,
                "hidden": {"contact_id": contact},
                "answers": answers,
            }
        )

    async def answer(self, request: web.Request) -> web.Response:
        """Answer as the API does."""
        self.asked += 1
        assert request.headers["Authorization"] == "Bearer tf-token"
        query = request.query
        assert (query["sort"], query["response_type"]) == ("submitted_at,asc", "completed")
        found = sorted(
            (each for each in self.responses[request.match_info["form"]] if each["submitted_at"] >= query["since"]),
            key=lambda each: each["submitted_at"],
        )
        return web.json_response({"total_items": len(found), "page_count": 1, "items": found[: int(query["page_size"])]})

    def add_to(self, app: web.Application) -> None:
        """Serve it."""
        app.router.add_get("/forms/{form}/responses", self.answer)


def published(ledger: MemoryLedger) -> list[str]:
    """Return the ids of the published events, repeats too."""
    return sorted(event.event_id for event in ledger.events if not isinstance(event, SourceHeartbeat))


def test_every_response_is_published_once() -> None:
    """Three pages of one form and some of another, later ones, and some that are found late; webhook and API give one id."""

    async def scenario() -> None:
        server, clock, ledger = Typeform(), Clock(NOW), MemoryLedger("platform")
        for number in range(1_100):
            server.respond("Zy8wQr", f"a{number}", NOW - timedelta(hours=5) + timedelta(seconds=number // 3), 5, f"T-{number}")
        server.respond("Second", "tok-anna", datetime(2026, 4, 7, 8, 15, tzinfo=UTC), 5, "T-100")
        async with serving(server.add_to) as url:
            settings = {"url": url, "access_token": "tf-token", "forms": ["Zy8wQr", "Second"]}
            await poll_once("typeform", settings, ledger, clock)
            assert len(published(ledger)) == len(set(published(ledger))) == 1_101
            by_webhook = translated("typeform", fixture("typeform", "webhook.jsonl")).events
            (same,) = (event.event_id for event in by_webhook if "tok-anna-csat" in event.event_id)
            assert same in published(ledger)
            clock.now += timedelta(minutes=10)
            server.respond("Second", "late", NOW - timedelta(minutes=2), 3, "T-200")
            server.respond("Second", "new", NOW + timedelta(minutes=7), 4, "T-300")
            await poll_once("typeform", settings, ledger, clock, rounds=3)
        assert len(published(ledger)) == len(set(published(ledger))) == 1_103
        assert ledger.rejected == []
        assert [event.complete_through for event in ledger.events if isinstance(event, SourceHeartbeat)][-1] == NOW + timedelta(minutes=5)

    asyncio.run(scenario())


def test_more_of_one_second_than_a_page() -> None:
    """It would be asked for ever: it is a failure that is seen."""

    async def scenario() -> None:
        server, clock, ledger = Typeform(), Clock(NOW), MemoryLedger("platform")
        for number in range(1_200):
            server.respond("Zy8wQr", f"a{number}", NOW - timedelta(hours=1), 5, "T")
        async with serving(server.add_to) as url:
            with pytest.raises(PollError, match="more responses of one second"):
                await poll_once("typeform", {"url": url, "access_token": "tf-token", "forms": ["Zy8wQr"]}, ledger, clock)
        assert server.asked < 5

    asyncio.run(scenario())


@pytest.mark.parametrize("forms", [None, [], ["../x"], "Zy8wQr"])
def test_forms_are_named(forms: object) -> None:
    """Before anything is asked."""

    async def scenario() -> None:
        with pytest.raises(ValueError, match="forms: required"):
            await poll_once("typeform", {"access_token": "tf-token", "forms": forms}, MemoryLedger("platform"), Clock(NOW))

    asyncio.run(scenario())
