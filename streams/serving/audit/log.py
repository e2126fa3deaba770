"""Read the audit topic from an instant or an offset on, batch by batch."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import ValidationError

from schemas.audit import AuditRecord
from schemas.times import to_ms
from streams.serving.audit.writer import audit_topic
from streams.serving.broker import PATIENCE_SECONDS, partitions_of, stop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiokafka import ConsumerRecord

__all__ = ["AuditLog", "Page", "Wanted"]

_POLL_MS: Final = 500
_MAX_RECORDS: Final = 1000
#: Kafka's time of a record and its own differ by clocks, and by the wait while Kafka was away.
_SLACK_MS: Final = 60_000
#: The number of records within which a repeat is recognized.
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A filter of records; empty passes all. Times are those of the records, in ms; ``actors`` are names, or ``kind:name``."""

    since_ms: int | None = None
    until_ms: int | None = None
    actors: Collection[str] = ()
    actions: Collection[str] = ()
    #: Returns whether a record may be seen; None: all may.
    sees: Callable[[AuditRecord], bool] | None = None

    def takes(self, record: AuditRecord) -> bool:
        """Return whether a record passes."""
        at, actor = to_ms(record.at), record.actor
        # First, so that a hidden record takes the same time whether or not it matches.
        return (
            (self.sees is None or self.sees(record))
            and (self.since_ms is None or at >= self.since_ms)
            and (self.until_ms is None or at < self.until_ms)
            and (not self.actors or actor.name in self.actors or f"{actor.kind}:{actor.name or ''}" in self.actors)
            and (not self.actions or record.action in self.actions)
        )


@dataclass(slots=True)
class Page:
    """Some records, oldest first, and the offset at which the next page begins; None where there is no more."""

    records: list[AuditRecord] = field(default_factory=list)
    next_offset: int | None = None
    unreadable: int = 0


class AuditLog:
    """The audit topic of one Kafka. ``unreadable`` counts records not of this version."""

    def __init__(self, bootstrap: str, topic_prefix: str, client_options: Mapping[str, Any] | None = None) -> None:
        self.topic = audit_topic(topic_prefix)
        self.unreadable = 0
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-audit", **(client_options or {})}
        self._known: OrderedDict[str, None] = OrderedDict()

    async def partition(self) -> TopicPartition:
        """Return the partition of the records; raise TopicError, KafkaError, OSError or TimeoutError where it cannot be read."""
        return (await partitions_of(self.topic, self._client))[0]

    async def page(self, wanted: Wanted, *, offset: int | None, limit: int, most: int) -> Page:
        """Return at most ``limit`` records from an offset on, or from ``wanted.since_ms``; reads at most some ``most``.

        Raises:
            TopicError, KafkaError, OSError, TimeoutError: Kafka does not answer.
        """
        page, read = Page(), 0
        async for batch in self._batches(wanted.since_ms, offset, follow=False):
            for record in batch:
                read += 1
                entry = self._read(record)
                if entry is None or not wanted.takes(entry):
                    continue
                if len(page.records) == limit:
                    # Only a record that may be seen makes a next page.
                    page.next_offset = record.offset
                    return page
                self._remember(entry)
                page.records.append(entry)
            page.unreadable = self.unreadable
            if read >= most:
                page.next_offset = batch[-1].offset + 1
                return page
        return page

    async def records(self, wanted: Wanted, *, follow: bool) -> AsyncIterator[AuditRecord]:
        """Yield records in topic order, to its current end, or for ever.

        Raises:
            TopicError, KafkaError, OSError, TimeoutError: Kafka does not answer.
        """
        async for batch in self._batches(wanted.since_ms, None, follow=follow):
            for record in batch:
                entry = self._read(record)
                if entry is not None and wanted.takes(entry):
                    self._remember(entry)
                    yield entry

    def _read(self, record: ConsumerRecord) -> AuditRecord | None:
        try:
            entry = AuditRecord.model_validate_json(record.value or b"")
        except ValidationError:
            self.unreadable += 1
            return None
        return None if entry.audit_id in self._known else entry

    def _remember(self, entry: AuditRecord) -> None:
        self._known[entry.audit_id] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    async def _batches(self, since_ms: int | None, offset: int | None, *, follow: bool) -> AsyncIterator[list[ConsumerRecord]]:
        partition = await self.partition()
        consumer = AIOKafkaConsumer(
            **self._client, group_id=None, enable_auto_commit=False, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        try:
            await asyncio.wait_for(consumer.start(), PATIENCE_SECONDS)
            consumer.assign([partition])
            end = await self._seek(consumer, partition, since_ms, offset)
            # Compare the position, not the last record: control records take offsets too.
            while follow or await asyncio.wait_for(consumer.position(partition), PATIENCE_SECONDS) < end:
                batch = (await consumer.getmany(partition, timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)).get(partition, [])
                if batch := [record for record in batch if follow or record.offset < end]:
                    yield batch
        finally:
            await stop(consumer)

    @staticmethod
    async def _seek(consumer: AIOKafkaConsumer, partition: TopicPartition, since_ms: int | None, offset: int | None) -> int:
        """Seek to the first offset to read; return the current end of the topic."""
        first: int = (await asyncio.wait_for(consumer.beginning_offsets([partition]), PATIENCE_SECONDS))[partition]
        end: int = (await asyncio.wait_for(consumer.end_offsets([partition]), PATIENCE_SECONDS))[partition]
        begin = first
        if offset is not None:
            begin = min(max(first, offset), end)
        elif since_ms is not None:
            wanted = {partition: max(since_ms - _SLACK_MS, 0)}
            at_time = (await asyncio.wait_for(consumer.offsets_for_times(wanted), PATIENCE_SECONDS))[partition]
            begin = end if at_time is None else at_time.offset
        consumer.seek(partition, begin)
        return end
