"""Hold a connection, publish what arrives in its order, and report how far the source is complete."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter, ValidationError

from schemas.base import Id
from schemas.other import SourceSnapshot
from schemas.times import to_ms
from streams.connectors.connection.model import MAX_FRAME_BYTES, LinkError, RefusedError, Talk
from streams.connectors.kit.translating import translate
from streams.connectors.lines import Rejected
from streams.connectors.publishing import NotPublishedError, heartbeat
from streams.connectors.pull.metrics import PullMetrics
from streams.connectors.pull.status import SourceStatus, Summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.base import Event
    from streams.connectors.connection.model import Connection, Open, Received
    from streams.connectors.kit.model import Connector, Context, Seen
    from streams.connectors.publishing import Publisher

__all__ = ["Address", "ConnectionSettings", "Runner"]

logger = logging.getLogger(__name__)

_ID: Final = TypeAdapter[str](Id)

_BATCH: Final = 500
#: Keys whose state is retained; beyond them the one that changed longest ago is evicted.
_MAX_STATES: Final = 50_000


class _BehindError(LinkError):
    """More arrives than Kafka takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the platform listens, and the credentials."""

    host: str
    port: int
    credentials: Mapping[str, str] = field(repr=False)
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """Settings of a connection."""

    connect_seconds: float = 10.0
    #: The platform has to report what is open within this.
    begin_seconds: float = 60.0
    #: Pauses between attempts double from the first to the longest. Each is up to a half shorter, by chance.
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 30.0
    heartbeat_seconds: float = 1.0
    #: Events that wait for Kafka at most. With more the connection is closed until they are published: a platform drops silently
    #: what it has to hold back.
    max_waiting: int = 200_000
    #: The source is complete up to this long before the last sign of life.
    complete_after_seconds: float = 2.0
    #: False where another connector sends the heartbeats of the source.
    sends_heartbeats: bool = True
    site: str | None = None


class Runner:
    """Runs one connector over a connection, until ``stop`` is set.

    Args:
        connection: how to follow the platform.
        connector: translates its records.
        context: the connector's configuration.
        address: of the platform.
        publisher: where everything goes.
        now: the wall clock.
        settings: of the connection.
        metrics: counts.
    """

    def __init__(
        self,
        connection: Connection,
        connector: Connector,
        context: Context,
        address: Address,
        publisher: Publisher,
        *,
        now: Callable[[], datetime],
        settings: ConnectionSettings | None = None,
        metrics: PullMetrics | None = None,
    ) -> None:
        self.status = SourceStatus()
        self.summary = Summary()
        self._metrics = metrics or PullMetrics(context.source)
        self._connection = connection
        self._connector = connector
        self._context = context
        self._address = address
        self._publisher = publisher
        self._now = now
        self._settings = settings or ConnectionSettings()
        self._states: _States = _States()
        self._waiting: asyncio.Queue[Event | Rejected] = asyncio.Queue(self._settings.max_waiting)
        self._last_seen_at: datetime | None = None
        # The current connection has reported all that is open.
        self._is_complete = False

    async def run(self, stop: asyncio.Event) -> Summary:
        """Follow the platform; what arrived is in Kafka when this returns, unless Kafka is unavailable.

        Raises:
            NotPublishedError: Kafka did not take the last of it.
        """
        sending = asyncio.create_task(self._send())
        beating = asyncio.create_task(self._beat())
        following = asyncio.create_task(self._follow())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({sending, beating, following, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (following, beating, stopped):
                task.cancel()
            results: list[Any] = [*await asyncio.gather(following, beating, stopped, return_exceptions=True)]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await self._waiting.join()
            sending.cancel()
            results += await asyncio.gather(sending, return_exceptions=True)
        for failed in results:
            if isinstance(failed, Exception):
                raise failed
        if not self._waiting.empty():
            raise NotPublishedError(f"{self._waiting.qsize()} events were received and are not in Kafka")
        return self.summary

    async def _follow(self) -> None:
        pause = self._settings.first_pause_seconds
        while True:
            begun = self.summary.pages
            try:
                await self._once()
                trouble, detail = "unavailable", "it ended the connection"
            except RefusedError as error:
                trouble, detail = "refused", str(error)
            except _BehindError as error:
                trouble, detail = "kafka", str(error)
            except (LinkError, asyncio.LimitOverrunError, ValueError) as error:
                trouble, detail = "malformed", str(error)
            except TimeoutError:
                trouble, detail = "unavailable", "nothing arrived any more, or no connection in time"
            except (OSError, EOFError) as error:
                trouble, detail = "unreachable", str(error) or type(error).__name__
            self._last_seen_at, self._is_complete = None, False
            self.summary.failures += 1
            self.status.trouble, self.status.detail = trouble, detail
            self._metrics.failed(trouble)
            self._metrics.waiting(trouble)
            logger.warning("Not connected. source=%s reason=%s detail=%s", self._context.source, trouble, detail)
            if self.summary.pages > begun:
                pause = self._settings.first_pause_seconds
            if trouble == "kafka":
                await self._waiting.join()
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, self._settings.longest_pause_seconds)

    async def _once(self) -> None:
        address = self._address
        async with asyncio.timeout(self._settings.connect_seconds):
            reader, writer = await asyncio.open_connection(address.host, address.port, ssl=address.tls, limit=MAX_FRAME_BYTES)
        talk = Talk(reader=reader, writer=writer, credentials=address.credentials, settings=self._context.settings, now=self._now)
        self._states.forget_all(self._connection.reset_prefixes)
        stream = self._connection.talk(talk)
        limit = self._settings.begin_seconds
        try:
            while True:
                async with asyncio.timeout(limit):
                    try:
                        received = await anext(stream)
                    except StopAsyncIteration:
                        return
                self._take(received)
                limit = self._connection.silence_seconds if self._is_complete else limit
        finally:
            await stream.aclose()
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()

    def _take(self, received: Received) -> None:
        now = self._now()
        if received.records:
            done = translate(
                self._connector, received.records, self._context,
                origin=f"{self._connector.name}/{self._context.source}", now=now, states=self._states, site=self._settings.site,
            )  # fmt: skip
            self.summary.records += done.records
            self.summary.events += len(done.events)
            self.summary.rejected += len(done.rejected)
            self.summary.ignored += done.ignored.total()
            self._metrics.page(done.records, len(done.events), done.ignored.total(), done.rejected)
            items: list[Event | Rejected] = [*done.events, *done.rejected]
            for item in items:
                self._put(item)
            self._states.forget()
        for snapshot in received.snapshots:
            self._put(self._snapshot(snapshot))
        if received.is_complete:
            self.summary.pages += 1
            self.status.trouble, self.status.detail = None, ""
            self._metrics.waiting(None)
            logger.info("Connected. source=%s", self._context.source)
            self._is_complete = True
        if self._is_complete:
            self._last_seen_at = now
            self._metrics.states(len(self._states))

    def _put(self, item: Event | Rejected) -> None:
        try:
            self._waiting.put_nowait(item)
        except asyncio.QueueFull:
            raise _BehindError(f"{self._waiting.qsize()} events wait for it: nothing more is read until they are published") from None

    def _snapshot(self, of: Open) -> SourceSnapshot:
        source = self._context.source
        ids = tuple(f"{source}:{open_id}" for open_id in of.ids) if of.kind == "contacts" and of.is_prefixed else of.ids
        return SourceSnapshot(
            event_id=f"{source[:80]}-open-{of.kind}-{to_ms(of.at)}",
            occurred_at=of.at,
            received_at=max(of.at, self._now()),
            source=source,
            kind=of.kind,
            # No event can have an invalid id, so it is left out: one such name must not end the connection.
            open_ids=tuple(filter(_is_id, ids)),
        )

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            if self._settings.sends_heartbeats and self._last_seen_at is not None:
                through = self._last_seen_at - timedelta(seconds=self._settings.complete_after_seconds)
                self.status.complete_through = through
                self._metrics.complete_through(through)
                with contextlib.suppress(LinkError):
                    self._put(heartbeat(self._context.source, through, self._now()))

    async def _send(self) -> None:
        """Publish the queue in its order; while Kafka is unavailable it waits."""
        pause, is_away = self._settings.first_pause_seconds, False
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < _BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            rejected = [item for item in batch if isinstance(item, Rejected)]
            events = [item for item in batch if not isinstance(item, Rejected)]
            while True:
                try:
                    await self._publisher.publish(events, rejected, source=self._context.source)
                except NotPublishedError as error:
                    if not is_away:
                        logger.warning("Events cannot be published; they wait. reason=%s", error)
                        self._metrics.failed("kafka")
                    is_away = True
                    if self.status.trouble is None:
                        self.status.trouble, self.status.detail = "kafka", ""
                        self._metrics.waiting("kafka")
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, self._settings.longest_pause_seconds)
                else:
                    break
            pause, is_away = self._settings.first_pause_seconds, False
            if self.status.trouble == "kafka" and self._is_complete:
                self.status.trouble = None
                self._metrics.waiting(None)
            for _ in batch:
                self._waiting.task_done()


def _is_id(text: str) -> bool:
    try:
        _ID.validate_python(text)
    except ValidationError:
        return False
    return True


class _States(dict[str, "Seen"]):
    """The last state by key, ordered by change, the latest at the end."""

    def __setitem__(self, key: str, seen: Seen) -> None:
        self.pop(key, None)
        super().__setitem__(key, seen)

    def forget_all(self, beginnings: tuple[str, ...]) -> None:
        """Drop the keys with these prefixes."""
        for key in [key for key in self if key.startswith(beginnings)]:
            del self[key]

    def forget(self) -> None:
        """Evict what changed longest ago, beyond the limit."""
        while len(self) > _MAX_STATES:
            del self[next(iter(self))]
