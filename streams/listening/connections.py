"""The connections of one server: their number, and how long a client may be slow to send or to read."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from streams.catalogue import SERVING_METRICS
from streams.listening.addresses import client_of
from streams.listening.limits import ConnectionLimits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from prometheus_client import Metric

    from streams.listening.proxies import Proxies
    from streams.listening.tls import Certificates

__all__ = ["DROPPED", "REFUSED", "REFUSED_REQUESTS", "Connection", "Connections"]

#: Why a connection is refused: too many in all, or from one address.
REFUSED: Final = ("total", "address")

#: Why one is dropped: the client read nothing; an answer, a request or a TLS handshake took too long; all clients left too much unread.
DROPPED: Final = ("unread", "slow_answer", "slow_request", "slow_handshake", "memory")

#: Why a request is refused before it is handled: another host, a page of another origin, or a way around the proxy.
REFUSED_REQUESTS: Final = ("host", "origin", "proxy")

#: The kernel's send buffer for a client. Its default of megabytes would make a slow client seem to read nothing meanwhile.
_KERNEL_BYTES: Final = 128 * 1024

#: What may wait for a client here before its handler has to wait.
_WAITING_BYTES: Final = 64 * 1024

_OPEN: Final = "contact_center_http_connections"
_REFUSED: Final = "contact_center_http_connections_refused_total"
_DROPPED: Final = "contact_center_http_connections_dropped_total"
_REFUSED_REQUESTS: Final = "contact_center_http_requests_refused_total"

_HELP: Final = {about.name: about.help for about in SERVING_METRICS}


class Connection(asyncio.Protocol):
    """One connection: passes everything to the server's own protocol, and measures how long the client lets it wait.

    Under TLS it exists from the first byte of the handshake, and the server's protocol gets it only after the handshake.
    """

    __slots__ = (
        "_connections",
        "_inner",
        "_make",
        "_raw",
        "_request_checks",
        "_stalled_checks",
        "_unsent",
        "_unsent_checks",
        "has_request",
        "is_handling",
        "transport",
    )

    def __init__(self, connections: Connections, make: Callable[[], asyncio.Protocol]) -> None:
        self._connections = connections
        self._make = make
        self._inner: asyncio.Protocol | None = None
        #: The network's transport; the same as ``transport`` without TLS, and alone before the end of a handshake.
        self._raw: asyncio.Transport | None = None
        self.transport: asyncio.Transport | None = None
        #: Whether a request has begun to arrive that has no handler yet.
        self.has_request = False
        #: Whether a handler runs: it decides how long a body may take.
        self.is_handling = False
        self._request_checks = self._unsent_checks = self._stalled_checks = 0
        self._unsent = 0

    @property
    def peer(self) -> str:
        """The address of the peer."""
        peer = None if self._raw is None else self._raw.get_extra_info("peername")
        return str(peer[0]) if peer else ""

    @property
    def address(self) -> str:
        """The client's address; of IPv6 its network."""
        return client_of(self.peer)

    @property
    def drop_priority(self) -> tuple[int, int]:
        """How long the client has read nothing, and how much waits for it: the highest is dropped first."""
        return self._stalled_checks, self.unsent

    @property
    def unsent(self) -> int:
        """How many bytes wait here for the client to read."""
        raw, inner = self._raw, self.transport
        # TLS counts only what it has not yet passed to the network.
        return (0 if raw is None else raw.get_write_buffer_size()) + (0 if inner is None or inner is raw else inner.get_write_buffer_size())

    def overdue(self, limits: ConnectionLimits) -> str | None:
        """Check the connection, and return the limit that it exceeds."""
        unsent = self.unsent
        self._unsent_checks = self._unsent_checks + 1 if unsent else 0
        self._stalled_checks = self._stalled_checks + 1 if unsent and unsent >= self._unsent else 0
        self._unsent = unsent
        shakes = self.transport is None
        self._request_checks = self._request_checks + 1 if self.has_request or shakes else 0
        # The first check only finds that something waits.
        for reason, checks, seconds in (
            ("unread", self._stalled_checks, limits.unread_seconds),
            ("slow_answer", self._unsent_checks, limits.answer_seconds),
            ("slow_handshake", self._request_checks, limits.handshake_seconds)
            if shakes
            else ("slow_request", self._request_checks, limits.request_seconds),
        ):
            if checks > limits.checks(seconds):
                return reason
        return None

    def end(self, *, late: bool) -> None:
        """End the connection, discarding unread data; ``late`` answers 408 to a client that is still sending."""
        if late and self.transport is not None and not self.unsent:
            self._respond("408 Request Timeout")
        elif self._raw is not None:
            self._raw.abort()

    def _respond(self, status: str) -> None:
        if self.transport is not None:
            self.transport.write(f"HTTP/1.1 {status}\r\nConnection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n".encode())
            self.transport.close()
            if self.unsent and self._raw is not None:  # a client that does not even take this
                self._raw.abort()

    def arrived(self, raw: asyncio.BaseTransport) -> bool:
        """Count a new connection, before any handshake; return whether it is admitted."""
        self._raw = cast("asyncio.Transport", raw)
        if not self._connections.admit(self):
            return False
        self._raw.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
        return True

    def left(self) -> None:
        """Release the connection, in any state."""
        self._connections.forget(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass the connection on, or answer that there are too many."""
        self.transport = cast("asyncio.Transport", transport)
        if self._raw is None and not self.arrived(transport):
            self._respond("503 Service Unavailable")
            return
        self._request_checks = 0
        # By default TLS would buffer half a megabyte for a slow client first.
        self.transport.set_write_buffer_limits(_WAITING_BYTES)
        self._inner = self._make()
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection."""
        if self._inner is not None:
            self.left()
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on a part of a request."""
        if self._inner is not None:
            self.has_request = self.has_request or not self.is_handling
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass on that the client sends no more."""
        return None if self._inner is None else self._inner.eof_received()

    def pause_writing(self) -> None:
        """Pass on that the client reads more slowly than the handler writes."""
        if self._inner is not None:
            self._inner.pause_writing()
            self._connections.relieve()

    def resume_writing(self) -> None:
        """Pass on that the client has caught up."""
        if self._inner is not None:
            self._inner.resume_writing()


class Connections:
    """All connections of a server, and counts of those that were refused or dropped.

    Args:
        limits: of all connections.
        certificates: the server's, if it uses TLS.
        proxies: exempt from the limit per address.
    """

    def __init__(
        self, limits: ConnectionLimits | None = None, *, certificates: Certificates | None = None, proxies: Proxies | None = None
    ) -> None:
        self.limits = limits or ConnectionLimits()
        self.certificates = certificates
        self._proxies = proxies
        #: Refused requests, by reason.
        self.refused_requests = dict.fromkeys(REFUSED_REQUESTS, 0)
        self._open: dict[Connection, str] = {}
        self._by_address: Counter[str] = Counter()
        self._refused = dict.fromkeys(REFUSED, 0)
        self._dropped = dict.fromkeys(DROPPED, 0)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def open(self) -> tuple[Connection, ...]:
        """The open connections."""
        return tuple(self._open)

    def admit(self, connection: Connection) -> bool:
        """Count a connection if the limits allow it; return whether they do."""
        address = connection.address
        if len(self._open) >= self.limits.total:
            self._refused["total"] += 1
            return False
        is_proxy = self._proxies is not None and self._proxies.trusts(connection.peer)
        if self._by_address[address] >= self.limits.per_address and not is_proxy:
            self._refused["address"] += 1
            return False
        self._open[connection] = address
        self._by_address[address] += 1
        return True

    def forget(self, connection: Connection) -> None:
        """Remove a closed connection."""
        address = self._open.pop(connection, None)
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def check(self) -> None:
        """Drop the connections that exceed a limit."""
        for connection in self.open:
            reason = connection.overdue(self.limits)
            if reason is not None:
                self._drop(connection, reason)
        # TLS reports a slow client only when more is written to it.
        self.relieve()

    def relieve(self) -> None:
        """Drop the clients that have read nothing for longest, until the unread bytes are within the limit."""
        excess = sum(connection.unsent for connection in self._open) - self.limits.unsent_bytes
        if excess > 0:
            for connection in sorted(self._open, key=lambda connection: connection.drop_priority, reverse=True):
                excess -= connection.unsent
                self._drop(connection, "memory")
                if excess <= 0:
                    break

    def _drop(self, connection: Connection, reason: str) -> None:
        self._dropped[reason] += 1
        connection.end(late=reason == "slow_request")
        # An aborted connection is lost later; until then it must not count, or be dropped again.
        self.forget(connection)

    def abort(self) -> None:
        """End all connections."""
        for connection in self.open:
            connection.end(late=False)

    @property
    def status(self) -> dict[str, str]:
        """The status of TLS on health pages."""
        return {} if self.certificates is None else {"tls": self.certificates.status}

    def attend(self, app: web.Application) -> None:
        """Have ``app`` report when a request has a handler; call it before the app starts."""
        app.middlewares.insert(0, _handled)
        app.on_response_prepare.append(_answered)

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        yield GaugeMetricFamily(_OPEN, _HELP[_OPEN], value=len(self._open))
        for name, counts in ((_REFUSED, self._refused), (_DROPPED, self._dropped), (_REFUSED_REQUESTS, self.refused_requests)):
            family = CounterMetricFamily(name, _HELP[name], labels=["reason"])
            for reason, count in counts.items():
                family.add_metric([reason], count)
            yield family
        if self.certificates is not None:
            yield from self.certificates.collect()


@web.middleware
async def _handled(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    connection = _connection_of(request)
    if connection is None:
        return await handler(request)
    connection.has_request, connection.is_handling = False, True
    try:
        return await handler(request)
    finally:
        connection.is_handling = False


async def _answered(request: web.Request, _: web.StreamResponse) -> None:
    connection = _connection_of(request)
    if connection is not None:
        connection.has_request = False


def _connection_of(request: web.Request) -> Connection | None:
    protocol = None if request.transport is None else request.transport.get_protocol()
    return protocol if isinstance(protocol, Connection) else None
