"""Which source partitions this process owns: taken by fencing and restoring, flushed on a timer, dropped or kept."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import InvalidProducerEpoch, InvalidTxnState, ProducerFenced

from streams.engine.attempts import CAREFUL_FROM, REACH, Attempts, Mark
from streams.engine.exits import CrashPoint, ExitCode, leave
from streams.engine.flush import TransactionWriter
from streams.engine.health import Health, PartitionHealth
from streams.engine.probing import find_culprit
from streams.engine.stage import ConfigurationRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from streams.engine.settings import EngineSettings, Flow
    from streams.engine.stage import Record, Stage
    from streams.engine.transport import Chunk

__all__ = ["Owner", "Ownership", "read_from_start"]

logger = logging.getLogger(__name__)

#: What aiokafka raises at a producer whose transactional id has been taken over, or whose transaction timed out.
_FENCED = (ProducerFenced, InvalidProducerEpoch, InvalidTxnState)

#: After a round of flushes, processing has this many times as long before the next: a worker that catches up writes in larger rounds,
#: and not more than this many intervals apart.
_REST = 3

#: How much of the interval is left between the flows that flush first and those that read what they wrote, for it to arrive.
_ARRIVAL = 0.25

#: Beyond the transaction timeout, the time a flush may take before it counts as stuck.
_GRACE_SECONDS = 5.0

#: How long a process that was paused has to read what arrived meanwhile.
_SECOND_LOOK_SECONDS = 2.0

#: How long an unneeded producer may take to close.
_CLOSE_SECONDS = 2.0

Place = tuple[str, int]


async def read_from_start(
    consumer: AIOKafkaConsumer, source: TopicPartition, progressed: Callable[[], None] = lambda: None
) -> tuple[dict[bytes, bytes], int]:
    """Return the live rows of ``source`` up to its last stable offset, and that offset.

    ``consumer`` reads committed records only and has ``source`` assigned; ``progressed`` is called when it has read some.
    """
    rows: dict[bytes, bytes] = {}
    end = (await consumer.end_offsets([source]))[source]
    await consumer.seek_to_beginning(source)
    # Control records and aborted batches take offsets: the position passes them, the last record need not reach the end.
    while await consumer.position(source) < end:
        for records in (await consumer.getmany(source, timeout_ms=200)).values():
            progressed()
            for record in records:
                if record.offset >= end:
                    break
                if record.value is None:
                    rows.pop(record.key, None)
                else:
                    rows[record.key] = record.value
    return rows, end


class Owner:
    """One owned source partition: its stage, its producer, and how far it has come."""

    def __init__(self, settings: EngineSettings, flow: Flow, partition: int, health: Health) -> None:
        """Prepare to take ``partition`` of the source of ``flow``."""
        self.flow = flow
        self.source = TopicPartition(flow.source, partition)
        #: Chunks of an earlier epoch are read again in this one.
        self.epoch = -1
        #: The next source offset to process; known after ``take``.
        self.next_offset = -1
        self.committed_offset = -1
        #: How often it was begun in a row without being left in order; None until that has been asked.
        self.mark: Mark | None = None
        #: Up to this offset each chunk is tried in a child before it is processed, and how large records may be by topic.
        self._careful_to = -1
        self._limits: Mapping[str, int] = {}
        self._source_end = -1
        self.stage: Stage = flow.stage_factory(partition)
        #: Live rows as the table shows them: the stage's own, if it has them, or what was flushed.
        self._kept: dict[bytes, bytes] = {}
        own: Mapping[object, object] | None = getattr(self.stage, "rows", None)
        self._keep = own is None and flow.changelog is not None
        self.rows = self._kept if own is None else own
        self._changelog = None if flow.changelog is None else TopicPartition(flow.changelog, partition)
        self._settings = settings
        self._health = health
        self._lock = asyncio.Lock()
        self._during_restore = CrashPoint("during_restore")
        self._producer: AIOKafkaProducer | None = None
        self._writer: TransactionWriter | None = None

    async def take(self) -> None:
        """Fence the former owner, restore the rows, and find where to go on. In that order: see docs/engine.md."""
        settings, partition = self._settings, self.source.partition
        began = time.monotonic()
        self._producer = producer = AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap,
            client_id=f"{settings.client_id}-{self.flow.source}-{partition}",
            transactional_id=f"{settings.app_id}-{self.flow.source}-{partition}",
            transaction_timeout_ms=int(settings.transaction_timeout_seconds * 1000),
            max_batch_size=settings.max_batch_bytes,
            # Also the wait before a transaction step is tried again while the step before it settles.
            retry_backoff_ms=20,
            **settings.client_options,
        )
        await producer.start()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            client_id=f"{settings.client_id}-restore",
            group_id=settings.app_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=4 * 1024 * 1024,
            # A broker answers a connection's requests in turn: at the end of a topic, whatever is asked next would wait behind a fetch.
            fetch_max_wait_ms=10,
            # Also the wait before a topic's leader, not known yet, is looked up again.
            retry_backoff_ms=20,
            **settings.client_options,
        )
        await consumer.start()
        try:
            ends, own_rows, all_rows = await self._restore(consumer)
            self.next_offset, end = await self._begin(consumer, ends, own_rows)
            self._source_end = end
        finally:
            await consumer.stop()
        self.committed_offset = self.next_offset
        self._writer = TransactionWriter(producer, settings.app_id)
        seconds, caught_up = time.monotonic() - began, self.next_offset >= end
        taken = PartitionHealth(self.next_offset, all_rows, seconds, end, caught_up, end)
        self._health.partitions[self.source] = taken
        logger.info(
            "%s partition %d is owned: %d rows restored in %.2f s, next offset %d.",
            *(self.flow.source, partition, taken.restored_rows, taken.restore_seconds, self.next_offset),
        )

    async def _restore(self, consumer: AIOKafkaConsumer) -> tuple[dict[str, int], int, int]:
        """Give the stage its rows; return where each topic ended, the rows of the changelog, and all rows."""
        ends: dict[str, int] = {}
        own_rows = all_rows = 0
        for topic in self.flow.restored:
            place = TopicPartition(topic, self.source.partition)
            consumer.assign([place])
            rows, ends[topic] = await read_from_start(consumer, place, self._health.progressed)
            self._during_restore.reach()
            all_rows += len(rows)
            self.stage.restore(topic, rows.items())
            if topic == self.flow.changelog:
                own_rows = len(rows)
                if self._keep:
                    self._kept.update(rows)
        return ends, own_rows, all_rows

    async def _begin(self, consumer: AIOKafkaConsumer, ends: Mapping[str, int], own_rows: int) -> tuple[int, int]:
        """Return the offset to go on from and where the source ends now; raise when the first cannot belong to the rows restored."""
        topic, partition = self.source
        if topic in ends:
            return ends[topic], ends[topic]
        consumer.assign([self.source])
        first: int = (await consumer.beginning_offsets([self.source]))[self.source]
        end: int = (await consumer.end_offsets([self.source]))[self.source]
        committed: int | None = await consumer.committed(self.source)
        if committed is None:
            if own_rows:
                raise RuntimeError(
                    f"{self.flow.changelog} has rows but group {self._settings.app_id} has no offset for {topic} partition "
                    f"{partition}: it expired or was deleted, and counting again from the start would count twice."
                )
            return first, end
        if committed > end:
            raise RuntimeError(f"{topic} partition {partition} ends at {end}, before the committed {committed}: was it made anew?")
        if committed < first:
            logger.error(
                "%s partition %d was committed up to %d but begins at %d: retention removed records not yet processed.",
                *(topic, partition, committed, first),
            )
        return max(committed, first), end

    def process(self, chunk: Chunk) -> int:
        """Give the stage what is new of ``chunk`` and return the number of records."""
        if chunk.epoch != self.epoch:
            return 0
        if chunk.begin > self.next_offset:
            leave(
                ExitCode.CHUNK_LOST,
                "%s partition %d came from %d on, %d was awaited.",
                *(chunk.topic, chunk.partition, chunk.begin, self.next_offset),
            )
        records: Sequence[Record] = chunk.records
        if records[0].offset < chunk.begin:
            # aiokafka drops what is below its position, so it has begun at the start again: Kafka no longer had the offset.
            leave(
                ExitCode.RESTORE_FAILED,
                "%s partition %d came from %d on again, %d was awaited: was it made anew, or has Kafka lost its end?",
                *(chunk.topic, chunk.partition, records[0].offset, chunk.begin),
            )
        if records[-1].offset < self.next_offset:
            return 0
        if records[0].offset < self.next_offset:
            # A broker returns whole batches, and one may begin before the offset asked for.
            records = [record for record in records if record.offset >= self.next_offset]
        if records[0].offset < self._careful_to:
            self._process_carefully(records)
        else:
            self.stage.process(records)
        self.next_offset = records[-1].offset + 1
        return len(records)

    def be_careful(self, limits: Mapping[str, int]) -> None:
        """Try what the processes before may have met in a child first; ``limits`` says by topic how large a record may be."""
        # What they met was there when this one took the partition, and no further on than they came between two flushes.
        self._careful_to = min(self._source_end, self.next_offset + REACH)
        self._limits = limits
        if self._careful_to > self.next_offset:
            logger.warning(
                "%s partition %d was begun %d times without being left in order: up to offset %d every chunk is tried in a child first.",
                *(*self.source, 0 if self.mark is None else self.mark.starts, self._careful_to),
            )

    def _process_carefully(self, records: Sequence[Record]) -> None:
        set_aside: Callable[[Record, str], None] | None = getattr(self.stage, "set_aside", None)
        while records:
            culprit = find_culprit(self.stage, self.flow.changelog, records, self._limits)
            if culprit is None or set_aside is None:
                break
            record = records[culprit.at]
            logger.critical(
                "A RECORD THAT ENDS WORKERS: %s partition %d offset %d %s. It becomes a dead letter; all others go on.",
                *(record.topic, record.partition, record.offset, culprit.how),
            )
            if culprit.at:
                self.stage.process(records[: culprit.at])
            set_aside(record, culprit.how)
            records = records[culprit.at + 1 :]
        if records:
            self.stage.process(records)

    async def flush(self) -> None:
        """Make everything processed so far durable and visible; return at once when there is nothing.

        A caller that is canceled does not cancel the flush: the stage has handed its changes over already.
        """
        await asyncio.shield(asyncio.ensure_future(self._flush_or_leave()))

    async def _flush_or_leave(self) -> None:
        async with self._lock:
            try:
                await self._flush()
            except Exception as error:  # noqa: BLE001 - after any failure the state here is ahead of what is durable
                if isinstance(error, _FENCED) or isinstance(error.__cause__, _FENCED):
                    leave(
                        ExitCode.FENCED,
                        "another worker owns %s partition %d, or its transaction timed out: %r.",
                        *(*self.source, error),
                    )
                leave(
                    ExitCode.FLUSH_FAILED,
                    "%s partition %d could not be flushed: %r.",
                    *(*self.source, error),
                    error=error,
                )

    async def _flush(self) -> None:
        if self._writer is None:
            return
        next_offset = self.next_offset
        flush = self.stage.collect()
        if not flush and next_offset == self.committed_offset:
            return
        began = time.monotonic()
        transaction = self._writer.prepare(self._changelog, flush.rows, flush.outputs, self.source, next_offset)
        limit = self._settings.transaction_timeout_seconds + _GRACE_SECONDS
        writing = asyncio.ensure_future(self._writer.write(transaction))
        # Looked at twice: after a pause of the whole process the limit is over, but the answers are there to be read.
        for seconds in (limit, _SECOND_LOOK_SECONDS):
            await asyncio.wait({writing}, timeout=seconds)
        if not writing.done():
            raise TimeoutError(f"Not written in {limit:.0f} s.")
        await writing
        self.committed_offset = next_offset
        if self._keep:
            for key, value in flush.rows:
                if value is None:
                    self._kept.pop(key, None)
                else:
                    self._kept[key] = value
        health = self._health
        health.flushes += 1
        health.rows += len(flush.rows)
        health.outputs += len(flush.outputs)
        health.last_flush_seconds = time.monotonic() - began
        health.partitions[self.source].committed_offset = next_offset

    async def close(self) -> None:
        """Let the partition go without another flush."""
        async with self._lock:
            self._writer = None
            self._health.partitions.pop(self.source, None)
            if self._producer is not None:
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(self._producer.stop(), _CLOSE_SECONDS)


class Ownership:
    """All owned partitions of this process, through its rebalances."""

    def __init__(
        self,
        settings: EngineSettings,
        flows: Iterable[Flow],
        health: Health,
        on_owned: Callable[[Owner], None],
        on_dropped: Callable[[Owner], None],
    ) -> None:
        """Own nothing yet; ``on_owned`` and ``on_dropped`` follow what is owned."""
        self._settings = settings
        self._flows = {flow.source: flow for flow in flows}
        self._health = health
        self._on_owned, self._on_dropped = on_owned, on_dropped
        self._owners: dict[Place, Owner] = {}
        self._taking: dict[Place, asyncio.Task[None]] = {}
        self._ready: set[Place] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._flusher: asyncio.Task[None] | None = None
        self._restores = asyncio.Semaphore(settings.parallel_restores)
        self._attempts = Attempts(settings)
        self._paused = True
        self._stopping = asyncio.Event()
        self._generation = -1
        self._rebalances = 0
        self._epoch = 0

    def on_assigned(self, assigned: set[Place], generation: int) -> None:
        """Keep, drop and begin to take partitions. Returns at once: no heartbeat is sent until it has."""
        # Who missed a generation cannot know whether another process has owned its partitions meanwhile.
        missed = generation != self._generation + 1
        self._generation = generation
        for place in list(self._owners):
            if missed or place not in assigned:
                self._drop(place)
        for place in assigned:
            if place not in self._owners and place[0] in self._flows:
                owner = Owner(self._settings, self._flows[place[0]], place[1], self._health)
                self._owners[place] = owner
                self._taking[place] = asyncio.ensure_future(self._take(place, owner))
        self._health.recovering = bool(self._taking)
        if self._flusher is None:
            self._flusher = asyncio.ensure_future(self._flush_regularly())

    async def on_revoked(self) -> None:
        """Make a last flush of everything, and none before the next assignment."""
        self._rebalances += 1
        self._paused = True
        await self._flush_all()
        await self._leave_in_order()

    async def restored(self) -> None:
        """Wait until every assigned partition is taken, then let the flushes run."""
        rebalances = self._rebalances
        while self._taking:
            await asyncio.wait(list(self._taking.values()))
        await self._begin()
        if rebalances == self._rebalances:
            self._health.recovering = False
            self._paused = False

    async def _begin(self) -> None:
        """Count the starts of what is newly owned; nothing is processed before that stands in Kafka."""
        owners = {place: self._owners[place] for place in self._ready if place in self._owners}
        new = {place: owner for place, owner in owners.items() if owner.mark is None}
        # What was kept through the rebalance was left in order for it.
        await self._attempts.write({place: owner.mark for place, owner in owners.items() if owner.mark is not None})
        for place, mark in (await self._attempts.begin({place: owner.next_offset for place, owner in new.items()})).items():
            new[place].mark = mark
        careful = [owner for owner in new.values() if owner.mark is not None and owner.mark.starts >= CAREFUL_FROM]
        if careful:
            limits = await self._attempts.largest_records()
            for owner in careful:
                owner.be_careful(limits)

    async def _leave_in_order(self) -> None:
        """Say of everything that has been begun that it is left with all its changes durable."""
        left = {
            place: Mark(owner.next_offset, 0) for place, owner in self._owners.items() if place in self._ready and owner.mark is not None
        }
        await self._attempts.write(left)

    def read_again(self, places: Iterable[Place]) -> tuple[int, dict[Place, int]]:
        """Return a new epoch and the offset that each owned one of ``places`` has to be read from in it.

        From now on only chunks of that epoch count.
        """
        self._epoch += 1
        owners = {place: self._owners[place] for place in places if place in self._ready}
        for owner in owners.values():
            owner.epoch = self._epoch
        return self._epoch, {place: owner.next_offset for place, owner in owners.items()}

    def process(self, chunk: Chunk) -> None:
        """Process a chunk if its partition is owned and it was read after the last seek."""
        place = (chunk.topic, chunk.partition)
        if self._stopping.is_set() or place not in self._ready:
            return
        try:
            self._health.records += self._owners[place].process(chunk)
        except Exception as error:  # noqa: BLE001 - whatever it was, Faust would go on with the next chunk
            leave(
                ExitCode.STAGE_FAILED,
                "the stage of %s partition %d raised between offsets %d and %d.",
                *(chunk.topic, chunk.partition, chunk.begin, chunk.records[-1].offset),
                error=error,
            )

    async def stop(self) -> None:
        """Flush a last time and let everything go."""
        self._stopping.set()
        for task in self._taking.values():
            task.cancel()
        await self._flush_all()
        await self._leave_in_order()
        for place in list(self._owners):
            self._drop(place)
        if self._closing:
            await asyncio.wait(self._closing)

    async def _take(self, place: Place, owner: Owner) -> None:
        try:
            async with self._restores:
                await owner.take()
            self._ready.add(place)
            self._on_owned(owner)
        except ConfigurationRefusedError as refused:
            leave(ExitCode.CONFIGURATION_REFUSED, "%s", refused)
        except Exception as error:  # noqa: BLE001 - a partition that cannot be taken must not be processed
            leave(ExitCode.RESTORE_FAILED, "%s partition %d could not be restored.", *place, error=error)
        finally:
            if self._owners.get(place) is owner:
                del self._taking[place]

    def _drop(self, place: Place) -> None:
        owner = self._owners.pop(place)
        taking = self._taking.pop(place, None)
        if taking is not None:
            taking.cancel()
        if place in self._ready:
            self._ready.discard(place)
            self._on_dropped(owner)
        logger.info("%s partition %d is dropped.", *place)
        closing = asyncio.ensure_future(owner.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _flush_regularly(self) -> None:
        interval = self._settings.flush_interval_seconds
        gap = interval * _ARRIVAL if any(flow.flushes_second for flow in self._flows.values()) else 0.0
        while not self._stopping.is_set():
            began = time.monotonic()
            await self._flush_unless_paused(second=False)
            worked = time.monotonic() - began
            if gap:
                await self._rest(gap)
                resumed = time.monotonic()
                await self._flush_unless_paused(second=True)
                worked += time.monotonic() - resumed
            took = time.monotonic() - began
            await self._rest(max(interval - took, min(worked, interval) * _REST - gap))

    async def _rest(self, seconds: float) -> None:
        """Let chunks be processed, but no longer than until the stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _flush_unless_paused(self, *, second: bool) -> None:
        if not self._paused:
            await asyncio.gather(*(self._owners[place].flush() for place in self._ready if self._flows[place[0]].flushes_second == second))
            self._health.progressed()

    async def _flush_all(self) -> None:
        await asyncio.gather(*(self._owners[place].flush() for place in self._ready))
