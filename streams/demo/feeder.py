"""The demo's sources as one process: publishes the simulated day so far as fast as the broker permits, then continues in real time.

Once the day has caught up with the clock, chats are sent to the gateway as canonical events, calls and survey answers as webhooks of their
platforms; everything else is published to Kafka directly.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

import aiohttp
import orjson

from schemas.events import encode, parse_agent_event, parse_contact_event, parse_customer_event
from schemas.topics import DEFAULT_PREFIX
from streams.connectors.customer_keys import CUSTOMER_KEY_VARIABLE
from streams.connectors.publishing import EventTopics, KafkaPublisher, NotPublishedError
from streams.demo.day import opening_ms
from streams.demo.platforms import SIGNED_WITH, Delivery, Platforms
from streams.demo.simulator import Emission, HeartbeatPlan, Simulation, final_heartbeats
from streams.demo.simulator.day_before import calls_of_the_day_before
from streams.demo.simulator.load import multiplied
from streams.demo.simulator.shop import with_shop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from schemas.base import Event
    from streams.connectors.publishing import Publisher

__all__ = ["CAUGHT_UP", "DRAINED", "GATEWAY_SOURCE", "TOKEN_VARIABLE", "Feeder", "FeederSettings", "Gate", "HttpGate", "Summary", "main"]

#: The environment variable with the token of the gateway, if it requires one.
TOKEN_VARIABLE: Final = "CONTACT_STREAMS_DEMO_TOKEN"  # noqa: S105 - only its name

#: Prefix of the line after which webhooks are sent.
CAUGHT_UP: Final = "The day so far is published"

#: The line after which nothing more is sent to the gateway; the feeder then waits for it to stop.
DRAINED: Final = "All is sent."

#: The source whose live events go through the gateway.
GATEWAY_SOURCE: Final = "sim-chat"

_BATCH: Final = 3_000
_TICK_SECONDS: Final = 0.1
#: How long the feeder retries when Kafka or the gateway is unreachable.
_PATIENCE_SECONDS: Final = 20.0
_REPORT_SECONDS: Final = 1.0


class UndeliveredError(RuntimeError):
    """Events could not be delivered within the patience."""


class Gate(Protocol):
    """The way through the gateway."""

    async def post(self, events: Sequence[dict[str, Any]]) -> None:
        """Deliver the events in order; raise UndeliveredError or ConnectionError if they were not accepted."""

    async def call(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Deliver a platform's request; raise UndeliveredError or ConnectionError if it was not accepted."""

    async def wait_until_stopped(self) -> None:
        """Wait until the gateway no longer answers; raise UndeliveredError if it continues."""


class HttpGate:
    """Posts to the gateway."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url.rstrip("/")
        self._authorization = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None

    async def post(self, events: Sequence[dict[str, Any]]) -> None:
        """See Gate."""
        headers = {"Content-Type": "application/x-ndjson", **self._authorization}
        status, answer = await self._post("/v1/events", headers, b"\n".join(map(orjson.dumps, events)))
        # 401 and 404: senders and platforms are configured once the day has caught up.
        if status in {401, 429, 503}:
            raise ConnectionError(answer)
        if status != 200:  # noqa: PLR2004 - OK; a refusal is an internal error, and a retry does not fix it
            raise UndeliveredError(f"{self._url} answered {status}: {answer[:1000]}")

    async def call(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """See Gate."""
        status, answer = await self._post(path, headers, body)
        if status in {404, 429, 503}:
            raise ConnectionError(answer)
        if status not in {200, 204}:
            raise UndeliveredError(f"{self._url}{path} answered {status}: {answer[:1000]}")

    async def wait_until_stopped(self) -> None:
        """See Gate."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                await self._post("/healthz", {}, b"")
            except ConnectionError:
                return
            await asyncio.sleep(_TICK_SECONDS)
        raise UndeliveredError("The gateway did not stop: its heartbeats would follow the last ones.")

    async def _post(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
        try:
            async with self._session.post(self._url + path, data=body, headers=headers) as response:
                return response.status, await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            # Some of them have no message.
            raise ConnectionError(f"{self._url}: {str(error) or type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederSettings:
    """Settings of the feeder."""

    start_ms: int
    seed: int = 1
    #: How many centers run side by side.
    rate: int = 1
    #: Also publish the calls of the day before around this time, so that the next hours can be forecast.
    day_before: bool = False
    #: Wait for an unreachable gateway without limit; Kafka is retried for a limited time.
    waits_for_gateway: bool = False


@dataclass(slots=True)
class Summary:
    """The feeder's result; ``final_ms`` is the instant through which everything is published, 0 until it stopped."""

    final_ms: int = 0
    backlog: int = 0
    direct: int = 0
    gateway: int = 0
    #: Number of events by type.
    kinds: dict[str, int] = field(default_factory=dict)


class Feeder:
    """Publishes a simulated center up to the clock, and then in real time until stopped."""

    def __init__(
        self,
        settings: FeederSettings,
        publisher: Publisher,
        gate: Gate | None,
        *,
        now_ms: Callable[[], int],
        platforms: Platforms | None = None,
        record: IO[bytes] | None = None,
        show: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.summary = Summary()
        self._settings = settings
        self._publisher = publisher
        self._gate = gate
        self._now_ms = now_ms
        self._record = record
        self._show = show
        self._live_from_ms = now_ms()
        simulation = Simulation(seed=settings.seed, start_ms=settings.start_ms, heartbeats=HeartbeatPlan(live_from_ms=self._live_from_ms))
        center = multiplied(simulation.emissions(), settings.rate)
        events = with_shop(center, settings.seed, settings.start_ms)
        self._platforms = platforms
        before = calls_of_the_day_before(settings.seed, settings.start_ms, self._live_from_ms) if settings.day_before else ()
        self._emissions: Iterator[Emission | Delivery] = chain(
            before, events if platforms is None else platforms.route(events, self._live_from_ms)
        )
        self._next = next(self._emissions)

    async def run(self, stop: asyncio.Event) -> Summary:
        """Publish until ``stop``, then the last heartbeats.

        Raises:
            UndeliveredError: Kafka or the gateway did not accept the events in time, or refused them.
        """
        await self._catch_up(stop)
        direct: asyncio.Queue[list[Emission | Delivery] | None] = asyncio.Queue()
        gateway: asyncio.Queue[list[Emission | Delivery] | None] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send_each(direct, self._publish))
            group.create_task(self._send_each(gateway, self._post))
            while not stop.is_set():
                by_gateway: list[Emission | Delivery] = []
                directly: list[Emission | Delivery] = []
                for emission in self._due():
                    (by_gateway if self._gate is not None and _is_for_the_gateway(emission) else directly).append(emission)
                if by_gateway:
                    gateway.put_nowait(by_gateway)
                if directly:
                    direct.put_nowait(directly)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _TICK_SECONDS)
            direct.put_nowait(None)
            gateway.put_nowait(None)
        if self._platforms is not None and self._gate is not None:
            # It sends heartbeats for the platforms: the last ones must follow its end.
            self._show(DRAINED)
            await self._gate.wait_until_stopped()
        # All queues are drained: no event is later than this.
        self.summary.final_ms = self._now_ms()
        run = f"{self._settings.seed}-{self._settings.start_ms}"
        await self._publish(final_heartbeats(self.summary.final_ms, run))
        if self._platforms is not None:
            await self._publish(self._platforms.final_heartbeats(self.summary.final_ms))
        return self.summary

    def _due(self) -> Iterator[Emission | Delivery]:
        """Yield the emissions that are due by now."""
        now_ms = self._now_ms()
        while self._next.published_ms <= now_ms:
            # Advance before the yield: a caller that stops early must not receive the last one again.
            due, self._next = self._next, next(self._emissions)
            yield due

    async def _catch_up(self, stop: asyncio.Event) -> None:
        start_ms = self._settings.start_ms
        reported = time.monotonic()
        batch: list[Emission | Delivery] = []
        while not stop.is_set():
            batch.clear()
            for emission in self._due():
                batch.append(emission)
                if len(batch) == _BATCH:
                    break
            else:
                if not batch:
                    break
            await self._publish(batch)
            self.summary.backlog += len(batch)
            if time.monotonic() - reported >= _REPORT_SECONDS:
                reported = time.monotonic()
                done = max(0, batch[-1].published_ms - start_ms) / max(1, self._now_ms() - start_ms)
                self._show(f"The day so far: {self.summary.backlog:,} events published, {done:.0%}.")
        self._show(f"{CAUGHT_UP}: {self.summary.backlog:,} events since the opening. From here on in real time.")

    async def _send_each(
        self, queue: asyncio.Queue[list[Emission | Delivery] | None], send: Callable[[list[Emission | Delivery]], Awaitable[None]]
    ) -> None:
        while (emissions := await queue.get()) is not None:
            for first in range(0, len(emissions), _BATCH):
                await send(emissions[first : first + _BATCH])

    async def _publish(self, emissions: Sequence[Emission | Delivery]) -> None:
        events = [event for emission in emissions for event in self._events(emission)]
        await self._with_retries(lambda: self._publisher.publish(events, source="demo"))
        self.summary.direct += len(events)
        self._count(events)

    async def _post(self, emissions: Sequence[Emission | Delivery]) -> None:
        """Send emissions to the gateway in order: consecutive events in one request, and each delivery separately."""
        gate = self._gate
        if gate is None:
            raise UndeliveredError("There is no gateway to post to.")
        for is_delivery, group in groupby(emissions, lambda emission: isinstance(emission, Delivery)):
            sent = list(group)
            if is_delivery:
                for delivery in sent:
                    await self._call(gate, delivery)
            else:
                post = partial(gate.post, [emission.event for emission in sent if isinstance(emission, Emission)])
                await self._with_retries(post, forever=self._settings.waits_for_gateway)
            events = [event for emission in sent for event in self._events(emission)]
            self.summary.gateway += len(events)
            self._count(events)

    async def _call(self, gate: Gate, delivery: Emission | Delivery) -> None:
        if self._platforms is not None and isinstance(delivery, Delivery):
            path, headers = self._platforms.request(delivery)
            await self._with_retries(partial(gate.call, path, headers, delivery.body), forever=self._settings.waits_for_gateway)

    def _events(self, emission: Emission | Delivery) -> Sequence[Event]:
        if isinstance(emission, Emission):
            return [_model(emission)]
        return [] if self._platforms is None else self._platforms.events(emission)

    async def _with_retries(self, deliver: Callable[[], Awaitable[None]], *, forever: bool = False) -> None:
        """Retry until the time limit, if any: an event that is accepted twice has the same id and counts once."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                await deliver()
            except (NotPublishedError, ConnectionError) as error:
                if time.monotonic() > deadline and not forever:
                    raise UndeliveredError(f"Not accepted within {_PATIENCE_SECONDS:g} s: {error}") from error
                await asyncio.sleep(0.25)
            else:
                return

    def _count(self, events: Iterable[Event]) -> None:
        for event in events:
            self.summary.kinds[event.type] = self.summary.kinds.get(event.type, 0) + 1
            if self._record is not None:
                self._record.write(encode(event) + b"\n")


def _is_for_the_gateway(emission: Emission | Delivery) -> bool:
    return isinstance(emission, Delivery) or emission.event["source"] == GATEWAY_SOURCE


def _model(emission: Emission) -> Event:
    raw = orjson.dumps(emission.event)
    if emission.destination == "customer-events":
        return parse_customer_event(raw)
    return parse_agent_event(raw) if emission.destination == "agent-events" else parse_contact_event(raw)


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000


async def _main(args: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if args.seconds is not None:
        asyncio.get_running_loop().call_later(args.seconds, stop.set)
    publisher = KafkaPublisher(
        args.bootstrap,
        EventTopics.with_prefix(args.prefix),
        now=lambda: datetime.now(UTC),
        timeout_seconds=_PATIENCE_SECONDS,
        client_id="contact-streams-demo",
    )
    gate = HttpGate(args.gateway, os.environ.get(TOKEN_VARIABLE, "")) if args.gateway else None
    start_ms = args.start_ms if args.start_ms is not None else opening_ms(_clock_ms())
    with contextlib.ExitStack() as stack:
        record = stack.enter_context(args.record.open("wb")) if args.record else None
        settings = FeederSettings(
            start_ms=start_ms, seed=args.seed, rate=args.rate, day_before=args.day_before, waits_for_gateway=args.wait_for_gateway
        )
        signed_with, key = os.environ.get(SIGNED_WITH), os.environ.get(CUSTOMER_KEY_VARIABLE)
        platforms = Platforms(args.gateway, signed_with, key) if args.gateway and signed_with and key else None
        show = partial(print, flush=True)
        feeder = Feeder(settings, publisher, gate, now_ms=_clock_ms, platforms=platforms, record=record, show=show)
        try:
            summary = await feeder.run(stop)
        finally:
            await publisher.stop()
            if gate is not None:
                await gate.close()
    if args.summary:
        done = {"final_ms": summary.final_ms, "direct": summary.direct, "gateway": summary.gateway, "kinds": summary.kinds}
        args.summary.write_bytes(orjson.dumps(done))
    print(
        f"Stopped at {summary.final_ms}: {summary.direct:,} events published directly, {summary.gateway:,} through the gateway.", flush=True
    )


def main(arguments: list[str] | None = None) -> int:
    """Publish until SIGTERM, SIGINT or the given seconds; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m streams.demo.feeder", description=__doc__)
    parser.add_argument("--bootstrap", required=True, help="Kafka, host:port[,host:port]")
    parser.add_argument("--prefix", default=DEFAULT_PREFIX, help="topic prefix (default: %(default)s)")
    parser.add_argument("--gateway", help="address of the gateway, http://host:port; without it everything goes to Kafka directly")
    parser.add_argument("--day-before", action="store_true", help="also publish the calls of the day before around this time")
    parser.add_argument("--wait-for-gateway", action="store_true", help="wait for an unreachable gateway (default: fail after a while)")
    parser.add_argument("--start-ms", type=int, help="when the center opened, ms since the epoch (default: five hours ago)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=1, help="how many centers to simulate side by side (default: %(default)s)")
    parser.add_argument("--seconds", type=float, help="stop after this long (default: on SIGTERM or SIGINT)")
    parser.add_argument("--record", type=Path, help="write all published events there, as JSON Lines")
    parser.add_argument("--summary", type=Path, help="write the last instant and the counts there at the end, as JSON")
    args = parser.parse_args(arguments)
    code = 0
    try:
        asyncio.run(_main(args))
    except* (UndeliveredError, OSError) as errors:
        for error in errors.exceptions:
            print(f"The feeder failed: {error}", file=sys.stderr)
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
