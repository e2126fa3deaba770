"""TaskRouter's REST API is polled for events: spans and pages, and events that callbacks reported before have the same ids.

The server is a fake, written from the public pages of the API: events by date, the newest first, pages named by the answer.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from streams.connectors.platforms import connector
from streams.connectors.publishing import NotPublishedError
from streams.connectors.pull.entries import MemoryLedger
from streams.connectors.pull.status import RunSettings
from tests.support.platforms import FIXTURES, translated
from tests.support.polling import Clock, poller, serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.connectors.pull.entries import Entry

FILES = FIXTURES / "twilio-taskrouter"
EVENTS: list[dict[str, Any]] = orjson.loads((FILES / "three-calls.rest.json").read_bytes())["events"]
FIRST = datetime(2026, 5, 4, 10, tzinfo=UTC)


class TaskRouter:
    """The fake: ``page`` events an answer; only what occurred before its clock is there."""

    def __init__(self, clock: Clock, page: int = 5) -> None:
        self.clock, self.page = clock, page
        self.asked: list[dict[str, str]] = []
        #: Statuses in place of the next answers.
        self.errors: list[int] = []

    def add_routes(self, app: web.Application) -> None:
        """Declare the routes."""
        app.router.add_get("/v1/Workspaces/WS1/Events", self._events)

    async def _events(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Basic " + b64encode(b"AC1:a token").decode():
            return web.Response(status=401)
        if self.errors:
            return web.Response(status=self.errors.pop(0), headers={"Retry-After": "1"})
        query = dict(request.query)
        self.asked.append(query)
        begin, end = (datetime.fromisoformat(query[name]) for name in ("StartDate", "EndDate"))
        found = [each for each in EVENTS if begin <= datetime.fromisoformat(each["event_date"]) <= min(end, self.clock.now)]
        number = int(query.get("Page", 0))
        more = len(found) > (number + 1) * self.page
        url = request.url.update_query({"Page": str(number + 1), "PageToken": "PTnext"}) if more else None
        meta = {"key": "events", "page": number, "next_page_url": None if url is None else str(url)}
        return web.json_response({"events": found[number * self.page : (number + 1) * self.page], "meta": meta})


def settings(address: str) -> dict[str, Any]:
    """Return the connectors file."""
    return {"url": address, "workspace": "WS1", "account_sid": "AC1", "auth_token": "a token"}


def ask(clocks: Sequence[datetime], errors: Sequence[int] = (), page: int = 5) -> tuple[MemoryLedger, TaskRouter, Clock]:
    """Poll once at each of these times, as processes that restart."""
    clock, ledger = Clock(clocks[0]), MemoryLedger("platform")
    fake = TaskRouter(clock, page)
    fake.errors = list(errors)

    async def scenario() -> None:
        async with serving(fake.add_routes) as address:
            for clock.now in clocks:
                await poll_once(address, ledger, clock)

    asyncio.run(scenario())
    return ledger, fake, clock


async def poll_once(address: str, ledger: MemoryLedger, clock: Clock) -> None:
    """Ask until there is no more for now, from an hour before the first call on."""
    run = RunSettings(since=FIRST - timedelta(hours=1))
    await poller("twilio-taskrouter", settings(address), ledger, clock, run=run).run(asyncio.Event(), once=True)


def published(ledger: MemoryLedger) -> Counter[str]:
    """Return how often each event was written."""
    return Counter(event.event_id for event in ledger.events if event.type != "source.heartbeat")


def by_callback() -> set[str]:
    """Return the ids that callbacks give."""
    body = (FILES / "three-calls.form.txt").read_bytes()
    return {event.event_id for event in translated(connector("twilio-taskrouter"), [("file", body)]).events}


def test_every_event_is_published_as_by_callback() -> None:
    """All spans since the beginning, page by page; the ids are those of the callbacks, so what comes by both counts once."""
    ledger, _, _ = ask([FIRST + timedelta(minutes=20)])
    assert set(published(ledger)) == by_callback()


def test_processes_go_on_where_others_stopped() -> None:
    """Asked every two minutes, only the seconds that are asked for twice on purpose come again."""
    ledger, _, clock = ask([FIRST + timedelta(minutes=number) for number in range(0, 22, 2)])
    assert set(published(ledger)) == by_callback()
    assert max(published(ledger).values()) <= 2
    beats: list[Any] = [event for event in ledger.events if event.type == "source.heartbeat"]
    assert beats[-1].complete_through == clock.now - timedelta(seconds=5)


def test_limits_are_waited_out() -> None:
    """429 with a time to wait loses nothing."""
    ledger, _, clock = ask([FIRST + timedelta(minutes=20)], errors=[429, 429])
    assert set(published(ledger)) == by_callback()
    assert clock.waited.count(1.0) == 2


class _Full(MemoryLedger):
    """Takes a number of entries."""

    most = 0

    async def write(self, entry: Entry) -> None:
        """Write, or fail."""
        if self.entries >= self.most:
            raise NotPublishedError("full")
        await super().write(entry)


def test_an_interrupted_span_is_polled_again() -> None:
    """A process that ends between two pages leaves none out."""
    clock, ledger = Clock(FIRST + timedelta(minutes=20)), _Full("platform")
    ended: list[int] = []
    fake = TaskRouter(clock)

    async def scenario() -> None:
        async with serving(fake.add_routes) as address:
            while True:
                # Kafka takes a number of further entries, and this process ends.
                ledger.most = ledger.entries + 6
                try:
                    await poll_once(address, ledger, clock)
                except NotPublishedError:
                    ended.append(ledger.entries)
                else:
                    return

    asyncio.run(asyncio.wait_for(scenario(), 20))
    assert len(ended) > 1
    assert set(published(ledger)) == by_callback()
