"""Batches unpack within bounds whatever they hold, and what lies beside a batch that cannot be read is read."""

from __future__ import annotations

import asyncio
import struct
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.record.memory_records import MemoryRecords

from schemas.topics import TOPICS
from streams.engine.records import Unreadable, return_raw_records
from streams.unpacking import MAX_UNPACKED_BYTES, RECORDS_AT_ONCE, UnreadableBatchError, bound_batches
from tests.support.packed import CODECS, batch, legacy_batch, packed, record, zeros

if TYPE_CHECKING:
    from collections.abc import Callable

PLACE = TopicPartition("events", 3)
MIB = 1024 * 1024

bound_batches()


class Fetch:
    """A fetch of one partition from offset 0 on, as the worker takes it or as any other consumer does."""

    def __init__(self, stored: bytes, *, worker: bool) -> None:
        records = fetcher.PartitionRecords(PLACE, MemoryRecords(stored), [], 0, None, None, True, READ_COMMITTED)  # noqa: FBT003
        state = SubscriptionState()
        state.assign_from_user([PLACE])
        assignment = state.subscription.assignment
        state.seek(PLACE, 0)
        self.result: Any = FetchResult(PLACE, assignment=assignment, partition_records=records, backoff=0)
        self._state = assignment.state_value(PLACE)
        if worker:
            consumer = SimpleNamespace(_fetcher=SimpleNamespace(_records={PLACE: self.result}))
            return_raw_records(cast("Any", consumer))

    @property
    def position(self) -> int:
        """Where it continues."""
        return int(self._state.position)

    def take(self, most: int | None = None) -> list[tuple[int, bytes | None]]:
        """Return offset and value of the next records."""
        return [(each.offset, each.value) for each in self.result.getall(most)]

    def refused(self) -> UnreadableBatchError:
        """Return the next error."""
        with pytest.raises(UnreadableBatchError) as raised:
            self.result.getall()
        return raised.value


def alone(check: Callable[[], None]) -> None:
    """Run in an event loop, which aiokafka's state asks for."""

    async def run() -> None:
        check()

    asyncio.run(run())


both = pytest.mark.parametrize("worker", [True, False], ids=["worker", "reader"])
every_codec = pytest.mark.parametrize("codec", CODECS)


def bomb(codec: str, base: int, mebibytes: int = 100) -> bytes:
    """Return a batch of one record that is too large."""
    return batch(codec, packed(codec, zeros(mebibytes)), base=base)


@both
@every_codec
def test_what_is_within_bounds_is_read(codec: str, *, worker: bool) -> None:
    """Several records, one of them as large as nearly the bound; with each codec, in the newest format and in the one before."""

    def check() -> None:
        large = bytes(range(256)) * ((MAX_UNPACKED_BYTES - 1000) // 256)
        stored = batch(codec, packed(codec, [record(0, b"a"), record(1, None)]), count=2)
        stored += batch(codec, packed(codec, [record(0, large)]), base=2)
        fetch = Fetch(stored, worker=worker)
        assert fetch.take() == [(0, b"a"), (1, None), (2, large)]
        assert fetch.position == 3

    alone(check)


@every_codec
def test_a_reader_gets_what_lies_beside_a_batch_that_is_too_large(codec: str) -> None:
    """First the records of before; then an error with the batch's offsets, and it continues after it."""

    def check() -> None:
        stored = batch(None, record(0, b"before")) + bomb(codec, 1) + batch(codec, packed(codec, [record(0, b"after")]), base=2)
        fetch = Fetch(stored, worker=False)
        assert fetch.take() == [(0, b"before")]
        assert fetch.position == 1
        error = Fetch(bomb(codec, 0), worker=False).refused()
        assert (error.partition, error.offset, error.next_offset) == (PLACE, 0, 1)
        for word in ("events partition 3", "offsets 0 to 0", f"more than {MAX_UNPACKED_BYTES} bytes", "batch.size"):
            assert word in str(error)

    alone(check)


@every_codec
def test_a_worker_gets_a_record_in_its_place(codec: str) -> None:
    """It is the last of its take, at the batch's last offset, with its time and no content; what comes after it is the next take."""

    def check() -> None:
        stored = batch(None, record(0, b"before")) + bomb(codec, 1) + batch(codec, packed(codec, [record(0, b"after")]), base=2)
        fetch = Fetch(stored, worker=True)
        before, instead = fetch.result.getall(100)
        assert (before.offset, before.value) == (0, b"before")
        assert isinstance(instead, Unreadable)
        assert (instead.offset, instead.timestamp, instead.key, instead.value, instead.headers) == (1, 7, None, None, ())
        assert (instead.error.partition, instead.error.offset, instead.error.next_offset) == (PLACE, 1, 2)
        assert fetch.position == 2
        assert fetch.take() == [(2, b"after")]

    alone(check)


#: A record whose header has a name that is no UTF-8: Kafka takes it.
_NO_TEXT = b"\0\0\x02\1\1\2\4\xff\xfe\1"

DAMAGED = {
    "a name of a header that is no text": batch(None, record(0, b"whole") + bytes([2 * len(_NO_TEXT)]) + _NO_TEXT, count=2),
    "gzip, and what is none": batch("gzip", packed("gzip", [record(0, b"whole")]) + b"garbage"),
    "lz4, and a frame that holds no record": batch("lz4", packed("lz4", [record(0, b"whole")]) + packed("lz4", [b"more"])),
    "lz4, and what is none": batch("lz4", packed("lz4", [record(0, b"whole")]) + b"garbage"),
    "snappy with a block of less than nothing": batch("snappy", b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, -4)),
    "snappy with a block that is cut": batch("snappy", b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, 9)),
    "snappy that says it is 4 GiB": batch("snappy", b"\xff\xff\xff\xff\x0f"),
    "zstd, cut": batch("zstd", packed("zstd", [record(0, b"whole")])[:-3]),
    "an old format, packed twice": legacy_batch("gzip", packed("gzip", [legacy_batch("gzip", packed("gzip", [b"x"]), magic=1)]), magic=1),
    "an old format, too large": legacy_batch("gzip", packed("gzip", zeros(100)), magic=1),
    "the oldest format, too large": legacy_batch("snappy", packed("snappy", zeros(20)), magic=0),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damage_is_kept_to_its_batch(damage: str) -> None:
    """Complete records before it count, one replaces the others, and the next batch is read: Kafka takes some of these."""

    def check() -> None:
        stored = DAMAGED[damage]
        (length,) = struct.unpack_from(">i", stored, 8)
        assert len(stored) == 12 + length
        last = 1 if "header" in damage else 0
        magic = stored[16]
        after = batch(None, record(0, b"after"), base=last + 1)
        if magic < 2:
            after = legacy_batch(None, b"after", magic=magic, offset=last + 1)

        fetch = Fetch(stored + after, worker=True)
        *whole, instead = fetch.result.getall(100)
        assert isinstance(instead, Unreadable)
        assert instead.offset == last
        assert [each.value for each in whole] in ([], [b"whole"])
        assert fetch.take() == [(last + 1, b"after")]
        assert "whole" not in str(instead.error)

        reader = Fetch(stored + after, worker=False)
        if whole:
            assert reader.take() == [(0, b"whole")]
            assert reader.position == 1
        else:
            assert reader.refused().next_offset == last + 1

    alone(check)


@both
def test_a_million_records_without_content_are_taken_in_parts(*, worker: bool) -> None:
    """As objects they would be twenty times as large as unpacked; the positions between are right."""

    def check() -> None:
        count = 500_000
        fetch = Fetch(batch("zstd", packed("zstd", (record(at, None) for at in range(count))), count=count), worker=worker)
        for _ in range(5):
            begin, found = fetch.position, fetch.take()
            assert [each for each, _ in found] == list(range(begin, begin + len(found)))
            assert 0 < len(found) <= RECORDS_AT_ONCE
            assert fetch.position == begin + len(found)
        assert fetch.position > 3 * RECORDS_AT_ONCE

    alone(check)


@both
def test_many_batches_are_not_unpacked_at_once(*, worker: bool) -> None:
    """Each within its bound: thousands of them fit into one fetch."""

    def check() -> None:
        value = bytes(MIB)
        fetch = Fetch(b"".join(batch("zstd", packed("zstd", [record(0, value)]), base=base) for base in range(50)), worker=worker)
        for base in range(50):
            assert fetch.take(4000) == [(base, value)]
            assert fetch.position == base + 1

    alone(check)


def test_the_bound_is_what_the_largest_topic_takes() -> None:
    """So a sender gains no room by packing, and no batch that one of our topics takes unpacked is refused when packed."""
    assert max(int(each.settings.get("max.message.bytes", 0)) for each in TOPICS) == MAX_UNPACKED_BYTES


_PEAK = """
import resource, sys
from aiokafka.record.memory_records import MemoryRecords
from streams.unpacking import bound_batches
from tests.support.packed import batch, packed, zeros
bound_batches()
stored = batch(sys.argv[1], packed(sys.argv[1], zeros(int(sys.argv[2]))))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    for record in MemoryRecords(stored).next_batch():
        raise SystemExit("it was read")
except Exception as error:
    print(type(error).__name__)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.parametrize(("codec", "mebibytes"), [("gzip", 1000), ("snappy", 100), ("lz4", 1000), ("zstd", 1000)])
def test_refusing_takes_little_memory(codec: str, mebibytes: int) -> None:
    """In a process of its own: no more than twice the bound, of up to 1,000 MiB."""
    output = subprocess.run([sys.executable, "-c", _PEAK, codec, str(mebibytes)], capture_output=True, text=True, check=True, timeout=120)
    name, grown = output.stdout.split()
    assert name == "TooLargeError"
    assert float(grown) < 2.5 * MAX_UNPACKED_BYTES / MIB
