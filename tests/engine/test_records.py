"""Records come to the stages as aiokafka's compiled reader makes them."""

from __future__ import annotations

import asyncio
import gc
import random
import struct
import uuid
import weakref
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from streams.engine.records import return_raw_records
from streams.engine.topics import TopicSpec, ensure_topics
from streams.unpacking import batches

if TYPE_CHECKING:
    from tests.support.kafka import Cluster


@pytest.mark.parametrize("before", [True, False], ids=["before the first fetch", "after it"])
def test_records_are_left_as_they_are(kafka: Cluster, *, before: bool) -> None:
    """Committed records come with all that stages read, aborted ones and transaction markers do not, and positions advance."""

    async def run() -> None:
        name = f"records-{uuid.uuid4().hex[:8]}"
        place = TopicPartition(name, 0)
        await ensure_topics(kafka.bootstrap, [TopicSpec(name, 1)])
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=name)
        await producer.start()
        for value in (b"one", b"aborted", b"two"):
            await producer.begin_transaction()
            await producer.send_and_wait(name, value, b"key", headers=[("h", b"\xff")], timestamp_ms=7)
            await (producer.abort_transaction() if value == b"aborted" else producer.commit_transaction())
        await producer.stop()
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign([place])
        if not before:
            while place not in consumer._fetcher._records:  # noqa: ASYNC110 - aiokafka has no event for it
                await asyncio.sleep(0.01)
        return_raw_records(consumer)
        found = []
        while await consumer.position(place) < 6:
            found += (await consumer.getmany(place, timeout_ms=100)).get(place, [])
        await consumer.stop()
        assert not any(isinstance(record, ConsumerRecord) for record in found)
        assert [(each.offset, each.key, each.value, list(each.headers), each.timestamp, each.timestamp_type) for each in found] == [
            (0, b"key", b"one", [("h", b"\xff")], 7, 0),
            (4, b"key", b"two", [("h", b"\xff")], 7, 0),
        ]

    asyncio.run(run())


_PLACE = TopicPartition("records", 0)
_ATTRIBUTES, _CRC, _CONTROL = 21, 17, 0x20


def _batch(base: int, offsets: list[int], last: int, *, producer: int = -1, control_key: bytes | None = None) -> bytes:
    """Return a batch as a broker stores it: with gaps where it was compacted, of a transaction if it has a producer."""
    builder = DefaultRecordBatchBuilder(2, 0, producer >= 0, producer, 0 if producer >= 0 else -1, 0, 1 << 20)
    for offset in offsets:
        key = b"%d" % offset if control_key is None else control_key
        builder.append(offset - base, 7, key, b"value %d" % offset, [])
    made = bytearray(builder.build())
    struct.pack_into(">q", made, 0, base)
    struct.pack_into(">i", made, 23, last - base)
    if control_key is not None:
        made[_ATTRIBUTES + 1] |= _CONTROL
    struct.pack_into(">I", made, _CRC, calc_crc32c(bytes(made[_ATTRIBUTES:])))
    return bytes(made)


def _stored(dice: random.Random) -> tuple[bytes, list[tuple[int, int]], int]:
    """Return what a broker answers: batches of transactions, ended either way, and of none; the aborted ones; where it ends."""
    stored, aborted, base, begun = b"", list[tuple[int, int]](), 0, dict[int, int]()
    for _ in range(dice.randint(1, 14)):
        producer = dice.choice([-1, 1, 2])
        if producer in begun and dice.random() < 0.5:
            fails = dice.random() < 0.5
            if fails:
                aborted.append((producer, begun[producer]))
            del begun[producer]
            stored += _batch(base, [base], base, producer=producer, control_key=b"\0\0\0\0" if fails else b"\0\0\0\1")
            base += 1
            continue
        if producer >= 0:
            begun.setdefault(producer, base)
        length = dice.randint(1, 9)
        kept = sorted(dice.sample(range(base, base + length), dice.randint(1, length)))
        stored += _batch(base, kept, base + length - 1, producer=producer)
        base += length
    return stored, aborted, base


def _fetched(stored: bytes, aborted: list[tuple[int, int]], begin: int, level: int, kind: Any = PartitionRecords) -> tuple[Any, Any]:
    """Return what aiokafka keeps of a fetch, and the position of its partition."""
    records = kind(_PLACE, MemoryRecords(stored), aborted, begin, None, None, True, level)  # noqa: FBT003
    state = SubscriptionState()
    state.assign_from_user([_PLACE])
    assignment = state.subscription.assignment
    state.seek(_PLACE, begin)
    return FetchResult(_PLACE, assignment=assignment, partition_records=records, backoff=0), assignment.state_value(_PLACE)


def _left_as_they_are(result: Any) -> Any:
    consumer = SimpleNamespace(_fetcher=SimpleNamespace(_records={_PLACE: result}))
    return_raw_records(cast("AIOKafkaConsumer", consumer))
    return consumer._fetcher._records[_PLACE]


@pytest.mark.parametrize("kind", [PartitionRecords, batches._PartitionRecords], ids=["aiokafka's", "within bounds"])
@pytest.mark.parametrize(("records", "waits"), [(1, True), (5_000, False)], ids=["little", "much"])
def test_few_records_may_wait(kind: Any, records: int, *, waits: bool) -> None:
    """Nothing is fetched of other partitions meanwhile, which would be once a record in a quiet time; what is much keeps its time."""

    async def run() -> None:
        stored = _batch(0, list(range(records)), records - 1)
        result = _left_as_they_are(_fetched(stored, [], 0, READ_COMMITTED, kind)[0])
        assert (result.calculate_backoff() > 0.5) is waits

    asyncio.run(run())


@pytest.mark.parametrize("seed", range(40))
def test_batches_are_read_as_aiokafka_reads_records(seed: int) -> None:
    """Whatever is aborted, compacted away, asked for from the middle of a batch or taken in parts: offsets and positions are aiokafka's."""

    async def run() -> None:
        dice = random.Random(seed)
        stored, aborted, end = _stored(dice)
        begin, level = dice.randint(0, end - 1), dice.choice([READ_COMMITTED, READ_UNCOMMITTED])
        theirs, their_state = _fetched(stored, aborted, begin, level)
        ours, our_state = _fetched(stored, aborted, begin, level)
        ours = _left_as_they_are(ours)
        while theirs.has_more():
            most = dice.choice([None, 1, 2, 5, 100])
            expected, found = theirs.getall(most), ours.getall(most)
            assert [each.offset for each in found] == [each.offset for each in expected]
            assert [(each.key, each.value) for each in found] == [(each.key, each.value) for each in expected]
            assert our_state.position == their_state.position
        assert not ours.has_more()
        assert our_state.position == end

    asyncio.run(run())


def test_records_before_a_later_seek_are_not_read() -> None:
    """A fetch of before a seek gives nothing, as with aiokafka."""

    async def run() -> None:
        result, state = _fetched(_batch(0, [0, 1, 2], 2), [], 0, READ_COMMITTED)
        result = _left_as_they_are(result)
        assert [each.offset for each in result.getall(2)] == [0, 1]
        state.seek(1)
        assert result.getall(2) == []
        assert not result.has_more()

    asyncio.run(run())


def test_a_batch_that_was_damaged_is_refused() -> None:
    """Nothing of it is taken, and the position stays before it."""

    async def run() -> None:
        whole, damaged = _batch(0, [0, 1], 1), bytearray(_batch(2, [2, 3], 3))
        damaged[-2] ^= 1
        result, state = _fetched(whole + bytes(damaged), [], 0, READ_COMMITTED)
        result = _left_as_they_are(result)
        with pytest.raises(CorruptRecordException, match="Invalid CRC"):
            result.getall(10)
        assert state.position == 0

    asyncio.run(run())


def test_a_fetch_is_freed_once_it_is_read() -> None:
    """Without a look for cycles: fetches are megabytes."""

    async def run() -> None:
        result, _ = _fetched(_batch(0, [0, 1], 1), [], 0, READ_COMMITTED)
        result = _left_as_they_are(result)
        gone = [weakref.ref(result), weakref.ref(result._partition_records)]
        gc.disable()
        try:
            assert len(result.getall()) == 2
            assert not result.has_more()
            del result
            assert [each() for each in gone] == [None, None]
        finally:
            gc.enable()

    asyncio.run(run())
