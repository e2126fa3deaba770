"""A record that ends the worker, whatever way: it is set aside after the second time, and everything else counts once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.times import format_ms
from schemas.topics import topic
from streams.engine.exits import ExitCode
from streams.topics import create_topics
from tests.support.services import Services, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = [pytest.mark.faults, pytest.mark.kafka]

ENDS = {"call-7": "raise", "call-23": "exit"}
CALLS = 60


async def publish(bootstrap: str, prefix: str, begin: int, end: int) -> None:
    """Publish calls that begin to wait."""
    entry = topic("contact-events.v1")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    now = format_ms(time.time_ns() // 1_000_000)
    for number in range(begin, end):
        name = f"call-{number}"
        event = dict.fromkeys(("event_id", "conversation_id", "contact_id"), name) | dict.fromkeys(("occurred_at", "received_at"), now)
        event |= {"type": "contact.queued", "source": "pbx", "channel": "voice", "queue": "sales"}
        await producer.send(entry.full_name(prefix), orjson.dumps(event), key=name.encode(), partition=number % entry.partitions)
    await producer.stop()


async def dead_letters(bootstrap: str, prefix: str) -> dict[str, str]:
    """Return conversation and reason of the dead letters."""
    place = TopicPartition(topic("contact-events-dead-letters.v1").full_name(prefix), 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([place])
    try:
        found = (await consumer.getmany(timeout_ms=3000)).get(place, [])
        return {record.key.decode(): dict(record.headers)["dead-letter-reason"].decode() for record in found}
    finally:
        await consumer.stop()


def test_two_ends_and_no_third(kafka: Cluster, tmp_path: Path) -> None:
    """One record makes the stage raise, another ends the process without a word: two ends, and the third start counts all others."""
    prefix = f"ends-{time.time_ns()}"

    async def scenario(services: Services) -> None:
        await create_topics(kafka.bootstrap, prefix)
        await publish(kafka.bootstrap, prefix, 0, CALLS)
        services.run("worker", ends_at=ENDS)
        services.run("serve")

        async def counted() -> bool:
            services.supervise()
            _, queue = await services.ask("serve", "/api/v1/queues/sales")
            return isinstance(queue, dict) and "channels" in queue and queue["channels"]["voice"]["now"]["waiting"] == CALLS - len(ENDS)

        await until(counted, 60, lambda: services.log("worker")[-3000:])
        assert [name for name, _ in services.ended] == ["worker", "worker"]
        assert {status for _, status in services.ended} <= {ExitCode.STAGE_FAILED, 139}
        assert await dead_letters(kafka.bootstrap, prefix) == dict.fromkeys(ENDS, "ends_workers")
        log = services.log("worker")
        assert log.count("A RECORD THAT ENDS WORKERS") == len(ENDS)
        assert "raises ZeroDivisionError" in log
        reason = 'contact_center_events_dead_lettered_total{flow="track-contacts",reason="ends_workers"}'
        assert await services.counter("worker", reason) == len(ENDS)
        # After an orderly end the count restarts at zero: one kill is one kill.
        assert services.terminate("worker") == 0
        services.start("worker")
        await services.ready("worker")
        services.kill("worker")
        services.start("worker")
        await services.ready("worker")
        await asyncio.sleep(1)
        assert (await services.ask("serve", "/api/v1/queues/sales"))[1]["channels"]["voice"]["now"]["waiting"] == CALLS - len(ENDS)
        assert services.log("worker").count("without a clean stop") == log.count("without a clean stop")

    with Services(tmp_path, kafka.bootstrap, prefix) as services:
        asyncio.run(scenario(services))
