"""Rasa's topic on a real Kafka: read from where it was left, in any order, with repeats; each line counts once."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from streams.connectors.kit.model import Context
from streams.connectors.kit.translating import translate
from streams.connectors.live.rasa import PULL
from streams.connectors.platforms import connector
from streams.connectors.pull.client import Client
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import PollContext
from tests.support.platforms import fixture

if TYPE_CHECKING:
    from tests.support.kafka import Cluster

EARLY = datetime(2000, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 4, 7, 12, tzinfo=UTC)


async def asked(bootstrap: str, topic: str, cursor: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Poll once; return the types of events and the cursor."""
    settings = {"bootstrap": bootstrap, "topic": topic, "solved_actions": ["action_all_solved"]}
    kinds: list[str] = []
    context = Context(source="rasa", customer_key=lambda identity: f"v1:{len(identity)}", settings=settings)
    async with Client(PULL.base(settings), now=lambda: NOW) as client:
        async for page in PULL.fetch(PollContext(cursor=cursor, client=client, settings=settings, since=EARLY, now=lambda: NOW)):
            cursor = dict(page.cursor)
            if page.records:
                done = translate(connector("rasa"), page.records, context, origin="pull/rasa", now=NOW)
                kinds += [event.event_id for event in done.events] + [each.reason for each in done.rejected]
    return kinds, cursor


def test_the_topic_is_read_from_where_it_was_left(kafka: Cluster) -> None:
    """Lines over three partitions, some that are none; a second reading has only what came since, also in a new partition."""

    async def scenario() -> None:
        topic = f"rasa-{uuid.uuid4().hex[:8]}"
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
        await producer.start()
        try:
            await admin.create_topics([NewTopic(topic, 3, 1)])
            lines = fixture("rasa", "sessions.jsonl").splitlines()
            for number, line in enumerate(lines):
                await producer.send_and_wait(topic, line, partition=number % 3)
            await producer.send_and_wait(topic, b"no json", partition=0)
            await producer.send_and_wait(topic, b"[]", partition=1)

            found, cursor = await asked(kafka.bootstrap, topic, {})
            # Two sessions begin, one is solved, one handed over by an action and a pause, of which the second is reported twice.
            assert sorted(each.rpartition("-")[2] for each in found if ":" in each) == [
                "ended",
                "handed_over",
                "handed_over",
                "handed_over",
                "started",
                "started",
            ]
            assert len({each for each in found if ":" in each}) == 5
            assert [each for each in found if ":" not in each] == ["missing_field"] * 2
            assert sum(cursor["offsets"].values()) == len(lines) + 2

            assert await asked(kafka.bootstrap, topic, cursor) == ([], cursor)
            await admin.create_partitions({topic: NewPartitions(4)})
            await producer.send_and_wait(topic, lines[1].replace(b"1775549600.2", b"1775550000.5"), partition=2)
            for _ in range(50):
                if len(await producer.partitions_for(topic)) == 4:
                    break
                await asyncio.sleep(0.1)
                await producer.client.force_metadata_update()
            await producer.send_and_wait(topic, lines[1].replace(b"1775549600.2", b"1775550001.5"), partition=3)
            found, cursor = await asked(kafka.bootstrap, topic, cursor)
            assert [each.rpartition("-")[2] for each in found] == ["started", "started"]
            # An offset beyond the end is of a topic that was recreated: all of it is read.
            found, _ = await asked(kafka.bootstrap, topic, {"offsets": {str(number): 10**6 for number in range(4)}})
            assert len(found) == 10
        finally:
            await producer.stop()
            await admin.close()

    asyncio.run(scenario())


def test_a_topic_that_is_not_there(kafka: Cluster) -> None:
    """And brokers that are not: each is a reason to wait."""

    async def scenario() -> None:
        with pytest.raises(PollError, match="has no topic"):
            await asked(kafka.bootstrap, f"none-{uuid.uuid4().hex[:8]}", {})
        with pytest.raises(PollError, match="cannot be read"):
            await asked("127.0.0.1:1", "rasa_events", {})

    asyncio.run(scenario())
