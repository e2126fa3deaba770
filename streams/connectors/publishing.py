"""Events on their way to Kafka: acknowledged by every replica before they count as published; with a twin in memory."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner

from schemas.other import SourceHeartbeat
from schemas.times import to_ms
from streams.connectors.outgoing import EventTopics, outgoing
from streams.connectors.sending import MAX_REQUEST_BYTES, send, stopped, unanswered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from schemas.base import Event
    from streams.connectors.lines import Rejected
    from streams.connectors.outgoing import OutgoingRecord

__all__ = [
    "EventTopics",
    "KafkaPublisher",
    "Kept",
    "MemoryPublisher",
    "NotPublishedError",
    "Publisher",
    "heartbeat",
    "kafka_trouble",
    "last_word",
    "publish_with_retries",
]

logger = logging.getLogger(__name__)

#: How often a part of a history is tried.
_TRIES: Final = 5


class NotPublishedError(Exception):
    """Not everything was acknowledged. What was may be published again: its ids are the same, so it counts once."""


def kafka_trouble(bootstrap: str, error: Exception) -> str:
    """Return in a line, for operators, why Kafka cannot be used."""
    if isinstance(error, KafkaConnectionError):
        return f"Kafka at {bootstrap} is not reached; --bootstrap HOST:PORT says where it is"
    if isinstance(error, TimeoutError):
        return f"Kafka at {bootstrap} did not answer in time"
    return f"Kafka at {bootstrap}: {error!r}"


class Publisher(Protocol):
    """Where connectors put what they have."""

    async def publish(self, events: Sequence[Event], rejected: Sequence[Rejected] = (), *, source: str) -> None:
        """Publish events by their keys, in order, and rejections as dead letters of ``source``.

        Heartbeats and snapshots of a source go to every partition of the topics of events.
        Returns once all of it is acknowledged.

        Raises:
            NotPublishedError: some of it was not acknowledged in time.
        """

    async def ready(self) -> bool:
        """Say whether Kafka answers."""

    async def stop(self) -> None:
        """Let go, after a bounded wait for what is under way."""


async def publish_with_retries(publisher: Publisher, events: Sequence[Event], rejected: Sequence[Rejected], *, source: str) -> None:
    """Publish part of a history; between two tries the pause doubles.

    Raises:
        NotPublishedError: Kafka did not take it, after several tries.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            await publisher.publish(events, rejected, source=source)
        except NotPublishedError:
            if attempt == _TRIES:
                raise
            await asyncio.sleep(2 ** (attempt - 1) / 2)
        else:
            return


def last_word(source: str, received_at: datetime) -> SourceHeartbeat:
    """Return what ends a history that was received through an instant: nobody is to wait for more, or to miss the source."""
    beat = heartbeat(source, received_at, received_at)
    return beat.model_copy(update={"event_id": f"{source[:80]}-ended-{to_ms(received_at)}", "ended": True})


def heartbeat(
    source: str, complete_through: datetime, now: datetime, *, instance: str | None = None, ended: bool = False
) -> SourceHeartbeat:
    """Return the sign of life of a source: it has reported all that occurred before ``complete_through``, by an instance at least."""
    by = "" if instance is None else f"-{instance[:80]}"
    return SourceHeartbeat(
        event_id=f"{source[:80]}{by}-heartbeat-{to_ms(now)}",
        instance=instance,
        ended=ended,
        occurred_at=now,
        received_at=now,
        source=source,
        complete_through=complete_through,
    )


class KafkaPublisher:
    """Publishes with an idempotent producer; connects when first needed, and anew after what a producer does not survive.

    Args:
        bootstrap: ``host:port``, several separated by commas.
        topics: where to.
        timeout_seconds: how long ``publish`` waits for Kafka altogether.
        now: stamped on dead letters.
        client_options: given to the producer too: ``security_protocol``, ``ssl_context``, ``sasl_mechanism`` and its kin.
        prepare: makes the topics that are missing, before a producer asks for one and a broker makes it with settings of its own; raises
            NotPublishedError when nothing may be published.
    """

    def __init__(
        self,
        bootstrap: str,
        topics: EventTopics,
        *,
        now: Callable[[], datetime],
        timeout_seconds: float = 5.0,
        client_id: str = "contact-streams-connector",
        client_options: Mapping[str, Any] | None = None,
        prepare: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.topics = topics
        self._now = now
        self._timeout_seconds = timeout_seconds
        self._bootstrap = bootstrap
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": client_id, **(client_options or {})}
        self._prepare = prepare
        self._producer: Any = None
        self._connecting = asyncio.Lock()

    async def publish(self, events: Sequence[Event], rejected: Sequence[Rejected] = (), *, source: str) -> None:
        """See Publisher."""
        now_ms = to_ms(self._now())
        records = outgoing(self.topics, events, rejected, source, now_ms)
        if not records:
            return
        try:
            async with asyncio.timeout(self._timeout_seconds):
                producer = await self._connected()
                await self._send(producer, records)
        except TimeoutError as error:
            message = f"Kafka at {self._bootstrap} did not acknowledge within {self._timeout_seconds:g} s"
            raise NotPublishedError(message) from error
        except MessageSizeTooLargeError as error:
            # Nothing of it was handed on: what others send by this producer goes on.
            raise NotPublishedError("a record is larger than Kafka is to take") from error
        except (KafkaError, OSError) as error:
            # A producer that met an error it cannot retry refuses everything from then on.
            await self._drop()
            raise NotPublishedError(kafka_trouble(self._bootstrap, error)) from error

    async def ready(self) -> bool:
        """See Publisher."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                producer = await self._connected()
                return bool(await producer.client.force_metadata_update())
        except (TimeoutError, KafkaError, OSError):
            return False
        except NotPublishedError as error:
            logger.warning("%s", error)
            return False

    async def stop(self) -> None:
        """See Publisher."""
        await self._drop()

    async def _send(self, producer: Any, records: Iterable[OutgoingRecord]) -> None:
        with unanswered() as pending:
            await send(producer, records, pending)
            await asyncio.wait(pending)
        for future in pending:
            future.result()

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._producer is None:
                if self._prepare is not None:
                    await self._prepare()
                producer = AIOKafkaProducer(
                    **self._client,
                    acks="all",
                    enable_idempotence=True,
                    max_request_size=MAX_REQUEST_BYTES,
                    # A few milliseconds let the events of many small requests share one round trip.
                    linger_ms=5,
                )
                try:
                    await producer.start()
                except BaseException:
                    await stopped(producer)
                    raise
                self._producer = producer
            return self._producer

    async def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await stopped(producer)


@dataclass(slots=True)
class Kept:
    """One record in memory."""

    partition: int
    key: bytes | None
    value: bytes
    headers: dict[str, bytes]


class MemoryPublisher:
    """A Kafka of lists, for tests: places records as the real one does, and fails when told to."""

    def __init__(self, topics: EventTopics | None = None, *, now: Callable[[], datetime], partitions: int = 4) -> None:
        self.topics = topics or EventTopics.with_prefix()
        self.partitions = partitions
        #: Topic → records in the order they came.
        self.records: dict[str, list[Kept]] = {}
        #: Set to have nothing acknowledged.
        self.down = False
        self._now = now

    async def publish(self, events: Sequence[Event], rejected: Sequence[Rejected] = (), *, source: str) -> None:
        """See Publisher."""
        await asyncio.sleep(0)
        if self.down:
            message = "the publisher in memory was told to be down"
            raise NotPublishedError(message)
        now_ms = to_ms(self._now())
        records = outgoing(self.topics, events, rejected, source, now_ms)
        for record in records:
            everywhere = list(range(self.partitions))
            places = everywhere if record.everywhere else [DefaultPartitioner()(record.key, everywhere, everywhere)]
            kept = [Kept(place, record.key, record.value, dict(record.headers)) for place in places]
            self.records.setdefault(record.topic, []).extend(kept)

    async def ready(self) -> bool:
        """See Publisher."""
        return not self.down

    async def stop(self) -> None:
        """See Publisher."""
