"""The gateway: an HTTP server that takes canonical events, answers for each, and says yes only once Kafka has all of them."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import math
import socket
import time
from collections import Counter as Tally
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson
from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from schemas.other import SourceHeartbeat, SourceSnapshot
from streams.connectors.admission import MAX_EVENTS, REASONS, Admission, judge, split
from streams.connectors.doors import NoRoomError, Pace, Share, SlowBodyError, TooLargeError, read_body
from streams.connectors.lines import Rejected
from streams.connectors.permissions import Permissions
from streams.connectors.publishing import NotPublishedError, heartbeat
from streams.connectors.senders import TOKENS_VARIABLE, Bucket, Senders
from streams.listening import ConnectionLimits, Connections, HttpServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from prometheus_client.registry import Collector

    from schemas.base import Event
    from streams.configuration.senders import SendersFile
    from streams.connectors.publishing import Publisher

__all__ = ["MAX_REQUEST_BYTES", "Gateway", "GatewaySettings", "NotPermittedHereError"]

logger = logging.getLogger(__name__)

#: The largest request body, in bytes.
MAX_REQUEST_BYTES: Final = 1024 * 1024

#: Who sends when no token is configured.
LOCAL_SENDER: Final = "gateway"

#: Sources of a sender that are not known by name before they come; more are refused or, without tokens, get no heartbeats.
_MAX_SOURCES: Final = 100

#: Why a request is refused whose sender may send: its share of places or of bytes is taken, or its body is too slow.
_REFUSED: Final = ("places", "bytes", "slow")

#: Longer than the longest request; stopping waits for the requests under way.
_STOP_SECONDS: Final = 15.0


class NotPermittedHereError(Exception):
    """The gateway may not listen where it was told to."""


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
    #: What senders may take of it.
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)


@dataclass(slots=True)
class _Metrics:
    """What ``/metrics`` shows; label values are names from the configuration and words from this program, never input."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        prefix, registry = "contact_center_gateway", self.registry
        self.accepted = Counter(f"{prefix}_events_accepted", "Events that Kafka acknowledged.", ["sender"], registry=registry)
        self.rejected = Counter(f"{prefix}_events_rejected", "Events refused.", ["sender", "reason"], registry=registry)
        self.requests = Counter(
            f"{prefix}_requests", "Requests for /v1/events by the status they were answered with.", ["status"], registry=registry
        )
        self.publish = Histogram(
            f"{prefix}_publish_seconds",
            "From the first event handed to Kafka until all of a request's were acknowledged.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=registry,
        )
        self.refused = Counter(
            f"{prefix}_requests_refused",
            "Requests that found no room in their sender's share, or whose body came too slowly.",
            ["sender", "reason"],
            registry=registry,
        )
        self.in_flight = Gauge(f"{prefix}_requests_in_flight", "Requests being read or published.", registry=registry)

    def begin(self, senders: list[str]) -> None:
        """Let every series that is known to come begin with 0: Prometheus sees no increase where one begins."""
        self.requests.labels("200")
        for sender in senders:
            self.accepted.labels(sender)
            for reason in REASONS:
                self.rejected.labels(sender, reason)
            for reason in _REFUSED:
                self.refused.labels(sender, reason)

    accepted: Counter = field(init=False)
    rejected: Counter = field(init=False)
    requests: Counter = field(init=False)
    refused: Counter = field(init=False)
    publish: Histogram = field(init=False)
    in_flight: Gauge = field(init=False)


class Gateway:
    """Takes events over HTTP and publishes them.

    Args:
        publisher: where the events go; the gateway does not stop it.
        senders: who may send; if nobody has a token, anybody who reaches the loopback address may.
        settings: limits and where to listen.
        now: the wall clock, stamped as ``received_at``.
        monotonic: seconds, for rates.
        standing: what ``/healthz`` says beside that it runs.
        collectors: what ``/metrics`` shows beside the gateway's own.

    Raises:
        NotPermittedHereError: nobody has a token and the host is not the loopback address.
    """

    def __init__(
        self,
        publisher: Publisher,
        senders: Senders,
        settings: GatewaySettings | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        standing: Callable[[], str] | None = None,
        collectors: Iterable[Collector] = (),
    ) -> None:
        self.settings = settings or GatewaySettings()
        if not senders and not _is_loopback(self.settings.host):
            message = (
                f"No sender has a token, so the gateway listens on the loopback address only, not on {self.settings.host}. "
                f"Name them with --senders or in {TOKENS_VARIABLE}, or use --host 127.0.0.1."
            )
            raise NotPermittedHereError(message)
        self._publisher = publisher
        self._senders = senders
        self._now = now
        self._monotonic = monotonic
        self._buckets: dict[str, Bucket] = {}
        self._metrics = _Metrics()
        self._metrics.begin(senders.names or [LOCAL_SENDER])
        self._stopping = False
        self._instance = self.settings.instance or f"{socket.gethostname()}:{self.settings.port}"
        #: Sender and arrival of the requests under way: nothing of that sender's is complete beyond the oldest.
        self._arrivals: dict[int, tuple[str, datetime]] = {}
        self._places = Share(self.settings.max_in_flight)
        self._bytes = Share(self.settings.max_bytes_in_flight)
        #: By sender, the sources that came and are not known by name. The gateway speaks for these and for those that are.
        self._heard: dict[str, set[str]] = {}
        #: A source that sends its own heartbeats is let to speak for itself.
        self._speak_for_themselves: set[str] = set()
        self._connections = Connections(self.settings.connections)
        for collector in (self._connections, *collectors):
            self._metrics.registry.register(collector)
        self._standing = standing
        self._server: HttpServer | None = None
        self._heartbeats: asyncio.Task[None] | None = None

    # ---- Running -------------------------------------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        """Return the server's routes."""
        app = web.Application(middlewares=[self._guard])
        app.router.add_post("/v1/events", self._events, expect_handler=self._expect)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._expose)
        return app

    async def start(self) -> str:
        """Listen, begin the heartbeats and return the address, ``http://host:port``; raise OSError."""
        # Bodies are not inflated.
        self._server = HttpServer(self.app(), self._connections, auto_decompress=False, shutdown_timeout=_STOP_SECONDS)
        address = await self._server.start(self.settings.host, self.settings.port)
        if not self.settings.instance:
            self._instance = f"{socket.gethostname()}:{address.rpartition(':')[2]}"
        self._heartbeats = asyncio.create_task(self._beat(), name="gateway-heartbeats")
        who = ", ".join(self._senders.names)
        if who:
            logger.info("The gateway listens. address=%s senders=%s", address, who)
        else:
            logger.warning("The gateway listens without tokens: every process of this machine may send. address=%s", address)
        return address

    async def stop(self) -> None:
        """Take no more requests, finish those under way, and stop."""
        self._stopping = True
        if self._server is not None:
            await self._server.stop()
            self._server = None
        if self._heartbeats is not None:
            self._heartbeats.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._heartbeats
            self._heartbeats = None
            # Others that take the same senders' events are not to wait for this one.
            with contextlib.suppress(NotPublishedError):
                await self.beat(ended=True)

    def take(self, file: SendersFile) -> None:
        """Go by another senders file from the next request on."""
        self._senders.take(file)
        self._metrics.begin(self._senders.names)
        for name, heard in self._heard.items():
            heard.intersection_update([source for source in heard if name in self._senders.that_speak_for(source)])

    async def _beat(self) -> None:
        lost = False
        while True:
            try:
                await self.beat()
            except NotPublishedError as error:
                if not lost:
                    logger.warning("Heartbeats cannot be published; sources will be seen as silent. reason=%s", error)
                lost = True
            except Exception:
                logger.exception("A heartbeat failed.")
            else:
                lost = False
            await asyncio.sleep(self.settings.heartbeat_seconds)

    async def beat(self, *, ended: bool = False) -> None:
        """Publish one heartbeat for each source the gateway speaks for, or the last; raise NotPublishedError."""
        now = self._now()
        oldest: dict[str, datetime] = {}
        for sender, arrival in self._arrivals.values():
            oldest[sender] = min(arrival, oldest.get(sender, arrival))
        behind = timedelta(seconds=self.settings.complete_after_seconds)
        beats = []
        for source in sorted(self._senders.sources.union(*self._heard.values()) - self._speak_for_themselves):
            # Without tokens any request may hold events of any source.
            may_hold = self._senders.that_speak_for(source) if self._senders else [LOCAL_SENDER]
            through = min([now, *(oldest[sender] for sender in may_hold if sender in oldest)])
            beats.append(heartbeat(source, through - behind, now, instance=self._instance, ended=ended))
        # Together: one after the other, a sender of many sources would hold up the word of all others.
        await self._publisher.publish(beats, source=LOCAL_SENDER)

    # ---- POST /v1/events -----------------------------------------------------------------------------------------------------------

    async def _expect(self, request: web.Request) -> web.StreamResponse | None:
        """Look at the sender before asking for the body."""
        refusal = self._refusal(request)[1]
        if refusal is None and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return refusal

    def _refusal(self, request: web.Request) -> tuple[str, web.Response | None]:
        """Return the sender, and what turns the request away before its body is read, if anything does."""
        if self._stopping:
            return "", _problem(503, "stopping", "the gateway is stopping", retry_after=5)
        if self._senders:
            sender = self._senders.named_by(request.headers.get("Authorization"), self._now().timestamp() * 1000)
            if sender is None:
                return "", _no_token()
        else:
            sender = LOCAL_SENDER
            if "Origin" in request.headers:
                # A page in this machine's browser reaches the loopback address too.
                return "", _problem(403, "from_a_browser", "without tokens, requests from browsers are refused")
        encodings = request.headers.get("Content-Encoding", "identity"), request.headers.get("Transfer-Encoding", "chunked")
        if [each.strip().lower() for each in encodings] != ["identity", "chunked"]:
            return sender, _problem(415, "encoded", "send the body without Content-Encoding, in no Transfer-Encoding but chunked")
        if request.content_length is not None and request.content_length > MAX_REQUEST_BYTES:
            return sender, _too_large()
        wait = self._bucket(sender).wait_seconds()
        if wait > 0:
            return sender, _problem(429, "too_many", "more events than this sender may send", retry_after=math.ceil(wait))
        lacking = self._places.lacks(sender, self._senders.names)
        return sender, None if lacking is None else self._no_room(sender, "places", whose=lacking)

    def _no_room(self, sender: str, of: str, *, whose: Literal["own", "all"]) -> web.Response:
        self._metrics.refused.labels(sender, of).inc()
        if whose == "own":
            return _problem(429, "too_many_at_a_time", f"this sender has its share of {of} under way", retry_after=1)
        return _problem(503, "busy", "too many requests at a time", retry_after=1)

    def _bucket(self, sender: str) -> Bucket:
        bucket = self._buckets.get(sender)
        if bucket is None:
            bucket = self._buckets[sender] = Bucket(self.settings.events_per_second, self.settings.burst_events, self._monotonic)
        return bucket

    async def _events(self, request: web.Request) -> web.Response:
        sender, refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        ticket = id(request)
        self._arrivals[ticket] = sender, self._now()
        self._places.take(sender)
        self._metrics.in_flight.set(len(self._arrivals))
        try:
            return await self._take(request, sender)
        finally:
            del self._arrivals[ticket]
            self._places.give_back(sender)
            self._metrics.in_flight.set(len(self._arrivals))

    async def _take(self, request: web.Request, sender: str) -> web.Response:
        pace = self.settings.pace
        try:
            body = await read_body(request.content, pace, MAX_REQUEST_BYTES, self._bytes, sender, self._senders.names)
        except SlowBodyError:
            self._metrics.refused.labels(sender, "slow").inc()
            return _problem(
                408, "slow", f"a body begins within {pace.grace_seconds:g} s, then has {pace.bytes_per_second:g} bytes a second"
            )
        except NoRoomError as error:
            return self._no_room(sender, "bytes", whose=error.whose)
        except TooLargeError:
            return _too_large()
        except (ClientPayloadError, HttpProcessingError, web.RequestPayloadError):
            return _problem(400, "broken_body", "the body is not sent as HTTP wants it, or ended early")
        try:
            return await self._publish(bytes(body), request.content_type, sender)
        finally:
            self._bytes.give_back(sender, len(body))

    async def _publish(self, body: bytes, content_type: str, sender: str) -> web.Response:
        items = split(body, content_type)
        self._bucket(sender).pay(max(1, len(items)))
        if not items:
            return _problem(400, "empty", "the body holds no event: send one JSON object, an array of them, or JSON Lines")
        if len(items) > MAX_EVENTS:
            return _problem(413, "too_many_events", f"{len(items)} events; at most {MAX_EVENTS} in a request")
        permissions = self._senders.permissions_of(sender) if self._senders else Permissions(default_source=sender)
        if permissions is None:
            return _no_token()
        admission = Admission(sender, permissions, self._now())
        outcomes = []
        for number, item in enumerate(items, start=1):
            outcomes.append(self._known(judge(item, admission), item, admission))
            if number % _JUDGED_AT_A_TIME == 0:
                # A request of thousands of events must not keep the others waiting.
                await asyncio.sleep(0)
        accepted = [outcome for outcome in outcomes if not isinstance(outcome, Rejected)]
        rejected = [outcome for outcome in outcomes if isinstance(outcome, Rejected)]
        listed = sum(len(event.open_ids) for event in accepted if isinstance(event, SourceSnapshot))
        self._bucket(sender).pay((_PRICE_OF_A_REFUSAL - 1) * len(rejected) + listed // _IDS_FOR_AN_EVENT)
        began = self._monotonic()
        try:
            await self._publisher.publish(accepted, rejected, source=sender)
        except NotPublishedError as error:
            logger.warning("A request could not be published and was told to come again. sender=%s reason=%s", sender, error)
            return _problem(503, "kafka_unreachable", "Kafka did not acknowledge the events; send the whole request again", retry_after=2)
        self._metrics.publish.observe(self._monotonic() - began)
        self._count(sender, accepted, rejected)
        status = 200 if not rejected else 202 if accepted else 400
        return _json(
            {"accepted": len(accepted), "rejected": len(rejected), "events": [_answer(i, each) for i, each in enumerate(outcomes)]}, status
        )

    def _known(self, outcome: Event | Rejected, item: bytes, admission: Admission) -> Event | Rejected:
        """Take note of a source that is not known by name; a sender that brings another one with every event is refused."""
        if isinstance(outcome, Rejected) or outcome.source in self._senders.sources:
            return outcome
        heard = self._heard.setdefault(admission.sender, set())
        if outcome.source in heard:
            return outcome
        if len(heard) < _MAX_SOURCES:
            heard.add(outcome.source)
        elif self._senders:
            detail = f"source: this sender has named {_MAX_SOURCES} others; it names a system, not what that system tells of"
            return Rejected(admission.origin, "source_not_permitted", detail, item)
        return outcome

    def _count(self, sender: str, accepted: list[Event], rejected: list[Rejected]) -> None:
        self._metrics.accepted.labels(sender).inc(len(accepted))
        for reason, count in Tally(each.reason for each in rejected).items():
            self._metrics.rejected.labels(sender, reason).inc(count)
        for event in accepted:
            if isinstance(event, SourceHeartbeat):
                self._speak_for_themselves.add(event.source)

    # ---- The rest ------------------------------------------------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        """Count the answers, and let no exception show its insides."""
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = _problem(error.status, "not_found" if error.status == _NOT_FOUND else "refused", error.reason)
            if isinstance(error, web.HTTPMethodNotAllowed):
                response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        except ConnectionError:
            raise
        except Exception:
            logger.exception("A request failed.")
            response = _problem(500, "failed", "the gateway failed; its log says why")
        if request.path == "/v1/events":
            self._metrics.requests.labels(str(response.status)).inc()
        return response

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n" if self._standing is None else f"ok\nsenders: {self._standing()}\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        if self._stopping:
            return web.Response(status=503, text="stopping\n")
        if not await self._publisher.ready():
            return web.Response(status=503, text="Kafka does not answer\n")
        return web.Response(text="ready\n")

    async def _expose(self, _: web.Request) -> web.Response:
        text = generate_latest(self._metrics.registry)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


_NOT_FOUND: Final = 404
_JUDGED_AT_A_TIME: Final = 100

#: An event that is refused counts as so many towards the rate of its sender: it is short, and its dead letter is not.
_PRICE_OF_A_REFUSAL: Final = 10

#: So many ids of a snapshot count as an event: every partition reads all of them.
_IDS_FOR_AN_EVENT: Final = 4


def _answer(index: int, outcome: Event | Rejected) -> dict[str, Any]:
    if isinstance(outcome, Rejected):
        return {"index": index, "status": "rejected", "reason": outcome.reason, "detail": outcome.detail}
    return {"index": index, "status": "accepted", "event_id": outcome.event_id}


def _json(data: object, status: int) -> web.Response:
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")


def _problem(status: int, reason: str, detail: str, *, retry_after: int | None = None, authenticate: bool = False) -> web.Response:
    response = _json({"accepted": 0, "reason": reason, "detail": detail}, status)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if authenticate:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _no_token() -> web.Response:
    return _problem(401, "no_token", "send Authorization: Bearer with a token of this gateway", authenticate=True)


def _too_large() -> web.Response:
    return _problem(413, "too_large", f"a request has at most {MAX_REQUEST_BYTES} bytes")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
