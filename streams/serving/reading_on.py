"""What is made of a topic of events for those who ask: read on from where it was when somebody asks, given up when nobody has for long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from streams.serving.broker import TopicError
from streams.serving.event_log import Limits
from streams.serving.threads import in_thread
from streams.serving.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka import ConsumerRecord

    from streams.configuration import Configuration
    from streams.serving.event_log import EventLog

__all__ = ["READ_LIMITS", "ReadingOn"]

#: How much is read for one question; what is further on is read for the next.
READ_LIMITS: Final = Limits(megabytes=64, seconds=8, last_records=1_000_000)
#: Who asks so soon after another gets what was read then.
_FRESH_SECONDS: Final = 2.0
#: Nobody has asked for so long: what was made is given up, and read anew for who comes.
_IDLE_SECONDS: Final = 900.0


class _Made(Protocol):
    """What records are told to."""

    def take(self, value: bytes | None, published_ms: int) -> None:
        """Take one record."""

    def forget(self, age_ms: int) -> None:
        """Give up what was so long before the newest that was received."""


_M = TypeVar("_M", bound=_Made)
_T = TypeVar("_T")


class ReadingOn(Generic[_M]):
    """One object made of the events of the last hours; one asker at a time reads on, the others take turns.

    Use it within one event loop.
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
        self._made: tuple[Configuration, _M] | None = None
        #: Partition → the last offset that was taken.
        self._taken: dict[int, int] = {}
        self._read_at: float | None = None
        #: Whether all there was by the last question has been read, and from when on, in ms, where that is less than was to be.
        self.complete = False
        self.known_since_ms = 0
        self._idle: asyncio.TimerHandle | None = None

    async def told(self, asker: str, make: Callable[[_M, Configuration], _T]) -> _T:
        """Return what ``make`` makes, in a thread, of what has been read by now.

        Raises:
            NoTurnError: too many ask, or the turn did not come.
            TopicError, KafkaError, OSError, TimeoutError: Kafka does not answer.
        """
        async with self.turns.turn(asker):
            configuration, made = await self._read_on()
            return await in_thread(make, made, configuration)

    async def _read_on(self) -> tuple[Configuration, _M]:
        loop, configuration = asyncio.get_running_loop(), self._configuration()
        if self._idle is not None:
            self._idle.cancel()
        self._idle = loop.call_later(_IDLE_SECONDS, self.give_up)
        if self._made is None or self._made[0] is not configuration:
            self.give_up()
            self._made = (configuration, self._make(configuration))
        made = self._made[1]
        if self._read_at is None or loop.time() - self._read_at >= _FRESH_SECONDS:
            since_ms = int(1000 * self._clock()) - self._look_back_ms

            begun = dict[int, int]()

            def take(records: list[ConsumerRecord]) -> None:
                for record in records:
                    made.take(record.value, record.timestamp)
                    self._taken[record.partition] = record.offset
                    begun.setdefault(record.partition, record.timestamp)

            try:
                async with asyncio.timeout(3 * self._limits.seconds):
                    span = await self._log.events(since_ms, self._limits, take, after=self._taken)
            except TopicError:
                self.give_up()
                raise
            self.complete, self._read_at = not span.cut, loop.time()
            self.known_since_ms = max((self.known_since_ms, *(begun.get(each, 0) for each in span.shortened)))
            await in_thread(made.forget, self._look_back_ms)
        return self._made

    def give_up(self) -> None:
        """Forget everything; who asks next has it read anew."""
        self._made, self._taken, self._read_at, self.complete, self.known_since_ms = None, {}, None, False, 0
