"""Clients of the API and the exporter that do not read or do not finish a request: dropped, counted, and no other client waits."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession

from streams.listening import ConnectionLimits, Connections, HttpServer
from streams.serving.api import create_app
from tests.serving.records import Backend, small_center, window
from tests.serving.topics import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LIMITS = ConnectionLimits(unread_seconds=0.5, request_seconds=0.5, check_seconds=0.05)

#: This number of answers about this number of queues is larger than the buffers of kernels.
QUEUES, TIMES = 300, 20


def inside(scenario: Callable[[str, Connections], Awaitable[None]]) -> None:
    """Run a scenario with a server of a large center."""

    async def run() -> None:
        level = {"service_level": {"value": 0.75, "numerator": 3, "denominator": 4, "coverage": 1}}
        records = [
            window(f"queue:a-queue-with-a-rather-long-name-{number}", name=name, kpis=level)
            for number in range(QUEUES)
            for name in ("trailing_15m", "interval_15m")
        ]
        connections = Connections(LIMITS)
        server = HttpServer(
            create_app(Backend.fed([*small_center(), *records]).serving(connections=connections)), connections, shutdown_timeout=0.1
        )
        async with asyncio.timeout(30):
            address = await server.start("127.0.0.1", 0)
            try:
                await scenario(address, connections)
            finally:
                await server.stop()

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/api/v1/figures", "/metrics", "/api/v1/trends"])
def test_an_answer_that_is_not_read_has_an_end(path: str) -> None:
    """The client is dropped after the time limit and counted; in between others get the same answer."""

    async def scenario(address: str, connections: Connections) -> None:
        loop = asyncio.get_running_loop()
        host, port = address.removeprefix("http://").split(":")
        with socket.socket() as silent, socket.socket() as halfway:
            for client, request in ((silent, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n" * TIMES), (halfway, f"GET {path} HTT")):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.settimeout(0)
                await loop.sock_connect(client, (host, int(port)))
                await loop.sock_sendall(client, request.encode())
            async with ClientSession() as session:
                async with session.get(address + path) as response:
                    assert response.status == 200
                    assert await response.read()
                await until(lambda: len(connections) == 1)  # that of the session
                async with session.get(f"{address}/metrics") as response:
                    text = await response.text()
        assert 'contact_center_http_connections_dropped_total{reason="unread"} 1.0' in text
        assert 'contact_center_http_connections_dropped_total{reason="slow_request"} 1.0' in text
        assert "contact_center_http_connections 1.0" in text

    inside(scenario)
