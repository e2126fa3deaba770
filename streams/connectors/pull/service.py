"""The HTTP server of a connector that polls its platform or holds a connection to it: ``/healthz``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import generate_latest

from streams.listening import HttpServer, Listening

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from streams.connectors.pull.status import HasStatus

__all__ = ["PullService"]


class PullService:
    """Serves the status of a runner; raises OSError where it cannot listen."""

    def __init__(self, runner: HasStatus, registry: CollectorRegistry, listening: Listening | None = None) -> None:
        self._runner = runner
        self._registry = registry
        how = listening or Listening()
        connections = self._connections = how.connections()
        registry.register(connections)
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._server = HttpServer(app, connections, how)

    async def start(self, host: str, port: int) -> str:
        """Listen and return the address."""
        return await self._server.start(host, port)

    async def stop(self) -> None:
        """Stop listening."""
        await self._server.stop()

    async def _healthz(self, _: web.Request) -> web.Response:
        status = self._runner.status
        through = "unknown" if status.complete_through is None else status.complete_through.isoformat()
        waits = f"waits: {status.trouble}, {status.detail}\n" if status.trouble is not None else ""
        tls = "".join(f"{what}: {state}\n" for what, state in self._connections.status.items())
        return web.Response(text=f"ok\ncomplete through: {through}\n{waits}{tls}")

    async def _readyz(self, _: web.Request) -> web.Response:
        trouble = self._runner.status.trouble
        return web.Response(text="ready\n") if trouble is None else web.Response(status=503, text=f"waits: {trouble}\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        text = generate_latest(self._registry)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
