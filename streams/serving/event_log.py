"""Reads a span of an event topic once, within limits, without a consumer group: questions about contacts are rare."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson
from aiokafka import AIOKafkaConsumer

from schemas.topics import topic
from streams.serving.broker import PATIENCE_SECONDS, TopicError, partitions_of, stop
from streams.serving.reader import latest_topic
from streams.unpacking import UnreadableBatchError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from aiokafka import ConsumerRecord, TopicPartition

__all__ = ["EventLog", "Limits", "Span", "contact_events_topic"]

log = logging.getLogger(__name__)

_POLL_MS = 300
_MAX_RECORDS = 2000
#: Without a record for this long, though there are more, the brokers count as lost.
_SILENT_SECONDS = 15.0


def contact_events_topic(prefix: str) -> str:
    """Return the full name of the topic of contact events."""
    return topic("contact-events.v1").full_name(prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one read."""

    megabytes: float = 512.0
    seconds: float = 600.0
    #: Of a longer span only about this many of the last records are read.
    last_records: int | None = None


@dataclass(slots=True)
class Span:
    """The span that was read, and why it is incomplete, if it is."""

    topic: str
    records: int = 0
    bytes: int = 0
    #: One sentence each; empty if everything from the requested start to the end was read.
    incomplete: list[str] = field(default_factory=list)
    #: Whether a limit ended it before its end.
    cut: bool = False
    #: The partitions that are read from a later instant than requested.
    shortened: set[int] = field(default_factory=set)
    #: The offsets before the ends, and how many of them were passed.
    to_pass: int = 0
    passed: int = 0

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "topic": self.topic,
            "records": self.records,
            "bytes": self.bytes,
            "complete": not self.incomplete,
            "incomplete": self.incomplete,
        }


class EventLog:
    """The committed records of a topic of events, contact events by default, and of its latest topic."""

    def __init__(
        self, bootstrap: str, prefix: str, client_options: Mapping[str, Any] | None = None, *, events: str = "contact-events.v1"
    ) -> None:
        self.topic = topic(events).full_name(prefix)
        self._latest = latest_topic(prefix)
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-explain", **(client_options or {})}

    async def latest(self) -> list[dict[str, Any]]:
        """Return the records of the latest topic, the newest of each key.

        Raises:
            TopicError, KafkaError, OSError, TimeoutError: Kafka does not answer.
        """
        newest: dict[bytes, bytes | None] = {}
        async for records in self._read(self._latest, None, Span(self._latest), Limits()):
            newest |= {record.key: record.value for record in records}
        return [orjson.loads(value) for value in newest.values() if value is not None]

    async def events(
        self,
        since_ms: int,
        limits: Limits,
        take: Callable[[list[ConsumerRecord]], None],
        report: Callable[[Span], None] | None = None,
        *,
        after: Mapping[int, int] | None = None,
    ) -> Span:
        """Pass the events published since an instant to ``take``, in the order of their partitions, up to their current ends.

        ``take`` runs in a thread: it may be slow. ``report`` gets the progress. Partitions in ``after`` are read from behind these
        offsets, whenever their events were published.

        Raises:
            TopicError: a partition ends before its start offset: the topic was recreated.
        """
        span = Span(self.topic)
        async for records in self._read(self.topic, since_ms, span, limits, after or {}):
            await asyncio.to_thread(take, records)
            if report is not None:
                report(span)
        return span

    async def _read(
        self, name: str, since_ms: int | None, span: Span, limits: Limits, after: Mapping[int, int] = MappingProxyType({})
    ) -> AsyncIterator[list[ConsumerRecord]]:
        """Yield batches, each of one partition."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limits.seconds
        partitions = await partitions_of(name, self._client)
        consumer = AIOKafkaConsumer(
            **self._client, group_id=None, enable_auto_commit=False, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        try:
            await asyncio.wait_for(consumer.start(), PATIENCE_SECONDS)
            consumer.assign(partitions)
            behind = await asyncio.wait_for(consumer.end_offsets(partitions), PATIENCE_SECONDS)
            at = await self._begin(consumer, partitions, behind, since_ms, span, after, limits)
            span.to_pass = sum(max(0, end - at[partition]) for partition, end in behind.items())
            last_seen = loop.time()
            while True:
                for partition in [other for other in behind if await consumer.position(other) >= behind[other]]:
                    consumer.pause(partition)
                    del behind[partition]
                if not behind:
                    return
                if loop.time() > deadline:
                    span.cut = True
                    span.incomplete.append(f"reading took longer than {limits.seconds:g} s")
                    return
                if loop.time() - last_seen > _SILENT_SECONDS:
                    message = f"no record from {name} for {_SILENT_SECONDS:g} s"
                    raise TimeoutError(message)
                try:
                    fetched = await consumer.getmany(*behind, timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
                except UnreadableBatchError as error:
                    last_seen = loop.time()
                    log.warning("%s It is skipped, as by the worker.", error)
                    span.passed += error.next_offset - at[error.partition]
                    at[error.partition] = error.next_offset
                    # The records of other partitions in the same fetch are lost: fetch them again.
                    for partition in behind:
                        consumer.seek(partition, at[partition])
                    continue
                for partition, records in fetched.items():
                    last_seen = loop.time()
                    wanted = [record for record in records if record.offset < behind[partition]]
                    span.records += len(wanted)
                    span.bytes += sum(len(record.value or b"") for record in wanted)
                    if wanted:
                        span.passed += wanted[-1].offset + 1 - at[partition]
                        at[partition] = wanted[-1].offset + 1
                    yield wanted
                if span.bytes > limits.megabytes * 1_000_000:
                    span.cut = True
                    span.incomplete.append(f"more than {limits.megabytes:g} MB to read")
                    return
        finally:
            await stop(consumer)

    @staticmethod
    async def _begin(
        consumer: AIOKafkaConsumer,
        partitions: list[TopicPartition],
        ends: Mapping[TopicPartition, int],
        since_ms: int | None,
        span: Span,
        after: Mapping[int, int],
        limits: Limits,
    ) -> dict[TopicPartition, int]:
        """Seek each partition to the first record published since an instant; return the offsets."""
        begins: dict[TopicPartition, int] = await asyncio.wait_for(consumer.beginning_offsets(partitions), PATIENCE_SECONDS)
        first: dict[TopicPartition, Any] = {}
        at: dict[TopicPartition, int] = {}
        if since_ms is not None:
            wanted = dict.fromkeys(partitions, max(since_ms, 0))
            first = await asyncio.wait_for(consumer.offsets_for_times(wanted), PATIENCE_SECONDS)
        for partition in partitions:
            if partition.partition in after:
                offset = after[partition.partition] + 1
                if offset > ends[partition]:
                    message = f"{partition.topic} was recreated"
                    raise TopicError(message)
                at[partition] = max(offset, begins[partition])
                consumer.seek(partition, at[partition])
                continue
            start = first.get(partition)
            offset = begins[partition] if since_ms is None else ends[partition] if start is None else start.offset
            if limits.last_records is not None and ends[partition] - offset > (most := limits.last_records // len(partitions)):
                offset = ends[partition] - most
                span.shortened.add(partition.partition)
            at[partition] = offset
            consumer.seek(partition, offset)
            if since_ms is not None and offset <= begins[partition] and begins[partition] > 0:
                span.shortened.add(partition.partition)
                reason = "Kafka no longer has all of the span: its retention has passed"
                if reason not in span.incomplete:
                    span.incomplete.append(reason)
        return at
