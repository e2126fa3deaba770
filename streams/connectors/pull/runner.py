"""Asks a platform page by page, has each page in Kafka before it asks for the next, and says how far the source is complete."""

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
from streams.connectors.publishing import NotPublishedError, heartbeat, last_word
from streams.connectors.pull.entries import Entry
from streams.connectors.pull.failures import AskError
from streams.connectors.pull.model import Asking
from streams.connectors.pull.standing import RunSettings, Standing, Summary

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

#: So many answers in a row may lead no further: each of a platform's lists may have nothing new.
_MOST_UNMOVED: Final = 10

#: Where a source begins that has no place yet, unless it is told.
_FIRST_DAYS: Final = 1


class _StoppedError(Exception):
    """Told to stop while waiting."""


@dataclass(slots=True)
class _Place:
    """How far this process is."""

    cursor: Mapping[str, Any] = field(default_factory=dict)
    pages: int = 0


class Runner:
    """Runs one connector that asks.

    Args:
        pull: how the platform is asked.
        connector: what understands it.
        context: what the configuration says to the connector.
        settings: what it says to ``pull``.
        run: how often, how long.
        ledger: where everything goes.
        client: makes what asks; given what tells that the platform wants to be left alone, and what waits.
        identities: of people.
        metrics: what is counted.
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
        self._place = _Place()
        self._states: States | None = None
        self._failed_in_a_row = 0
        self.standing = Standing()
        self.summary = Summary()

    async def run(self, stop: asyncio.Event, *, once: bool = False) -> Summary:
        """Ask until ``stop`` is set, or ``once`` until there is nothing more for now.

        Raises:
            FencedError: another process asks for this source.
            AskError: with ``once``, the platform cannot be asked.
            NotPublishedError: with ``once``, Kafka does not take it.
        """
        self._stop = stop
        beating = None if once else asyncio.create_task(self._beat(), name="heartbeats")
        try:
            async with self._make_client(self._left_alone, self._pause) as client:
                with contextlib.suppress(_StoppedError):
                    while not await self._live(client, once=once):
                        pass
        finally:
            if beating is not None:
                beating.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await beating
            await self._ledger.close()
        return self.summary

    # ---- One life: from what is in Kafka until something fails ---------------------------------------------------------------------------

    async def _live(self, client: Client, *, once: bool) -> bool:
        """Go on from where Kafka says; return True when there is no more to do, False after a failure."""
        try:
            restored = await self._or_stop(self._ledger.open(self._connector.remembered_days))
            self._restore(restored)
            while True:
                await self._round(client)
                if once:
                    await self._say_last_word()
                    return True
                await self._pause(self._run.poll_seconds or self._pull.poll_seconds)
        except NotPublishedError as error:
            if once:
                raise
            await self._failed("kafka", str(error), None)
        except AskError as error:
            if once:
                raise
            await self._failed(error.reason, f"{self._connector.title} {error}", error.wait_seconds)
        return False

    def _restore(self, restored: Restored) -> None:
        self._states = restored.states
        cursor = restored.cursor
        self._place = _Place() if cursor is None else _Place(cursor.cursor, cursor.pages)
        through = None if cursor is None or cursor.complete_through_ms is None else from_ms(cursor.complete_through_ms)
        self.standing.complete_through = through
        self._metrics.complete_through(through)
        logger.info("%s %s. known=%d", self._context.source, "begins" if cursor is None else "goes on", len(restored.states))

    async def _round(self, client: Client) -> None:
        """Take every page there is for now."""
        since = self._run.since or self._now() - timedelta(days=_FIRST_DAYS)
        asking = Asking(cursor=self._place.cursor, client=client, settings=self._settings, since=since, now=self._now)
        pages = self._pull.fetch(asking)
        unmoved = 0
        try:
            while True:
                page = await self._or_stop(self._next(pages))
                if page is None:
                    break
                unmoved = unmoved + 1 if page.cursor == self._place.cursor else 0
                await self._take(page)
                self._well()
                if unmoved >= _MOST_UNMOVED:
                    # A platform that says there is more, and names the same place again, would be asked for ever.
                    break
        finally:
            with contextlib.suppress(Exception):
                await pages.aclose()
        self._well()

    async def _next(self, pages: AsyncGenerator[Page, None]) -> Page | None:
        try:
            return await anext(pages)
        except StopAsyncIteration:
            return None
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            # What a platform answers has another shape than its file expects.
            raise AskError("malformed", f"answered what is not understood ({type(error).__name__})") from error

    async def _take(self, page: Page) -> None:
        assert self._states is not None  # noqa: S101 - a life begins with them
        now = self._now()
        self._states.begin(to_ms(now))
        done = Translated()
        if page.records:
            origin = f"pull/{self._context.source}" + (f"/{page.name}" if page.name else "")
            site = self._run.site
            done = translate(self._connector, page.records, self._context, origin=origin, now=now, states=self._states, site=site)
        through = None if page.complete_through is None else min(page.complete_through, now)
        before = self.standing.complete_through
        if before is not None and (through is None or through < before):
            # A word that was given is not taken back.
            through = before
        changes = list(self._states.changes())
        moved = page.cursor != self._place.cursor or through != before
        place = _Place(page.cursor, self._place.pages + 1)
        cursor = CursorRecord(
            source=self._context.source,
            cursor=dict(page.cursor),
            complete_through_ms=None if through is None else to_ms(through),
            pages=place.pages,
        )
        events = [self._identities.of_event(event) for event in done.events]
        entry = Entry(events=events, rejected=done.rejected, changes=changes, cursor=cursor if moved or changes or events else None)
        if entry:
            try:
                for part in entry.parts():
                    await self._ledger.write(part)
            except BaseException:
                self._states.drop()
                raise
        self._states.keep()
        self._place = place
        self.standing.complete_through = through
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
        self._troubled(reason, detail)
        pause = min(self._run.first_pause_seconds * 2.0 ** min(self._failed_in_a_row, 30), self._run.longest_pause_seconds)
        self._failed_in_a_row += 1
        await self._pause(max(pause * random.uniform(0.5, 1.0), wait_seconds or 0.0))

    def _troubled(self, reason: str, detail: str) -> None:
        """Say once what is the matter; until it is over the source gives no sign of life, and is shown as stale."""
        if self.standing.trouble != reason:
            logger.warning("%s waits. reason=%s detail=%s", self._context.source, reason, detail)
        self.standing.trouble, self.standing.detail = reason, detail
        self._metrics.waiting(reason)

    def _left_alone(self, seconds: float) -> None:
        if seconds >= self._run.heartbeat_seconds:
            self._troubled("limited", f"{self._connector.title} wants to be left alone for {seconds:.0f} s")

    def _well(self) -> None:
        self._failed_in_a_row = 0
        if self.standing.trouble is not None:
            logger.info("%s is asked again.", self._context.source)
            self.standing.trouble, self.standing.detail = None, ""
            self._metrics.waiting(None)

    # ---- Signs of life -------------------------------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        """Say every few seconds how far the source is complete, while the platform answers."""
        while True:
            await asyncio.sleep(self._run.heartbeat_seconds)
            through = self.standing.complete_through
            if self.standing.trouble is None and through is not None:
                # A failure is seen by the next page too, which begins a new life; until then there is no sign of life.
                with contextlib.suppress(NotPublishedError):
                    await self._ledger.write(Entry(events=[heartbeat(self._context.source, through, self._now())]))

    async def _say_last_word(self) -> None:
        if self.standing.complete_through is not None:
            await self._ledger.write(Entry(events=[last_word(self._context.source, self.standing.complete_through)]))

    # ---- Stopping ------------------------------------------------------------------------------------------------------------------------

    async def _pause(self, seconds: float) -> None:
        """Wait; raise _StoppedError as soon as it is to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return
        raise _StoppedError

    async def _or_stop(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what asking or reading gives; nothing is lost of it when it is given up, for nothing was written."""
        task = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise _StoppedError
            return task.result()
        finally:
            for each in (task, stopped):
                if not each.done():
                    each.cancel()
                    with contextlib.suppress(asyncio.CancelledError, Exception):
                        await each
