"""Webhooks of platforms, ``/v1/hooks/NAME``: verified, translated by the platform's connector, and answered as its sender expects."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
from collections import Counter as Tally
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from streams.connectors.admission import MAX_EVENTS
from streams.connectors.configured import HOOKS_PATH, Configured, hook_problem
from streams.connectors.gateway_answers import json_answer, problem
from streams.connectors.kit.translating import Translated, translate_each
from streams.connectors.kit.verifying import Delivery, Refusal, Verifier
from streams.connectors.publishing import NotPublishedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from streams.connectors.gateway_metrics import GatewayMetrics
    from streams.connectors.intake import Intake
    from streams.connectors.kit.verifying import Verified
    from streams.connectors.publishing import Publisher

__all__ = ["Hooks"]

logger = logging.getLogger(__name__)

#: A larger body is translated in a thread.
_LARGE_BYTES: Final = 32 * 1024

#: A rejected record counts as this many towards the rate of its sender: it is short, and its dead letter is not.
_PRICE_OF_A_REFUSAL: Final = 10

#: A challenge that is echoed; nothing that a browser could render as a page.
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_.-]{1,500}")

#: A token that is signed for the requester: never the body of a delivery, or anyone could have one signed.
_CRC_TOKEN: Final = re.compile(r"[A-Za-z0-9_.+/=-]{1,500}")


@dataclass(slots=True)
class _Hook:
    configured: Configured
    verifier: Verifier
    #: Its name as a sender of the gateway.
    sender: str


class Hooks:
    """The webhooks of a gateway.

    Args:
        publisher: where events go.
        intake: limits deliveries, as it does requests of senders.
        metrics: counts.
        now: the wall clock.
    """

    def __init__(self, publisher: Publisher, intake: Intake, metrics: GatewayMetrics, now: Callable[[], datetime]) -> None:
        self._publisher = publisher
        self._intake = intake
        self._metrics = metrics
        self._now = now
        self._hooks: dict[str, _Hook] = {}

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self._hooks)

    def take(self, connectors: Mapping[str, Configured]) -> None:
        """Apply these connectors from the next delivery on; accepted deliveries under the same secrets stay known."""
        before, self._hooks = self._hooks, {}
        for source, configured in connectors.items():
            why_not = hook_problem(configured)
            if why_not:
                ways = {*configured.connector.ways}
                if "webhook" in ways:
                    level = logging.INFO if {"pull", "connection"} & ways else logging.WARNING
                    logger.log(level, "No webhooks are taken. source=%s reason=%s", source, why_not)
                continue
            known = before.get(source)
            if (
                known is not None
                and known.configured.secrets == configured.secrets
                and known.configured.verification == configured.verification
            ):
                verifier = known.verifier
            else:
                verifier = Verifier(configured.verification, configured.secrets)
            self._hooks[source] = _Hook(configured, verifier, f"/hooks/{source}")
        self._metrics.begin_hooks([(source, hook.sender) for source, hook in self._hooks.items()])

    @property
    def names(self) -> list[str]:
        """Their names as senders of the gateway."""
        return sorted(hook.sender for hook in self._hooks.values())

    @property
    def sources(self) -> frozenset[str]:
        """The sources of which the gateway sends heartbeats: live platforms. Only the reader of a journal knows how far it is complete."""
        return frozenset(source for source, hook in self._hooks.items() if hook.configured.connector.delivery == "live")

    def sender_of(self, source: str) -> list[str]:
        """Return the senders that may hold events of a source."""
        return [self._hooks[source].sender] if source in self._hooks else []

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Declare the routes."""
        router.add_post(HOOKS_PATH + "{source}", self._post, expect_handler=self._expect)
        router.add_get(HOOKS_PATH + "{source}", self._get)

    # ---- Deliveries ----------------------------------------------------------------------------------------------------------------

    async def _expect(self, request: web.Request) -> web.StreamResponse | None:
        """Check the sender before requesting the body."""
        refusal = self._refusal(request)
        if refusal is None and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return refusal

    def _refusal(self, request: web.Request) -> web.Response | None:
        """Return the refusal of a delivery before its body is read, if it is refused."""
        stopped = self._intake.stopped()
        if stopped is not None:
            return stopped
        hook = self._hooks.get(request.match_info["source"])
        if hook is None:
            return _no_hook()
        refused = hook.verifier.before_body(request.headers, request.query)
        return self._refused(hook, refused) if refused is not None else self._intake.refusal(request, hook.sender)

    async def _post(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        hook = self._hooks[request.match_info["source"]]
        within = hook.configured.connector.answers.within_seconds
        has_arrived = False

        async def delivered(body: bytes) -> web.Response:
            nonlocal has_arrived
            has_arrived = True
            return await self._delivered(request, hook, body)

        try:
            async with asyncio.timeout(within):
                return await self._intake.take(request, hook.sender, delivered, is_proven=False)
        except TimeoutError:
            if not has_arrived:
                # The sender is not verified yet: its pace must not count among the deliveries.
                self._metrics.refused.labels(hook.sender, "slow").inc()
                return problem(503, "too_slow", f"the body did not arrive within {within:g} s; send it again", retry_after=5)
            self._metrics.deliveries.labels(hook.configured.source, "not_published").inc()
            return problem(503, "too_slow", f"the delivery could not be published within {within:g} s; send it again", retry_after=5)

    async def _delivered(self, request: web.Request, hook: _Hook, body: bytes) -> web.Response:
        now = self._now()
        query = request.raw_path.partition("?")[2]
        url = f"{hook.configured.hook_url}?{query}" if query else hook.configured.hook_url
        verified = hook.verifier.check(Delivery(body, request.headers, request.query, url), now.timestamp())
        if isinstance(verified, Refusal):
            return self._refused(hook, verified)
        done = await self._translated(hook.configured, body, now)
        if done is None:
            self._intake.pay(hook.sender, MAX_EVENTS)
            return problem(413, "too_many_records", f"a delivery has at most {MAX_EVENTS} records, and becomes as many events")
        self._intake.pay(hook.sender, max(1, done.records, len(done.events)) + (_PRICE_OF_A_REFUSAL - 1) * len(done.rejected))
        source = hook.configured.source
        try:
            await self._publisher.publish(done.events, done.rejected, source=source)
        except NotPublishedError as error:
            logger.warning("A delivery could not be published; its sender was asked to send it again. source=%s reason=%s", source, error)
            self._metrics.deliveries.labels(source, "not_published").inc()
            return problem(503, "kafka_unreachable", "Kafka did not acknowledge the events; send the delivery again", retry_after=2)
        return self._taken(hook, verified, done, now)

    async def _translated(self, configured: Configured, body: bytes, now: datetime) -> Translated | None:
        """Return the translation of a delivery, None for one of too many records."""

        def run() -> Translated | None:
            done = Translated()
            origin = f"hooks/{configured.source}"
            for record in translate_each(configured.connector, body, configured.context, origin=origin, now=now, site=configured.site):
                done.add(record)
                if max(done.records, len(done.events)) > MAX_EVENTS:
                    return None
            return done

        return run() if len(body) <= _LARGE_BYTES else await asyncio.to_thread(run)

    def _taken(self, hook: _Hook, verified: Verified, done: Translated, now: datetime) -> web.Response:
        """Count a published delivery, and answer it. Rejected records are accepted too: a retry would not change them."""
        hook.verifier.taken(verified, now.timestamp())
        metrics, source = self._metrics, hook.configured.source
        ignored, rejected = done.ignored.total(), Tally(rejection.reason for rejection in done.rejected)
        for became, count in (("events", len(done.events)), ("ignored", ignored), ("rejected", len(done.rejected))):
            metrics.records.labels(source, became).inc(count)
        metrics.accepted.labels(hook.sender).inc(len(done.events))
        for reason, count in rejected.items():
            metrics.rejected.labels(hook.sender, reason).inc(count)
        unreadable = bool(done.rejected) and not done.records
        metrics.deliveries.labels(source, "unreadable" if unreadable else "taken").inc()
        if unreadable:
            return problem(400, done.rejected[0].reason, f"nothing in the body can be read: {done.rejected[0].detail}")
        status = hook.configured.connector.answers.accepted
        if status == _NO_CONTENT:
            return web.Response(status=status)
        if hook.configured.connector.answers.empty:
            return json_answer({}, status)
        return json_answer({"events": len(done.events), "ignored": ignored, "rejected": len(done.rejected)}, status)

    def _refused(self, hook: _Hook, refused: Refusal) -> web.Response:
        self._metrics.deliveries.labels(hook.configured.source, refused.reason).inc()
        return problem(refused.status, refused.reason, refused.detail)

    # ---- Challenges ----------------------------------------------------------------------------------------------------------------

    async def _get(self, request: web.Request) -> web.Response:
        hook = self._hooks.get(request.match_info["source"])
        if hook is None:
            return _no_hook()
        answers = hook.configured.connector.answers
        if request.method == "HEAD":
            return web.Response() if answers.head else _not_allowed()
        if answers.challenge == "crc" and (token := request.query.get("crc_token")):
            if not _CRC_TOKEN.fullmatch(token):
                return problem(400, "no_challenge", "a token has 1 to 500 letters, digits and _ . + / = -")
            return json_answer({"response_token": hook.verifier.crc(token)}, 200)
        if answers.challenge == "hub" and "hub.challenge" in request.query:
            return _hub(hook.configured.verify_token, request.query)
        return _not_allowed()


def _hub(verify_token: str | None, query: Mapping[str, str]) -> web.Response:
    given, challenge = query.get("hub.verify_token", ""), query["hub.challenge"]
    same = hmac.compare_digest((verify_token or "").encode(), given.encode(errors="replace"))
    if verify_token is None or not same or query.get("hub.mode") != "subscribe":
        return problem(403, "wrong_token", "the verify token is another one, or none is configured")
    if not _CHALLENGE.fullmatch(challenge):
        return problem(400, "no_challenge", "a challenge has 1 to 500 letters, digits and _ . -")
    return web.Response(text=challenge, headers={"X-Content-Type-Options": "nosniff"})


def _no_hook() -> web.Response:
    return problem(404, "no_hook", "no platform of this name is configured here")


def _not_allowed() -> web.Response:
    response = problem(405, "refused", "deliveries come by POST")
    response.headers["Allow"] = "POST"
    return response


_NO_CONTENT: Final = 204
