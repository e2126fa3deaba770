"""Reads the audit topic: from an instant or an offset on, batch by batch, never whole."""

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
#: Kafka's time of a record and ours of what it tells of differ: by clocks, and by what waited while Kafka took none.
_SLACK_MS: Final = 60_000
#: So many records back a repeat is recognized.
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which records: empty is all of them. Times are those told, in ms; ``actors`` are names, or ``kind:name``."""

    since_ms: int | None = None
    until_ms: int | None = None
    actors: Collection[str] = ()
    actions: Collection[str] = ()
    #: Says whether a record may be seen; None: all may.
    sees: Callable[[AuditRecord], bool] | None = None

    def takes(self, record: AuditRecord) -> bool:
        """Say whether it is one of them."""
        at, actor = to_ms(record.at), record.actor
        # First, so that what is not seen takes as long whether or not it is asked for.
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
    """The audit topic of one Kafka. ``unreadable`` counts what is no record of this version."""

    def __init__(self, bootstrap: str, topic_prefix: str, client_options: Mapping[str, Any] | None = None) -> None:
        self.topic = audit_topic(topic_prefix)
        self.unreadable = 0
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-audit", **(client_options or {})}
        self._known: OrderedDict[str, None] = OrderedDict()

    async def place(self) -> TopicPartition:
        """Return where the records are; raise TopicError, KafkaError, OSError or TimeoutError where they are not to be read."""
        return (await partitions_of(self.topic, self._client))[0]

    async def page(self, wanted: Wanted, *, offset: int | None, limit: int, most: int) -> Page:
        """Return at most ``limit`` records from an offset on, or from ``wanted.since_ms``; at most some ``most`` are looked through.

        Raises:
            TopicError, KafkaError, OSError, TimeoutError: Kafka does not answer.
        """
        page, looked = Page(), 0
        async for batch in self._batches(wanted.since_ms, offset, follow=False):
            for record in batch:
                looked += 1
                told = self._read(record)
                if told is None or not wanted.takes(told):
                    continue
                if len(page.records) == limit:
                    # There is a next page only if there is something on it: what is not seen shows nowhere.
                    page.next_offset = record.offset
                    return page
                self._remember(told)
                page.records.append(told)
            page.unreadable = self.unreadable
            if looked >= most:
                page.next_offset = batch[-1].offset + 1
                return page
        return page

    async def records(self, wanted: Wanted, *, follow: bool) -> AsyncIterator[AuditRecord]:
        """Yield records as they stand in the topic, to its end as it is now, or for ever.

        Raises:
            TopicError, KafkaError, OSError, TimeoutError: Kafka does not answer.
        """
        async for batch in self._batches(wanted.since_ms, None, follow=follow):
            for record in batch:
                told = self._read(record)
                if told is not None and wanted.takes(told):
                    self._remember(told)
                    yield told

    def _read(self, record: ConsumerRecord) -> AuditRecord | None:
        try:
            told = AuditRecord.model_validate_json(record.value or b"")
        except ValidationError:
            self.unreadable += 1
            return None
        return None if told.audit_id in self._known else told

    def _remember(self, told: AuditRecord) -> None:
        self._known[told.audit_id] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    async def _batches(self, since_ms: int | None, offset: int | None, *, follow: bool) -> AsyncIterator[list[ConsumerRecord]]:
        place = await self.place()
        consumer = AIOKafkaConsumer(
            **self._client, group_id=None, enable_auto_commit=False, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        try:
            await asyncio.wait_for(consumer.start(), PATIENCE_SECONDS)
            consumer.assign([place])
            end = await self._begin(consumer, place, since_ms, offset)
            # The position, not the last record, says when the end is reached: control records take offsets too.
            while follow or await asyncio.wait_for(consumer.position(place), PATIENCE_SECONDS) < end:
                batch = (await consumer.getmany(place, timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)).get(place, [])
                if batch := [record for record in batch if follow or record.offset < end]:
                    yield batch
        finally:
            await stop(consumer)

    @staticmethod
    async def _begin(consumer: AIOKafkaConsumer, place: TopicPartition, since_ms: int | None, offset: int | None) -> int:
        """Go to where reading begins; return where the topic ends now."""
        first: int = (await asyncio.wait_for(consumer.beginning_offsets([place]), PATIENCE_SECONDS))[place]
        end: int = (await asyncio.wait_for(consumer.end_offsets([place]), PATIENCE_SECONDS))[place]
        begin = first
        if offset is not None:
            begin = min(max(first, offset), end)
        elif since_ms is not None:
            wanted = {place: max(since_ms - _SLACK_MS, 0)}
            found = (await asyncio.wait_for(consumer.offsets_for_times(wanted), PATIENCE_SECONDS))[place]
            begin = end if found is None else found.offset
        consumer.seek(place, begin)
        return end
