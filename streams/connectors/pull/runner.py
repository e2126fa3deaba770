"""Poll a platform page by page, publish each page before the next request, and report how far the source is complete."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from schemas.connector_state import CursorRecord
from schemas.times import from_ms, to_ms
from streams.connectors.kit.translating import Translated, translate
from streams.connectors.publishing import NotPublishedError, ended_heartbeat, heartbeat
from streams.connectors.pull.entries import Entry
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import PollContext
from streams.connectors.pull.status import RunSettings, SourceStatus, Summary

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from streams.connectors.identities import Identities
    from streams.connectors.kit.model import Connector, Context
    from streams.connectors.pull.client import Client
    from streams.connectors.pull.entries import Ledger, Restored
    from streams.connectors.pull.metrics import PullMetrics
    from streams.connectors.pull.model import Page, Pull
    from streams.connectors.pull.states import States

__all__ = ["Runner"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Answers in a row that may leave the cursor where it is: each of a platform's lists may have nothing new.
_MOST_UNMOVED: Final = 10

#: How far back a source without a cursor begins, unless configured.
_FIRST_DAYS: Final = 1


class _StoppedError(Exception):
    """The runner was stopped while waiting."""


@dataclass(slots=True)
class _Position:
    """The cursor and the pages read so far."""

    cursor: Mapping[str, Any] = field(default_factory=dict)
    pages: int = 0


class Runner:
    """Runs one polling connector.

    Args:
        pull: how to poll the platform.
        connector: translates its records.
        context: the connector's configuration.
        settings: of ``pull``.
        run: how often, how long.
        ledger: where everything goes.
        client: creates the client; given a callback for pauses that the platform requests, and one that waits.
        identities: of agents.
        metrics: counts.
        now: the wall clock.
    """

    def __init__(
        self,
        pull: Pull,
        connector: Connector,
        context: Context,
        settings: Mapping[str, Any],
        run: RunSettings,
        ledger: Ledger,
        client: Callable[[Callable[[float], None], Callable[[float], Coroutine[Any, Any, None]]], Client],
        *,
        identities: Identities,
        metrics: PullMetrics,
        now: Callable[[], datetime],
    ) -> None:
        self._pull = pull
        self._connector = connector
        self._context = context
        self._settings = settings
        self._run = run
        self._ledger = ledger
        self._make_client = client
        self._identities = identities
        self._metrics = metrics
        self._now = now
        self._stop = asyncio.Event()
        self._position = _Position()
        self._states: States | None = None
        self._failed_in_a_row = 0
        self.status = SourceStatus()
        self.summary = Summary()

    async def run(self, stop: asyncio.Event, *, once: bool = False) -> Summary:
        """Poll until ``stop`` is set, or ``once`` until there is nothing more for now.

        Raises:
            FencedError: another process polls this source.
            PollError: with ``once``, the platform cannot be polled.
            NotPublishedError: with ``once``, Kafka does not take it.
        """
        self._stop = stop
        beating = None if once else asyncio.create_task(self._beat(), name="heartbeats")
        try:
            async with self._make_client(self._limited, self._pause) as client:
                with contextlib.suppress(_StoppedError):
                    while not await self._run_until_failure(client, once=once):
                        pass
        finally:
            if beating is not None:
                beating.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await beating
            await self._ledger.close()
        return self.summary

    # ---- One run: from the state in Kafka until something fails --------------------------------------------------------------------------

    async def _run_until_failure(self, client: Client, *, once: bool) -> bool:
        """Continue from the cursor in Kafka; return True when there is no more to do, False after a failure."""
        try:
            restored = await self._unless_stopped(self._ledger.open(self._connector.remembered_days))
            self._restore(restored)
            while True:
                await self._poll(client)
                if once:
                    await self._publish_ended()
                    return True
                await self._pause(self._run.poll_seconds or self._pull.poll_seconds)
        except NotPublishedError as error:
            if once:
                raise
            await self._failed("kafka", str(error), None)
        except PollError as error:
            if once:
                raise
            await self._failed(error.reason, f"{self._connector.title} {error}", error.wait_seconds)
        return False

    def _restore(self, restored: Restored) -> None:
        self._states = restored.states
        cursor = restored.cursor
        self._position = _Position() if cursor is None else _Position(cursor.cursor, cursor.pages)
        through = None if cursor is None or cursor.complete_through_ms is None else from_ms(cursor.complete_through_ms)
        self.status.complete_through = through
        self._metrics.complete_through(through)
        logger.info("%s %s. known=%d", self._context.source, "begins" if cursor is None else "continues", len(restored.states))

    async def _poll(self, client: Client) -> None:
        """Publish every page there is for now."""
        since = self._run.since or self._now() - timedelta(days=_FIRST_DAYS)
        poll = PollContext(cursor=self._position.cursor, client=client, settings=self._settings, since=since, now=self._now)
        pages = self._pull.fetch(poll)
        unmoved = 0
        try:
            while True:
                page = await self._unless_stopped(self._next(pages))
                if page is None:
                    break
                unmoved = unmoved + 1 if page.cursor == self._position.cursor else 0
                await self._take(page)
                self._report_recovered()
                if unmoved >= _MOST_UNMOVED:
                    # A platform that always reports more at the same cursor would be polled for ever.
                    break
        finally:
            with contextlib.suppress(Exception):
                await pages.aclose()
        self._report_recovered()

    async def _next(self, pages: AsyncGenerator[Page, None]) -> Page | None:
        try:
            return await anext(pages)
        except StopAsyncIteration:
            return None
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            # The answer has another shape than the platform's file expects.
            raise PollError("malformed", f"answered with an unknown format ({type(error).__name__})") from error

    async def _take(self, page: Page) -> None:
        assert self._states is not None  # noqa: S101 - restored at the begin of a run
        now = self._now()
        self._states.begin(to_ms(now))
        done = Translated()
        if page.records:
            origin = f"pull/{self._context.source}" + (f"/{page.name}" if page.name else "")
            site = self._run.site
            done = translate(self._connector, page.records, self._context, origin=origin, now=now, states=self._states, site=site)
        through = None if page.complete_through is None else min(page.complete_through, now)
        before = self.status.complete_through
        if before is not None and (through is None or through < before):
            # Completeness that was reported never goes back.
            through = before
        changes = list(self._states.changes())
        moved = page.cursor != self._position.cursor or through != before
        position = _Position(page.cursor, self._position.pages + 1)
        cursor = CursorRecord(
            source=self._context.source,
            cursor=dict(page.cursor),
            complete_through_ms=None if through is None else to_ms(through),
            pages=position.pages,
        )
        events = [self._identities.of_event(event) for event in done.events]
        entry = Entry(events=events, rejected=done.rejected, changes=changes, cursor=cursor if moved or changes or events else None)
        if entry:
            try:
                for part in entry.parts():
                    await self._ledger.write(part)
            except BaseException:
                self._states.roll_back()
                raise
        self._states.commit()
        self._position = position
        self.status.complete_through = through
        self._count(done, through)
        self._metrics.states(len(self._states))

    def _count(self, done: Translated, through: datetime | None) -> None:
        summary, ignored = self.summary, done.ignored.total()
        summary.pages += 1
        summary.records += done.records
        summary.events += len(done.events)
        summary.rejected += len(done.rejected)
        summary.ignored += ignored
        self._metrics.page(done.records, len(done.events), ignored, done.rejected)
        self._metrics.complete_through(through)

    # ---- Trouble -------------------------------------------------------------------------------------------------------------------------

    async def _failed(self, reason: str, detail: str, wait_seconds: float | None) -> None:
        self.summary.failures += 1
        self._metrics.failed(reason)
        self._report_waiting(reason, detail)
        pause = min(self._run.first_pause_seconds * 2.0 ** min(self._failed_in_a_row, 30), self._run.longest_pause_seconds)
        self._failed_in_a_row += 1
        await self._pause(max(pause * random.uniform(0.5, 1.0), wait_seconds or 0.0))

    def _report_waiting(self, reason: str, detail: str) -> None:
        """Log the reason once; until it is over the source sends no heartbeats, and is shown as stale."""
        if self.status.trouble != reason:
            logger.warning("%s waits. reason=%s detail=%s", self._context.source, reason, detail)
        self.status.trouble, self.status.detail = reason, detail
        self._metrics.waiting(reason)

    def _limited(self, seconds: float) -> None:
        if seconds >= self._run.heartbeat_seconds:
            self._report_waiting("limited", f"{self._connector.title} limits requests for {seconds:.0f} s")

    def _report_recovered(self) -> None:
        self._failed_in_a_row = 0
        if self.status.trouble is not None:
            logger.info("%s is polled again.", self._context.source)
            self.status.trouble, self.status.detail = None, ""
            self._metrics.waiting(None)

    # ---- Heartbeats ----------------------------------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        """Report every few seconds how far the source is complete, while the platform answers."""
        while True:
            await asyncio.sleep(self._run.heartbeat_seconds)
            through = self.status.complete_through
            if self.status.trouble is None and through is not None:
                # The next page meets the failure too, and a new run begins; until then there are no heartbeats.
                with contextlib.suppress(NotPublishedError):
                    await self._ledger.write(Entry(events=[heartbeat(self._context.source, through, self._now())]))

    async def _publish_ended(self) -> None:
        if self.status.complete_through is not None:
            await self._ledger.write(Entry(events=[ended_heartbeat(self._context.source, self.status.complete_through)]))

    # ---- Stopping ------------------------------------------------------------------------------------------------------------------------

    async def _pause(self, seconds: float) -> None:
        """Wait; raise _StoppedError as soon as ``stop`` is set."""
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return
        raise _StoppedError

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of a request or read; a stop cancels it without loss, because nothing was written."""
        task = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise _StoppedError
            return task.result()
        finally:
            for pending in (task, stopped):
                if not pending.done():
                    pending.cancel()
                    with contextlib.suppress(asyncio.CancelledError, Exception):
                        await pending
