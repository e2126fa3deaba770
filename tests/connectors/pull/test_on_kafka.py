"""The ledger on Apache Kafka: one transaction a page, restored to its end, and one process a source."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from schemas.connector_state import CursorRecord
from schemas.other import OrderPlaced
from schemas.topics import topic
from streams.connectors.publishing import heartbeat
from streams.connectors.pull.entries import STATE_TOPIC, Entry, FencedError
from streams.connectors.pull.ledger import KafkaLedger, partition_of
from streams.worker import create_topics
from tests.support.topics import read

if TYPE_CHECKING:
    from tests.support.kafka import Cluster

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def ledger_of(kafka: Cluster, prefix: str, source: str = "desk") -> KafkaLedger:
    """Return a ledger of a source."""
    return KafkaLedger(kafka.bootstrap, source, now=lambda: NOW, prefix=prefix, prepare=lambda: create_topics(kafka.bootstrap, prefix))


def cursor(source: str, pages: int) -> CursorRecord:
    """Return the cursor after a number of pages."""
    return CursorRecord(source=source, cursor={"after": pages}, complete_through_ms=1_772_442_000_000, pages=pages)


def test_ledger_is_one_transaction_and_one_process(kafka: Cluster) -> None:
    """A second process of a source continues where the first was and fences it for good; one that died half way leaves nothing."""

    async def scenario() -> None:
        prefix = f"t{uuid.uuid4().hex[:8]}"
        first = ledger_of(kafka, prefix)
        restored = await first.open(30)
        assert (restored.cursor, len(restored.states)) == (None, 0)
        restored.states.begin(1_772_442_000_000)
        restored.states["t1"] = {"status": "open"}
        restored.states["t2"] = {"status": "open"}
        await first.write(Entry(changes=list(restored.states.changes()), cursor=cursor("desk", 1), events=[heartbeat("desk", NOW, NOW)]))
        restored.states.commit()
        del restored.states["t2"]
        await first.write(Entry(changes=list(restored.states.changes()), cursor=cursor("desk", 2)))

        # Half a transaction of one that dies: sent, and never committed.
        dying = ledger_of(kafka, prefix)
        await dying.open(30)
        await dying._producer.begin_transaction()
        await dying._producer.send_and_wait(dying._state, b"{}", key=b"cursor|desk", partition=partition_of("desk"))

        second = ledger_of(kafka, prefix)
        found = await second.open(30)
        assert found.cursor == cursor("desk", 2)
        assert dict(found.states) == {"t1": {"status": "open"}}

        for _ in range(2):
            with pytest.raises(FencedError, match="another process"):
                await first.write(Entry(cursor=cursor("desk", 99)))
        with pytest.raises(FencedError):
            await first.open(30)
        await second.write(Entry(cursor=cursor("desk", 3)))
        for ledger in (first, dying, second):
            await ledger.close()

        rows = await read(kafka.bootstrap, topic(STATE_TOPIC).full_name(prefix))
        assert {row.partition for row in rows} == {partition_of("desk")}
        assert [row.key for row in rows] == [
            b"seen|desk|t1",
            b"seen|desk|t2",
            b"cursor|desk",
            b"seen|desk|t2",
            b"cursor|desk",
            b"cursor|desk",
        ]
        # A sign of life reaches every partition, once each.
        for name in ("contact-events.v1", "agent-events.v1", "customer-events.v1"):
            beats = await read(kafka.bootstrap, topic(name).full_name(prefix))
            assert sorted(beat.partition for beat in beats) == list(range(topic(name).partitions))

    asyncio.run(scenario())


def test_open_transaction_of_another_source_hides_nothing(kafka: Cluster) -> None:
    """Two sources of one partition: while one of them hangs in a transaction, the other still finds its own last place."""

    async def scenario() -> None:
        prefix = f"t{uuid.uuid4().hex[:8]}"
        other = next(name for name in (f"desk{number}" for number in range(100)) if partition_of(name) == partition_of("desk"))
        hanging, own = ledger_of(kafka, prefix, other), ledger_of(kafka, prefix)
        await hanging.open(30)
        await own.open(30)
        await hanging._producer.begin_transaction()
        await hanging._producer.send_and_wait(hanging._state, b"{}", key=b"x", partition=partition_of(other))
        await own.write(Entry(cursor=cursor("desk", 7)))
        found = await own.open(30)
        assert found.cursor == cursor("desk", 7)
        await own.close()
        await hanging.close()

    asyncio.run(scenario())


@pytest.mark.nightly
def test_an_answer_of_a_hundred_thousand_records_is_processed(kafka: Cluster) -> None:
    """As a file of orders is one. Kafka gives up a transaction after 10 s, and this one would be begun for ever."""

    async def scenario() -> None:
        prefix = f"t{uuid.uuid4().hex[:8]}"
        ledger = ledger_of(kafka, prefix)
        restored = await ledger.open(30)
        restored.states.begin(1_772_442_000_000)
        for number in range(100_000):
            restored.states[f"o{number}"] = {"status": "placed"}
        order = OrderPlaced(
            event_id="o", order_id="o", customer_key="c", value=1.0, currency="JPY", occurred_at=NOW, received_at=NOW, source="desk"
        )
        events = [order.model_copy(update={"event_id": f"o{number}", "customer_key": f"c{number}"}) for number in range(100_000)]
        for part in Entry(events=events, changes=list(restored.states.changes()), cursor=cursor("desk", 1)).parts():
            await ledger.write(part)
        found = await ledger.open(30)
        assert (found.cursor, len(found.states)) == (cursor("desk", 1), 100_000)
        await ledger.close()

    asyncio.run(scenario())
