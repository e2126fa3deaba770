"""Clients that hold on, on real sockets: too many of them, too slow to ask, too slow to read; and others, who notice nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, web

from streams.listening import ConnectionLimits, Connections, HttpServer
from streams.listening.connections import Connection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: More than the kernel takes for a client that does not read.
LARGE = b"x" * 8_000_000

#: Limits of these tests: looked at 20 times a second.
LOOK_SECONDS = 0.05


class House:
    """A server with a large answer, a small one, one that takes its time, and one that reads a body."""

    def __init__(self, **limits: Any) -> None:
        defaults = {"unread_seconds": 0.5, "answer_seconds": 30.0, "request_seconds": 0.5, "check_seconds": LOOK_SECONDS}
        self.connections = Connections(ConnectionLimits(**{**defaults, **limits}))
        app = web.Application()
        app.router.add_get("/large", self.large)
        app.router.add_get("/small", self.small)
        app.router.add_get("/patient", self.patient)
        app.router.add_post("/body", self.body)
        self.server = HttpServer(app, self.connections, shutdown_timeout=0.1)
        self.port = 0
        self.clients: list[socket.socket] = []

    async def large(self, _: web.Request) -> web.Response:
        return web.Response(body=LARGE)

    async def small(self, _: web.Request) -> web.Response:
        return web.Response(text="small")

    async def patient(self, _: web.Request) -> web.Response:
        await asyncio.sleep(1.5)
        return web.Response(text="at last")

    async def body(self, request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    def counts(self, what: str) -> dict[str, float]:
        """Return a counter's values above 0, by reason."""
        (family,) = [each for each in self.connections.collect() if each.name == f"contact_center_http_connections_{what}"]
        return {each.labels["reason"]: each.value for each in family.samples if each.value}

    async def asks(self, request: bytes, address: str = "127.0.0.1", room: int = 4096) -> socket.socket:
        """Connect from ``address``, send ``request`` and read nothing; ``room`` is what the kernel takes in for the client."""
        client = socket.socket()
        self.clients.append(client)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        client.bind((address, 0))
        client.settimeout(0)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", self.port))
        if request:
            await loop.sock_sendall(client, request)
        return client

    async def served(self) -> bool:
        """Return whether another client is served at once."""
        async with asyncio.timeout(2), ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}/small") as response:
            return response.status == 200

    async def until(self, condition: Callable[[], bool], seconds: float = 5) -> float:
        """Wait until the condition holds, and return for how long."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not condition():
            assert loop.time() - began < seconds, (self.counts("dropped"), self.counts("refused"), len(self.connections))
            await asyncio.sleep(0.01)
        return loop.time() - began


async def received(client: socket.socket) -> bytes:
    """Return what comes until the server closes."""
    loop = asyncio.get_running_loop()
    text = b""
    with contextlib.suppress(ConnectionError):
        while part := await asyncio.wait_for(loop.sock_recv(client, 65536), 5):
            text += part
    return text


def inside(scenario: Callable[[House], Awaitable[None]], **limits: Any) -> None:
    """Run a scenario with a server."""

    async def run() -> None:
        async with asyncio.timeout(30):
            house = House(**limits)
            house.port = int((await house.server.start("127.0.0.1", 0)).rsplit(":", 1)[1])
            try:
                await scenario(house)
            finally:
                for client in house.clients:
                    client.close()
                await house.server.stop()

    asyncio.run(run())


def get(path: str, times: int = 1) -> bytes:
    """Return requests as bytes."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * times


@pytest.mark.parametrize("times", [1, 50], ids=["one answer", "many requests at once"])
def test_who_does_not_read_an_answer_is_dropped(times: int) -> None:
    """The answer that waits is thrown away with its connection; meanwhile and afterwards others are served."""

    async def scenario(house: House) -> None:
        for _ in range(5):
            await house.asks(get("/large", times))
        await house.until(lambda: len(house.connections) == 5)
        assert await house.served()
        took = await house.until(lambda: not len(house.connections))
        assert took > 0.3
        assert house.counts("dropped") == {"unread": 5}
        assert await house.served()

    inside(scenario)


def test_who_reads_slowly_but_reads_is_served() -> None:
    """Slowness alone is no reason, until the whole answer has taken too long."""

    async def read(house: House, pause: float) -> int:
        client = await house.asks(get("/large"), room=200_000)
        size, loop = 0, asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError, TimeoutError):
            while size < len(LARGE):
                part = await asyncio.wait_for(loop.sock_recv(client, 400_000), 2)
                if not part:
                    break
                size += len(part)
                await asyncio.sleep(pause)
        return size

    async def patient(house: House) -> None:
        assert await read(house, 0.02) >= len(LARGE)
        assert house.counts("dropped") == {}

    async def impatient(house: House) -> None:
        assert await read(house, 0.05) < len(LARGE)
        assert house.counts("dropped") == {"slow_answer": 1}

    inside(patient)
    inside(impatient, unread_seconds=20, answer_seconds=0.5)


def test_a_request_that_does_not_come_to_its_end_is_given_up() -> None:
    """One byte at a time does not help; the client gets an answer, and no other waits."""

    async def scenario(house: House) -> None:
        silent, dripping = await house.asks(b"GET /small HT"), await house.asks(b"")
        loop = asyncio.get_running_loop()
        dropped: dict[str, float] = {}
        with contextlib.suppress(ConnectionError):
            for byte in b"GET /small HTTP/1.1\r\nX-Long: " + b"y" * 500:
                await loop.sock_sendall(dripping, bytes([byte]))
                await asyncio.sleep(0.02)
                dropped = house.counts("dropped")
                if dropped == {"slow_request": 2}:
                    break
        assert dropped == {"slow_request": 2}
        assert await house.served()
        assert (await received(silent)).startswith(b"HTTP/1.1 408 Request Timeout\r\n")

    inside(scenario)


def test_a_handler_may_take_its_time_and_a_connection_may_rest() -> None:
    """Time that the server takes is not the client's, nor is that between two requests; but the rest has an end."""

    async def scenario(house: House) -> None:
        client = await house.asks(get("/patient"))
        loop = asyncio.get_running_loop()
        answer = await asyncio.wait_for(loop.sock_recv(client, 4096), 5)
        assert answer.endswith(b"at last")
        await asyncio.sleep(1)
        await loop.sock_sendall(client, b"POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n12")
        await asyncio.sleep(1)  # its handler decides how long a body may take
        await loop.sock_sendall(client, b"34")
        assert (await asyncio.wait_for(loop.sock_recv(client, 4096), 5)).endswith(b"4")
        assert house.counts("dropped") == {}
        assert await house.until(lambda: not len(house.connections)) > 1
        assert house.counts("dropped") == {}

    inside(scenario, idle_seconds=2)


def test_there_is_room_for_so_many_in_all_and_from_one_address() -> None:
    """Who comes above a limit is told so; one address cannot take the room of others; a place that becomes free is given."""

    async def scenario(house: House) -> None:
        def ok(answer: bytes) -> bool:
            return answer.startswith(b"HTTP/1.1 200")

        loop = asyncio.get_running_loop()
        first = [await house.asks(b"") for _ in range(3)]
        await house.until(lambda: len(house.connections) == 3)
        refused = await house.asks(get("/small"))
        assert (await received(refused)).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert house.counts("refused") == {"address": 1}

        others = [await house.asks(get("/small"), "127.0.0.2") for _ in range(2)]
        for other in others:
            assert ok(await asyncio.wait_for(loop.sock_recv(other, 4096), 5))
        refused_too = await house.asks(get("/small"), "127.0.0.3")
        assert (await received(refused_too)).startswith(b"HTTP/1.1 503")
        assert house.counts("refused") == {"address": 1, "total": 1}

        first[0].close()
        await house.until(lambda: len(house.connections) == 4)
        again = await house.asks(get("/small"), "127.0.0.3")
        assert ok(await asyncio.wait_for(loop.sock_recv(again, 4096), 5))

    inside(scenario, total=5, per_address=3)


def test_what_waits_to_be_read_is_bounded_over_all_clients() -> None:
    """Long before their time is over, those that have read nothing for longest make room for the others."""

    async def scenario(house: House) -> None:
        for number in range(6):
            await house.asks(get("/large"))
            await house.until(lambda: len(house.connections) + house.counts("dropped").get("memory", 0) > number)  # noqa: B023 - used at once
            await asyncio.sleep(3 * LOOK_SECONDS)
        # 8 MB each, less what the kernel takes: three fit into 24 MB.
        assert house.counts("dropped") == {"memory": 3}
        assert sum(connection.unsent for connection in house.connections.open) < 24_000_000
        assert await house.served()

    inside(scenario, unread_seconds=20, unsent_bytes=24_000_000)


def test_a_paused_server_takes_no_client_for_slow() -> None:
    """Limits are counted in looks, of which a pause has none."""
    connections = Connections(ConnectionLimits(check_seconds=1.0))

    class Waiting:
        """A transport with something unread."""

        def get_write_buffer_size(self) -> int:
            return 70_000

    connection = Connection(connections, asyncio.Protocol)
    connection.transport = Waiting()  # type: ignore[assignment]
    limits = connections.limits

    assert [connection.overdue(limits) for _ in range(11)] == [None] * 10 + ["unread"]
