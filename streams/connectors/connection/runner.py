"""Keeps a connection, has what is told in Kafka in its order, and says how far the source is complete."""

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
from streams.connectors.pull.standing import Standing, Summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.base import Event
    from streams.connectors.connection.model import Connection, Open, Told
    from streams.connectors.kit.model import Connector, Context, Seen
    from streams.connectors.publishing import Publisher

__all__ = ["Address", "Keeping", "Runner"]

logger = logging.getLogger(__name__)

_ID: Final = TypeAdapter[str](Id)

_BATCH: Final = 500
#: Keys whose state is kept; beyond them the one that changed longest ago is forgotten.
_MAX_STATES: Final = 50_000


class _BehindError(LinkError):
    """More is told than Kafka takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the platform listens, and who we are there."""

    host: str
    port: int
    credentials: Mapping[str, str] = field(repr=False)
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How a connection is kept."""

    connect_seconds: float = 10.0
    #: What is open has to be told within this.
    begin_seconds: float = 60.0
    #: The pauses before it is tried again: the first, and the longest, to which they double. Each is up to a half shorter, by chance.
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 30.0
    heartbeat_seconds: float = 1.0
    #: Events that wait for Kafka at most; with more the connection is given up until they are gone: what a platform has to hold back
    #: because nothing reads it, it throws away without a word.
    most_waiting: int = 200_000
    #: The source is complete up to this long before the last sign of life.
    complete_after_seconds: float = 2.0
    #: Whether heartbeats are sent: another connector may speak for the source.
    speaks: bool = True
    site: str | None = None


class Runner:
    """Runs one connector over a connection, until ``stop`` is set.

    Args:
        connection: how the platform is talked to.
        connector: what understands it.
        context: what the configuration says to the connector.
        address: where it is.
        publisher: where everything goes.
        now: the wall clock.
        keeping: how the connection is kept.
        metrics: what is counted.
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
        keeping: Keeping | None = None,
        metrics: PullMetrics | None = None,
    ) -> None:
        self.standing = Standing()
        self.summary = Summary()
        self._metrics = metrics or PullMetrics(context.source)
        self._connection = connection
        self._connector = connector
        self._context = context
        self._address = address
        self._publisher = publisher
        self._now = now
        self._keeping = keeping or Keeping()
        self._states: _States = _States()
        self._waiting: asyncio.Queue[Event | Rejected] = asyncio.Queue(self._keeping.most_waiting)
        self._heard_at: datetime | None = None
        # All that is open was told over the connection that there is.
        self._link_stands = False

    async def run(self, stop: asyncio.Event) -> Summary:
        """Follow the platform; what was told is in Kafka when this returns, unless Kafka is away.

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
            raise NotPublishedError(f"{self._waiting.qsize()} events were told and are not in Kafka")
        return self.summary

    async def _follow(self) -> None:
        pause = self._keeping.first_pause_seconds
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
                trouble, detail = "unavailable", "nothing came any more, or no connection in time"
            except (OSError, EOFError) as error:
                trouble, detail = "unreachable", str(error) or type(error).__name__
            self._heard_at, self._link_stands = None, False
            self.summary.failures += 1
            self.standing.trouble, self.standing.detail = trouble, detail
            self._metrics.failed(trouble)
            self._metrics.waiting(trouble)
            logger.warning("Not connected. source=%s reason=%s detail=%s", self._context.source, trouble, detail)
            if self.summary.pages > begun:
                pause = self._keeping.first_pause_seconds
            if trouble == "kafka":
                await self._waiting.join()
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, self._keeping.longest_pause_seconds)

    async def _once(self) -> None:
        address = self._address
        async with asyncio.timeout(self._keeping.connect_seconds):
            reader, writer = await asyncio.open_connection(address.host, address.port, ssl=address.tls, limit=MAX_FRAME_BYTES)
        talk = Talk(reader=reader, writer=writer, credentials=address.credentials, settings=self._context.settings, now=self._now)
        self._states.forget_all(self._connection.told_anew)
        told = self._connection.talk(talk)
        limit = self._keeping.begin_seconds
        try:
            while True:
                async with asyncio.timeout(limit):
                    try:
                        piece = await anext(told)
                    except StopAsyncIteration:
                        return
                self._take(piece)
                limit = self._connection.silence_seconds if self._link_stands else limit
        finally:
            await told.aclose()
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()

    def _take(self, piece: Told) -> None:
        now = self._now()
        if piece.records:
            done = translate(
                self._connector, piece.records, self._context,
                origin=f"{self._connector.name}/{self._context.source}", now=now, states=self._states, site=self._keeping.site,
            )  # fmt: skip
            self.summary.records += done.records
            self.summary.events += len(done.events)
            self.summary.rejected += len(done.rejected)
            self.summary.ignored += done.ignored.total()
            self._metrics.page(done.records, len(done.events), done.ignored.total(), done.rejected)
            items: list[Event | Rejected] = [*done.events, *done.rejected]
            for each in items:
                self._put(each)
            self._states.forget()
        for snapshot in piece.snapshots:
            self._put(self._snapshot(snapshot))
        if piece.is_complete:
            self.summary.pages += 1
            self.standing.trouble, self.standing.detail = None, ""
            self._metrics.waiting(None)
            logger.info("Connected. source=%s", self._context.source)
            self._link_stands = True
        if self._link_stands:
            self._heard_at = now
            self._metrics.states(len(self._states))

    def _put(self, item: Event | Rejected) -> None:
        try:
            self._waiting.put_nowait(item)
        except asyncio.QueueFull:
            raise _BehindError(f"{self._waiting.qsize()} events wait for it: nothing more is taken until they are there") from None

    def _snapshot(self, of: Open) -> SourceSnapshot:
        source = self._context.source
        ids = tuple(f"{source}:{each}" for each in of.ids) if of.kind == "contacts" and of.is_prefixed else of.ids
        return SourceSnapshot(
            event_id=f"{source[:80]}-open-{of.kind}-{to_ms(of.at)}",
            occurred_at=of.at,
            received_at=max(of.at, self._now()),
            source=source,
            kind=of.kind,
            # What no event can name is not open: one name of a system must not end its connection.
            open_ids=tuple(each for each in ids if _is_id(each)),
        )

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._keeping.heartbeat_seconds)
            if self._keeping.speaks and self._heard_at is not None:
                through = self._heard_at - timedelta(seconds=self._keeping.complete_after_seconds)
                self.standing.complete_through = through
                self._metrics.complete_through(through)
                with contextlib.suppress(LinkError):
                    self._put(heartbeat(self._context.source, through, self._now()))

    async def _send(self) -> None:
        """Publish what waits, in its order; while Kafka is away it waits."""
        pause, is_away = self._keeping.first_pause_seconds, False
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < _BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            rejected = [each for each in batch if isinstance(each, Rejected)]
            events = [each for each in batch if not isinstance(each, Rejected)]
            while True:
                try:
                    await self._publisher.publish(events, rejected, source=self._context.source)
                except NotPublishedError as error:
                    if not is_away:
                        logger.warning("Events cannot be published; they wait. reason=%s", error)
                        self._metrics.failed("kafka")
                    is_away = True
                    if self.standing.trouble is None:
                        self.standing.trouble, self.standing.detail = "kafka", ""
                        self._metrics.waiting("kafka")
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, self._keeping.longest_pause_seconds)
                else:
                    break
            pause, is_away = self._keeping.first_pause_seconds, False
            if self.standing.trouble == "kafka" and self._link_stands:
                self.standing.trouble = None
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
    """What was seen of each key, the one that changed last at the end."""

    def __setitem__(self, key: str, seen: Seen) -> None:
        self.pop(key, None)
        super().__setitem__(key, seen)

    def forget_all(self, beginnings: tuple[str, ...]) -> None:
        """Forget the keys that begin so."""
        for key in [key for key in self if key.startswith(beginnings)]:
            del self[key]

    def forget(self) -> None:
        """Forget what changed longest ago, beyond what is kept."""
        while len(self) > _MAX_STATES:
            del self[next(iter(self))]
