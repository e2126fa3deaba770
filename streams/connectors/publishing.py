"""Publish events to Kafka: every replica acknowledges them before they count as published; with a twin in memory."""

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
    "MemoryPublisher",
    "NotPublishedError",
    "Publisher",
    "StoredRecord",
    "ended_heartbeat",
    "heartbeat",
    "kafka_trouble",
    "publish_with_retries",
]

logger = logging.getLogger(__name__)

#: Attempts to publish a part of a history.
_TRIES: Final = 5


class NotPublishedError(Exception):
    """Not everything was acknowledged. It may be published again: events count once, by their ids."""


def kafka_trouble(bootstrap: str, error: Exception) -> str:
    """Return a line for operators: why Kafka cannot be used."""
    if isinstance(error, KafkaConnectionError):
        return f"Kafka at {bootstrap} is not reached; --bootstrap HOST:PORT names its address"
    if isinstance(error, TimeoutError):
        return f"Kafka at {bootstrap} did not answer in time"
    return f"Kafka at {bootstrap}: {error!r}"


class Publisher(Protocol):
    """Publishes the events of connectors."""

    async def publish(self, events: Sequence[Event], rejected: Sequence[Rejected] = (), *, source: str) -> None:
        """Publish events by their keys, in order, and rejections as dead letters of ``source``.

        Heartbeats and snapshots of a source go to every partition of the topics of events.
        Returns once all of it is acknowledged.

        Raises:
            NotPublishedError: not all was acknowledged in time.
        """

    async def ready(self) -> bool:
        """Return whether Kafka answers."""

    async def stop(self) -> None:
        """Stop, after a bounded wait for records in flight."""


async def publish_with_retries(publisher: Publisher, events: Sequence[Event], rejected: Sequence[Rejected], *, source: str) -> None:
    """Publish part of a history; the pause doubles between attempts.

    Raises:
        NotPublishedError: Kafka did not take it, after several attempts.
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


def ended_heartbeat(source: str, received_at: datetime) -> SourceHeartbeat:
    """Return the last heartbeat of a history that was received through an instant: its silence is no fault from then on."""
    beat = heartbeat(source, received_at, received_at)
    return beat.model_copy(update={"event_id": f"{source[:80]}-ended-{to_ms(received_at)}", "ended": True})


def heartbeat(
    source: str, complete_through: datetime, now: datetime, *, instance: str | None = None, ended: bool = False
) -> SourceHeartbeat:
    """Return a heartbeat: the source, or this instance of it, has reported all that occurred before ``complete_through``."""
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
    """Publishes with an idempotent producer; connects when first needed, and again after a fatal error of the producer.

    Args:
        bootstrap: ``host:port``, several separated by commas.
        topics: to publish to.
        timeout_seconds: how long ``publish`` waits for Kafka.
        now: stamped on dead letters.
        client_options: given to the producer too: ``security_protocol``, ``ssl_context``, ``sasl_mechanism`` and the like.
        prepare: creates missing topics, before a broker creates them with settings of its own; raises NotPublishedError when nothing may
            be published.
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
            # The producer refused it before sending, and continues to work.
            raise NotPublishedError("a record is larger than the limit of the producer") from error
        except (KafkaError, OSError) as error:
            # After a fatal error a producer refuses everything.
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
class StoredRecord:
    """One record in memory."""

    partition: int
    key: bytes | None
    value: bytes
    headers: dict[str, bytes]


class MemoryPublisher:
    """A Kafka of lists, for tests: partitions records as the real one does, and fails on demand."""

    def __init__(self, topics: EventTopics | None = None, *, now: Callable[[], datetime], partitions: int = 4) -> None:
        self.topics = topics or EventTopics.with_prefix()
        self.partitions = partitions
        #: Topic → records in their order.
        self.records: dict[str, list[StoredRecord]] = {}
        #: Set to acknowledge nothing.
        self.down = False
        self._now = now

    async def publish(self, events: Sequence[Event], rejected: Sequence[Rejected] = (), *, source: str) -> None:
        """See Publisher."""
        await asyncio.sleep(0)
        if self.down:
            message = "the publisher in memory is down"
            raise NotPublishedError(message)
        now_ms = to_ms(self._now())
        records = outgoing(self.topics, events, rejected, source, now_ms)
        for record in records:
            everywhere = list(range(self.partitions))
            partitions = everywhere if record.everywhere else [DefaultPartitioner()(record.key, everywhere, everywhere)]
            stored = [StoredRecord(partition, record.key, record.value, dict(record.headers)) for partition in partitions]
            self.records.setdefault(record.topic, []).extend(stored)

    async def ready(self) -> bool:
        """See Publisher."""
        return not self.down

    async def stop(self) -> None:
        """See Publisher."""
