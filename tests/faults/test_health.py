"""Health of a real worker: recovering, catching up, idle, working, stuck, and without Kafka."""

# ruff: noqa: T201 - a fault test prints what it saw.

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from schemas.topics import topic
from streams.worker import create_topics
from tests.support.kafka import cluster
from tests.support.product_load import events_of, partition_of
from tests.support.services import Services, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.nightly]

#: The worker of these tests reports itself stuck after this time.
STUCK_AFTER_SECONDS = 8.0


async def publish(bootstrap: str, prefix: str, count: int, begin: int = 0) -> None:
    """Publish contact events of the simulated centers."""
    entry = topic("contact-events.v1")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20)
    await producer.start()
    for each in list(events_of(1, begin + count))[begin:]:
        if each.destination == "contact-events":
            key = each.key.encode()
            place = partition_of(key, entry.partitions)
            await producer.send(entry.full_name(prefix), orjson.dumps(each.event), key=key, partition=place)
    await producer.stop()


async def until_reported(services: Services, alive: str, ready: str, seconds: float = 30) -> None:
    """Wait until the health pages report these states."""
    answers: list[tuple[int, Any]] = []

    async def matches() -> bool:
        answers[:] = [await services.ask("worker", path) for path in ("/healthz", "/readyz")]
        return [answer and answer["status"] for _, answer in answers] == [alive, ready]

    await until(matches, seconds, lambda: f"wanted {alive}, {ready}; answered {answers}\n{services.log('worker')[-3000:]}")


async def status(services: Services) -> tuple[int, int]:
    """Return what a liveness and a readiness probe get."""
    return (await services.ask("worker", "/healthz"))[0], (await services.ask("worker", "/readyz"))[0]


def test_idle_is_alive_and_stuck_is_not(kafka: Cluster, tmp_path: Path) -> None:
    """Must-show 9: ready is restored and caught up; idle for long is alive; no progress though there is something to do is not."""
    prefix, flag = f"health-{time.time_ns()}", tmp_path / "reads-no-more"

    async def scenario(services: Services) -> None:
        await create_topics(kafka.bootstrap, prefix)
        await publish(kafka.bootstrap, prefix, 60_000)
        services.run("worker", reads_unless=str(flag), stuck_after_seconds=STUCK_AFTER_SECONDS)
        seen: list[tuple[int, str]] = []

        async def ready() -> bool:
            code, answer = await services.ask("worker", "/readyz")
            word = answer["status"] if answer else "no answer"
            if not seen or seen[-1] != (code, word):
                seen.append((code, word))
            return code == 200

        await until(ready, 60)
        print(f"\n/readyz: {seen}")
        assert (503, "catching up") in seen
        await until_reported(services, "idle", "ready")
        await asyncio.sleep(STUCK_AFTER_SECONDS + 4)
        assert await status(services) == (200, 200)
        flag.touch()
        await publish(kafka.bootstrap, prefix, 1_000, begin=60_000)
        began = time.monotonic()
        await until_reported(services, "stuck", "ready")
        assert await status(services) == (503, 200)
        print(f"stuck is reported after {time.monotonic() - began:.0f} s of {STUCK_AFTER_SECONDS:.0f} s without progress")
        flag.unlink()
        await until_reported(services, "idle", "ready")
        services.kill("worker")
        services.start("worker")
        await until_reported(services, "idle", "ready")
        assert services.ended == []

    with Services(tmp_path, kafka.bootstrap, prefix) as services:
        asyncio.run(scenario(services))


def test_without_kafka_a_worker_waits(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Must-show 9: with the broker paused an idle worker is alive, not ready, and reports why; afterwards it is ready again by itself."""
    request.getfixturevalue("kafka")  # is it here at all? The broker that is paused is one of our own
    with cluster() as own, Services(tmp_path, own.bootstrap, "waits") as services:

        async def scenario() -> None:
            await create_topics(own.bootstrap, "waits")
            services.run("worker", stuck_after_seconds=STUCK_AFTER_SECONDS)
            await services.ready("worker")
            await until_reported(services, "idle", "ready")
            own.pause(1)
            await until_reported(services, "waiting for Kafka", "waiting for Kafka")
            assert await status(services) == (200, 503)
            await asyncio.sleep(STUCK_AFTER_SECONDS)
            assert await status(services) == (200, 503)
            own.resume(1)
            await until_reported(services, "idle", "ready", 60)
            print(f"\nended by themselves: {services.ended}")

        asyncio.run(scenario())
