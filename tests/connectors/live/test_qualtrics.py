"""Qualtrics is asked for exports; the server is a fake, written from memory of its API: an order, its progress, its file."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from schemas.other import SourceHeartbeat
from streams.connectors.pull.entries import MemoryLedger
from streams.connectors.pull.failures import PollError
from tests.support.polling import Clock, poll_once, serving

NOW = datetime(2026, 4, 7, 12, tzinfo=UTC)
PATH = "/API/v3/surveys/SV_abc123/export-responses"


class Qualtrics:
    """The fake: exports are ready at the third question."""

    def __init__(self) -> None:
        self.responses: dict[str, dict[str, Any]] = {}
        self.orders: list[dict[str, Any]] = []
        self.questions = 0
        self.status = "complete"

    def respond(self, name: str, when: datetime, score: int) -> None:
        """Let a customer answer, or answer otherwise."""
        formatted = when.strftime("%Y-%m-%dT%H:%M:%S.500Z")
        values = {"status": 0, "finished": 1, "recordedDate": formatted, "_recordId": name, "QID1": score, "contact_id": f"T-{name}"}
        self.responses[name] = {"responseId": name, "values": values, "displayedFields": ["QID1"]}

    async def order(self, request: web.Request) -> web.Response:
        """Take an order."""
        assert request.headers["X-API-TOKEN"] == "q-token"
        self.orders.append(await request.json())
        self.questions = 0
        return web.json_response({"result": {"progressId": f"ES_{len(self.orders)}", "percentComplete": 0.0, "status": "inProgress"}})

    async def progress(self, request: web.Request) -> web.Response:
        """Answer the progress of the last one."""
        assert request.match_info["id"] == f"ES_{len(self.orders)}"
        self.questions += 1
        if self.questions < 3:
            return web.json_response({"result": {"percentComplete": 50.0, "status": "inProgress"}})
        return web.json_response({"result": {"fileId": f"file-{len(self.orders)}", "percentComplete": 100.0, "status": self.status}})

    async def file(self, request: web.Request) -> web.Response:
        """Give it."""
        order = self.orders[int(request.match_info["id"].removeprefix("file-")) - 1]
        shown = [each for each in self.responses.values() if order["startDate"] <= each["values"]["recordedDate"] < order["endDate"]]
        return web.json_response({"responses": shown})

    def add_to(self, app: web.Application) -> None:
        """Serve it."""
        app.router.add_post(PATH, self.order)
        app.router.add_get(PATH + "/{id}", self.progress)
        app.router.add_get(PATH + "/{id}/file", self.file)


def published(ledger: MemoryLedger) -> list[tuple[str, float]]:
    """Return id and score of the published events, repeats too."""
    return sorted((event.event_id, event.score) for event in ledger.events if not isinstance(event, SourceHeartbeat))  # type: ignore[attr-defined]


def test_every_response_is_published_once() -> None:
    """Three days of responses, a day an export; later ones, one found late, and one that was changed."""

    async def scenario() -> None:
        server, clock, ledger = Qualtrics(), Clock(NOW), MemoryLedger("platform")
        for number in range(30):
            server.respond(f"R_{number}", NOW - timedelta(hours=60) + timedelta(hours=2 * number), 5)
        async with serving(server.add_to) as url:
            settings = {"url": url, "api_token": "q-token", "surveys": ["SV_abc123"], "questions": {"QID1": "csat"}}
            await poll_once("qualtrics", settings, ledger, clock)
            assert len(server.orders) >= 3
            first = published(ledger)
            assert len({name for name, _ in first}) == len(first) == 30
            clock.now += timedelta(minutes=10)
            server.respond("R_late", NOW - timedelta(minutes=2), 3)
            server.respond("R_29", NOW + timedelta(minutes=8), 1)
            await poll_once("qualtrics", settings, ledger, clock, rounds=3)
        found = published(ledger)
        assert len(found) == len(first) + 2
        assert [score for name, score in found if name.startswith("qualtrics:R_29-")] == [1.0, 5.0]
        assert ledger.rejected == []
        assert [event.complete_through for event in ledger.events if isinstance(event, SourceHeartbeat)][-1] == NOW + timedelta(minutes=5)

    asyncio.run(scenario())


def test_an_export_that_fails() -> None:
    """It is waited out as any failure."""

    async def scenario() -> None:
        server, ledger = Qualtrics(), MemoryLedger("platform")
        server.status = "failed"
        async with serving(server.add_to) as url:
            with pytest.raises(PollError, match="could not create the export"):
                await poll_once("qualtrics", {"url": url, "api_token": "q-token", "surveys": ["SV_abc123"]}, ledger, Clock(NOW))
        assert published(ledger) == []

    asyncio.run(scenario())


@pytest.mark.parametrize("surveys", [None, [], ["../SV_x"], "SV_abc123"])
def test_surveys_are_named(surveys: object) -> None:
    """Before anything is asked."""

    async def scenario() -> None:
        settings = {"data_center": "fra1", "api_token": "q-token", "surveys": surveys}
        with pytest.raises(ValueError, match="surveys: required"):
            await poll_once("qualtrics", settings, MemoryLedger("platform"), Clock(NOW))

    asyncio.run(scenario())
