"""Faust's Kafka transport with chunks for events, committed records only, and offsets committed by the flush.

Replaces internals of faust-streaming 0.15.3, named at each override.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiokafka
import faust
from faust.transport.drivers import aiokafka as driver
from faust.transport.utils import DefaultSchedulingStrategy

from streams.engine.records import Unreadable, return_raw_records
from streams.engine.stage import Record
from streams.unpacking import bound_batches

if TYPE_CHECKING:
    from faust.types import TP, AppT, Message

    from streams.engine.ownership import Ownership

__all__ = ["Chunk", "ChunkSchema", "Transport"]


@dataclass(slots=True)
class Chunk:
    """The records of one partition from one fetch."""

    topic: str
    partition: int
    #: The number of the seek before it; chunks of an earlier seek may still be queued.
    epoch: int
    #: End of the previous chunk, or the seek. Above the expected offset, a chunk in between was lost.
    begin: int
    records: Sequence[Record]


class _Envelope:
    """The chunks of a topic as one record, for drivers/aiokafka.py, Consumer._to_message."""

    __slots__ = ("offset", "partition", "timestamp", "topic", "value")

    timestamp_type = 0
    headers = ()
    key = None
    checksum = None
    serialized_key_size = 0
    serialized_value_size = 0

    def __init__(self, chunks: list[Chunk]) -> None:
        last = chunks[0].records[-1]
        self.topic = chunks[0].topic
        self.partition = chunks[0].partition
        self.offset = last.offset
        self.timestamp = last.timestamp
        self.value = chunks


_CREATE_TIME = 0

#: Pause between two reads of what was fetched, unless it was many records.
_PAUSE_SECONDS = 0.025
_MANY_RECORDS = 1000


def bounded(records: Sequence[Any], now_ms: int) -> Sequence[Any]:
    """Return a chunk whose record times are at most now, whatever the senders' clocks.

    Where a topic has the broker's append time, as ours have, the first and the last record show that and nothing changes.
    """
    if records[0].timestamp_type != _CREATE_TIME and records[-1].timestamp_type != _CREATE_TIME:
        return records
    return [_bounded(record, now_ms) for record in records]


def _bounded(record: Any, now_ms: int) -> Any:
    if record.timestamp <= now_ms or record.timestamp_type != _CREATE_TIME:
        return record
    if type(record) is Unreadable:
        record.timestamp = now_ms
        return record
    return _Bounded(now_ms, record)


class _Bounded:
    """A record with another time."""

    __slots__ = ("headers", "key", "offset", "timestamp", "timestamp_type", "value")

    def __init__(self, timestamp: int, record: Record) -> None:
        self.timestamp = timestamp
        self.timestamp_type = _CREATE_TIME
        self.offset, self.key, self.value, self.headers = record.offset, record.key, record.value, record.headers


class ChunkSchema(faust.Schema):
    """Passes chunks on undecoded."""

    def loads_key(self, app: AppT, message: Message, **options: Any) -> None:
        """Return no key: a chunk has many."""

    def loads_value(self, app: AppT, message: Message, **options: Any) -> list[Chunk]:  # noqa: ARG002 - Faust's signature
        """Return the chunks."""
        chunks: list[Chunk] = message.value
        return chunks


class _ChunkScheduler(DefaultSchedulingStrategy):
    """One event a fetched topic. Replaces transport/utils.py, DefaultSchedulingStrategy.iterate."""

    def iterate(self, records: Mapping[TP, Chunk]) -> Iterator[tuple[TP, _Envelope]]:
        """Yield the chunks of one fetch, by topic: Faust's work per event costs more than some records do."""
        by_topic: dict[str, tuple[TP, list[Chunk]]] = {}
        for tp, chunk in records.items():
            by_topic.setdefault(chunk.topic, (tp, []))[1].append(chunk)
        for tp, chunks in by_topic.values():
            yield tp, _Envelope(chunks)


class _ReadOffsets(dict[Any, None]):
    """Replaces transport/consumer.py, Consumer._read_offset: stores nothing.

    Faust drops records below the last offset it has seen. After a seek back, a queued chunk would cause everything in between to be
    dropped. Faust would also store every gap from compaction and control records until a commit.
    """

    def __getitem__(self, tp: object) -> None:
        return None

    def __setitem__(self, tp: object, offset: object) -> None:
        pass


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's thread around the consumer. Reads and seeks take turns here, so this class knows the order of chunks."""

    def __post_init__(self) -> None:
        super().__post_init__()
        #: By partition: the epoch of its last seek, and the end of the last chunk.
        self._read: dict[tuple[str, int], tuple[int, int]] = {}
        #: Fetched records are not read before this time.
        self._next_take = 0.0
        #: The current pause.
        self._pausing: asyncio.Future[None] | None = None

    async def _fetch_records(self, *args: Any, **options: Any) -> dict[TP, Chunk]:
        """Extend drivers/aiokafka.py, AIOKafkaConsumerThread._fetch_records: create chunks with epoch and begin.

        While fetched records are unread aiokafka fetches no more, so a pause between two reads is one between two fetches, and each
        returns more.
        """
        ownership = self.consumer.app.ownership
        while not ownership.is_waiting and (pause := max(self._next_take, ownership.quiet_until) - time.monotonic()) > 0:
            await self._pause(pause)
        return_raw_records(self._ensure_consumer())
        fetched = await super()._fetch_records(*args, **options)
        if 0 < sum(map(len, fetched.values())) < _MANY_RECORDS:
            self._next_take = time.monotonic() + _PAUSE_SECONDS
        chunks = {}
        for tp, records in fetched.items():
            # Without a seek the partition is not restored yet, or assigned again: it will be read again.
            if tp in self._read:
                epoch, begin = self._read[tp]
                self._read[tp] = epoch, records[-1].offset + 1
                chunks[tp] = Chunk(tp.topic, tp.partition, epoch, begin, bounded(records, int(time.time() * 1000)))
        return chunks

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Extend transport/consumer.py, ConsumerThread.on_partitions_assigned: earlier seeks are invalid.

        aiokafka begins at the committed offsets, which may be old while the last flush is pending. That would look like a recreated
        source.
        """
        self._read.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def _pause(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._pausing = loop.create_future()
        timer = loop.call_later(seconds, self._end_pause)
        try:
            await self._pausing
        finally:
            timer.cancel()

    def _end_pause(self) -> None:
        if self._pausing is not None and not self._pausing.done():
            self._pausing.set_result(None)

    def take_at_once(self) -> None:
        """End the current pause so that fetched records are read now; called from another thread."""
        self.thread_loop.call_soon_threadsafe(self._end_pause)

    async def seek_to(self, epoch: int, offsets: Mapping[tuple[str, int], int]) -> None:
        """Read each partition from its offset, as ``epoch``."""
        await self.call_thread(self._seek_to, epoch, offsets)

    async def _seek_to(self, epoch: int, offsets: Mapping[tuple[str, int], int]) -> None:
        consumer = self._ensure_consumer()
        for tp, offset in offsets.items():
            # Calls from other threads may arrive out of order.
            if tp not in self._read or self._read[tp][0] < epoch:
                consumer.seek(aiokafka.TopicPartition(*tp), offset)
                self._read[tp] = epoch, offset

    def _create_worker_consumer(self, transport: Transport) -> aiokafka.AIOKafkaConsumer:
        """Replaces drivers/aiokafka.py, AIOKafkaConsumerThread._create_worker_consumer.

        The original reads uncommitted records unless Faust owns the transactions, and uses a round-robin assignor when no changelog is
        registered; Faust's own assignor is sticky, so retained partitions are not restored again.
        """
        conf = self.app.conf
        self._assignor = self.app.assignor
        bound_batches()
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_records=conf.broker_max_poll_records,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            # A topic's leaders move when a broker stops; the default of five minutes is too long.
            metadata_max_age_ms=60_000,
            # New records wake it; without them it scans all partitions this often.
            consumer_timeout_ms=1_000,
            **self.app.client_options,
        )


class _Consumer(driver.Consumer):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.scheduler = _ChunkScheduler()
        self._read_offset = _ReadOffsets()

    @property
    def _ownership(self) -> Ownership:
        ownership: Ownership = self.app.ownership
        return ownership

    def _new_consumer_thread(self) -> _ConsumerThread:
        """Replaces drivers/aiokafka.py, Consumer._new_consumer_thread."""
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Extend transport/consumer.py, Consumer.on_partitions_revoked: streams stop, then the last flush runs."""
        await super().on_partitions_revoked(revoked)
        await self._ownership.on_revoked()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Extend transport/consumer.py, Consumer.on_partitions_assigned: begin to restore new partitions."""
        self._ownership.on_hurry = self._thread.take_at_once
        self._ownership.on_assigned({(tp.topic, tp.partition) for tp in assigned}, generation_id, self.member_id)
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Replaces transport/consumer.py, Consumer.perform_seek, which seeks to the group's committed offsets.

        The next offset of an owner is the same or further, and does not depend on the time of the request.
        """
        assigned = self.assignment()
        epoch, offsets = self._ownership.read_again(assigned)
        await self._thread.seek_to(epoch, offsets)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002 - Faust's signature
        """Replaces transport/consumer.py, Consumer.commit: offsets move with the flush's transaction only."""
        return False

    async def verify_all_partitions_active(self) -> None:
        """Replaces transport/consumer.py: it would report every partition, for Faust never commits; see health.py."""

    @property
    def member_id(self) -> str:
        """This worker's name in the group; empty while it has none."""
        consumer = self._thread._consumer
        coordinator = None if consumer is None else consumer._coordinator
        return "" if coordinator is None else coordinator.member_id

    async def on_stop(self) -> None:
        """Extend transport/consumer.py, Consumer.on_stop: flush the remaining changes before leaving the group."""
        await asyncio.gather(self._ownership.stop(), self.app.heartbeats.stop())
        await super().on_stop()


class _Producer(driver.Producer):
    """Faust's producer: nothing is sent through it, but Faust starts it."""

    def _settings_auth(self) -> Mapping[str, Any]:
        """Replaces drivers/aiokafka.py, Producer._settings_auth, which knows Faust's credential objects only."""
        options: Mapping[str, Any] = self.app.client_options
        return options


class Transport(driver.Transport):
    """Faust's aiokafka transport with the clients of this module."""

    Consumer = _Consumer
    Producer = _Producer

    if TYPE_CHECKING:
        loop: asyncio.AbstractEventLoop
