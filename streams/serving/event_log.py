"""Reads a span of the event topic once, within limits, and belongs to no group: what stands behind figures is asked for seldom."""

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
#: Brokers that hand over nothing for so long, though there is more, are not there any more.
_SILENT_SECONDS = 15.0


def contact_events_topic(prefix: str) -> str:
    """Return the full name of the topic of contact events."""
    return topic("contact-events.v1").full_name(prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is read at most."""

    megabytes: float = 512.0
    seconds: float = 600.0
    #: Of a span with more records only about as many of the last ones are read.
    last_records: int | None = None


@dataclass(slots=True)
class Span:
    """What was read, and why not all of it if so."""

    topic: str
    records: int = 0
    bytes: int = 0
    #: One sentence each; empty when everything from the instant asked for to the end was read.
    incomplete: list[str] = field(default_factory=list)
    #: Whether a limit ended it before its end.
    cut: bool = False
    #: The partitions that are not read from the instant asked for on, but from a later one.
    shortened: set[int] = field(default_factory=set)
    #: How many offsets lie before the ends, and how many of these were passed.
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
    """Events of a topic, contact events unless said, and what was published last, of one Kafka. Reads only what is committed."""

    def __init__(
        self, bootstrap: str, prefix: str, client_options: Mapping[str, Any] | None = None, *, events: str = "contact-events.v1"
    ) -> None:
        self.topic = topic(events).full_name(prefix)
        self._latest = latest_topic(prefix)
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-explain", **(client_options or {})}

    async def latest(self) -> list[dict[str, Any]]:
        """Return the records of the latest topic, each key's last.

        Raises:
            TopicError, KafkaError, OSError, TimeoutError: as whoever asks Kafka gets them.
        """
        found: dict[bytes, bytes | None] = {}
        async for records in self._read(self._latest, None, Span(self._latest), Limits()):
            found |= {record.key: record.value for record in records}
        return [orjson.loads(value) for value in found.values() if value is not None]

    async def events(
        self,
        since_ms: int,
        limits: Limits,
        take: Callable[[list[ConsumerRecord]], None],
        told: Callable[[Span], None] | None = None,
        *,
        after: Mapping[int, int] | None = None,
    ) -> Span:
        """Give the events published since an instant to ``take``, in the order of their partitions, up to where these end now.

        ``take`` runs in a thread: it may be as slow as counting is. ``told`` hears how far it has come. Of partitions in ``after``
        those behind these offsets, whenever they were published.

        Raises:
            TopicError: a partition ends before where it is to be read from: the topic was made anew.
        """
        span = Span(self.topic)
        async for records in self._read(self.topic, since_ms, span, limits, after or {}):
            await asyncio.to_thread(take, records)
            if told is not None:
                told(span)
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
            span.to_pass = sum(max(0, end - at[each]) for each, end in behind.items())
            heard = loop.time()
            while True:
                for partition in [each for each in behind if await consumer.position(each) >= behind[each]]:
                    consumer.pause(partition)
                    del behind[partition]
                if not behind:
                    return
                if loop.time() > deadline:
                    span.cut = True
                    span.incomplete.append(f"reading took longer than {limits.seconds:g} s")
                    return
                if loop.time() - heard > _SILENT_SECONDS:
                    message = f"nothing came from {name} for {_SILENT_SECONDS:g} s"
                    raise TimeoutError(message)
                try:
                    fetched = await consumer.getmany(*behind, timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
                except UnreadableBatchError as error:
                    heard = loop.time()
                    log.warning("%s It is passed over, as by the worker.", error)
                    span.passed += error.next_offset - at[error.partition]
                    at[error.partition] = error.next_offset
                    # What came of other partitions with it is lost to us.
                    for partition in behind:
                        consumer.seek(partition, at[partition])
                    continue
                for partition, records in fetched.items():
                    heard = loop.time()
                    wanted = [record for record in records if record.offset < behind[partition]]
                    span.records += len(wanted)
                    span.bytes += sum(len(record.value or b"") for record in wanted)
                    if wanted:
                        span.passed += wanted[-1].offset + 1 - at[partition]
                        at[partition] = wanted[-1].offset + 1
                    yield wanted
                if span.bytes > limits.megabytes * 1_000_000:
                    span.cut = True
                    span.incomplete.append(f"more than {limits.megabytes:g} MB were to be read")
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
        """Go to the first record published since an instant, of each partition; return where that is."""
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
            found = first.get(partition)
            offset = begins[partition] if since_ms is None else ends[partition] if found is None else found.offset
            if limits.last_records is not None and ends[partition] - offset > (most := limits.last_records // len(partitions)):
                offset = ends[partition] - most
                span.shortened.add(partition.partition)
            at[partition] = offset
            consumer.seek(partition, offset)
            if since_ms is not None and offset <= begins[partition] and begins[partition] > 0:
                span.shortened.add(partition.partition)
                said = "Kafka no longer has all of the span: its retention has passed"
                if said not in span.incomplete:
                    span.incomplete.append(said)
        return at
