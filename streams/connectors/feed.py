"""Publish a queue_log to Kafka: read once as history, or followed; the file is the buffer while Kafka is unavailable."""

from __future__ import annotations

import asyncio
import itertools
import logging
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from streams.connectors.follow import Follower, State, load_state, read_lines, save_state
from streams.connectors.lines import Rejected
from streams.connectors.publishing import NotPublishedError, ended_heartbeat, heartbeat, publish_with_retries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from schemas.base import Event
    from streams.connectors.follow import Position
    from streams.connectors.lines import Line
    from streams.connectors.publishing import Publisher
    from streams.connectors.queue_log import QueueLogParser

T = TypeVar("T")

__all__ = ["FollowSettings", "Summary", "follow", "publish_history"]

logger = logging.getLogger(__name__)

#: Lines published together; the process repeats as many after a crash.
_BATCH_LINES: Final = 500


@dataclass(slots=True)
class Summary:
    """What became of the lines."""

    lines: int = 0
    events: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowSettings:
    """How a file is followed."""

    poll_seconds: float = 0.2
    heartbeat_seconds: float = 1.0
    #: How far behind now the log is reported complete, once it is read to its end: Asterisk writes a line at once.
    complete_after_seconds: float = 2.0
    #: The longest pause between two tries to publish.
    retry_seconds: float = 10.0


async def publish_history(path: Path, parser: QueueLogParser, publisher: Publisher, *, stop: asyncio.Event | None = None) -> Summary:
    """Publish a file to its end, or until ``stop`` is set; every line counts as received when it occurred.

    Raises:
        NotPublishedError: Kafka did not take it, after several tries. Published again, nothing counts twice.
        OSError: the file cannot be read.
    """
    summary = Summary()
    last: datetime | None = None
    with closing(read_lines(path)) as lines:
        for batch in _batches(lines):
            if stop is not None and stop.is_set():
                return summary
            events, rejected = _parsed(batch, parser, None, summary)
            last = max((event.received_at for event in events), default=last)
            await publish_with_retries(publisher, events, rejected, source=parser.source)
    if last is not None:
        await publish_with_retries(publisher, [ended_heartbeat(parser.source, last)], [], source=parser.source)
    return summary


async def follow(
    path: Path,
    state: Path,
    parser: QueueLogParser,
    publisher: Publisher,
    *,
    now: Callable[[], datetime],
    stop: asyncio.Event,
    settings: FollowSettings | None = None,
) -> Summary:
    """Publish a file as it grows, from the position in the state file, until ``stop`` is set.

    Without a state file the existing content of the log is history. The state is written after Kafka acknowledged
    the lines it covers: a line may be published twice, with the same event ids, and none is left out.

    Raises:
        StateFileError: the state file cannot be used.
        OSError: a file cannot be read or written.
    """
    run = _Following(path, state, parser, publisher, now=now, stop=stop, settings=settings or FollowSettings())
    return await run.run()


class _Following:
    """One run of ``follow``."""

    def __init__(
        self,
        path: Path,
        state: Path,
        parser: QueueLogParser,
        publisher: Publisher,
        *,
        now: Callable[[], datetime],
        stop: asyncio.Event,
        settings: FollowSettings,
    ) -> None:
        self._state = state
        self._parser = parser
        self._publisher = publisher
        self._now = now
        self._stop = stop
        self._settings = settings
        self._summary = Summary()
        loaded = load_state(state)
        if loaded is not None:
            parser.restore(loaded.parser)
        self._history = loaded is None or loaded.history
        self._follower = Follower(path, loaded.position if loaded else None)
        self._beaten_at: datetime | None = None
        self._kafka_away = False

    async def run(self) -> Summary:
        try:
            if self._history and (start := self._follower.where()) is not None:
                # Before the first line: the file may be rotated, and this process killed, before another state is written.
                save_state(self._state, State(start, self._parser.state(), history=True))
            while not self._stop.is_set():
                for batch in _batches(self._follower.poll()):
                    if self._stop.is_set():
                        break
                    await self._take(batch)
                else:
                    self._history = False
                    await self._beat(self._now())
                    await self._pause(self._settings.poll_seconds)
        finally:
            self._follower.close()
        return self._summary

    async def _take(self, batch: list[tuple[Line, Position]]) -> None:
        # A line counts as received when it was written, so that none is late because this process was down.
        events, rejected = _parsed([line for line, _ in batch], self._parser, None, self._summary)
        pause = self._settings.poll_seconds
        while not await self._published(events, rejected):
            await self._pause(pause)
            if self._stop.is_set():
                return
            pause = min(pause * 2, self._settings.retry_seconds)
        save_state(self._state, State(batch[-1][1], self._parser.state(), self._history))
        if events and not self._history:
            # The file may hold more: complete only as far as it was read.
            await self._beat(events[-1].occurred_at)

    async def _published(self, events: list[Event], rejected: list[Rejected]) -> bool:
        try:
            await self._publisher.publish(events, rejected, source=self._parser.source)
        except NotPublishedError as error:
            if not self._kafka_away:
                logger.warning("Lines cannot be published; they wait in the file. reason=%s", error)
            self._kafka_away = True
            return False
        if self._kafka_away:
            logger.info("Lines are published again.")
        self._kafka_away = False
        return True

    async def _beat(self, read_through: datetime) -> None:
        now = self._now()
        if self._beaten_at is not None and now - self._beaten_at < timedelta(seconds=self._settings.heartbeat_seconds):
            return
        self._beaten_at = now
        complete_through = min(read_through, now) - timedelta(seconds=self._settings.complete_after_seconds)
        await self._published([heartbeat(self._parser.source, complete_through, now)], [])

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return


def _parsed(
    lines: Iterable[Line], parser: QueueLogParser, received_at: datetime | None, summary: Summary
) -> tuple[list[Event], list[Rejected]]:
    events: list[Event] = []
    rejected: list[Rejected] = []
    for line in lines:
        summary.lines += 1
        outcome = parser.parse(line, received_at)
        if isinstance(outcome, Rejected):
            rejected.append(outcome)
        else:
            events.extend(outcome)
    summary.events += len(events)
    summary.rejected += len(rejected)
    return events, rejected


def _batches(items: Iterator[T]) -> Iterator[list[T]]:
    while batch := list(itertools.islice(items, _BATCH_LINES)):
        yield batch
