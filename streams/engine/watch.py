"""Reads the end offsets of the owned source partitions from Kafka, to distinguish an idle worker from a stuck one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.unpacking import UnreadableBatchError

if TYPE_CHECKING:
    from streams.engine.health import Health
    from streams.engine.settings import EngineSettings

__all__ = ["Watch"]

logger = logging.getLogger(__name__)

_CHECK_SECONDS = 2.0
_PATIENCE_SECONDS = 5.0
#: A partition that has not moved for this long is read: there may be only transaction markers before its end.
_SUSPECT_SECONDS = 6.0

Partition = tuple[str, int]


class Watch:
    """Keeps a health's end offsets up to date, through a separate connection: the reading one may be stuck."""

    def __init__(self, settings: EngineSettings, health: Health) -> None:
        """Watch the partitions that ``health`` names."""
        self._settings = settings
        self._health = health
        #: By partition: the last seen committed offset, and since when it has not moved though records follow it.
        self._seen: dict[Partition, tuple[int, float]] = {}
        #: By partition: the offset up to which there are only transaction markers.
        self._empty_to: dict[Partition, int] = {}

    async def run(self) -> None:
        """Check every two seconds until canceled."""
        while True:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await self._connected()
            await asyncio.sleep(_CHECK_SECONDS)

    async def _connected(self) -> None:
        """Check as long as Kafka answers."""
        settings = self._settings
        consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            client_id=f"{settings.client_id}-watch",
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            request_timeout_ms=int(_PATIENCE_SECONDS * 1000),
            **settings.client_options,
        )
        try:
            await asyncio.wait_for(consumer.start(), _PATIENCE_SECONDS)
            while True:
                await self.check(consumer)
                await asyncio.sleep(_CHECK_SECONDS)
        finally:
            # Without brokers a consumer stops halfway, with useless errors.
            with contextlib.suppress(Exception):
                await asyncio.wait_for(consumer.stop(), _PATIENCE_SECONDS)

    async def check(self, consumer: AIOKafkaConsumer) -> None:
        """Read the end offsets once and update every partition; raise what Kafka's silence raises."""
        health = self._health
        before = {partition: owned.committed_offset for partition, owned in health.partitions.items()}
        if before:
            ends = await asyncio.wait_for(consumer.end_offsets([TopicPartition(*partition) for partition in before]), _PATIENCE_SECONDS)
        else:
            # Nothing is owned: any request will do.
            ends = {}
            await asyncio.wait_for(consumer.topics(), _PATIENCE_SECONDS)
        health.last_answer = now = time.monotonic()
        self._seen = {partition: self._seen.get(partition, (offset, now)) for partition, offset in before.items()}
        for partition, offset in before.items():
            owned = health.partitions.get(partition)
            if owned is None:  # dropped during the request
                continue
            end = ends[TopicPartition(*partition)]
            moved = self._seen[partition][0] != offset
            # While any partition is restored all others pause.
            if health.recovering or moved or offset >= end or self._empty_to.get(partition, -1) >= end:
                self._seen[partition] = offset, now
            elif now - self._seen[partition][1] > _SUSPECT_SECONDS and not await self._has_record(consumer, partition, offset, end):
                self._empty_to[partition] = end
                self._seen[partition] = offset, now
            owned.end_offset = offset if self._empty_to.get(partition, -1) >= end else end
            owned.stuck_seconds = now - self._seen[partition][1]
            owned.caught_up = owned.caught_up or offset >= owned.target_offset or self._empty_to.get(partition, -1) >= owned.target_offset

    @staticmethod
    async def _has_record(consumer: AIOKafkaConsumer, partition: Partition, offset: int, end: int) -> bool:
        """Return whether there is a record from ``offset`` to ``end``."""
        source = TopicPartition(*partition)
        consumer.assign([source])
        consumer.seek(source, offset)
        until = time.monotonic() + _PATIENCE_SECONDS
        try:
            while time.monotonic() < until:
                if await consumer.getmany(source, timeout_ms=200, max_records=1):
                    return True
                if await asyncio.wait_for(consumer.position(source), _PATIENCE_SECONDS) >= end:
                    return False
        except UnreadableBatchError:
            return True
        finally:
            consumer.unsubscribe()
        raise TimeoutError(f"{partition} cannot be read.")
