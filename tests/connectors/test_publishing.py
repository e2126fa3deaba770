"""What publishing promises, held on the twin in memory, on the embedded broker and on Apache Kafka."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.events import encode, parse_agent_event, parse_contact_event, parse_customer_event
from streams.connectors.lines import Rejected
from streams.connectors.publishing import EventTopics, KafkaPublisher, MemoryPublisher, NotPublishedError, heartbeat
from streams.demo.broker import EmbeddedBroker
from tests.support.require import require_embedded_broker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streams.connectors.publishing import Publisher

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PARTITIONS = 4


class Place:
    """Somewhere to publish to, and a way to look at what arrived."""

    def __init__(self, publisher: Publisher, topics: EventTopics, bootstrap: str | None) -> None:
        """Take the publisher; without a bootstrap it is the one in memory."""
        self.publisher = publisher
        self.topics = topics
        self.bootstrap = bootstrap

    async def read(self, topic: str) -> list[tuple[int, bytes | None, bytes, dict[str, bytes]]]:
        """Return all records of a topic: partition, key, value, headers."""
        if isinstance(self.publisher, MemoryPublisher):
            return [(kept.partition, kept.key, kept.value, kept.headers) for kept in self.publisher.records.get(topic, [])]
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            found = []
            while any([await consumer.position(place) < ends[place] for place in places]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [(record.partition, record.key, record.value, dict(record.headers)) for record in records]
            return found
        finally:
            await consumer.stop()


@asynccontextmanager
async def place(where: str, bootstrap: str | None) -> AsyncIterator[Place]:
    """Open a place with topics of its own."""
    topics = EventTopics.with_prefix(f"t{uuid.uuid4().hex[:10]}")
    if where == "memory" or bootstrap is None:
        yield Place(MemoryPublisher(topics, now=lambda: NOW, partitions=PARTITIONS), topics, None)
        return
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    names = [topics.contacts, topics.agents, topics.customers, topics.contact_dead_letters, topics.agent_dead_letters]
    await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
    await admin.close()
    publisher = KafkaPublisher(bootstrap, topics, now=lambda: NOW, timeout_seconds=15)
    try:
        yield Place(publisher, topics, bootstrap)
    finally:
        await publisher.stop()


@pytest.fixture(params=["memory", pytest.param("embedded", marks=pytest.mark.embedded), pytest.param("kafka", marks=pytest.mark.kafka)])
def where(request: pytest.FixtureRequest) -> tuple[str, str | None]:
    """Name each place and give its address."""
    if request.param == "embedded":
        return request.param, str(request.getfixturevalue("embedded_bootstrap"))
    if request.param == "kafka":
        return request.param, str(request.getfixturevalue("kafka").bootstrap)
    return request.param, None


@pytest.fixture(scope="module")
def embedded_bootstrap() -> Any:
    """Run the embedded broker for this module."""
    require_embedded_broker()
    with EmbeddedBroker() as broker:
        yield broker.bootstrap_servers


def contact(number: int) -> Any:
    """Return a contact event of one of seven conversations."""
    return parse_contact_event(
        b'{"type":"contact.queued","event_id":"%d","occurred_at":"2026-03-02T11:00:00Z","received_at":"2026-03-02T11:00:00Z",'
        b'"source":"pbx","conversation_id":"c%d","queue":"sales"}' % (number, number % 7)
    )


AGENT = parse_agent_event(
    b'{"type":"agent.heartbeat","event_id":"a","occurred_at":"2026-03-02T11:00:00Z","received_at":"2026-03-02T11:00:00Z",'
    b'"source":"pbx","person_id":"SIP/7"}'
)
FORECAST = parse_customer_event(
    b'{"type":"forecast.set","event_id":"f","occurred_at":"2026-03-02T11:00:00Z","received_at":"2026-03-02T11:00:00Z","source":"wfm",'
    b'"queue":"sales","interval_start":"2026-03-02T12:00:00Z","interval_seconds":900,"volume":12}'
)


def test_events_are_keyed_and_keep_their_order(where: tuple[str, str | None]) -> None:
    """All events of a conversation are in one partition, in the order they were published, and no event is missing."""

    async def scenario() -> None:
        async with place(*where) as there:
            events = [contact(number) for number in range(100)]
            await there.publisher.publish([*events, AGENT, FORECAST], source="pbx")
            records = await there.read(there.topics.contacts)

            assert sorted(value for _, _, value, _ in records) == sorted(map(encode, events))
            for conversation in range(7):
                key = f"c{conversation}".encode()
                assert len({partition for partition, found, _, _ in records if found == key}) == 1
                assert [value for _, found, value, _ in records if found == key] == [encode(e) for e in events[conversation::7]]
            assert [(key, value) for _, key, value, _ in await there.read(there.topics.agents)] == [(b"SIP/7", encode(AGENT))]
            assert [(key, value) for _, key, value, _ in await there.read(there.topics.customers)] == [(b"sales", encode(FORECAST))]

    asyncio.run(scenario())


def test_every_place_puts_a_key_into_the_partition_java_would(where: tuple[str, str | None]) -> None:
    """The placement is murmur2, so that other producers' events of a conversation meet ours; known values of Kafka's own tests."""

    async def scenario() -> None:
        async with place(*where) as there:
            await there.publisher.publish([contact(0).model_copy(update={"conversation_id": "foobar"})], source="pbx")
            ((partition, key, _, _),) = await there.read(there.topics.contacts)

            # The hash of foobar as UtilsTest of Kafka's own clients has it.
            assert (partition, key) == ((-790332482 & 0x7FFFFFFF) % PARTITIONS, b"foobar")

    asyncio.run(scenario())


def test_a_heartbeat_reaches_every_partition_of_both_topics(where: tuple[str, str | None]) -> None:
    """Each partition counts for itself, so each must receive how far the source is complete."""

    async def scenario() -> None:
        async with place(*where) as there:
            beat = heartbeat("pbx", datetime(2026, 3, 2, 11, 59, 58, tzinfo=UTC), NOW)
            await there.publisher.publish([beat], source="pbx")
            for topic in (there.topics.contacts, there.topics.agents):
                records = await there.read(topic)
                assert sorted(partition for partition, _, _, _ in records) == list(range(PARTITIONS))
                assert {value for _, _, value, _ in records} == {encode(beat)}

    asyncio.run(scenario())


def test_a_dead_letter_keeps_its_bytes_and_its_reason(where: tuple[str, str | None]) -> None:
    """Bytes that are no text at all come through unchanged; everything else is in headers; it goes where its events would have failed."""

    async def scenario() -> None:
        async with place(*where) as there:
            raw = bytes(range(256))
            rejected = [
                Rejected("queue_log:7", "not_utf8", "byte 128", raw, 512),
                Rejected("gateway/crm", "wrong_type", "record: an object", b"[]", about="agents"),
            ]
            await there.publisher.publish([], rejected, source="pbx")
            ((_, key, value, headers),) = await there.read(there.topics.contact_dead_letters)
            ((_, _, other, _),) = await there.read(there.topics.agent_dead_letters)

            assert (key, value, other) == (b"pbx", raw, b"[]")
            assert headers.pop("dead-letter-app-version")
            assert headers == {
                "dead-letter-origin": b"queue_log:7",
                "dead-letter-origin-offset": b"512",
                "dead-letter-source": b"pbx",
                "dead-letter-reason": b"not_utf8",
                "dead-letter-detail": b"byte 128",
                "dead-letter-stage": b"connect",
                "dead-letter-failed-at": b"2026-03-02T12:00:00.000Z",
            }

    asyncio.run(scenario())


def test_a_place_that_answers_is_ready(where: tuple[str, str | None]) -> None:
    """Readiness asks Kafka itself."""

    async def scenario() -> None:
        async with place(*where) as there:
            assert await there.publisher.ready()

    asyncio.run(scenario())


def test_no_broker_listening_is_an_error_within_the_bound() -> None:
    """Without Kafka, publishing fails in time with an error, and the publisher works again later."""

    async def scenario() -> None:
        publisher = KafkaPublisher("127.0.0.1:1", EventTopics.with_prefix(), now=lambda: NOW, timeout_seconds=0.5)
        began = asyncio.get_running_loop().time()
        with pytest.raises(NotPublishedError, match=r"127\.0\.0\.1:1"):
            await publisher.publish([contact(1)], source="pbx")
        assert not await publisher.ready()
        assert asyncio.get_running_loop().time() - began < 5
        await publisher.stop()

    asyncio.run(scenario())
