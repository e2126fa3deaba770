"""Everything that a topic holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

__all__ = ["read"]


async def read(bootstrap: str, name: str) -> list[ConsumerRecord]:
    """Return every committed record of a topic."""
    consumer = AIOKafkaConsumer(
        name, bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        places = [TopicPartition(name, number) for number in consumer.partitions_for_topic(name) or ()]
        ends = await consumer.end_offsets(places)
        found: list[ConsumerRecord] = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
        return found
    finally:
        await consumer.stop()
