"""A desk that is polled: its tickets with the times of what happened to them, an HTTP server that serves and fails, and its connector.

It is no platform there is: what each of those does is in the tests of its connector. As a program it runs the connector until SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from streams.configuration import Configuration
from streams.connectors.identities import Identities
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Compared, Connector, Context, Draft, Record, Seen
from streams.connectors.kit.reading import list_records
from streams.connectors.pull.client import Client, ClientLimits
from streams.connectors.pull.ledger import KafkaLedger
from streams.connectors.pull.metrics import PullMetrics
from streams.connectors.pull.model import Page, PollContext, Pull
from streams.connectors.pull.runner import Runner
from streams.connectors.pull.status import RunSettings
from streams.worker import create_topics

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

    from streams.connectors.pull.entries import Ledger

__all__ = ["CONNECTOR", "PULL", "Desk", "make_runner"]

SOURCE = "desk"


def compare(record: Record, seen: Seen | None, context: Context) -> Compared:
    """Return what has happened to a ticket since it was seen."""
    fields = Fields(record.content)
    ticket, reported = fields.need("id"), set() if seen is None else set(seen["reported"])

    def events() -> Iterable[Draft]:
        for name, kind, more in (
            ("created_at", "contact.queued", {"queue": fields.need("queue"), "channel": "mail"}),
            ("answered_at", "contact.answered", {"queue": fields.need("queue"), "agent": fields.text("agent")}),
            ("solved_at", "contact.ended", {}),
        ):
            at = fields.time(name)
            if at is not None and name not in reported:
                common = {"type": kind, "event_id": f"{SOURCE}-{ticket}-{name}", "occurred_at": at}
                yield {**common, "conversation_id": f"{SOURCE}-{ticket}", **more}
                reported.add(name)

    return Compared(list(events()), {"reported": sorted(reported)})


CONNECTOR = Connector(
    name="desk",
    title="Desk of tests",
    family="desk",
    delivery="journal",
    ways=("pull",),
    kinds={"ticket": "what happened to it"},
    ignored={"note": "only informs"},
    read=list_records("tickets"),
    kind=lambda record: Fields(record.content).text("kind") or "ticket",
    reports={},
    personal=("mail",),
    compare=compare,
    key=lambda record: Fields(record.content).need("id"),
)


async def fetch(asking: PollContext) -> AsyncGenerator[Page, None]:
    """Ask for what changed, page by page."""
    cursor = asking.cursor
    while True:
        answer = await asking.client.get("tickets", params={"after": str(cursor.get("after", 0))})
        content = answer.object()
        cursor = {"after": content["after"]}
        through = datetime.fromtimestamp(content["through"], UTC)
        yield Page(answer.body, cursor, through)
        if content["end"]:
            return


PULL = Pull(name="desk", fetch=fetch, base=lambda settings: str(settings["url"]), poll_seconds=0.05)


@dataclass
class Desk:
    """The platform: each change of a ticket gives it the next number, and a connector gets what changed after one."""

    page_tickets: int = 5
    #: The ticket as it is now, by id; a page has them by their last number.
    tickets: dict[str, dict[str, Any]] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    last: int = 0
    asked: list[int] = field(default_factory=list)
    #: What answers in place of the next pages, one each: a status with headers, ``hang``, ``cut`` or bytes with status 200.
    instead: list[tuple[int, dict[str, str]] | str | bytes] = field(default_factory=list)
    authorization: list[str | None] = field(default_factory=list)

    def change(self, ticket: str, **fields: Any) -> None:
        """Change a ticket, or open it."""
        self.last += 1
        self.tickets.setdefault(ticket, {"id": ticket, "queue": "mail", "mail": "customer@example.com"}).update(fields)
        self.numbers[ticket] = self.last

    def page(self, after: int) -> dict[str, Any]:
        """Return an answer."""
        changed = sorted((number, ticket) for ticket, number in self.numbers.items() if number > after)
        shown = changed[: self.page_tickets]
        through = datetime.now(UTC) - timedelta(seconds=1) if len(shown) == len(changed) else datetime(2026, 3, 2, tzinfo=UTC)
        return {
            "tickets": [self.tickets[ticket] for _, ticket in shown],
            "after": shown[-1][0] if shown else after,
            "end": len(shown) == len(changed),
            "through": through.timestamp(),
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer, or fail."""
        after = int(request.query["after"])
        self.asked.append(after)
        self.authorization.append(request.headers.get("Authorization"))
        if self.instead:
            other = self.instead.pop(0)
            if other == "hang":
                await asyncio.sleep(60)
            if other == "cut":
                response = web.StreamResponse(headers={"Content-Length": "1000"})
                await response.prepare(request)
                await response.write(b'{"tickets": [')
                assert request.transport is not None
                request.transport.abort()
                return response
            if isinstance(other, bytes):
                return web.Response(body=other)
            return web.Response(status=int(other[0]), headers=other[1])  # type: ignore[arg-type]
        return web.Response(body=orjson.dumps(self.page(after)))

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Listen, give the address, and leave nothing open, whatever went wrong meanwhile."""
        app = web.Application()
        app.router.add_get("/tickets", self.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def make_runner(
    address: str,
    ledger: Ledger,
    *,
    run: RunSettings | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    limits: ClientLimits | None = None,
) -> Runner:
    """Return a runner of the desk's connector."""
    metrics = PullMetrics(SOURCE)
    return Runner(
        PULL,
        CONNECTOR,
        Context(source=SOURCE),
        {},
        run or RunSettings(first_pause_seconds=0.05, longest_pause_seconds=0.2, heartbeat_seconds=0.1),
        ledger,
        lambda waits, pause: Client(
            address,
            now=now,
            waits=waits,
            pause=pause,
            headers={"Authorization": "Bearer a-token"},
            limits=limits or ClientLimits(timeout_seconds=2),
        ),
        identities=Identities(Configuration()),
        metrics=metrics,
        now=now,
    )


async def main(address: str, bootstrap: str, prefix: str) -> None:
    """Run the connector until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    ledger = KafkaLedger(bootstrap, SOURCE, now=lambda: datetime.now(UTC), prefix=prefix, prepare=lambda: create_topics(bootstrap, prefix))
    await make_runner(address, ledger).run(stop)


if __name__ == "__main__":
    logging.basicConfig(level="INFO")
    asyncio.run(main(**json.loads(sys.argv[1])))
