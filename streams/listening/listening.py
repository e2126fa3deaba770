"""How a server listens: its limits, certificate, host names, proxies and access log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from streams.listening.access_log import CLIENT, AccessLog
from streams.listening.addresses import is_loopback
from streams.listening.connections import Connections
from streams.listening.hosts import HEALTH_PATHS, Hosts, host_of, is_cross_origin
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
    #: ``max-age`` of HSTS: browsers use only TLS for this long; 0 sends no header.
    hsts_seconds: int = 0
    access_log: AccessLog | None = None
    #: Whether only pages of this server may change something. Not needed where each request is authenticated without cookies.
    same_origin: bool = True
    #: Returns the refusal of a request for ``/metrics``, None if it is answered; None for a server with an access check of its own.
    metrics_refusal: Callable[[web.Request], Awaitable[web.StreamResponse | None]] | None = None

    @property
    def is_secure(self) -> bool:
        """Whether other machines connect by TLS alone: to the server itself, or to its proxy."""
        return self.certificates is not None or bool(self.proxies)

    def connections(self) -> Connections:
        """Return the connections of a server with these settings."""
        return Connections(self.limits, certificates=self.certificates, proxies=self.proxies)

    def attend(self, app: web.Application, connections: Connections) -> None:
        """Check each request of ``app`` before all else; call it before the app starts."""

        @web.middleware
        async def enter(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
            seen = self.proxies.seen_through(request)
            # aiohttp answers and logs the request of the network, not the forwarded one.
            for marked in (request, seen):
                marked[CLIENT], marked[_SECURE] = seen.remote or "", seen.secure
            refused = self._refusal(request, seen)
            if refused is None:
                barred = await self.metrics_refusal(seen) if self.metrics_refusal is not None and _is_scrape(request) else None
                return await handler(seen) if barred is None else barred
            reason, status = refused
            connections.refused_requests[reason] += 1
            # No content, because a foreign page may show it. The body of the request is not read.
            response = web.Response(status=status)
            response.force_close()
            return response

        async def answer(request: web.Request, response: web.StreamResponse) -> None:
            # For localhost it would apply to every server on that machine, on any port.
            if request.get(_SECURE, False) and not is_loopback(host_of(request.headers.get("Host", "")) or ""):
                response.headers["Strict-Transport-Security"] = f"max-age={self.hsts_seconds}"

        app.middlewares.insert(0, enter)
        if self.hsts_seconds:
            app.on_response_prepare.append(answer)

    def _refusal(self, request: web.Request, seen: web.Request) -> tuple[str, int] | None:
        """Return reason and status of the refusal of a request before it is handled; None if it is not refused."""
        status = self.hosts.refusal(request)
        if status is not None:
            return "host", status
        if self.proxies and not request.secure and request.path not in HEALTH_PATHS and not self._is_from_trusted_peer(request):
            return "proxy", 403
        return ("origin", 403) if self.same_origin and is_cross_origin(seen) else None

    def _is_from_trusted_peer(self, request: web.Request) -> bool:
        """Return whether a plain-text request is of a proxy that has ended TLS, or of this machine."""
        return self.proxies.trusts(request.remote) or is_loopback(request.remote or "")


def _is_scrape(request: web.Request) -> bool:
    """Return whether a request is routed to ``/metrics``, however its address is spelled."""
    resource = request.match_info.route.resource
    return resource is not None and resource.canonical == "/metrics"
