"""A sender whose every record is bad, on Apache Kafka: the worker stops, stays stopped, and goes on when it is told to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.dead_letters import REASON, origin_of
from schemas.topics import topic
from streams.engine.exits import ExitCode
from streams.worker import create_topics
from tests.support.recount import committed, until_processed
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
OFF = "dead_letters: {max_run: 0, max_ratio: null}\n"


def good(number: int) -> bytes:
    """Return an event that counts."""
    at = f"2026-03-02T09:{number // 60:02}:{number % 60:02}.000Z"
    common = {"type": "contact.queued", "event_id": f"e{number}", "occurred_at": at, "received_at": at, "source": "pbx"}
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


async def letters(bootstrap: str) -> list[tuple[int, int, str]]:
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


def test_a_flood_stops_the_worker(kafka: Cluster, tmp_path: Path) -> None:
    """It ends with a status and a line of its own, at the same record each time; with the limit off every bad record is set aside once."""
    configuration = tmp_path / "center.yaml"
    options = ["--bootstrap", kafka.bootstrap, "--prefix", PREFIX, "--config", str(configuration), "--port", "-1", "--instance-id", "only"]
    asyncio.run(create_topics(kafka.bootstrap, PREFIX))
    asyncio.run(publish(kafka.bootstrap, [good(number) for number in range(GOOD)]))
    with Workers(tmp_path, "tests.support.product_worker") as workers:
        configuration.write_text(LIMITED)
        workers.start("worker", {"arguments": ["worker", *options]})
        asyncio.run(until_processed(kafka.bootstrap, GROUP, SOURCE, CONTACTS.partitions, 60))

        # A batch that the limit permits, in two parts so that the count has to last over flushes and starts.
        asyncio.run(publish(kafka.bootstrap, [b"?"] * (MAX_RUN // 2)))
        asyncio.run(until_processed(kafka.bootstrap, GROUP, SOURCE, CONTACTS.partitions, 60))
        assert workers.terminate("worker") == 0
        workers.start("worker")
        asyncio.run(publish(kafka.bootstrap, [b"?"] * (MAX_RUN // 2)))
        asyncio.run(until_processed(kafka.bootstrap, GROUP, SOURCE, CONTACTS.partitions, 60))
        beginning = GOOD + MAX_RUN
        assert asyncio.run(letters(kafka.bootstrap)) == [(PARTITION, GOOD + number, "invalid_json") for number in range(MAX_RUN)]

        # The flood itself, with a kind of its own, and what is good behind it.
        asyncio.run(publish(kafka.bootstrap, [b"{}"] * FLOOD + [good(GOOD + number) for number in range(50)]))
        line = (
            f"DEAD_LETTER_FLOOD: {SOURCE} partition {PARTITION} is not read beyond offset {beginning}: {MAX_RUN + 1} records in a row, "
            f"from offset {GOOD} on, cannot be used, and max_run permits {MAX_RUN} (invalid_json {MAX_RUN}, missing_field 1)."
        )
        for times in (1, 2):
            if times > 1:
                workers.start("worker")
            assert workers.wait("worker") == ExitCode.DEAD_LETTER_FLOOD
            assert workers.log("worker").count(line) == times
            offsets = asyncio.run(committed(kafka.bootstrap, GROUP, SOURCE, CONTACTS.partitions))
            assert offsets[PARTITION] == beginning
            assert len(asyncio.run(letters(kafka.bootstrap))) == MAX_RUN

        configuration.write_text(OFF)
        workers.start("worker")
        asyncio.run(until_processed(kafka.bootstrap, GROUP, SOURCE, CONTACTS.partitions, 60))
        assert workers.terminate("worker") == 0
        found = asyncio.run(letters(kafka.bootstrap))
        assert found[MAX_RUN:] == [(PARTITION, beginning + number, "missing_field") for number in range(FLOOD)]

        # Turned on again it begins anew: another permitted batch, and what is good goes on.
        configuration.write_text(LIMITED)
        workers.start("worker")
        asyncio.run(publish(kafka.bootstrap, [b"?"] * MAX_RUN + [good(GOOD + 50)]))
        asyncio.run(until_processed(kafka.bootstrap, GROUP, SOURCE, CONTACTS.partitions, 60))
        assert workers.terminate("worker") == 0
        assert len(asyncio.run(letters(kafka.bootstrap))) == 2 * MAX_RUN + FLOOD
