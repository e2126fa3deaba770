"""What is made of a topic of events for those who ask: kept ready by reading on, and told soon, with how far reading has come."""

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

#: How much is read at a time.
READ_LIMITS: Final = Limits(megabytes=64, seconds=8, last_records=1_000_000)
#: Who asks so soon after it was read gets what was read then.
_FRESH_SECONDS: Final = 2.0
#: Who asks waits so long for what is new; of what takes longer is told how far it has come.
_PATIENCE_SECONDS: Final = 1.0
#: So often it is read on where no one asks, and where reading has failed.
_READY_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 3.0
#: So often what is too old is given up.
_FORGET_SECONDS: Final = 60.0


class _Made(Protocol):
    """What records are told to."""

    def take(self, value: bytes | None, published_ms: int) -> None:
        """Take one record."""

    def forget(self, age_ms: int) -> None:
        """Give up what was so long before the newest that was received."""


_M = TypeVar("_M", bound=_Made)
_T = TypeVar("_T")


class UnreadError(OSError):
    """The topic could not be read when it was tried last, and has not been since."""


class _Kept(Generic[_M]):
    """What has been made with one configuration, and of which records."""

    def __init__(self, configuration: Configuration, made: _M, since_ms: int) -> None:
        self.configuration = configuration
        self.made = made
        self.since_ms = since_ms
        #: Held by who changes what was made, and who looks at it.
        self.mutex = Lock()
        #: Partition → the last offset that was taken, and when the first record was published.
        self.taken: dict[int, int] = {}
        self.begun: dict[int, int] = {}
        #: Whether all there was when it was read last has been taken, and from when on, in ms, where that is less than was to be.
        self.complete = False
        self.known_since_ms = 0
        self.read_at: float | None = None
        self.forgot_at: float | None = None
        #: Offsets that were passed in the parts that have been read, and how much of all that is, 0 to 1.
        self.passed = 0
        self.share = 0.0

    def take(self, records: list[ConsumerRecord]) -> None:
        with self.mutex:
            for record in records:
                self.made.take(record.value, record.timestamp)
                self.taken[record.partition] = record.offset
                self.begun.setdefault(record.partition, record.timestamp)

    def forget(self, age_ms: int) -> None:
        with self.mutex:
            self.made.forget(age_ms)

    def tell(self, make: Callable[[_M, Configuration], _T]) -> _T:
        with self.mutex:
            return make(self.made, self.configuration)

    def hear(self, span: Span) -> None:
        self.share = (self.passed + span.passed) / max(1, self.passed + span.to_pass)


class Materialized(Generic[_M]):
    """One object made of the events of the last hours. It is read by one task, whoever asks; who asks waits for that a moment alone.

    Use it within one event loop; ``close`` it, unless ``run`` was cancelled.
    """

    def __init__(
        self,
        log: EventLog,
        make: Callable[[Configuration], _M],
        configuration: Callable[[], Configuration],
        *,
        look_back_seconds: float,
        clock: Callable[[], float],
        limits: Limits = READ_LIMITS,
    ) -> None:
        self._log = log
        self._make = make
        self._configuration = configuration
        self._look_back_ms = int(1000 * look_back_seconds)
        self._clock = clock
        self._limits = limits
        self.turns = Turns()
        self._kept: _Kept[_M] | None = None
        self._task: asyncio.Task[None] | None = None
        self._failed: BaseException | None = None
        self._logged = ""

    @property
    def complete(self) -> bool:
        """Whether all there was by the last question has been read."""
        return self._kept is not None and self._kept.complete

    @property
    def known_since_ms(self) -> int:
        """From when on everything is known, where that is less than was to be."""
        return 0 if self._kept is None else self._kept.known_since_ms

    @property
    def reading(self) -> Reading | None:
        """How far it is, None once it was read to its end."""
        kept = self._kept
        return None if kept is None or kept.complete else Reading(self._log.topic, kept.share, kept.since_ms)

    async def query(self, asker: str, make: Callable[[_M, Configuration], _T]) -> _T:
        """Return what ``make`` makes, in a thread, of what has been read by now.

        Raises:
            NoTurnError: too many ask, or the turn did not come.
            TopicError, KafkaError, OSError, TimeoutError: Kafka does not answer.
        """
        kept = self._current()
        task = self._begin(kept)
        if task is not None:
            await asyncio.wait({task}, timeout=_PATIENCE_SECONDS)
            if task.done():
                if not task.cancelled():
                    task.result()
            elif self._failed is not None:
                message = f"{self._log.topic}: {self._failed!r}"
                raise UnreadError(message)
        # Never with a configuration that has been replaced meanwhile.
        kept = self._current()
        async with self.turns.turn(asker):
            return await in_thread(kept.tell, make)

    async def query_if_readable(self, asker: str, make: Callable[[_M, Configuration], _T]) -> _T | None:
        """Return what ``told`` does, None where Kafka does not give the events: the log says so, once until another reason comes.

        Raises:
            NoTurnError: as ``told``.
        """
        try:
            found = await self.query(asker, make)
        except (KafkaError, TopicError, OSError, TimeoutError) as error:
            if self._logged != (reason := repr(error)):
                self._logged = reason
                log.warning("%s cannot be read: %s. What is made of it is left out.", self._log.topic, reason)
            return None
        self._logged = ""
        return found

    async def run(self) -> NoReturn:
        """Keep it ready, until cancelled: read from the start on, and on where no one asks."""
        try:
            while True:
                task = self._begin(self._current())
                if task is not None:
                    await asyncio.wait({task})
                await asyncio.sleep(_READY_SECONDS if self.complete else _RETRY_SECONDS)
        finally:
            await self.close()

    async def close(self) -> None:
        """Forget everything, and return when nothing is read any more."""
        task = self._task
        self.give_up()
        if task is not None:
            await asyncio.wait({task})

    def give_up(self) -> None:
        """Forget everything; it is read anew for who asks next."""
        if self._task is not None:
            self._task.cancel()
        self._kept = self._task = None

    def _current(self) -> _Kept[_M]:
        configuration = self._configuration()
        if self._kept is None or self._kept.configuration is not configuration:
            self.give_up()
            self._kept = _Kept(configuration, self._make(configuration), int(1000 * self._clock()) - self._look_back_ms)
        return self._kept

    def _begin(self, kept: _Kept[_M]) -> asyncio.Task[None] | None:
        """Return the task that reads on, None where what was read is fresh."""
        if self._task is not None and not self._task.done():
            return self._task
        if kept.read_at is not None and asyncio.get_running_loop().time() - kept.read_at < _FRESH_SECONDS:
            return None
        self._task = asyncio.create_task(self._read(kept))
        # Who asks may not be there any more when it fails.
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._task

    async def _read(self, kept: _Kept[_M]) -> None:
        """Read on to the end."""
        try:
            while not await self._read_part(kept):
                pass
        except Exception as error:
            self._failed = error
            if isinstance(error, TopicError) and self._kept is kept:
                self._kept = None
            raise

    async def _read_part(self, kept: _Kept[_M]) -> bool:
        """Read as much as is read at a time; return whether that was all."""
        loop = asyncio.get_running_loop()
        since_ms = int(1000 * self._clock()) - self._look_back_ms
        async with asyncio.timeout(3 * self._limits.seconds):
            span = await self._log.events(since_ms, self._limits, kept.take, kept.hear, after=kept.taken)
        self._failed = None
        kept.passed += span.passed
        kept.known_since_ms = max((kept.known_since_ms, *(kept.begun.get(each, 0) for each in span.shortened)))
        if kept.forgot_at is None or span.cut or loop.time() - kept.forgot_at >= _FORGET_SECONDS:
            kept.forgot_at = loop.time()
            await in_thread(kept.forget, self._look_back_ms)
        if not span.cut:
            kept.complete, kept.read_at = True, loop.time()
        return not span.cut
