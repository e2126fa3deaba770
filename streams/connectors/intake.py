"""Limit the requests of a gateway: for each sender a rate, a share of the requests and bytes in flight, and a pace of bodies."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from streams.connectors.capacity import NoRoomError, Pace, Share, SlowBodyError, TooLargeError, read_body
from streams.connectors.gateway_answers import MAX_REQUEST_BYTES, problem, too_large
from streams.connectors.senders import Bucket
from streams.listening import Listening

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from streams.connectors.gateway_metrics import GatewayMetrics

__all__ = ["GatewaySettings", "Intake"]

#: Some senders give up where they have to wait longer.
_MAX_RETRY_AFTER: Final = 55


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Settings of a gateway."""

    host: str = "127.0.0.1"
    #: 0 takes a free one.
    port: int = 8088
    #: The sustained rate of a sender, and its burst.
    events_per_second: float = 2_000
    burst_events: float = 10_000
    #: Requests being read or published at a time, and the bytes of their bodies; further ones are answered with ``Retry-After``.
    max_in_flight: int = 64
    max_bytes_in_flight: int = 32 * 1024 * 1024
    #: How fast a sender has to send a body.
    pace: Pace = field(default_factory=Pace)
    #: How far behind now the gateway's sources are reported complete.
    complete_after_seconds: float = 2.0
    heartbeat_seconds: float = 1.0
    #: The name of this gateway among several, stable over restarts; empty: host and port.
    instance: str = ""
    #: Connection limits, TLS, and the host names it answers to.
    listening: Listening = field(default_factory=Listening)
    #: Whether other machines may send without a token.
    insecure: bool = False


class Intake:
    """Admits requests, and counts those in flight.

    Args:
        settings: of the gateway.
        metrics: counts refusals.
        now: the wall clock.
        monotonic: seconds, for rates.
    """

    def __init__(
        self, settings: GatewaySettings, metrics: GatewayMetrics, now: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._now = now
        self._monotonic = monotonic
        #: The senders that share requests and bytes.
        self.names: list[str] = []
        self.stopping = False
        self._buckets: dict[str, Bucket] = {}
        self._requests = Share(settings.max_in_flight)
        self._bytes = Share(settings.max_bytes_in_flight)
        #: Sender and arrival of the requests in flight: the sender's sources are not complete beyond the oldest.
        self._arrivals: dict[int, tuple[str, datetime]] = {}

    def oldest(self) -> dict[str, datetime]:
        """Return when the oldest request in flight arrived, by sender."""
        oldest: dict[str, datetime] = {}
        for sender, arrival in self._arrivals.values():
            oldest[sender] = min(arrival, oldest.get(sender, arrival))
        return oldest

    def stopped(self) -> web.Response | None:
        """Return the answer to all requests once the gateway stops, None before."""
        return problem(503, "stopping", "the gateway is stopping", retry_after=5) if self.stopping else None

    def refusal(self, request: web.Request, sender: str) -> web.Response | None:
        """Return the refusal of a request before its body is read, if it is refused."""
        encodings = request.headers.get("Content-Encoding", "identity"), request.headers.get("Transfer-Encoding", "chunked")
        if [encoding.strip().lower() for encoding in encodings] != ["identity", "chunked"]:
            return problem(415, "encoded", "send the body without Content-Encoding, in no Transfer-Encoding but chunked")
        if request.content_length is not None and request.content_length > MAX_REQUEST_BYTES:
            return too_large()
        wait = self._bucket(sender).wait_seconds()
        if wait > 0:
            retry_after = min(math.ceil(wait), _MAX_RETRY_AFTER)
            return problem(429, "too_many", "more events than this sender may send", retry_after=retry_after)
        lacking = self._requests.lacks(sender, self.names)
        return None if lacking is None else self._no_room(sender, "places", whose=lacking)

    async def take(
        self, request: web.Request, sender: str, answer: Callable[[bytes], Awaitable[web.Response]], *, is_proven: bool = True
    ) -> web.Response:
        """Read the body of an admitted request, and answer it.

        A request whose sender is not verified delays no watermark before its body is complete: any client could send it.
        """
        ticket = id(request)
        if is_proven:
            self._arrivals[ticket] = sender, self._now()
        self._requests.take(sender)
        self._metrics.in_flight.set(self._requests.taken)

        async def answered(body: bytes) -> web.Response:
            self._arrivals.setdefault(ticket, (sender, self._now()))
            return await answer(body)

        try:
            return await self._read(request, sender, answered)
        finally:
            self._arrivals.pop(ticket, None)
            self._requests.release(sender)
            self._metrics.in_flight.set(self._requests.taken)

    async def _read(self, request: web.Request, sender: str, answer: Callable[[bytes], Awaitable[web.Response]]) -> web.Response:
        pace = self._settings.pace
        try:
            body = await read_body(request.content, pace, MAX_REQUEST_BYTES, self._bytes, sender, self.names)
        except SlowBodyError:
            self._metrics.refused.labels(sender, "slow").inc()
            return problem(408, "slow", f"a body begins within {pace.grace_seconds:g} s, then has {pace.bytes_per_second:g} bytes a second")
        except NoRoomError as error:
            return self._no_room(sender, "bytes", whose=error.whose)
        except TooLargeError:
            return too_large()
        except (ClientPayloadError, HttpProcessingError, web.RequestPayloadError):
            return problem(400, "broken_body", "the body does not follow HTTP, or ended early")
        try:
            return await answer(bytes(body))
        finally:
            self._bytes.release(sender, len(body))

    def pay(self, sender: str, amount: float) -> None:
        """Charge a request to the rate of its sender."""
        self._bucket(sender).pay(amount)

    def _no_room(self, sender: str, of: str, *, whose: Literal["own", "all"]) -> web.Response:
        self._metrics.refused.labels(sender, of).inc()
        if whose == "own":
            return problem(429, "too_many_at_a_time", f"this sender has its share of {of} in flight", retry_after=1)
        return problem(503, "busy", "too many requests at a time", retry_after=1)

    def _bucket(self, sender: str) -> Bucket:
        bucket = self._buckets.get(sender)
        if bucket is None:
            settings = self._settings
            bucket = self._buckets[sender] = Bucket(settings.events_per_second, settings.burst_events, self._monotonic)
        return bucket
