"""The example subscriber: from the same topic, it builds the table that the API serves."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from examples.latest_table.subscriber import Table, follow
from streams.demo.broker import EmbeddedBroker
from streams.serving.figures import Figures
from streams.serving.reader import Reader, latest_topic
from streams.serving.store import Store
from tests.serving.records import Clock, progress, small_center, window
from tests.support.require import require_embedded_broker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOPIC = latest_topic("examples")


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    """Return the address of an embedded broker."""
    require_embedded_broker()
    with EmbeddedBroker() as broker:
        yield broker.bootstrap_servers


def history() -> list[tuple[bytes, bytes | None]]:
    """Return records as a day brings them: first figures, newer ones, repeats, and one deleted."""
    newer = window("queue:sales", kpis={"offered": {"value": 60.0}}, revision=7)
    gone = window("queue:gone")
    return [
        *small_center(),
        gone,
        newer,
        window("queue:sales", kpis={"offered": {"value": 59.0}}, revision=6),
        window("queue:sales", kpis={"offered": {"value": 61.0}}, revision=7),
        (gone[0], None),
        progress(revision=2, as_of="2026-04-01T09:00:30Z"),
    ]


async def publish(bootstrap: str) -> None:
    """Make the topic and write the history in one transaction, then something in a transaction that is aborted."""
    from aiokafka import AIOKafkaProducer

    from streams.engine.topics import TopicSpec, ensure_topics

    await ensure_topics(bootstrap, [TopicSpec(TOPIC, 4, 1, {"cleanup.policy": "compact"})])
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="examples") as producer:
        async with producer.transaction():
            for key, value in history():
                await producer.send(TOPIC, value, key)
        await producer.begin_transaction()
        await producer.send_and_wait(TOPIC, *reversed(window("queue:never")))
        await producer.send_and_wait(TOPIC, *reversed(window("queue:sales", revision=99)))
        await producer.abort_transaction()


async def publish_once(bootstrap: str, *records: tuple[bytes, bytes]) -> None:
    """Write records without a transaction."""
    from aiokafka import AIOKafkaProducer

    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for key, value in records:
            await producer.send_and_wait(TOPIC, value, key)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds, for twenty seconds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - another task brings it about
            await asyncio.sleep(0.02)


def rows(records: Any) -> dict[str, Any]:
    """Return records without the waits and ages that the API brings up to its own as-of."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(records))
    for record in found.values():
        record.pop("longest_wait_seconds", None)
        record.pop("backlog_oldest_seconds", None)
    return found


@pytest.mark.embedded
def test_the_table_is_that_of_the_api(bootstrap: str) -> None:
    """Read from the beginning, with repeats, a deletion and an aborted transaction in it, the table equals what serve says."""

    async def check() -> None:
        await publish(bootstrap)
        table: Table = {}
        changed: list[str] = []
        store = Store()
        reader = Reader(store, bootstrap=bootstrap, topic_name=TOPIC)
        tasks = [asyncio.create_task(reader.run()), asyncio.create_task(follow(table, bootstrap, TOPIC, changed.append))]
        try:
            await until(lambda: reader.ready)
            served = rows(Figures(store, reader, Clock()).everything(store.entries())["records"])
            await until(lambda: rows(table) == served)

            assert set(served) == {key.decode() for key, _ in small_center()}
            assert table["trailing_15m|voice|queue:sales"]["revision"] == 7
            assert table["trailing_15m|voice|queue:sales"]["kpis"]["offered"]["value"] == 60
            await publish_once(bootstrap, window("queue:sales", revision=8), window("queue:never"))
            await until(lambda: "trailing_15m|voice|queue:never" in table and table["trailing_15m|voice|queue:sales"]["revision"] > 7)
            # What was aborted stands before these in the topic, and was never seen.
            assert table["trailing_15m|voice|queue:sales"]["revision"] == 8
            assert changed.count("trailing_15m|voice|queue:sales") == 3
            assert changed.count("trailing_15m|voice|queue:never") == 1
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    asyncio.run(check())
