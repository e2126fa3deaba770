"""By what clock a record was appended: the broker's where the topic has it, and never after it was read."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.topics import APPEND_TIME
from streams.engine.topics import TopicSpec, ensure_topics
from streams.engine.transport import bounded

if TYPE_CHECKING:
    import pytest

    from tests.support.kafka import Cluster

CREATE, APPEND = 0, 1


def record(timestamp: int, kind: int) -> ConsumerRecord[bytes, bytes]:
    """Return a record with a time of this kind."""
    return ConsumerRecord("t", 0, 0, timestamp, kind, None, b"", None, -1, 0, ())


def test_append_times_are_used_unchanged() -> None:
    """A chunk of a topic with append times is handed on itself: nothing is looked at but its ends."""
    chunk = [record(9_000, APPEND), record(9_001, APPEND)]

    assert bounded(chunk, 5_000) is chunk


def test_a_senders_time_is_believed_up_to_now() -> None:
    """Where topics have no append time, or a chunk is from before they had it, no record is of a time to come."""
    for chunk in ([(4_000, CREATE), (9_000, CREATE)], [(9_000, CREATE), (4_000, APPEND)], [(4_000, APPEND), (9_000, CREATE)]):
        found = [each.timestamp for each in bounded([record(*each) for each in chunk], 5_000)]
        assert found == [min(at, 5_000) for at, _ in chunk]


def test_a_topic_that_exists_is_given_the_append_time(kafka: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    """Made by the broker itself it has its senders' times; afterwards the broker's, with its other settings as they were."""
    name = f"t{uuid.uuid4().hex[:10]}"

    async def scenario() -> tuple[dict[str, str], list[tuple[int, bool]]]:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        await admin.create_topics(
            [NewTopic(name, 1, 1, topic_configs={"retention.ms": "123456789", "message.timestamp.type": "CreateTime"})]
        )
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
        await producer.start()
        await producer.send_and_wait(name, b"before", timestamp_ms=1_000)
        for _ in range(2):  # the second time there is nothing to do
            await ensure_topics(kafka.bootstrap, [TopicSpec(name, 1, enforced=APPEND_TIME)])
        sent = await producer.send_and_wait(name, b"after", timestamp_ms=1_000)
        await producer.stop()
        wanted = ConfigResource(ConfigResourceType.TOPIC, name, configs={"retention.ms": "", **APPEND_TIME})
        entries = (await admin.describe_configs([wanted]))[0].resources[0][4]
        await admin.close()
        consumer = AIOKafkaConsumer(name, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        records = [await asyncio.wait_for(consumer.getone(), 10) for _ in range(2)]
        await consumer.stop()
        assert sent.offset == 1
        return {entry[0]: entry[1] for entry in entries}, [(each.timestamp_type, each.timestamp > 1_000_000) for each in records]

    caplog.set_level("INFO")
    settings, records = asyncio.run(scenario())

    assert settings == {"retention.ms": "123456789", "message.timestamp.type": "LogAppendTime"}
    assert records == [(CREATE, False), (APPEND, True)]
    assert caplog.text.count("A topic was given a setting") == 1
