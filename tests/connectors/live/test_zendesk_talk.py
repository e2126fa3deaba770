"""Zendesk Talk's incremental exports are asked for: by the end of the last page, which comes again, and never for the last minute.

The server is a fake, written from the public pages of the API; like it, it always names a next page.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from aiohttp import web

from streams.connectors.pull.entries import MemoryLedger
from tests.support.platforms import FIXTURES, counted, figures, three_calls
from tests.support.polling import Clock, poll_once, serving

FILES = FIXTURES / "zendesk-talk"
FIRST = datetime(2026, 5, 4, 10, tzinfo=UTC)
NAMES = {"queues": {"11": "support", "12": "billing"}}


class Talk:
    """The fake: ``page`` entries an answer, by the time of their update; refuses what is asked for too early."""

    def __init__(self, clock: Clock, page: int) -> None:
        self.clock, self.page = clock, page
        self.asked: Counter[str] = Counter()
        self.exports = {name: orjson.loads((FILES / f"three-calls.{name}.json").read_bytes())[name] for name in ("calls", "legs")}
        # Legs are updated when they end, as calls are.
        for leg in self.exports["legs"]:
            leg["updated_at"] = (datetime.fromisoformat(leg["created_at"]) + timedelta(seconds=leg["duration"] + 30)).isoformat()

    def add_routes(self, app: web.Application) -> None:
        """Declare the routes."""
        app.router.add_get("/api/v2/channels/voice/stats/incremental/{name}.json", self._export)

    async def _export(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Basic " + b64encode(b"admin@acme.example/token:a token").decode():
            return web.Response(status=401)
        name, begin = request.match_info["name"], int(request.query["start_time"])
        self.asked[name] += 1
        withheld = self.clock.now.timestamp() - 60
        if begin > withheld:
            return web.Response(status=422)
        updated = [(int(datetime.fromisoformat(each["updated_at"]).timestamp()), each) for each in self.exports[name]]
        found = sorted((at, each["id"]) for at, each in updated if begin <= at <= withheld)
        # What was updated within one second is not divided.
        last = found[: self.page][-1][0] if found else 0
        found = [(at, number) for at, number in found if at <= last]
        by_id = {each["id"]: each for each in self.exports[name]}
        end = found[-1][0] if found else None
        return web.json_response(
            {name: [by_id[number] for _, number in found], "count": len(found), "end_time": end, "next_page": f"{request.url}&again"}
        )


def ask(clocks: list[datetime], page: int = 2) -> tuple[MemoryLedger, Talk]:
    """Poll once at each of these times, as processes that restart."""
    clock, ledger = Clock(clocks[0]), MemoryLedger("platform")
    fake = Talk(clock, page)
    settings = {"email": "admin@acme.example", "api_token": "a token", "subdomain": "acme", **NAMES}

    async def scenario() -> None:
        async with serving(fake.add_routes) as address:
            for clock.now in clocks:
                await poll_once("zendesk-talk", settings | {"url": address}, ledger, clock)

    asyncio.run(scenario())
    return ledger, fake


@pytest.mark.parametrize("page", [2, 3, 1_000])
def test_calls_and_legs_are_published(page: int) -> None:
    """Page by page, calls and legs together report the three calls."""
    ledger, fake = ask([FIRST + timedelta(minutes=30)], page)
    assert not ledger.rejected
    result = counted(event for event in ledger.events if event.type != "source.heartbeat")
    wanted: dict[str, Any] = {"all": three_calls()["all"]}
    assert figures(result, wanted, {})["all"] == pytest.approx(wanted["all"])
    # Each question is a tenth of a minute: two more than pages, for what comes twice and for what is no more.
    assert fake.asked["calls"] <= 3 + 2
    assert fake.asked["legs"] <= 7 + 2


def test_processes_go_on_where_others_stopped() -> None:
    """Polled every minute from before the first call, no call is published before it is over, and none more often than its page."""
    ledger, _ = ask([FIRST + timedelta(minutes=number) for number in range(31)])
    published = Counter(event.event_id for event in ledger.events if event.type != "source.heartbeat")
    assert max(published.values()) <= 2
    result = counted({event.event_id: event for event in ledger.events if event.type != "source.heartbeat"}.values())
    wanted: dict[str, Any] = {"all": three_calls()["all"]}
    assert figures(result, wanted, {})["all"] == pytest.approx(wanted["all"])


def test_it_is_complete_an_hour_ago() -> None:
    """A call is reported when it is over: the watermark leaves an hour for that."""
    ledger, _ = ask([FIRST + timedelta(minutes=30)])
    beat: Any = [event for event in ledger.events if event.type == "source.heartbeat"][-1]
    assert beat.complete_through == FIRST - timedelta(minutes=30)
