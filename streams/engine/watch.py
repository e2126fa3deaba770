"""Asks Kafka how far the owned source partitions reach, so that a worker with nothing to do can be told from one that is stuck."""

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

_LOOK_SECONDS = 2.0
_PATIENCE_SECONDS = 5.0
#: A partition that has not moved for so long is looked into: an end may lie behind nothing but transaction markers.
_SUSPECT_SECONDS = 6.0

Place = tuple[str, int]


class Watch:
    """Keeps a health's end offsets up to date, through a connection of its own: the one that reads may be what is stuck."""

    def __init__(self, settings: EngineSettings, health: Health) -> None:
        """Watch the partitions that ``health`` names."""
        self._settings = settings
        self._health = health
        #: By partition: the committed offset seen last, and since when it has stood there with something to read behind it.
        self._seen: dict[Place, tuple[int, float]] = {}
        #: By partition: up to where there is no record, only transaction markers.
        self._empty_to: dict[Place, int] = {}

    async def run(self) -> None:
        """Look every two seconds until canceled."""
        while True:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await self._connected()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _connected(self) -> None:
        """Look for as long as Kafka answers."""
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
                await self.look(consumer)
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            # Without brokers a consumer stops halfway; what it says then is of no use.
            with contextlib.suppress(Exception):
                await asyncio.wait_for(consumer.stop(), _PATIENCE_SECONDS)

    async def look(self, consumer: AIOKafkaConsumer) -> None:
        """Ask once, and judge every partition by the answer; raise what Kafka's silence raises."""
        health = self._health
        before = {place: found.committed_offset for place, found in health.partitions.items()}
        if before:
            ends = await asyncio.wait_for(consumer.end_offsets([TopicPartition(*place) for place in before]), _PATIENCE_SECONDS)
        else:
            # Nothing is owned: any question will do.
            ends = {}
            await asyncio.wait_for(consumer.topics(), _PATIENCE_SECONDS)
        health.last_answer = now = time.monotonic()
        self._seen = {place: self._seen.get(place, (offset, now)) for place, offset in before.items()}
        for place, offset in before.items():
            found = health.partitions.get(place)
            if found is None:  # dropped while Kafka was asked
                continue
            end = ends[TopicPartition(*place)]
            moved = self._seen[place][0] != offset
            # While any partition is restored all others rest.
            if health.recovering or moved or offset >= end or self._empty_to.get(place, -1) >= end:
                self._seen[place] = offset, now
            elif now - self._seen[place][1] > _SUSPECT_SECONDS and not await self._waits(consumer, place, offset, end):
                self._empty_to[place] = end
                self._seen[place] = offset, now
            found.end_offset = offset if self._empty_to.get(place, -1) >= end else end
            found.stuck_seconds = now - self._seen[place][1]
            found.caught_up = found.caught_up or offset >= found.target_offset or self._empty_to.get(place, -1) >= found.target_offset

    @staticmethod
    async def _waits(consumer: AIOKafkaConsumer, place: Place, offset: int, end: int) -> bool:
        """Say whether there is a record from ``offset`` to ``end``."""
        source = TopicPartition(*place)
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
        raise TimeoutError(f"{place} cannot be read.")
