"""How a server listens: within which limits, with which certificate, under which names, behind which proxies, and what it writes down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from streams.listening.access_log import CLIENT, AccessLog
from streams.listening.addresses import is_loopback
from streams.listening.connections import Connections
from streams.listening.hosts import HEALTH_PATHS, Hosts, host_of, is_from_elsewhere
from streams.listening.limits import ConnectionLimits
from streams.listening.proxies import Proxies
from streams.listening.tls import Certificates

__all__ = ["Listening"]

_SECURE = web.RequestKey("secure", bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """How a server listens; by default in plain text, for loopback names."""

    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    certificates: Certificates | None = None
    hosts: Hosts = field(default_factory=Hosts)
    proxies: Proxies = field(default_factory=Proxies)
    #: For so long browsers that came by TLS come by nothing else (HSTS); 0 does not say it.
    hsts_seconds: int = 0
    access_log: AccessLog | None = None
    #: Whether a browser may change something for pages of this server alone. Not where each request proves its sender without cookies.
    same_origin: bool = True
    #: Says what turns a request for ``/metrics`` away, None if it is answered; not where the server has a door of its own.
    metrics_refusal: Callable[[web.Request], Awaitable[web.StreamResponse | None]] | None = None

    @property
    def is_secure(self) -> bool:
        """Whether others than this machine come by TLS alone: to the server itself, or to its proxy."""
        return self.certificates is not None or bool(self.proxies)

    def connections(self) -> Connections:
        """Return what counts the connections of a server that listens so."""
        return Connections(self.limits, certificates=self.certificates, proxies=self.proxies)

    def attend(self, app: web.Application, connections: Connections) -> None:
        """Look at each request of ``app`` before all else; before it starts."""

        @web.middleware
        async def enter(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
            seen = self.proxies.seen_through(request)
            # Who answers and who writes the line has the one that came over the network.
            for each in (request, seen):
                each[CLIENT], each[_SECURE] = seen.remote or "", seen.secure
            refused = self._refusal(request, seen)
            if refused is None:
                barred = await self.metrics_refusal(seen) if self.metrics_refusal is not None and _is_scrape(request) else None
                return await handler(seen) if barred is None else barred
            reason, status = refused
            connections.refused_requests[reason] += 1
            # No content: what it would be shown to is not ours. The body of the request is not read.
            response = web.Response(status=status)
            response.force_close()
            return response

        async def answer(request: web.Request, response: web.StreamResponse) -> None:
            # For localhost it would hold for all that anybody develops on that machine, on any port.
            if request.get(_SECURE, False) and not is_loopback(host_of(request.headers.get("Host", "")) or ""):
                response.headers["Strict-Transport-Security"] = f"max-age={self.hsts_seconds}"

        app.middlewares.insert(0, enter)
        if self.hsts_seconds:
            app.on_response_prepare.append(answer)

    def _refusal(self, request: web.Request, seen: web.Request) -> tuple[str, int] | None:
        """Return why a request is turned away before anything of it is looked at, and the status; None if it is not."""
        status = self.hosts.refusal(request)
        if status is not None:
            return "host", status
        if self.proxies and not request.secure and request.path not in HEALTH_PATHS and not self._came_as_it_should(request):
            return "proxy", 403
        return ("origin", 403) if self.same_origin and is_from_elsewhere(seen) else None

    def _came_as_it_should(self, request: web.Request) -> bool:
        """Say whether one in plain text came from a proxy that has ended TLS, or from this machine."""
        return self.proxies.trusts(request.remote) or is_loopback(request.remote or "")


def _is_scrape(request: web.Request) -> bool:
    """Say whether a request is routed to ``/metrics``, however its address is spelled."""
    resource = request.match_info.route.resource
    return resource is not None and resource.canonical == "/metrics"
