"""One owned source partition: its stage, restored from its rows, and its offsets."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.engine.attempts import REACH, Mark
from streams.engine.exits import CrashPoint, ExitCode, leave
from streams.engine.flush import Share
from streams.engine.health import Health, PartitionHealth
from streams.engine.probing import find_culprit
from streams.engine.records import Unreadable
from streams.unpacking import bound_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streams.engine.settings import EngineSettings, Flow
    from streams.engine.stage import Record, Stage
    from streams.engine.transport import Chunk

__all__ = ["Owner", "read_from_start", "restoring_consumer"]

logger = logging.getLogger(__name__)


async def read_from_start(
    consumer: AIOKafkaConsumer, source: TopicPartition, progressed: Callable[[], None] = lambda: None
) -> tuple[dict[bytes, bytes], int]:
    """Return the live rows of ``source`` up to its last stable offset, and that offset.

    ``consumer`` reads committed records only and has ``source`` assigned; ``progressed`` is called after each read.
    """
    rows: dict[bytes, bytes] = {}
    end = (await consumer.end_offsets([source]))[source]
    await consumer.seek_to_beginning(source)
    # Control records and aborted batches take offsets: the position passes them, but the last record may be before the end.
    while await consumer.position(source) < end:
        for records in (await consumer.getmany(source, timeout_ms=200)).values():
            progressed()
            if type(records[-1]) is Unreadable:
                raise records[-1].error
            if records[-1].offset >= end:
                records = [record for record in records if record.offset < end]  # noqa: PLW2901 - later records are processed, not restored
            for record in records:
                value = record.value
                if value is None:
                    rows.pop(record.key, None)
                else:
                    rows[record.key] = value
    return rows, end


def restoring_consumer(settings: EngineSettings) -> AIOKafkaConsumer:
    """Return a consumer that restores one partition after the other."""
    bound_batches()
    return AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap,
        client_id=f"{settings.client_id}-restore",
        group_id=settings.app_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=4 * 1024 * 1024,
        # A broker answers a connection's requests in turn: at the end of a topic, the next request would wait behind a fetch.
        fetch_max_wait_ms=10,
        # Also the wait before an unknown leader of a topic is looked up again.
        retry_backoff_ms=20,
        **settings.client_options,
    )


class Owner:
    """One owned source partition: its stage and its offsets."""

    def __init__(self, settings: EngineSettings, flow: Flow, partition: int, health: Health) -> None:
        """Prepare to take ``partition`` of the source of ``flow``."""
        self.flow = flow
        self.source = TopicPartition(flow.source, partition)
        #: Chunks of an earlier epoch are read again in this one.
        self.epoch = -1
        #: The next source offset to process; known after ``take``.
        self.next_offset = -1
        self.committed_offset = -1
        #: How often it was started in a row without a clean stop; None until read from Kafka.
        self.mark: Mark | None = None
        #: Up to this offset a child process tests each chunk first; and the maximum record size by topic.
        self._careful_until = -1
        self._limits: Mapping[str, int] = {}
        self._source_end = -1
        self.stage: Stage = flow.stage_factory(partition)
        #: Live rows that the table shows: the stage's own, or the flushed rows.
        self._flushed_rows: dict[bytes, bytes] = {}
        own: Mapping[object, object] | None = getattr(self.stage, "rows", None)
        self._stores_rows = own is None and flow.changelog is not None
        self.rows = self._flushed_rows if own is None else own
        self._changelog = None if flow.changelog is None else TopicPartition(flow.changelog, partition)
        self._settings = settings
        self._health = health
        #: Whether the stage may have changes since the last ``collect``: after a chunk or after restoring.
        self._has_changes = True
        self._during_restore = CrashPoint("during_restore")

    async def take(self, consumer: AIOKafkaConsumer) -> None:
        """Restore the rows and find the next offset. The previous owner is fenced or has released the partition: see docs/engine.md.

        ``consumer`` is a started ``restoring_consumer`` that no other task uses meanwhile.
        """
        partition = self.source.partition
        began = time.monotonic()
        ends, own_rows, all_rows = await self._restore(consumer)
        self.next_offset, end = await self._begin(consumer, ends, own_rows)
        self._source_end = end
        self.committed_offset = self.next_offset
        seconds, caught_up = time.monotonic() - began, self.next_offset >= end
        taken = PartitionHealth(self.next_offset, all_rows, seconds, end, caught_up, end)
        self._health.partitions[self.source] = taken
        logger.info(
            "%s partition %d is owned: %d rows restored in %.2f s, next offset %d.",
            *(self.flow.source, partition, taken.restored_rows, taken.restore_seconds, self.next_offset),
        )

    async def _restore(self, consumer: AIOKafkaConsumer) -> tuple[dict[str, int], int, int]:
        """Restore the stage; return the end offset of each topic, and the numbers of changelog rows and of all rows."""
        ends: dict[str, int] = {}
        own_rows = all_rows = 0
        for topic in self.flow.restored:
            partition = TopicPartition(topic, self.source.partition)
            consumer.assign([partition])
            rows, ends[topic] = await read_from_start(consumer, partition, self._health.progressed)
            self._during_restore.reach()
            all_rows += len(rows)
            self.stage.restore(topic, rows.items())
            if topic == self.flow.changelog:
                own_rows = len(rows)
                if self._stores_rows:
                    self._flushed_rows.update(rows)
        return ends, own_rows, all_rows

    async def _begin(self, consumer: AIOKafkaConsumer, ends: Mapping[str, int], own_rows: int) -> tuple[int, int]:
        """Return the next offset and the end offset of the source; raise when the first cannot belong to the restored rows."""
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
                    f"{partition}: the offset expired or was deleted. Counting from the start would count twice."
                )
            return first, end
        if committed > end:
            raise RuntimeError(f"{topic} partition {partition} ends at {end}, before the committed {committed}: was it recreated?")
        if committed < first:
            logger.error(
                "%s partition %d was committed up to %d but begins at %d: retention removed unprocessed records.",
                *(topic, partition, committed, first),
            )
        return max(committed, first), end

    def process(self, chunk: Chunk) -> int:
        """Process the new records of ``chunk`` and return their number."""
        if chunk.epoch != self.epoch:
            return 0
        if chunk.begin > self.next_offset:
            leave(
                ExitCode.CHUNK_LOST,
                "%s partition %d: expected offset %d, received %d: a chunk was lost.",
                *(chunk.topic, chunk.partition, self.next_offset, chunk.begin),
            )
        records: Sequence[Record] = chunk.records
        if records[0].offset < chunk.begin:
            # aiokafka drops records below its position, so it restarted at the beginning: Kafka no longer had the offset.
            leave(
                ExitCode.RESTORE_FAILED,
                "%s partition %d: expected offset %d, received %d again: was the topic recreated, or has Kafka lost its end?",
                *(chunk.topic, chunk.partition, chunk.begin, records[0].offset),
            )
        if records[-1].offset < self.next_offset:
            return 0
        if records[0].offset < self.next_offset:
            # A broker returns complete batches, and one may begin before the requested offset.
            records = [record for record in records if record.offset >= self.next_offset]
        last = records[-1]
        if type(last) is Unreadable:
            records = records[:-1]
        if records and records[0].offset < self._careful_until:
            self._process_carefully(records)
        elif records:
            self.stage.process(records)
        if type(last) is Unreadable:
            self._refuse(last)
        self.next_offset = last.offset + 1
        self._has_changes = True
        return len(records)

    def _refuse(self, batch: Unreadable) -> None:
        refuse: Callable[[Record, str], None] | None = getattr(self.stage, "refuse", None)
        if refuse is None:
            raise batch.error
        logger.error("A BATCH THAT CANNOT BE READ: %s It becomes a dead letter; processing continues.", batch.error)
        refuse(batch, str(batch.error))

    def be_careful(self, limits: Mapping[str, int]) -> None:
        """Test in a child the records that may have ended earlier processes; ``limits`` is the maximum record size by topic."""
        # Those records existed when this process took the partition, and lie within one flush of its offset.
        self._careful_until = min(self._source_end, self.next_offset + REACH)
        self._limits = limits
        if self._careful_until > self.next_offset:
            logger.warning(
                "%s partition %d was started %d times without a clean stop: a child process tests every chunk first, up to offset %d.",
                *(*self.source, 0 if self.mark is None else self.mark.starts, self._careful_until),
            )

    def _process_carefully(self, records: Sequence[Record]) -> None:
        dead_letter: Callable[[Record, str], None] | None = getattr(self.stage, "add_dead_letter", None)
        while records:
            culprit = find_culprit(self.stage, self.flow.changelog, records, self._limits)
            if culprit is None or dead_letter is None:
                break
            record = records[culprit.at]
            logger.critical(
                "A RECORD THAT ENDS WORKERS: %s partition %d offset %d %s. It becomes a dead letter; processing continues.",
                *(*self.source, record.offset, culprit.how),
            )
            if culprit.at:
                self.stage.process(records[: culprit.at])
            dead_letter(record, culprit.how)
            records = records[culprit.at + 1 :]
        if records:
            self.stage.process(records)

    def collect(self) -> Share | None:
        """Return this partition's changes, None for none. They must be durable before the next call."""
        self._update_catching_up()
        if not self._has_changes:
            return None
        flush = self.stage.collect()
        self._has_changes = flush.more
        if not flush and self.next_offset == self.committed_offset:
            return None
        return Share(self.source, self.next_offset, self._changelog, flush.rows, flush.outputs)

    def _update_catching_up(self) -> None:
        known = self._health.partitions.get(self.source)
        catching_up = known is not None and not known.caught_up and self.next_offset < known.target_offset
        if getattr(self.stage, "is_catching_up", catching_up) != catching_up:
            self.stage.is_catching_up = catching_up  # type: ignore[attr-defined]
            self._has_changes = True

    def mark_durable(self, share: Share) -> None:
        """Record that a share is durable."""
        self.committed_offset = share.next_offset
        if self._stores_rows:
            for key, value in share.rows:
                if value is None:
                    self._flushed_rows.pop(key, None)
                else:
                    self._flushed_rows[key] = value
        health = self._health
        health.rows += len(share.rows)
        health.outputs += len(share.outputs)
        partition = health.partitions.get(self.source)
        if partition is not None:  # not dropped meanwhile
            partition.committed_offset = share.next_offset

    def close(self) -> None:
        """Release the partition without another flush."""
        self._health.partitions.pop(self.source, None)
