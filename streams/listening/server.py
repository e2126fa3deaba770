"""An HTTP server within limits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from streams.listening.connections import Connection, Connections

__all__ = ["HttpServer"]

_log = logging.getLogger(__name__)


def _is_ours(record: logging.LogRecord) -> bool:
    """Leave out requests that are not HTTP: the error quotes what was sent, tokens too, and whoever sends would fill the log."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


_log.addFilter(_is_ours)


class _Site(web.BaseSite):
    """As ``web.TCPSite``, with a ``Connection`` around each protocol that the server makes."""

    def __init__(self, runner: web.AppRunner, connections: Connections, host: str, port: int) -> None:
        super().__init__(runner)
        self._connections = connections
        self._host, self._port = host, port

    @property
    def name(self) -> str:
        """Where it listens."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen."""
        await super().start()
        make = self._runner.server
        assert make is not None  # noqa: S101 - BaseSite has looked
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self._connections, make), self._host, self._port, backlog=self._backlog)


class HttpServer:
    """Serves ``app`` on one address, within the limits of ``connections``.

    Args:
        app: not started yet.
        connections: what is counted, and by which limits.
        options: for ``web.AppRunner``. There is no access log: it would write down every client's address.
    """

    def __init__(self, app: web.Application, connections: Connections, **options: Any) -> None:
        connections.attend(app)
        self._connections = connections
        idle_seconds = connections.limits.idle_seconds
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=idle_seconds, logger=_log, **options)
        self._looking: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> str:
        """Listen and return the address, ``http://host:port``; port 0 takes a free one. Raise OSError."""
        await self._runner.setup()
        await _Site(self._runner, self._connections, host, port).start()
        self._looking = asyncio.create_task(self._look(), name="http-connections")
        bound = self._runner.addresses[0][1]
        return f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"

    async def stop(self) -> None:
        """Take no more requests, let those under way end, and end the rest."""
        await self._runner.cleanup()
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
            self._looking = None
        self._connections.abort()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._connections.limits.look_seconds)
            self._connections.look()
