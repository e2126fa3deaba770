"""Follows a compacted topic from its beginning and feeds a table, without a consumer group."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, NoReturn

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import topic
from streams.serving.broker import PATIENCE_SECONDS, MissingTopicError, TopicError, keep_trying, partitions_of, stop
from streams.serving.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.serving.latest import Latest

__all__ = ["Reader", "Readers", "alerts_topic", "latest_topic"]

log = logging.getLogger(__name__)

#: Without a record for this long, the brokers are probed.
_PROBE_AFTER_SECONDS = 2.0
_POLL_MS = 500
#: Limits how long a batch blocks the event loop: some 60 µs a record.
_MAX_RECORDS = 250


def latest_topic(topic_prefix: str) -> str:
    """Return the name of the compacted topic with the newest record of each series."""
    return topic("queue-metrics-latest.v1").full_name(topic_prefix)


def alerts_topic(topic_prefix: str) -> str:
    """Return the name of the compacted topic with the state of each alert."""
    return topic("alerts-latest.v1").full_name(topic_prefix)


class Reader:
    """Keeps a table equal to the topic.

    - ``ready``: the topic has been read to the end it had at the start. It stays so: old figures with their age are better than none.
    - ``connected``: the brokers answer; ``since_ms``: since when it has been so, or not.
    - ``reached``: the brokers have described the topic; ``missing``: they say that it does not exist.
    - ``reading``: the progress of the first read.

    After a failure the reader reads everything into a new table, and replaces the content of the old one when that is complete.
    """

    def __init__(self, table: Latest[Any], *, bootstrap: str, topic_name: str, client_options: Mapping[str, Any] | None = None) -> None:
        self.ready = False
        self.connected = False
        self.missing = False
        self.reached = False
        self.since_ms = _now_ms()
        self.reading: Reading | None = None
        self._table = table
        self._topic = topic_name
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-serve", **(client_options or {})}

    async def run(self) -> None:
        """Follow the topic until cancelled; failures of Kafka are logged and retried."""
        await keep_trying(self._topic, self._follow)

    async def _follow(self) -> NoReturn:
        """Read from the beginning and continue until something fails."""
        try:
            partitions = await partitions_of(self._topic, self._client)
        except MissingTopicError:
            self.missing, self._table.known = True, False
            raise
        self.reached = True
        consumer = AIOKafkaConsumer(
            **self._client,
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            # An offset that the topic does not have means that it was recreated: its revisions restart, and so must the table.
            auto_offset_reset="none",
        )
        try:
            await asyncio.wait_for(consumer.start(), PATIENCE_SECONDS)
            consumer.assign(partitions)
            await asyncio.wait_for(consumer.seek_to_beginning(*partitions), PATIENCE_SECONDS)
            fresh = self._table.empty()
            await self._catch_up(consumer, fresh, await _ends(consumer, partitions))
            self._table.take_over(fresh)
            self.ready = self.connected = True
            self.missing, self.reading = False, None
            self.since_ms = _now_ms()
            log.info("%s is read to its end: %d records.", self._topic, len(fresh.entries()))
            await self._stay(consumer, partitions)
        finally:
            if self.connected:
                self.since_ms = _now_ms()
            self.connected = self.reached = False
            self.reading = None
            await stop(consumer)

    async def _catch_up(self, consumer: AIOKafkaConsumer, table: Latest[Any], ends: Mapping[TopicPartition, int]) -> None:
        # Positions, not record offsets: transaction markers take offsets too, and one is always last.
        begins: dict[TopicPartition, int] = {}
        if not self.ready:
            # The progress is reported on the first read only.
            begins = await asyncio.wait_for(consumer.beginning_offsets([*ends]), PATIENCE_SECONDS)
        to_pass = sum(ends.values()) - sum(begins.values())
        behind, remaining = dict(ends), dict(ends)
        while True:
            for partition, end in list(behind.items()):
                remaining[partition] = end - await asyncio.wait_for(consumer.position(partition), PATIENCE_SECONDS)
                if remaining[partition] <= 0:
                    del behind[partition], remaining[partition]
            if not behind:
                return
            if not self.ready:
                self.reading = Reading(self._topic, 1 - min(1.0, sum(remaining.values()) / max(1, to_pass)))
            await _poll(consumer, table)

    async def _stay(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> NoReturn:
        loop = asyncio.get_running_loop()
        last_seen = loop.time()
        while True:
            if await _poll(consumer, self._table):
                last_seen = loop.time()
            elif loop.time() - last_seen > _PROBE_AFTER_SECONDS:
                for partition, end in (await _ends(consumer, partitions)).items():
                    if end < await consumer.position(partition):
                        raise TopicError(f"{self._topic} was recreated")
                last_seen = loop.time()


class Readers:
    """The readers of figures and alerts together; a missing topic of alerts, of an older worker, is not waited for."""

    def __init__(self, figures: Reader, alerts: Reader) -> None:
        self.figures = figures
        self.alerts = alerts

    @property
    def ready(self) -> bool:
        """Whether both topics have been read to their ends once."""
        return self.figures.ready and (self.alerts.ready or self.alerts.missing)

    @property
    def connected(self) -> bool:
        """Whether both are followed at this moment."""
        return self.figures.connected and (self.alerts.connected or self.alerts.missing)

    @property
    def reading(self) -> Reading | None:
        """The progress of the first topic that is being read; None while neither is."""
        return self.figures.reading or self.alerts.reading

    @property
    def missing(self) -> bool:
        """Whether there is no topic of figures."""
        return self.figures.missing

    @property
    def reached(self) -> bool:
        """Whether the brokers have described each topic that is not followed."""
        return all(reader.connected or reader.reached or reader.missing for reader in (self.figures, self.alerts))

    @property
    def since_ms(self) -> int:
        """Since when both have been followed, or the first of them has not."""
        lost = [reader.since_ms for reader in (self.figures, self.alerts) if not reader.connected and not reader.missing]
        return min(lost) if lost else max(self.figures.since_ms, self.alerts.since_ms)


def _now_ms() -> int:
    return int(time.time() * 1000)


async def _ends(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    ends: dict[TopicPartition, int] = await asyncio.wait_for(consumer.end_offsets(partitions), PATIENCE_SECONDS)
    return ends


async def _poll(consumer: AIOKafkaConsumer, table: Latest[Any]) -> int:
    """Feed the table with the next batch; return its number of records."""
    batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
    for records in batches.values():
        for record in records:
            table.feed(record.key, record.value, record.partition)
    await asyncio.sleep(0)  # buffered records return without waiting: let other tasks run
    return sum(map(len, batches.values()))
