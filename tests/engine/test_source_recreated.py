"""A source that is not the one that the rows belong to: nothing is counted of it, and nothing is passed over in silence."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.engine.exits import ExitCode
from streams.engine.health import Health
from streams.engine.owner import Owner, restoring_consumer
from streams.engine.settings import EngineSettings
from streams.engine.topics import TopicSpec, ensure_topics
from tests.engine.test_engine_on_kafka import START_SECONDS, Bench, bench
from tests.support.counting import counting_flow
from tests.support.recount import until_processed

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["bench"]


async def recreate(bench: Bench) -> None:
    """Delete the source and make it again."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.bootstrap)
    await admin.start()
    await admin.delete_topics([bench.source])
    await asyncio.sleep(1)
    assert bench.source not in await admin.list_topics()
    await admin.close()
    await ensure_topics(bench.bootstrap, [TopicSpec(bench.source, bench.partitions)])


def three_counted_then(bench: Bench, then: Coroutine[None, None, None]) -> None:
    """Have a worker count three records, run ``then``, and see it refuse the source."""

    async def run() -> None:
        await bench.make()
        await bench.send(*[(0, b"a", b"x")] * 3)
        bench.start()
        await until_processed(bench.bootstrap, bench.name, bench.source, 2, START_SECONDS)
        await then
        assert await asyncio.to_thread(bench.workers.wait, "worker", START_SECONDS) == ExitCode.RESTORE_FAILED

    asyncio.run(run())


def test_a_recreated_source_is_refused(bench: Bench) -> None:
    """The rows belong to records that are no more; Faust would begin at the start. Kafka 4 forgets the offset together with the topic."""

    async def stopped_meanwhile() -> None:
        assert bench.workers.terminate("worker") == 0
        await recreate(bench)
        bench.start()

    three_counted_then(bench, stopped_meanwhile())
    assert re.search(r"has no offset|was it recreated\?", bench.workers.log("worker"))


def test_a_source_recreated_under_a_worker_ends_it(bench: Bench) -> None:
    """The topic has as many partitions as before, so there is no rebalance: aiokafka begins at the start, below the expected offset."""

    async def paused_meanwhile() -> None:
        bench.workers.pause("worker")
        await recreate(bench)
        await bench.send(*[(0, b"b", b"x")] * 2)
        await asyncio.sleep(0.5)  # a new leader is chosen before the worker asks
        bench.workers.resume("worker")

    three_counted_then(bench, paused_meanwhile())
    assert re.search(r"partition 0: expected offset 3, received 0 again|has no offset", bench.workers.log("worker"))


def test_an_offset_beyond_the_end_is_refused(bench: Bench) -> None:
    """What would be written up to there would never be counted."""

    async def run() -> None:
        await bench.make()
        await bench.send((0, b"a", b"x"))
        consumer = AIOKafkaConsumer(bootstrap_servers=bench.bootstrap, group_id=bench.name, enable_auto_commit=False)
        await consumer.start()
        source = TopicPartition(bench.source, 0)
        consumer.assign([source])
        await consumer.commit({source: 5})
        await consumer.stop()
        settings = EngineSettings(app_id=bench.name, bootstrap=bench.bootstrap)
        owner = Owner(settings, counting_flow(bench.source, bench.changelog, bench.panes, 1), 0, Health())
        reader = restoring_consumer(settings)
        await reader.start()
        try:
            with pytest.raises(RuntimeError, match="ends at 1, before the committed 5"):
                await owner.take(reader)
        finally:
            await reader.stop()

    asyncio.run(run())
