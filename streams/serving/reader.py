"""Follows queue-metrics-latest from its beginning and feeds the store; belongs to no group and owns no partition."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Any, NoReturn

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.topics import topic
from streams.serving.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Reader", "TopicError", "latest_topic"]

log = logging.getLogger(__name__)

#: Pauses before trying again after a failure, doubled each time up to the second.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 5.0
#: Without a record for this long, the brokers are asked whether they are still there.
_PROBE_AFTER_SECONDS = 2.0
#: How long any question to the brokers may take.
_PATIENCE_SECONDS = 5.0
_POLL_MS = 500
#: Bounds how long a batch keeps the loop from serving: some 60 µs a record.
_MAX_RECORDS = 250


class TopicError(Exception):
    """The topic is missing, or is another than the one that was read."""


def latest_topic(topic_prefix: str) -> str:
    """Return the name of the compacted topic with the newest record of each series."""
    return topic("queue-metrics-latest.v1").full_name(topic_prefix)


class Reader:
    """Keeps a store equal to the topic.

    ``ready`` once the topic was read up to the end it had at the start, and ever after: old figures that say their age are better
    than none. ``connected`` while the brokers answer. After a failure everything is read anew beside the store, which goes on
    serving what it has and takes the new state over when that is complete.
    """

    def __init__(self, store: Store, *, bootstrap: str, topic_name: str, client_options: Mapping[str, Any] | None = None) -> None:
        self.ready = False
        self.connected = False
        self._store = store
        self._topic = topic_name
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-serve", **(client_options or {})}

    async def run(self) -> None:
        """Follow the topic until cancelled; failures of Kafka are logged and tried again."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        pause = _FIRST_PAUSE_SECONDS
        while True:
            began = loop.time()
            try:
                await self._follow()
            except asyncio.CancelledError as error:
                # aiokafka lets the cancelling of its own tasks out: only ours ends this one.
                if task is None or task.cancelling():
                    raise
                reason: BaseException = error
            except (KafkaError, OSError, TimeoutError, TopicError) as error:
                reason = error
            if loop.time() - began > _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            log.warning("%s cannot be read: %r. Trying again in %.1f s.", self._topic, reason, pause)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _follow(self) -> NoReturn:
        """Read from the beginning, then on until something fails."""
        partitions = await asyncio.wait_for(self._partitions(), _PATIENCE_SECONDS)
        consumer = AIOKafkaConsumer(
            **self._client,
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            # A position that the topic does not have means that it was made anew: its revisions begin again, and so must we.
            auto_offset_reset="none",
        )
        try:
            await asyncio.wait_for(consumer.start(), _PATIENCE_SECONDS)
            consumer.assign(partitions)
            await asyncio.wait_for(consumer.seek_to_beginning(*partitions), _PATIENCE_SECONDS)
            fresh = Store()
            await self._catch_up(consumer, fresh, await _ends(consumer, partitions))
            self._store.take_over(fresh)
            self.ready = self.connected = True
            log.info("%s is read to its end: %d records.", self._topic, len(fresh.entries()))
            await self._stay(consumer, partitions)
        finally:
            self.connected = False
            await _stop(consumer)

    async def _partitions(self) -> list[TopicPartition]:
        admin = AIOKafkaAdminClient(**self._client)
        try:
            await admin.start()
            # Asking for a topic by name would make it where brokers make topics by themselves.
            if self._topic not in await admin.list_topics():
                raise TopicError(f"there is no topic {self._topic}")
            (found,) = await admin.describe_topics([self._topic])
        finally:
            await admin.close()
        partitions = [TopicPartition(self._topic, entry["partition"]) for entry in found["partitions"]]
        if not partitions:
            raise TopicError(f"{self._topic} shows no partitions yet")
        return partitions

    async def _catch_up(self, consumer: AIOKafkaConsumer, store: Store, ends: Mapping[TopicPartition, int]) -> None:
        # Positions, not record offsets: markers of transactions take offsets too, and the last one is never a record.
        behind = dict(ends)
        while True:
            for partition, end in list(behind.items()):
                if await asyncio.wait_for(consumer.position(partition), _PATIENCE_SECONDS) >= end:
                    del behind[partition]
            if not behind:
                return
            await _poll(consumer, store)

    async def _stay(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> NoReturn:
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while True:
            if await _poll(consumer, self._store):
                heard = loop.time()
            elif loop.time() - heard > _PROBE_AFTER_SECONDS:
                for partition, end in (await _ends(consumer, partitions)).items():
                    if end < await consumer.position(partition):
                        raise TopicError(f"{self._topic} was made anew")
                heard = loop.time()


async def _ends(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    ends: dict[TopicPartition, int] = await asyncio.wait_for(consumer.end_offsets(partitions), _PATIENCE_SECONDS)
    return ends


async def _poll(consumer: AIOKafkaConsumer, store: Store) -> int:
    """Feed the store what has come; return how many records."""
    batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
    for records in batches.values():
        for record in records:
            store.feed(record.key, record.value)
    await asyncio.sleep(0)  # what lies ready is returned without waiting: others must get their turn
    return sum(map(len, batches.values()))


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer in whatever state it is; without brokers it stops halfway, and its connections would be tried forever."""
    for end in (consumer.stop, consumer._client.close):  # noqa: SLF001 - closing a client twice is harmless
        # Waited for, not awaited: what is raised here is of no use to anybody.
        task = asyncio.ensure_future(end())
        _, late = await asyncio.wait([task], timeout=_PATIENCE_SECONDS)
        for stuck in late:
            stuck.cancel()
        if task.done() and not task.cancelled() and task.exception() is not None:
            log.debug("The consumer did not stop in order: %r.", task.exception())
