"""The gateway: an HTTP server that accepts canonical events and platforms' webhooks, and confirms them once Kafka has acknowledged all."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter as Tally
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from prometheus_client import generate_latest

from schemas.other import SourceHeartbeat, SourceSnapshot
from streams.connectors.admission import MAX_EVENTS, Admission, judge, split
from streams.connectors.gateway_answers import MAX_REQUEST_BYTES, json_answer, problem
from streams.connectors.gateway_metrics import GatewayMetrics
from streams.connectors.hooks import Hooks
from streams.connectors.intake import GatewaySettings, Intake
from streams.connectors.lines import Rejected
from streams.connectors.pages.served import Pages
from streams.connectors.permissions import Permissions
from streams.connectors.publishing import NotPublishedError, heartbeat
from streams.connectors.senders import TOKENS_VARIABLE, Senders
from streams.listening import HttpServer
from streams.listening.addresses import is_loopback

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from prometheus_client.registry import Collector

    from schemas.base import Event
    from streams.configuration.senders import SendersFile
    from streams.connectors.configured import Configured
    from streams.connectors.publishing import Publisher

__all__ = ["MAX_REQUEST_BYTES", "Gateway", "GatewaySettings", "NotPermittedHereError"]

logger = logging.getLogger(__name__)

#: The sender when no token is configured.
LOCAL_SENDER: Final = "gateway"

#: Sources of a sender that are not configured by name; more are rejected or, without tokens, get no heartbeats.
_MAX_SOURCES: Final = 100

#: Longer than the longest request; stopping waits for the requests in flight.
_STOP_SECONDS: Final = 15.0


class NotPermittedHereError(Exception):
    """The gateway may not listen on the configured address."""


class Gateway:
    """Accepts events over HTTP and publishes them.

    Args:
        publisher: where the events go; the gateway does not stop it.
        senders: the permitted senders; if none has a token, every process that reaches the loopback address may send.
        settings: limits and where to listen.
        now: the wall clock, stamped as ``received_at``.
        monotonic: seconds, for rates.
        status: returns further lines of ``/healthz``.
        collectors: metrics beside the gateway's own.
        connectors: the platforms whose webhooks are accepted, by source. With any, events need a token: an address that platforms
            reach is public.

    Raises:
        NotPermittedHereError: no sender has a token, there are no webhooks, and the host is not the loopback address.
    """

    def __init__(
        self,
        publisher: Publisher,
        senders: Senders,
        settings: GatewaySettings | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        status: Callable[[], str] | None = None,
        collectors: Iterable[Collector] = (),
        connectors: Mapping[str, Configured] | None = None,
    ) -> None:
        self.settings = settings or GatewaySettings()
        if not senders and connectors is None and not self.settings.insecure and not is_loopback(self.settings.host):
            message = (
                f"No sender has a token, so the gateway listens on the loopback address only, not on {self.settings.host}. "
                f"Name them with --senders or in {TOKENS_VARIABLE}, use --host 127.0.0.1, or give --insecure to let all send."
            )
            raise NotPermittedHereError(message)
        self._publisher = publisher
        self._senders = senders
        self._now = now
        self._monotonic = monotonic
        self._metrics = GatewayMetrics()
        self._intake = Intake(self.settings, self._metrics, now, monotonic)
        self._hooks = Hooks(publisher, self._intake, self._metrics, now)
        self._pages = Pages(publisher, self._intake, self._metrics, now, monotonic)
        self._hooks.take(connectors or {})
        self._pages.take(connectors or {})
        self._needs_token = bool(senders) or connectors is not None
        self._metrics.begin(senders.names or ([] if self._needs_token else [LOCAL_SENDER]))
        self._share_out()
        self._instance = self.settings.instance or f"{socket.gethostname()}:{self.settings.port}"
        #: By sender, the sources that are not configured by name. The gateway sends heartbeats of these and of the configured ones.
        self._unnamed_sources: dict[str, set[str]] = {}
        #: Sources that send their own heartbeats.
        self._self_reporting: set[str] = set()
        # No browser adds a token or signature by itself, so that other origins are harmless; beacons and surveys have other origins.
        self._listening = replace(self.settings.listening, same_origin=False)
        self._connections = self._listening.connections()
        for collector in (self._connections, *collectors):
            self._metrics.registry.register(collector)
        self._status = status
        self._server: HttpServer | None = None
        self._heartbeats: asyncio.Task[None] | None = None

    # ---- Running -------------------------------------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        """Return the server's routes."""
        app = web.Application(middlewares=[self._guard])
        app.router.add_post("/v1/events", self._events, expect_handler=self._expect)
        self._hooks.add_routes(app.router)
        self._pages.add_routes(app.router)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._expose)
        return app

    async def start(self) -> str:
        """Listen, start the heartbeats and return the address, ``http://host:port`` or ``https://``; raise OSError."""
        # Bodies are not inflated.
        self._server = HttpServer(self.app(), self._connections, self._listening, auto_decompress=False, shutdown_timeout=_STOP_SECONDS)
        address = await self._server.start(self.settings.host, self.settings.port)
        if not self.settings.instance:
            self._instance = f"{socket.gethostname()}:{address.rpartition(':')[2]}"
        self._heartbeats = asyncio.create_task(self._beat(), name="gateway-heartbeats")
        who = ", ".join([*self._senders.names, *self._hooks.names, *self._pages.names])
        if self._needs_token:
            logger.info("The gateway listens. address=%s senders=%s", address, who)
        else:
            logger.warning("The gateway listens without tokens: every process of this machine may send. address=%s", address)
        return address

    async def stop(self) -> None:
        """Refuse further requests, finish those in flight, and stop."""
        self._intake.stopping = True
        if self._server is not None:
            await self._server.stop()
            self._server = None
        if self._heartbeats is not None:
            self._heartbeats.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._heartbeats
            self._heartbeats = None
            # Other gateways of the same senders must not wait for this one.
            with contextlib.suppress(NotPublishedError):
                await self.beat(ended=True)

    def take(self, file: SendersFile) -> None:
        """Apply another senders file from the next request on."""
        self._senders.take(file)
        self._metrics.begin(self._senders.names)
        self._share_out()
        for name, sources in self._unnamed_sources.items():
            sources.intersection_update([source for source in sources if name in self._senders.senders_of(source)])

    def take_connectors(self, connectors: Mapping[str, Configured]) -> None:
        """Apply another connectors file from the next delivery on."""
        self._hooks.take(connectors)
        self._pages.take(connectors)
        self._share_out()

    def _share_out(self) -> None:
        self._intake.names = [*self._senders.names, *self._hooks.names, *self._pages.names]

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
        """Publish one heartbeat for each source of the gateway, or the last ones; raise NotPublishedError."""
        now = self._now()
        oldest = self._intake.oldest()
        behind = timedelta(seconds=self.settings.complete_after_seconds)
        beats = []
        served = self._hooks.sources | self._pages.sources
        for source in sorted(self._senders.sources.union(served, *self._unnamed_sources.values()) - self._self_reporting):
            # Without tokens any request may hold events of any source.
            may_hold = [
                *self._hooks.sender_of(source),
                *self._pages.sender_of(source),
                *(self._senders.senders_of(source) if self._needs_token else [LOCAL_SENDER]),
            ]
            through = min([now, *(oldest[sender] for sender in may_hold if sender in oldest)])
            beats.append(heartbeat(source, through - behind, now, instance=self._instance, ended=ended))
        # Together: one after the other, a sender of many sources would delay the heartbeats of all others.
        await self._publisher.publish(beats, source=LOCAL_SENDER)

    # ---- POST /v1/events -----------------------------------------------------------------------------------------------------------

    async def _expect(self, request: web.Request) -> web.StreamResponse | None:
        """Check the sender before requesting the body."""
        refusal = self._refusal(request)[1]
        if refusal is None and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return refusal

    def _refusal(self, request: web.Request) -> tuple[str, web.Response | None]:
        """Return the sender, and the refusal of the request before its body is read, if it is refused."""
        stopped = self._intake.stopped()
        if stopped is not None:
            return "", stopped
        if self._needs_token:
            sender = self._senders.named_by(request.headers.get("Authorization"), self._now().timestamp() * 1000)
            if sender is None:
                return "", _no_token()
        else:
            sender = LOCAL_SENDER
            if "Origin" in request.headers:
                # A web page in this machine's browser reaches the loopback address too.
                return "", problem(403, "from_a_browser", "without tokens, requests from browsers are refused")
        return sender, self._intake.refusal(request, sender)

    async def _events(self, request: web.Request) -> web.Response:
        sender, refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        return await self._intake.take(request, sender, lambda body: self._publish(body, request.content_type, sender))

    async def _publish(self, body: bytes, content_type: str, sender: str) -> web.Response:
        items = split(body, content_type)
        self._intake.pay(sender, max(1, len(items)))
        if not items:
            return problem(400, "empty", "the body holds no event: send one JSON object, an array of them, or JSON Lines")
        if len(items) > MAX_EVENTS:
            return problem(413, "too_many_events", f"{len(items)} events; at most {MAX_EVENTS} in a request")
        permissions = self._senders.permissions_of(sender) if self._needs_token else Permissions(default_source=sender)
        if permissions is None:
            return _no_token()
        admission = Admission(sender, permissions, self._now())
        outcomes = []
        for number, item in enumerate(items, start=1):
            outcomes.append(self._recorded(judge(item, admission), item, admission))
            if number % _JUDGED_AT_A_TIME == 0:
                # A request of thousands of events must not block the others.
                await asyncio.sleep(0)
        accepted = [outcome for outcome in outcomes if not isinstance(outcome, Rejected)]
        rejected = [outcome for outcome in outcomes if isinstance(outcome, Rejected)]
        listed = sum(len(event.open_ids) for event in accepted if isinstance(event, SourceSnapshot))
        self._intake.pay(sender, (_PRICE_OF_A_REFUSAL - 1) * len(rejected) + listed // _IDS_FOR_AN_EVENT)
        began = self._monotonic()
        try:
            await self._publisher.publish(accepted, rejected, source=sender)
        except NotPublishedError as error:
            logger.warning("A request could not be published; its sender was asked to send it again. sender=%s reason=%s", sender, error)
            return problem(503, "kafka_unreachable", "Kafka did not acknowledge the events; send the whole request again", retry_after=2)
        self._metrics.publish.observe(self._monotonic() - began)
        self._count(sender, accepted, rejected)
        status = 200 if not rejected else 202 if accepted else 400
        events = [_answer(i, outcome) for i, outcome in enumerate(outcomes)]
        return json_answer({"accepted": len(accepted), "rejected": len(rejected), "events": events}, status)

    def _recorded(self, outcome: Event | Rejected, item: bytes, admission: Admission) -> Event | Rejected:
        """Record a source that is not configured by name; reject further ones of a sender that names a new one with every event."""
        if isinstance(outcome, Rejected) or outcome.source in self._senders.sources:
            return outcome
        sources = self._unnamed_sources.setdefault(admission.sender, set())
        if outcome.source in sources:
            return outcome
        if len(sources) < _MAX_SOURCES:
            sources.add(outcome.source)
        elif self._needs_token:
            detail = f"source: this sender has named {_MAX_SOURCES} others; it names a system, not what that system reports"
            return Rejected(admission.origin, "source_not_permitted", detail, item)
        return outcome

    def _count(self, sender: str, accepted: list[Event], rejected: list[Rejected]) -> None:
        self._metrics.accepted.labels(sender).inc(len(accepted))
        for reason, count in Tally(rejection.reason for rejection in rejected).items():
            self._metrics.rejected.labels(sender, reason).inc(count)
        for event in accepted:
            if isinstance(event, SourceHeartbeat):
                self._self_reporting.add(event.source)

    # ---- Other requests ------------------------------------------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        """Count the answers, and answer an exception without its text."""
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = problem(error.status, "not_found" if error.status == _NOT_FOUND else "refused", error.reason)
            if isinstance(error, web.HTTPMethodNotAllowed):
                response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        except ConnectionError:
            raise
        except Exception:
            logger.exception("A request failed.")
            response = problem(500, "failed", "the gateway failed; its log has the reason")
        if request.path == "/v1/events":
            self._metrics.requests.labels(str(response.status)).inc()
        return response

    async def _healthz(self, _: web.Request) -> web.Response:
        lines = ["ok"] if self._status is None else ["ok", self._status()]
        lines += [f"{what}: {state}" for what, state in self._connections.status.items()]
        return web.Response(text="".join(f"{line}\n" for line in lines))

    async def _readyz(self, _: web.Request) -> web.Response:
        if self._intake.stopping:
            return web.Response(status=503, text="stopping\n")
        if not await self._publisher.ready():
            return web.Response(status=503, text="Kafka does not answer\n")
        return web.Response(text="ready\n")

    async def _expose(self, _: web.Request) -> web.Response:
        text = generate_latest(self._metrics.registry)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


_NOT_FOUND: Final = 404
_JUDGED_AT_A_TIME: Final = 100

#: A rejected event counts as this many towards the rate of its sender: it is short, and its dead letter is not.
_PRICE_OF_A_REFUSAL: Final = 10

#: Ids of a snapshot that count as one event: every partition reads all of them.
_IDS_FOR_AN_EVENT: Final = 4


def _answer(index: int, outcome: Event | Rejected) -> dict[str, Any]:
    if isinstance(outcome, Rejected):
        return {"index": index, "status": "rejected", "reason": outcome.reason, "detail": outcome.detail}
    return {"index": index, "status": "accepted", "event_id": outcome.event_id}


def _no_token() -> web.Response:
    return problem(401, "no_token", "send Authorization: Bearer with a token of this gateway", authenticate=True)
