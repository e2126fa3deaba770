"""Customers are linked while the workers that count them are killed: every day and month of customers equals the recount."""

# ruff: noqa: T201 - a fault test prints what it did and with which seed.

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import yaml
from aiokafka import AIOKafkaProducer

from schemas.contact import ContactModel
from schemas.other import CustomerLinked, CustomerModel, SourceHeartbeat
from schemas.times import format_ms, from_ms, to_ms
from schemas.topics import SOURCES, topic
from streams.worker import create_topics
from tests.faults.test_product_under_faults import FACTS, LINKS, ROUND_COUNT, SEED, inflict
from tests.oracle.customer_worlds import customer_world
from tests.oracle.recount import recount
from tests.properties.compare import customer_differences
from tests.support.product import ProductRound
from tests.support.product_load import partition_of
from tests.support.round_topics import RoundTopics
from tests.support.workers import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.base import Event
    from tests.support.kafka import Cluster

#: Each is done while a part of the events, links among them, is counted; the short form makes do with the first two.
FAULTS = [f"after_outputs@{LINKS}", f"after_rows@{FACTS}", "kill", f"after_commit_sent@{LINKS}", f"after_outputs@{FACTS}", "kill-both"]
SHORT = 2


def test_links_are_joined_while_workers_are_killed(kafka: Cluster, tmp_path: Path) -> None:
    """A worker dies between rows, outputs and offsets of links and of customers whose keys are at home in several partitions."""
    seed = SEED
    configuration, events, end_ms = customer_world(seed, contacts=150, others=150, links=11)
    chance = Random(seed)
    # Some events of a world arrive after its last heartbeat: here the sources end with one after all of it.
    end_ms = max(end_ms, *(to_ms(event.received_at) + 1 for event in events))
    at = from_ms(end_ms)
    for source in sorted({event.source for event in events}):
        beat = SourceHeartbeat(event_id=f"end-{source}", occurred_at=at, received_at=at, source=source, complete_through=at)
        events.append(beat)
    links = [event for event in events if isinstance(event, CustomerLinked)]
    published: list[Event] = [event for event in events if not isinstance(event, CustomerLinked)]
    for link in links:  # long before or after what is known under their keys
        published.insert(chance.randrange(len(published) - 2), link)  # the last words of the sources stay the last
    (tmp_path / "center.yaml").write_text(yaml.safe_dump(configuration.model_dump(mode="json", exclude_unset=True)), encoding="utf-8")
    faults = FAULTS if ROUND_COUNT > 1 else FAULTS[:SHORT]
    print(f"\nseed {seed}: {len(published)} events, {len(links)} links, {', '.join(faults)}")
    with Workers(tmp_path, "tests.support.product_worker") as workers:
        product = ProductRound(kafka.bootstrap, f"links-{seed}", workers, seed, static=True, configuration=tmp_path / "center.yaml")
        topics = RoundTopics(product.bootstrap, product.prefix)

        async def run() -> None:
            await create_topics(product.bootstrap, product.prefix)
            for name in ("a", "b"):
                product.start(name)
            await product.ready()
            share = len(published) // len(faults) + 1
            for number, fault in enumerate(faults):
                publishing = asyncio.create_task(publish(product, published[number * share : (number + 1) * share]))
                await inflict(fault, product, chance)
                await publishing
            latest, waited = await topics.caught_up(
                format_ms(end_ms), 90, workers.supervise, lambda: workers.log("a")[-3000:] + workers.log("b")[-3000:]
            )
            print(f"  caught up after {waited:.1f} s; ended by themselves: {workers.ended}")
            unclean = [status for status in workers.terminate_all().values() if status]
            assert customer_differences(latest, recount(events, configuration, end_ms, end_ms)) == []
            assert unclean == []
            await topics.delete_topics()

        asyncio.run(run())


async def publish(product: ProductRound, events: list[Event]) -> None:
    """Publish events one after the other, so slowly that flushes come between them."""
    producer = AIOKafkaProducer(bootstrap_servers=product.bootstrap, acks="all")
    await producer.start()
    try:
        for event in events:
            value = event.model_dump_json(exclude_none=True).encode()
            for name, partition in _places(event):
                await producer.send(f"{product.prefix}.{name}", value, partition=partition)
            await producer.flush()
            await asyncio.sleep(0.01)
    finally:
        await producer.stop()


def _places(event: Event) -> list[tuple[str, int]]:
    contacts, _, customers = SOURCES
    if isinstance(event, ContactModel):
        return [(contacts, partition_of(event.conversation_id.encode(), topic(contacts).partitions))]
    if isinstance(event, CustomerModel):
        return [(customers, partition_of(event.customer_key.encode(), topic(customers).partitions))]
    return [(name, number) for name in SOURCES for number in range(topic(name).partitions)]
