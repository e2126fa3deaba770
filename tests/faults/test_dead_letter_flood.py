"""A source whose every record is bad, on Apache Kafka: it is quarantined at the same record under kills, and the others count."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.dead_letters import REASON, origin_of
from schemas.topics import topic
from streams.worker import create_topics
from tests.support.recount import until_processed
from tests.support.workers import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = [pytest.mark.faults, pytest.mark.nightly]

PREFIX = "flood"
GROUP = f"{PREFIX}.worker"
CONTACTS, DEAD = topic("contact-events.v1"), topic("contact-events-dead-letters.v1")
SOURCE = CONTACTS.full_name(PREFIX)
PARTITION, GOOD, MAX_RUN, FLOOD = 5, 200, 300, 2_000

LIMITED = f"dead_letters: {{max_run: {MAX_RUN}}}\n"

#: Names who sent it, and nothing else.
BAD = b'{"type": "contact.queued", "source": "bot"}'


def good(number: int, source: str = "pbx") -> bytes:
    """Return an event that is right."""
    at = f"2026-03-02T09:{number // 60:02}:{number % 60:02}.000Z"
    common = {"type": "contact.queued", "event_id": f"e{number}", "occurred_at": at, "received_at": at, "source": source}
    return orjson.dumps({**common, "conversation_id": f"c{number}", "queue": "sales"})


async def publish(bootstrap: str, values: list[bytes]) -> None:
    """Append values to one partition."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        for value in values:
            await producer.send(SOURCE, value, partition=PARTITION)
        await producer.flush()
    finally:
        await producer.stop()


async def dead_letters(bootstrap: str) -> list[tuple[int, int, str]]:
    """Return partition, offset and reason of every record that was set aside."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest")
    await consumer.start()
    try:
        place = TopicPartition(DEAD.full_name(PREFIX), 0)
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        found = []
        while await consumer.position(place) < end:
            for record in (await consumer.getmany(place, timeout_ms=200)).get(place, ()):
                origin = origin_of(record.headers)
                assert origin.topic == SOURCE
                found.append((origin.partition, origin.offset, dict(record.headers)[REASON].decode()))
        return found
    finally:
        await consumer.stop()


def test_a_flood_of_dead_letters_is_quarantined(kafka: Cluster, tmp_path: Path) -> None:
    """Over a restart and a kill -9 within the flood, each record is set aside once with its reason, and of the other source none."""
    configuration = tmp_path / "center.yaml"
    configuration.write_text(LIMITED)
    options = ["--bootstrap", kafka.bootstrap, "--prefix", PREFIX, "--config", str(configuration), "--port", "-1", "--instance-id", "only"]
    asyncio.run(create_topics(kafka.bootstrap, PREFIX))
    asyncio.run(publish(kafka.bootstrap, [good(number) for number in range(GOOD)]))
    with Workers(tmp_path, "tests.support.product_worker") as workers:
        workers.start("worker", {"arguments": ["worker", *options]})
        asyncio.run(until_processed(kafka.bootstrap, GROUP, SOURCE, CONTACTS.partitions, 60))

        # A batch that the limit permits, in two parts so that the count has to last over flushes and starts; others in between.
        asyncio.run(publish(kafka.bootstrap, [BAD] * (MAX_RUN // 2)))
        asyncio.run(until_processed(kafka.bootstrap, GROUP, SOURCE, CONTACTS.partitions, 60))
        assert workers.terminate("worker") == 0
        workers.start("worker")
        asyncio.run(publish(kafka.bootstrap, [good(GOOD)] + [BAD] * (MAX_RUN // 2)))
        asyncio.run(until_processed(kafka.bootstrap, GROUP, SOURCE, CONTACTS.partitions, 60))
        expected = [(PARTITION, offset, "missing_field") for offset in range(GOOD, GOOD + MAX_RUN + 1) if offset != GOOD + MAX_RUN // 2]
        assert asyncio.run(dead_letters(kafka.bootstrap)) == expected

        # One more, and what is right of it and of the other, while the worker dies and comes back.
        flood = [BAD] + [good(GOOD + number, "bot" if number % 2 else "pbx") for number in range(1, FLOOD)]
        asyncio.run(publish(kafka.bootstrap, flood[: FLOOD // 2]))
        workers.kill("worker")
        workers.start("worker")
        asyncio.run(publish(kafka.bootstrap, flood[FLOOD // 2 :]))
        asyncio.run(until_processed(kafka.bootstrap, GROUP, SOURCE, CONTACTS.partitions, 60))
        assert workers.terminate("worker") == 0
        assert workers.ended == []

    beginning = GOOD + 1 + MAX_RUN
    expected += [(PARTITION, beginning, "missing_field")]
    expected += [(PARTITION, beginning + number, "source_quarantined") for number in range(1, FLOOD, 2)]
    assert asyncio.run(dead_letters(kafka.bootstrap)) == expected
