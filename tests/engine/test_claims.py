"""Which worker may have a transaction open over a source partition is stored in Kafka, by Kafka's own rules of membership."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import InvalidProducerEpoch, ProducerFenced

from streams.engine.claims import Claims, Member
from streams.engine.health import Health
from streams.engine.ownership import Ownership
from streams.engine.settings import EngineSettings, Flow
from streams.engine.stage import Flush, Output
from streams.engine.topics import TopicSpec, ensure_topics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from streams.engine.stage import Record
    from tests.support.kafka import Cluster


class Group:
    """A group with one member, to which the partition of ``source`` is assigned, and a worker of it that writes."""

    def __init__(self, bootstrap: str) -> None:
        """Name it."""
        self.name = f"claims-{uuid.uuid4().hex[:8]}"
        self.source = f"{self.name}-source"
        self.place = (self.source, 0)
        self.settings = EngineSettings(app_id=self.name, bootstrap=bootstrap)

    async def producer(self, transactional_id: str) -> AIOKafkaProducer:
        """Return a started producer."""
        producer = AIOKafkaProducer(bootstrap_servers=self.settings.bootstrap, transactional_id=transactional_id)
        await producer.start()
        return producer

    async def member(self) -> tuple[AIOKafkaConsumer, Member]:
        """Join the group, and return the consumer and what it is called there."""
        consumer = AIOKafkaConsumer(
            self.source, bootstrap_servers=self.settings.bootstrap, group_id=self.name, enable_auto_commit=False, session_timeout_ms=6000
        )
        await consumer.start()
        async with asyncio.timeout(20):
            while not consumer.assignment():  # noqa: ASYNC110 - aiokafka has no event for it
                await asyncio.sleep(0.05)
        return consumer, Member(consumer._coordinator.generation, consumer._coordinator.member_id)


class Teller:
    """A stage that publishes as soon as it is restored, as a roll-up does: one record, with its worker's name."""

    def __init__(self, topic: str, worker: bytes) -> None:
        """Publish to ``topic``."""
        self._news = [Output(topic, 0, b"who", worker)]

    def restore(self, topic: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """There are no rows."""

    def process(self, records: Sequence[Record]) -> None:
        """Take no notice."""

    def collect(self) -> Flush:
        """Publish once."""
        news, self._news = self._news, []
        return Flush([], news)


def with_group(kafka: Cluster, check: Callable[[Group], Awaitable[None]]) -> None:
    """Run ``check`` with a group and its topic."""

    async def run() -> None:
        group = Group(kafka.bootstrap)
        await ensure_topics(kafka.bootstrap, [TopicSpec(group.source, 1)])
        await check(group)

    asyncio.run(run())


def test_only_the_member_of_the_present_generation_claims(kafka: Cluster) -> None:
    """A worker that slept through a rebalance, or another process under its name, must not begin a transaction."""

    async def check(group: Group) -> None:
        producer = await group.producer("one")
        consumer, member = await group.member()
        claims = Claims(group.settings, producer.client, "one")
        assert await claims.claim(member, {group.place: 0})
        assert not await claims.claim(member._replace(generation=member.generation - 1), {group.place: 0})
        assert not await claims.claim(member._replace(name="another"), {group.place: 0})
        await consumer.stop()
        await producer.stop()

    with_group(kafka, check)


def test_a_worker_whose_claim_is_refused_writes_nothing(kafka: Cluster) -> None:
    """It slept after it had restored. Who counts the partition now knows nothing of it and cannot have fenced it."""

    async def check(group: Group) -> None:
        output = TopicPartition(f"{group.name}-output", 0)
        await ensure_topics(group.settings.bootstrap, [TopicSpec(output.topic, 1)])

        async def restored(worker: bytes) -> tuple[Ownership, AIOKafkaConsumer]:
            flow = Flow(name="teller", source=group.source, stage_factory=lambda _: Teller(output.topic, worker))
            owned = Ownership(group.settings, [flow], Health(), lambda _: None, lambda _: None)
            consumer, member = await group.member()
            owned.on_assigned({group.place}, member.generation, member.name)
            await asyncio.wait(owned._taking.values(), timeout=20)
            return owned, consumer

        sleeper, former_member = await restored(b"the sleeper")
        await former_member.stop()
        owner, member = await restored(b"the owner")
        await owner.restored()
        await owner._flush()
        await sleeper.restored()
        await sleeper.on_revoked()

        assert owner._claims is not None
        assert await owner._claims._committed_metadata([group.place]) == {group.place: owner._claims.held}
        options = {"isolation_level": "read_committed", "auto_offset_reset": "earliest"}
        reader = AIOKafkaConsumer(bootstrap_servers=group.settings.bootstrap, **options)
        await reader.start()
        reader.assign([output])
        assert [record.value for record in (await reader.getmany(timeout_ms=5000))[output]] == [b"the owner"]
        assert (await reader.end_offsets([output]))[output] == 2, "One record and the mark of its transaction."
        for each in (sleeper, owner, reader, member):
            await each.stop()

    with_group(kafka, check)


@pytest.mark.parametrize("holds", [True, False])
def test_a_worker_that_has_not_released_a_partition_is_fenced(kafka: Cluster, *, holds: bool) -> None:
    """Its transaction is over when that returns; the worker that released it continues with its other partitions."""

    async def check(group: Group) -> None:
        former, taker = await group.producer(f"{group.name}-former"), await group.producer(f"{group.name}-taker")
        consumer, member = await group.member()
        claims = Claims(group.settings, former.client, f"{group.name}-former")
        assert await claims.claim(member, {group.place: 0})
        if not holds:
            assert await claims.release(member, {group.place: 0})
        await former.begin_transaction()
        await former.send_and_wait(group.source, b"pending", partition=0)
        await Claims(group.settings, taker.client, f"{group.name}-taker").fence([group.place])
        if holds:
            with pytest.raises((ProducerFenced, InvalidProducerEpoch)):
                await former.commit_transaction()
        else:
            await former.commit_transaction()
        await consumer.stop()
        for producer in (former, taker):
            await producer.stop()

    with_group(kafka, check)


def test_workers_of_older_versions_are_fenced(kafka: Cluster) -> None:
    """They claimed nothing; their transactional ids were named by source partition."""

    async def check(group: Group) -> None:
        former, taker = await group.producer(f"{group.name}-{group.source}-0"), await group.producer(f"{group.name}-taker")
        await former.begin_transaction()
        await former.send_and_wait(group.source, b"pending", partition=0)
        await Claims(group.settings, taker.client, f"{group.name}-taker").fence([group.place])
        with pytest.raises((ProducerFenced, InvalidProducerEpoch)):
            await former.commit_transaction()
        for producer in (former, taker):
            await producer.stop()

    with_group(kafka, check)
