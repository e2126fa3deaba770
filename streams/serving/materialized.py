"""State materialized from a topic of events: kept current by one reader, and queried by many clients, with the reader's progress."""

from __future__ import annotations

import asyncio
import logging
from threading import Lock
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from aiokafka.errors import KafkaError

from streams.serving.broker import TopicError
from streams.serving.event_log import Limits
from streams.serving.reading import Reading
from streams.serving.threads import in_thread
from streams.serving.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from aiokafka import ConsumerRecord

    from streams.configuration import Configuration
    from streams.serving.event_log import EventLog, Span

__all__ = ["READ_LIMITS", "Materialized", "UnreadError"]

log = logging.getLogger(__name__)

#: Limits of one read.
READ_LIMITS: Final = Limits(megabytes=64, seconds=8, last_records=1_000_000)
#: A query this soon after a read uses that state.
_FRESH_SECONDS: Final = 2.0
#: How long a query waits for new events; after that it gets the state with the reader's progress.
_PATIENCE_SECONDS: Final = 1.0
#: Pauses between reads without queries, and after a failure.
_READY_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 3.0
#: How often old events are evicted.
_FORGET_SECONDS: Final = 60.0


class _Foldable(Protocol):
    """A state that records are folded into."""

    def take(self, value: bytes | None, published_ms: int) -> None:
        """Fold in one record."""

    def forget(self, age_ms: int) -> None:
        """Evict what is older than ``age_ms`` before the newest event received."""


_M = TypeVar("_M", bound=_Foldable)
_T = TypeVar("_T")


class UnreadError(OSError):
    """The last attempt to read the topic failed."""


class _State(Generic[_M]):
    """The state folded with one configuration, and the offsets of its records."""

    def __init__(self, configuration: Configuration, folded: _M, since_ms: int) -> None:
        self.configuration = configuration
        self.folded = folded
        self.since_ms = since_ms
        #: Held while the folded state is changed or read.
        self.mutex = Lock()
        #: Partition → the last offset folded in, and when its first record was published.
        self.taken: dict[int, int] = {}
        self.begun: dict[int, int] = {}
        #: Whether the last read reached the end; the instant from which the state is complete, in ms, if later than requested.
        self.complete = False
        self.known_since_ms = 0
        self.read_at: float | None = None
        self.forgot_at: float | None = None
        #: The offsets passed in previous reads, and the share of all that is read, 0 to 1.
        self.passed = 0
        self.share = 0.0

    def take(self, records: list[ConsumerRecord]) -> None:
        with self.mutex:
            for record in records:
                self.folded.take(record.value, record.timestamp)
                self.taken[record.partition] = record.offset
                self.begun.setdefault(record.partition, record.timestamp)

    def forget(self, age_ms: int) -> None:
        with self.mutex:
            self.folded.forget(age_ms)

    def query(self, compute: Callable[[_M, Configuration], _T]) -> _T:
        with self.mutex:
            return compute(self.folded, self.configuration)

    def record_progress(self, span: Span) -> None:
        self.share = (self.passed + span.passed) / max(1, self.passed + span.to_pass)


class Materialized(Generic[_M]):
    """The state of the last hours' events. One task reads it, whatever the number of queries; a query waits for it briefly.

    Use it within one event loop; ``close`` it, unless ``run`` was cancelled.
    """

    def __init__(
        self,
        log: EventLog,
        create: Callable[[Configuration], _M],
        configuration: Callable[[], Configuration],
        *,
        look_back_seconds: float,
        clock: Callable[[], float],
        limits: Limits = READ_LIMITS,
    ) -> None:
        self._log = log
        self._create = create
        self._configuration = configuration
        self._look_back_ms = int(1000 * look_back_seconds)
        self._clock = clock
        self._limits = limits
        self.turns = Turns()
        self._state: _State[_M] | None = None
        self._task: asyncio.Task[None] | None = None
        self._failed: BaseException | None = None
        self._logged = ""

    @property
    def complete(self) -> bool:
        """Whether the last read reached the end of the topic."""
        return self._state is not None and self._state.complete

    @property
    def known_since_ms(self) -> int:
        """The instant from which the state is complete, if later than requested; else 0."""
        return 0 if self._state is None else self._state.known_since_ms

    @property
    def reading(self) -> Reading | None:
        """The progress of the first read; None once it has reached the end."""
        state = self._state
        return None if state is None or state.complete else Reading(self._log.topic, state.share, state.since_ms)

    async def query(self, asker: str, compute: Callable[[_M, Configuration], _T]) -> _T:
        """Return the result of ``compute``, run in a thread, for the events read by now.

        Raises:
            NoTurnError: too many queries wait, or the wait timed out.
            TopicError, KafkaError, OSError, TimeoutError: Kafka does not answer.
        """
        state = self._current()
        task = self._begin(state)
        if task is not None:
            await asyncio.wait({task}, timeout=_PATIENCE_SECONDS)
            if task.done():
                if not task.cancelled():
                    task.result()
            elif self._failed is not None:
                message = f"{self._log.topic}: {self._failed!r}"
                raise UnreadError(message)
        # The configuration may have been replaced meanwhile.
        state = self._current()
        async with self.turns.turn(asker):
            return await in_thread(state.query, compute)

    async def query_if_readable(self, asker: str, compute: Callable[[_M, Configuration], _T]) -> _T | None:
        """Return the result of ``query``; None if Kafka does not give the events, which is logged once for each new reason.

        Raises:
            NoTurnError: as ``query``.
        """
        try:
            result = await self.query(asker, compute)
        except (KafkaError, TopicError, OSError, TimeoutError) as error:
            if self._logged != (reason := repr(error)):
                self._logged = reason
                log.warning("%s cannot be read: %s. Answers lack its data.", self._log.topic, reason)
            return None
        self._logged = ""
        return result

    async def run(self) -> NoReturn:
        """Keep the state current until cancelled, with or without queries."""
        try:
            while True:
                task = self._begin(self._current())
                if task is not None:
                    await asyncio.wait({task})
                await asyncio.sleep(_READY_SECONDS if self.complete else _RETRY_SECONDS)
        finally:
            await self.close()

    async def close(self) -> None:
        """Drop the state, and return when the reader has ended."""
        task = self._task
        self.drop()
        if task is not None:
            await asyncio.wait({task})

    def drop(self) -> None:
        """Drop the state; the next query reads it again."""
        if self._task is not None:
            self._task.cancel()
        self._state = self._task = None

    def _current(self) -> _State[_M]:
        configuration = self._configuration()
        if self._state is None or self._state.configuration is not configuration:
            self.drop()
            self._state = _State(configuration, self._create(configuration), int(1000 * self._clock()) - self._look_back_ms)
        return self._state

    def _begin(self, state: _State[_M]) -> asyncio.Task[None] | None:
        """Return the task that reads, started if necessary; None if the state is fresh."""
        if self._task is not None and not self._task.done():
            return self._task
        if state.read_at is not None and asyncio.get_running_loop().time() - state.read_at < _FRESH_SECONDS:
            return None
        self._task = asyncio.create_task(self._read(state))
        # The client may have left when the task fails: retrieve its exception.
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._task

    async def _read(self, state: _State[_M]) -> None:
        """Read to the end of the topic."""
        try:
            while not await self._read_part(state):
                pass
        except Exception as error:
            self._failed = error
            if isinstance(error, TopicError) and self._state is state:
                self._state = None
            raise

    async def _read_part(self, state: _State[_M]) -> bool:
        """Read up to the limits; return whether the end was reached."""
        loop = asyncio.get_running_loop()
        since_ms = int(1000 * self._clock()) - self._look_back_ms
        async with asyncio.timeout(3 * self._limits.seconds):
            span = await self._log.events(since_ms, self._limits, state.take, state.record_progress, after=state.taken)
        self._failed = None
        state.passed += span.passed
        state.known_since_ms = max((state.known_since_ms, *(state.begun.get(partition, 0) for partition in span.shortened)))
        if state.forgot_at is None or span.cut or loop.time() - state.forgot_at >= _FORGET_SECONDS:
            state.forgot_at = loop.time()
            await in_thread(state.forget, self._look_back_ms)
        if not span.cut:
            state.complete, state.read_at = True, loop.time()
        return not span.cut
