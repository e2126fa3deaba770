"""How the gateway lets requests in: each sender with its rate, its share of places and of bytes, and the pace its bodies have to keep."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from streams.connectors.doors import NoRoomError, Pace, Share, SlowBodyError, TooLargeError, read_body
from streams.connectors.gateway_answers import MAX_REQUEST_BYTES, problem, too_large
from streams.connectors.senders import Bucket
from streams.listening import Listening

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from streams.connectors.gateway_metrics import GatewayMetrics

__all__ = ["GatewaySettings", "Intake"]

#: Some senders wait no longer before they try again, and give up where they are told to.
_MAX_RETRY_AFTER: Final = 55


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Settings of a gateway."""

    host: str = "127.0.0.1"
    #: 0 takes a free one.
    port: int = 8088
    #: Events a second a sender may send for long, and how many at once.
    events_per_second: float = 2_000
    burst_events: float = 10_000
    #: Requests being read or published at a time, and what their bodies may hold together; who comes on top is told to come back.
    max_in_flight: int = 64
    max_bytes_in_flight: int = 32 * 1024 * 1024
    #: How fast a sender has to send a body.
    pace: Pace = field(default_factory=Pace)
    #: How far behind now the gateway's sources are said to be complete.
    complete_after_seconds: float = 2.0
    heartbeat_seconds: float = 1.0
    #: Which of several gateways this is, the same after a restart; empty: named by host and port.
    instance: str = ""
    #: What senders may take of it, TLS, and the names it answers to.
    listening: Listening = field(default_factory=Listening)
    #: Whether others than this machine may send without a token.
    insecure: bool = False


class Intake:
    """Lets requests in, and keeps which are under way.

    Args:
        settings: of the gateway.
        metrics: counts what is refused.
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
        #: All that places and bytes are shared out among.
        self.names: list[str] = []
        self.stopping = False
        self._buckets: dict[str, Bucket] = {}
        self._places = Share(settings.max_in_flight)
        self._bytes = Share(settings.max_bytes_in_flight)
        #: Sender and arrival of the requests under way: nothing of that sender's is complete beyond the oldest.
        self._arrivals: dict[int, tuple[str, datetime]] = {}

    def oldest(self) -> dict[str, datetime]:
        """Return when the oldest request under way arrived, by sender."""
        oldest: dict[str, datetime] = {}
        for sender, arrival in self._arrivals.values():
            oldest[sender] = min(arrival, oldest.get(sender, arrival))
        return oldest

    def stopped(self) -> web.Response | None:
        """Return the answer to all requests once the gateway stops, None before."""
        return problem(503, "stopping", "the gateway is stopping", retry_after=5) if self.stopping else None

    def refusal(self, request: web.Request, sender: str) -> web.Response | None:
        """Return what turns a sender's request away before its body is read, if anything does."""
        encodings = request.headers.get("Content-Encoding", "identity"), request.headers.get("Transfer-Encoding", "chunked")
        if [each.strip().lower() for each in encodings] != ["identity", "chunked"]:
            return problem(415, "encoded", "send the body without Content-Encoding, in no Transfer-Encoding but chunked")
        if request.content_length is not None and request.content_length > MAX_REQUEST_BYTES:
            return too_large()
        wait = self._bucket(sender).wait_seconds()
        if wait > 0:
            retry_after = min(math.ceil(wait), _MAX_RETRY_AFTER)
            return problem(429, "too_many", "more events than this sender may send", retry_after=retry_after)
        lacking = self._places.lacks(sender, self.names)
        return None if lacking is None else self._no_room(sender, "places", whose=lacking)

    async def take(
        self, request: web.Request, sender: str, answer: Callable[[bytes], Awaitable[web.Response]], *, is_proven: bool = True
    ) -> web.Response:
        """Read the body of a request that was let in, and answer it.

        Before its body is there, a request whose sender is not proven holds nothing back: anyone could have a source look incomplete.
        """
        ticket = id(request)
        if is_proven:
            self._arrivals[ticket] = sender, self._now()
        self._places.take(sender)
        self._metrics.in_flight.set(self._places.taken)

        async def answered(body: bytes) -> web.Response:
            self._arrivals.setdefault(ticket, (sender, self._now()))
            return await answer(body)

        try:
            return await self._read(request, sender, answered)
        finally:
            self._arrivals.pop(ticket, None)
            self._places.give_back(sender)
            self._metrics.in_flight.set(self._places.taken)

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
            return problem(400, "broken_body", "the body is not sent as HTTP wants it, or ended early")
        try:
            return await answer(bytes(body))
        finally:
            self._bytes.give_back(sender, len(body))

    def pay(self, sender: str, amount: float) -> None:
        """Count what a request held towards the rate of its sender."""
        self._bucket(sender).pay(amount)

    def _no_room(self, sender: str, of: str, *, whose: Literal["own", "all"]) -> web.Response:
        self._metrics.refused.labels(sender, of).inc()
        if whose == "own":
            return problem(429, "too_many_at_a_time", f"this sender has its share of {of} under way", retry_after=1)
        return problem(503, "busy", "too many requests at a time", retry_after=1)

    def _bucket(self, sender: str) -> Bucket:
        bucket = self._buckets.get(sender)
        if bucket is None:
            settings = self._settings
            bucket = self._buckets[sender] = Bucket(settings.events_per_second, settings.burst_events, self._monotonic)
        return bucket
