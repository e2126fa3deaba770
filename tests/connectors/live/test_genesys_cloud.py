"""Genesys Cloud's notification service is followed: channels that close, expire and fall silent, and none of what was notified is lost.

The server is a fake, written from the vendor's public pages: a token, a channel, its subscriptions, a WebSocket with signs of life.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import WSCloseCode, web

from streams.connectors.pull.entries import MemoryLedger
from streams.connectors.pull.failures import PollError
from tests.support.polling import Clock, poller, serving
from tests.support.services import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streams.connectors.pull.runner import Runner

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Genesys:
    """The fake: notifies all connections."""

    def __init__(self) -> None:
        self.address = ""
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.subscribed: dict[str, list[str]] = {}
        self.channels = 0
        self.refused = False
        #: What a channel connects to, in place of the fake's own address.
        self.elsewhere = ""

    def add_routes(self, app: web.Application) -> None:
        """Declare the routes."""
        app.router.add_post("/oauth/token", self._token)
        app.router.add_post("/api/v2/notifications/channels", self._channel)
        app.router.add_put("/api/v2/notifications/channels/{channel}/subscriptions", self._subscribe)
        app.router.add_get("/channels/{channel}", self._socket)

    async def _token(self, request: web.Request) -> web.Response:
        known = request.headers.get("Authorization") == "Basic " + b64encode(b"id:a secret").decode()
        if not known or self.refused or (await request.post()).get("grant_type") != "client_credentials":
            return web.Response(status=401)
        return web.json_response({"access_token": "a token", "token_type": "bearer", "expires_in": 86_400})

    def _may(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != "Bearer a token":
            raise web.HTTPUnauthorized

    async def _channel(self, request: web.Request) -> web.Response:
        self._may(request)
        self.channels += 1
        channel = f"streaming-{self.channels}"
        return web.json_response(
            {"id": channel, "connectUri": self.elsewhere or f"{self.address.replace('http', 'ws')}/channels/{channel}"}
        )

    async def _subscribe(self, request: web.Request) -> web.Response:
        self._may(request)
        self.subscribed[request.match_info["channel"]] = [each["id"] for each in await request.json()]
        return web.json_response({"entities": []})

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket, channel = web.WebSocketResponse(), request.match_info["channel"]
        await socket.prepare(request)
        self.sockets[channel] = socket
        await socket.send_str(orjson.dumps({"topicName": "channel.metadata", "eventBody": {"message": "WebSocket Heartbeat"}}).decode())
        async for _ in socket:
            pass
        self.sockets.pop(channel, None)
        return socket

    async def notify(self, number: int, channels: list[str] | None = None) -> None:
        """Notify a change of presence to all that are connected."""
        body = {
            "source": {"id": "u-ana"},
            "presenceDefinition": {"id": "p", "systemPresence": ("AVAILABLE", "BREAK")[number % 2]},
            "modifiedDate": (NOW - timedelta(seconds=100 - number)).isoformat(),
        }
        message = orjson.dumps({"topicName": "v2.users.u-ana.presence", "version": "2", "eventBody": body, "metadata": {}}).decode()
        for channel, socket in list(self.sockets.items()):
            if channels is None or channel in channels:
                await socket.send_str(message)


@asynccontextmanager
async def following(fake: Genesys, ledger: MemoryLedger, clock: Clock, **more: Any) -> AsyncIterator[Runner]:
    """Follow the fake, which is connected by then."""
    async with serving(fake.add_routes) as fake.address:
        settings = {
            "url": fake.address,
            "login_url": fake.address,
            "users": ["u-ana"],
            "client_id": "id",
            "client_secret": "a secret",
            **more,
        }
        runner, stop = poller("genesys-cloud", settings, ledger, clock), asyncio.Event()
        task = asyncio.create_task(runner.run(stop))
        try:
            await until(lambda: bool(fake.sockets) or task.done(), 5)
            yield runner
        finally:
            stop.set()
            await asyncio.wait_for(task, 5)
            for socket in list(fake.sockets.values()):
                await socket.close()


def published(ledger: MemoryLedger) -> Counter[str]:
    """Return how often each event was written."""
    return Counter(event.event_id for event in ledger.events if event.type != "source.heartbeat")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for less long than with a real service."""
    for name, value in (("_GATHERED_SECONDS", 0.02), ("_IDLE_SECONDS", 0.1), ("_BOTH_SECONDS", 0.3)):
        monkeypatch.setattr(f"streams.connectors.live.genesys_cloud.{name}", value)


def test_notifications_become_events() -> None:
    """Presence and routing of the users are subscribed to; a sign of life is no event, and moves progress."""

    async def scenario() -> None:
        fake, ledger, clock = Genesys(), MemoryLedger("platform"), Clock(NOW)
        async with following(fake, ledger, clock, topics=["v2.detail.events.conversation.c.acd.start"]) as runner:
            for number in range(5):
                await fake.notify(number)
            await until(lambda: len(published(ledger)) == 5, 5)
            assert fake.subscribed["streaming-1"] == [
                "v2.users.u-ana.presence",
                "v2.users.u-ana.routingStatus",
                "v2.detail.events.conversation.c.acd.start",
            ]
            assert runner.status.complete_through == NOW - timedelta(seconds=2)
            assert runner.summary.ignored >= 1
        assert not ledger.rejected

    asyncio.run(scenario())


def test_a_server_that_announces_that_it_closes() -> None:
    """The next channel is open before the old one is closed; an event reported on both counts once by its id."""

    async def scenario() -> None:
        fake, ledger = Genesys(), MemoryLedger("platform")
        async with following(fake, ledger, Clock(NOW)):
            await fake.notify(0)
            closing = {"topicName": "v2.system.socket_closing", "eventBody": {"message": "closing"}}
            await fake.sockets["streaming-1"].send_str(orjson.dumps(closing).decode())
            await until(lambda: len(fake.sockets) == 2, 5)
            await fake.notify(1, ["streaming-1"])
            await fake.notify(2)
            await until(lambda: list(fake.sockets) == ["streaming-2"], 5)
            await fake.notify(3)
            await until(lambda: len(published(ledger)) == 4, 5, lambda: str(published(ledger)))

    asyncio.run(scenario())


def test_a_channel_is_renewed_before_its_day_is_over() -> None:
    """After 23 hours."""

    async def scenario() -> None:
        fake, ledger, clock = Genesys(), MemoryLedger("platform"), Clock(NOW)
        async with following(fake, ledger, clock):
            clock.now += timedelta(hours=22, minutes=59)
            await asyncio.sleep(0.3)
            assert fake.channels == 1
            clock.now += timedelta(minutes=2)
            await until(lambda: list(fake.sockets) == ["streaming-2"], 5)
            await fake.notify(0)
            await until(lambda: len(published(ledger)) == 1, 5)

    asyncio.run(scenario())


def test_a_channel_that_breaks_off() -> None:
    """Another one is opened after a moment; meanwhile the source has a status with the reason."""

    async def scenario() -> None:
        fake, ledger = Genesys(), MemoryLedger("platform")
        async with following(fake, ledger, Clock(NOW)) as runner:
            await fake.sockets["streaming-1"].close(code=WSCloseCode.GOING_AWAY)
            await until(lambda: "streaming-2" in fake.sockets, 5)
            await fake.notify(0)
            await until(lambda: len(published(ledger)) == 1, 5)
            assert runner.summary.failures == 1
            await until(lambda: runner.status.trouble is None, 5)

    asyncio.run(scenario())


def test_a_channel_that_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a sign of life for longer than the service needs it is given up."""
    monkeypatch.setattr("streams.connectors.live.genesys_cloud._SILENT_SECONDS", 0.3)

    async def scenario() -> None:
        fake, ledger = Genesys(), MemoryLedger("platform")
        async with following(fake, ledger, Clock(NOW)) as runner:
            await until(lambda: "streaming-2" in fake.sockets, 5)
            assert runner.summary.failures >= 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("change", "settings", "reason"),
    [
        ({"refused": True}, {}, "refused"),
        ({}, {"users": []}, "refused"),
        ({}, {"users": [f"u{number}" for number in range(501)]}, "refused"),
        ({"elsewhere": "wss://streaming.example.com/channels/1"}, {}, "malformed"),
        ({"elsewhere": "ws://127.0.0.1:9/channels/1"}, {}, "unreachable"),
    ],
)
def test_trouble_has_a_reason(change: dict[str, Any], settings: dict[str, Any], reason: str) -> None:
    """A client that may not, nothing to follow or too much, an address of another host, one that does not answer."""

    async def scenario() -> PollError:
        fake = Genesys()
        vars(fake).update(change)
        async with serving(fake.add_routes) as fake.address:
            given = {"url": fake.address, "login_url": fake.address, "users": ["u-ana"], "client_id": "id", "client_secret": "a secret"}
            with pytest.raises(PollError) as failed:
                await poller("genesys-cloud", given | settings, MemoryLedger("platform"), Clock(NOW)).run(asyncio.Event(), once=True)
            return failed.value

    failed = asyncio.run(scenario())
    assert failed.reason == reason
    assert "a secret" not in str(failed)
