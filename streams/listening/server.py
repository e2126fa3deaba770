"""An HTTP server within limits."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from streams.listening.access_log import Requests
from streams.listening.connections import Connection, Connections
from streams.listening.handshake import TlsProtocol
from streams.listening.listening import Listening

if TYPE_CHECKING:
    from streams.listening.tls import Certificates

__all__ = ["POLL_SECONDS", "HttpServer"]

log = logging.getLogger(__name__)

#: Interval of polls of the certificate files; the second poll that finds the same loads them.
POLL_SECONDS = 2.0


def _is_ours(record: logging.LogRecord) -> bool:
    """Drop log records of requests that are not HTTP: they quote what was sent, tokens too, and any client could fill the log."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


log.addFilter(_is_ours)


class _Site(web.BaseSite):
    """As ``web.TCPSite``, with a ``Connection`` around each protocol of the server."""

    def __init__(self, runner: web.AppRunner, connections: Connections, host: str, port: int) -> None:
        super().__init__(runner)
        self._connections = connections
        self._host, self._port = host, port

    @property
    def name(self) -> str:
        """Its address."""
        return f"{'http' if self._connections.certificates is None else 'https'}://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen."""
        await super().start()
        make = self._runner.server
        assert make is not None  # noqa: S101 - BaseSite has checked it
        connections, certificates = self._connections, self._connections.certificates

        def protocol() -> asyncio.BaseProtocol:
            connection = Connection(connections, make)
            if certificates is None:
                return connection
            return TlsProtocol(connection, certificates.context, connections.limits.handshake_seconds)

        self._server = await asyncio.get_running_loop().create_server(protocol, self._host, self._port, backlog=self._backlog)


class HttpServer:
    """Serves ``app`` on one address, within the limits of ``connections``.

    Args:
        app: not started yet.
        connections: the connections and their limits, from ``listening.connections()``.
        listening: the settings; by default in plain text, for loopback names alone.
        options: for ``web.AppRunner``.
    """

    def __init__(self, app: web.Application, connections: Connections, listening: Listening | None = None, **options: Any) -> None:
        self._listening = listening or Listening()
        self._listening.attend(app, connections)
        connections.attend(app)
        self._connections = connections
        self._runner = web.AppRunner(
            app,
            access_log=self._listening.access_log,
            access_log_class=Requests,
            keepalive_timeout=connections.limits.idle_seconds,
            logger=log,
            **options,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, host: str, port: int) -> str:
        """Listen and return the address, ``http://host:port`` or ``https://``; port 0 takes a free one. Raise OSError."""
        await self._runner.setup()
        await _Site(self._runner, self._connections, host, port).start()
        self._tasks = [asyncio.create_task(self._check(), name="http-connections")]
        certificates = self._connections.certificates
        if certificates is not None:
            self._tasks.append(asyncio.create_task(_watch(certificates), name="tls-files"))
        scheme, bound = "http" if certificates is None else "https", self._runner.addresses[0][1]
        return f"{scheme}://[{host}]:{bound}" if ":" in host else f"{scheme}://{host}:{bound}"

    async def stop(self) -> None:
        """Refuse further requests, finish those in flight within a bound, and end the remaining ones."""
        await self._runner.cleanup()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._connections.abort()
        if self._listening.access_log is not None:
            await asyncio.to_thread(self._listening.access_log.close)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(self._connections.limits.check_seconds)
            self._connections.check()


async def _watch(certificates: Certificates) -> None:
    while True:
        await asyncio.sleep(POLL_SECONDS)
        try:
            # A disk may be slow.
            await asyncio.to_thread(certificates.poll)
        except Exception:
            log.exception("The TLS files could not be read; the certificate stays in force.")
