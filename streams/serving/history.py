"""Reads the records of entire days from queue-metrics, whose history is longer than what serve holds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
from aiokafka import AIOKafkaConsumer

from schemas.topics import topic
from streams.serving.broker import PATIENCE_SECONDS, partitions_of, stop

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["days_of_total"]

_OF_DAYS, _OF_TOTAL = b"window|day|", b"|total:all|"


async def days_of_total(
    bootstrap: str, prefix: str, since_ms: int, client_options: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Return the day records of the total published since an instant, the newest of each day and channel.

    Raises:
        MissingTopicError: the topic does not exist.
        KafkaError, TimeoutError: Kafka does not answer.
    """
    client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-history", **(client_options or {})}
    partitions = await partitions_of(topic("queue-metrics.v1").full_name(prefix), client)
    consumer = AIOKafkaConsumer(**client, group_id=None, enable_auto_commit=False, isolation_level="read_committed")
    newest: dict[bytes, dict[str, Any]] = {}
    try:
        await asyncio.wait_for(consumer.start(), PATIENCE_SECONDS)
        consumer.assign(partitions)
        behind = await asyncio.wait_for(consumer.end_offsets(partitions), PATIENCE_SECONDS)
        begins = await asyncio.wait_for(consumer.offsets_for_times(dict.fromkeys(partitions, since_ms)), PATIENCE_SECONDS)
        for partition in partitions:
            begin = begins.get(partition)
            consumer.seek(partition, behind[partition] if begin is None else begin.offset)
        while behind:
            for records in (await consumer.getmany(timeout_ms=200, max_records=5_000)).values():
                for record in records:
                    if record.key is not None and record.value is not None and record.key.startswith(_OF_DAYS) and _OF_TOTAL in record.key:
                        newest[record.key] = orjson.loads(record.value)
            behind = {partition: end for partition, end in behind.items() if await consumer.position(partition) < end}
        return list(newest.values())
    finally:
        await stop(consumer)
