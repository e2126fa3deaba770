"""Runs the connector of a platform that is polled against a fake of it, with a ledger in memory."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from streams.configuration import Configuration
from streams.connectors.identities import Identities
from streams.connectors.kit.model import Context
from streams.connectors.live import pull_of
from streams.connectors.platforms import connector
from streams.connectors.pull.client import Client, ClientLimits
from streams.connectors.pull.metrics import PullMetrics
from streams.connectors.pull.runner import Runner
from streams.connectors.pull.status import RunSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from streams.connectors.pull.entries import Ledger, MemoryLedger

__all__ = ["Clock", "poll_once", "poller", "serving"]

#: Before all events of any fake.
SINCE = datetime(2026, 4, 1, tzinfo=UTC)


class Clock:
    """A wall clock that a test sets; waits move it, and take no time."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.waited: list[float] = []

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    async def pause(self, seconds: float) -> None:
        """Wait."""
        self.waited.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def serving(add_routes: Callable[[web.Application], None], meanwhile: Callable[[], None] = lambda: None) -> AsyncIterator[str]:
    """Serve a fake; give its address. What happens ``meanwhile`` happens with each request."""

    @web.middleware
    async def change_meanwhile(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        meanwhile()
        return await handler(request)

    app = web.Application(middlewares=[change_meanwhile])
    add_routes(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def poller(
    name: str, settings: Mapping[str, Any], ledger: Ledger, clock: Clock, *, run: RunSettings | None = None, source: str = "platform"
) -> Runner:
    """Return a runner of a platform's connector; waits that the platform wants take no time."""
    platform, pull = connector(name), pull_of(name)
    assert pull is not None
    every = {each.name: each.default for each in platform.settings} | dict(settings)
    return Runner(
        pull,
        platform,
        Context(source=source, customer_key=lambda identity: f"v1:{identity}", settings=every),
        every,
        run or RunSettings(since=SINCE, first_pause_seconds=0.01, longest_pause_seconds=0.05),
        ledger,
        lambda waits, _: Client(
            pull.base(every),
            now=clock,
            waits=waits,
            pause=clock.pause,
            spacing_seconds=pull.spacing_seconds,
            headers=pull.headers(every),
            limits=ClientLimits(timeout_seconds=5),
        ),
        identities=Identities(Configuration()),
        metrics=PullMetrics(source),
        now=clock,
    )


async def poll_once(
    name: str, settings: Mapping[str, Any], ledger: MemoryLedger, clock: Clock, *, rounds: int = 1, run: RunSettings | None = None
) -> None:
    """Poll until nothing is left; ``rounds`` times, as later processes do."""
    for _ in range(rounds):
        await poller(name, settings, ledger, clock, run=run).run(asyncio.Event(), once=True)
