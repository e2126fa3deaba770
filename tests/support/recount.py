"""Load with its exact truth, and the records of the topics when all of it is processed."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Load", "committed", "last_values", "until_processed"]

#: Seconds between two batches of a partition: few large batches cost the generator little.
_TICK_SECONDS = 0.05


class Load:
    """Sends records with random keys in whole batches, and knows how many of each key."""

    def __init__(self, bootstrap: str, topic: str, partitions: int, seed: int, keys: int = 40) -> None:
        """Prepare to send to ``topic``, ``keys`` different keys a partition."""
        self._bootstrap, self._topic, self._partitions = bootstrap, topic, partitions
        self._random = random.Random(seed)
        self._keys = [b"key-%d" % number for number in range(keys)]
        #: By partition and key, what was sent and acknowledged.
        self.truth: dict[tuple[int, bytes], int] = {}
        self.sent = 0
        self.seconds = 0.0

    async def run(self, rate: int, stop: asyncio.Event) -> None:
        """Send ``rate`` records a second until ``stop``."""
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, enable_idempotence=True, max_batch_size=1024 * 1024)
        await producer.start()
        began = time.monotonic()
        try:
            while not stop.is_set():
                due = int(rate * (time.monotonic() - began)) - self.sent
                await self.send(producer, due)
                await asyncio.sleep(_TICK_SECONDS)
        finally:
            self.seconds = time.monotonic() - began
            await producer.stop()

    async def send(self, producer: AIOKafkaProducer, count: int) -> None:
        """Send ``count`` records, spread over the partitions, and count them when they are acknowledged."""
        pending = []
        for partition in range(self._partitions):
            keys = self._random.choices(self._keys, k=count // self._partitions)
            if not keys:
                continue
            batch = producer.create_batch()
            for key in keys:
                if batch.append(key=key, value=b"x", timestamp=None) is None:
                    raise ValueError("Too many records for one batch: send oftener.")
            pending.append((partition, keys, await producer.send_batch(batch, self._topic, partition=partition)))
        for partition, keys, delivered in pending:
            await delivered
            for key in keys:
                self.truth[partition, key] = self.truth.get((partition, key), 0) + 1
            self.sent += len(keys)


async def committed(bootstrap: str, group: str, topic: str, partitions: int) -> dict[int, int | None]:
    """Return the committed offset of each partition of ``topic``."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(places)
        return {place.partition: await consumer.committed(place) for place in places}
    finally:
        await consumer.stop()


async def until_processed(bootstrap: str, group: str, topic: str, partitions: int, seconds: float) -> None:
    """Wait until ``group`` has committed everything in ``topic``, whose records are not transactional."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(places)
        deadline = time.monotonic() + seconds
        while True:
            ends = await consumer.end_offsets(places)
            done = {place: await consumer.committed(place) or 0 for place in places}
            if done == ends:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"After {seconds:.0f} s committed {done} of {ends}.")
            await asyncio.sleep(0.5)
    finally:
        await consumer.stop()


async def last_values(bootstrap: str, topic: str, partitions: Iterable[int]) -> dict[tuple[int, bytes], Any]:
    """Return the last committed value of each key, by partition and key."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in partitions]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        values: dict[tuple[int, bytes], Any] = {}
        while any([await consumer.position(place) < ends[place] for place in places]):
            for place, records in (await consumer.getmany(timeout_ms=100)).items():
                for record in records:
                    values[place.partition, record.key] = record.value
        return values
    finally:
        await consumer.stop()
