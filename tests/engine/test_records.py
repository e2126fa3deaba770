"""Records come to the stages as aiokafka's compiled reader makes them."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from streams.engine.records import leave_records_as_they_are
from streams.engine.topics import TopicSpec, ensure_topics

if TYPE_CHECKING:
    from tests.support.kafka import Cluster


@pytest.mark.parametrize("before", [True, False], ids=["before the first fetch", "after it"])
def test_records_are_left_as_they_are(kafka: Cluster, *, before: bool) -> None:
    """Committed records come with all that stages look at, aborted ones and the marks of transactions do not, and positions go on."""

    async def run() -> None:
        name = f"records-{uuid.uuid4().hex[:8]}"
        place = TopicPartition(name, 0)
        await ensure_topics(kafka.bootstrap, [TopicSpec(name, 1)])
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=name)
        await producer.start()
        for value in (b"one", b"aborted", b"two"):
            await producer.begin_transaction()
            await producer.send_and_wait(name, value, b"key", headers=[("h", b"\xff")], timestamp_ms=7)
            await (producer.abort_transaction() if value == b"aborted" else producer.commit_transaction())
        await producer.stop()
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign([place])
        if not before:
            while place not in consumer._fetcher._records:  # noqa: ASYNC110 - aiokafka tells nobody
                await asyncio.sleep(0.01)
        leave_records_as_they_are(consumer)
        found = []
        while await consumer.position(place) < 6:
            found += (await consumer.getmany(place, timeout_ms=100)).get(place, [])
        await consumer.stop()
        assert not any(isinstance(record, ConsumerRecord) for record in found)
        assert [(each.offset, each.key, each.value, list(each.headers), each.timestamp, each.timestamp_type) for each in found] == [
            (0, b"key", b"one", [("h", b"\xff")], 7, 0),
            (4, b"key", b"two", [("h", b"\xff")], 7, 0),
        ]

    asyncio.run(run())
