"""Topics on a real broker: made, written in transactions and deleted, as the worker does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.topics import topic
from streams.demo.broker import EmbeddedBroker
from tests.support.require import require_embedded_broker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["bootstrap", "delete", "make", "publish", "until"]


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    """Run an embedded broker for this module; tests take prefixes of their own."""
    require_embedded_broker()
    with EmbeddedBroker() as broker:
        yield broker.bootstrap_servers


async def make(bootstrap: str, name: str) -> None:
    """Create the topic as the worker does; all that are read here have as many partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, topic("queue-metrics-latest.v1").partitions, 1)])
    await admin.close()


async def delete(bootstrap: str, name: str) -> None:
    """Delete the topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.delete_topics([name])
    await admin.close()


async def publish(
    bootstrap: str, name: str, records: Iterable[tuple[bytes, bytes | None]], *, commit: bool = True, partition: int | None = None
) -> None:
    """Publish records in one transaction, as the worker does, or abort it."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"test-{name}-{commit}")
    await producer.start()
    await producer.begin_transaction()
    for key, value in records:
        await producer.send_and_wait(name, key=key, value=value, partition=partition)
    await (producer.commit_transaction() if commit else producer.abort_transaction())
    await producer.stop()


async def until(condition: Callable[[], bool], *, seconds: float = 15) -> None:
    """Wait until the condition holds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)
