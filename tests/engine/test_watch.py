"""The watch queries a real Kafka: a stalled partition is detected, whatever the others do."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer

from streams.engine import health as engine_health
from streams.engine.health import Health, PartitionHealth
from streams.engine.settings import EngineSettings
from streams.engine.watch import Watch
from tests.engine.test_engine_on_kafka import Bench, bench

if TYPE_CHECKING:
    import pytest

__all__ = ["bench"]

#: Above the time after which the watch looks into a partition that has not moved.
STUCK_AFTER_SECONDS = 8.0


def test_a_stalled_flow_is_detected_while_another_runs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contacts may flow while no customer is counted: the lag shows where, and the worker does not report itself alive."""
    monkeypatch.setattr(engine_health, "STUCK_AFTER_SECONDS", STUCK_AFTER_SECONDS)

    async def run() -> None:
        await bench.make()
        await bench.send(*[(partition, b"a", b"x") for partition in (0, 1) for _ in range(3)])
        moving, still = PartitionHealth(0, 0, 0.0), PartitionHealth(0, 0, 0.0)
        health = Health(recovering=False, partitions={(bench.source, 0): moving, (bench.source, 1): still})
        watch = Watch(EngineSettings(app_id=bench.name, bootstrap=bench.bootstrap), health)
        consumer = AIOKafkaConsumer(bootstrap_servers=bench.bootstrap, group_id=None, isolation_level="read_committed")
        await consumer.start()
        try:
            began = time.monotonic()
            while health.alive() != (False, "stuck"):
                assert time.monotonic() - began < STUCK_AFTER_SECONDS + 5
                health.progressed()  # flushes continue
                await bench.send((0, b"a", b"x"))
                moving.committed_offset += 1
                await watch.check(consumer)
                await asyncio.sleep(0.5)
            assert time.monotonic() - began > STUCK_AFTER_SECONDS - 1
            assert (still.end_offset - still.committed_offset, moving.stuck_seconds) == (3, 0.0)

            still.committed_offset = 3  # it comes along again
            await watch.check(consumer)
            assert health.alive()[0]
        finally:
            await consumer.stop()

    asyncio.run(run())
