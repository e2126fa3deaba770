"""A gateway on a free port, with a Kafka of lists behind it and a clock that a test moves."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import ClientSession, ClientTimeout

from streams.connectors.gateway import Gateway, GatewaySettings
from streams.connectors.publishing import MemoryPublisher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from streams.connectors.configured import Configured
    from streams.connectors.senders import Senders

__all__ = ["CONTACTS", "NOON", "Clock", "House", "SlowPublisher", "inside", "running"]

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CONTACTS = "contactcenter.contact-events.v1"


class Clock:
    """A clock that does not advance until it is moved."""

    def __init__(self) -> None:
        """Begin at noon."""
        self.seconds = 0.0

    def now(self) -> datetime:
        """Return the wall time."""
        return NOON + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Return seconds."""
        return self.seconds


class House:
    """A running gateway and its surroundings."""

    def __init__(self, gateway: Gateway, publisher: MemoryPublisher, clock: Clock, session: ClientSession, address: str) -> None:
        """Keep them together."""
        self.gateway, self.publisher, self.clock, self.session, self.address = gateway, publisher, clock, session, address

    def published(self, topic: str = CONTACTS) -> list[dict[str, Any]]:
        """Return what was published to a topic, heartbeats left out."""
        found = [json.loads(kept.value) for kept in self.publisher.records.get(topic, [])]
        return [event for event in found if event.get("type") != "source.heartbeat"]


H = TypeVar("H", bound=House)


class SlowPublisher(MemoryPublisher):
    """Acknowledges nothing until the gate opens."""

    def __init__(self, **kwargs: Any) -> None:
        """Begin with an open gate."""
        super().__init__(**kwargs)
        self.gate = asyncio.Event()
        self.gate.set()

    async def publish(self, *args: Any, **kwargs: Any) -> None:
        """Wait for the gate, then publish."""
        await self.gate.wait()
        await super().publish(*args, **kwargs)


@asynccontextmanager
async def running(
    house: type[H],
    senders: Senders,
    *,
    publisher: type[MemoryPublisher] = MemoryPublisher,
    connectors: Mapping[str, Configured] | None = None,
    **settings: Any,
) -> AsyncIterator[H]:
    """Run a gateway; heartbeats come only when asked for."""
    clock = Clock()
    there = publisher(now=clock.now)
    with_these = GatewaySettings(**{"port": 0, "heartbeat_seconds": 3600, **settings})
    gateway = Gateway(there, senders, with_these, now=clock.now, monotonic=clock.monotonic, connectors=connectors)
    address = await gateway.start()
    try:
        async with ClientSession(timeout=ClientTimeout(total=20)) as session:
            yield house(gateway, there, clock, session, address)
    finally:
        await gateway.stop()


def inside(scenario: Callable[[H], Awaitable[None]], house: AbstractAsyncContextManager[H]) -> None:
    """Run a scenario in a house."""

    async def run() -> None:
        async with house as there:
            await scenario(there)

    asyncio.run(run())
