"""What an owner does with chunks, batches and crash points, without a broker."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, ProducerFenced
from aiokafka.record.memory_records import MemoryRecords

from streams.engine import owner, ownership
from streams.engine.app import build_app
from streams.engine.exits import CRASH_VARIABLE, CrashPoint, ExitCode
from streams.engine.flush import Share, TransactionWriter
from streams.engine.health import Health, PartitionHealth
from streams.engine.owner import Owner
from streams.engine.ownership import Ownership
from streams.engine.records import Unreadable
from streams.engine.settings import EngineSettings, Flow
from streams.engine.stage import Flush, Output
from streams.engine.table import _RecoveryAfterOwnership
from streams.engine.transport import Chunk, _ConsumerThread
from streams.unpacking import UnreadableBatchError
from tests.support.counting import CountingStage, counting_flow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.engine.stage import Record

SETTINGS = EngineSettings(app_id="test", bootstrap="127.0.0.1:1")
FLOW = counting_flow("source", "changelog", "panes", 1)


EPOCH = 3
PLACE = TopicPartition("source", 0)
SECOND = replace(counting_flow("panes", "second", "windows", 1), flushes_second=True)


class LeftError(Exception):
    """Raised in place of the end of the process."""


def records(offsets: Iterable[int]) -> list[Any]:
    """Return source records of one key."""
    return [
        SimpleNamespace(topic="source", partition=0, offset=offset, timestamp=0, timestamp_type=1, key=b"a", value=b"x", headers=())
        for offset in offsets
    ]


def owner_at(offset: int) -> Owner:
    """Return an owner that waits for ``offset``."""
    one = Owner(SETTINGS, FLOW, 0, Health())
    one.next_offset = offset
    one.epoch = EPOCH
    return one


def test_offsets_already_processed_are_skipped() -> None:
    """A chunk of an earlier assignment counts only what is new of it."""
    one = owner_at(12)

    assert one.process(Chunk("source", 0, EPOCH, 10, records(range(10, 15)))) == 3
    assert one.process(Chunk("source", 0, EPOCH, 10, records(range(10, 15)))) == 0
    assert one.next_offset == 15
    assert isinstance(one.stage, CountingStage)
    assert one.stage.rows == {b"a": 3}


def test_gaps_between_offsets_are_no_loss() -> None:
    """Compaction and control records take offsets, within a chunk and before it."""
    one = owner_at(10)

    assert one.process(Chunk("source", 0, EPOCH, 10, records([14, 17]))) == 2
    assert one.next_offset == 18


class FollowingStage(CountingStage):
    """Records what ``is_catching_up`` was at each flush."""

    def __init__(self) -> None:
        super().__init__(0, "panes", 1)
        self.is_catching_up = False
        self.seen: list[bool] = []

    def collect(self) -> Flush:
        """Return what changed."""
        self.seen.append(self.is_catching_up)
        return super().collect()


@pytest.mark.parametrize("only_markers_are_left", [False, True])
def test_a_stage_knows_whether_it_catches_up(only_markers_are_left: bool) -> None:
    """From the first flush until what was there at the start is read, and one flush that reports it though nothing else changed.

    Where only transaction markers are left, the watch finds that out: they are never read.
    """
    one = owner_at(10)
    one.stage = stage = FollowingStage()
    health = one._health.partitions[PLACE] = PartitionHealth(10, 0, 0.0, target_offset=16)

    one.collect()
    one.process(Chunk("source", 0, EPOCH, 10, records(range(10, 15))))
    one.collect()
    one.collect()
    assert stage.seen == [True, True]
    if only_markers_are_left:
        health.caught_up = True
    else:
        one.process(Chunk("source", 0, EPOCH, 15, records([15])))
    one.collect()
    assert stage.seen == [True, True, False]
    one.process(Chunk("source", 0, EPOCH, one.next_offset, records([16])))
    one.collect()
    assert stage.seen == [True, True, False, False]


def unreadable(offset: int, next_offset: int) -> Any:
    """Return a fake batch of these offsets."""
    return Unreadable(UnreadableBatchError(PLACE, SimpleNamespace(base_offset=offset, next_offset=next_offset), ValueError("a secret")))


class RefusingStage(CountingStage):
    """Remembers what is refused."""

    def __init__(self, partition: int, panes: str, pane_partitions: int) -> None:
        super().__init__(partition, panes, pane_partitions)
        self.refused: list[tuple[int, str]] = []

    def refuse(self, record: Record, detail: str) -> None:
        """Remember it."""
        self.refused.append((record.offset, detail))


def test_an_unreadable_batch_is_refused_at_its_offset(caplog: pytest.LogCaptureFixture) -> None:
    """Records before it are processed, its offsets are skipped, and the log names its offset; so it is without any record before it."""
    one = owner_at(10)
    one.stage = stage = RefusingStage(0, "panes", 1)

    assert one.process(Chunk("source", 0, EPOCH, 10, [*records([10, 11]), unreadable(12, 20)])) == 2
    assert (one.next_offset, stage.rows) == (20, {b"a": 2})
    assert one.process(Chunk("source", 0, EPOCH, 20, [unreadable(20, 21)])) == 0
    assert one.next_offset == 21
    assert [offset for offset, _ in stage.refused] == [19, 20]
    assert "source partition 0: offsets 12 to 19 cannot be read" in stage.refused[0][1]
    assert caplog.text.count("A BATCH THAT CANNOT BE READ: source partition 0: offsets") == 2
    assert "a secret" not in caplog.text
    # Delivered once more it is passed over.
    assert one.process(Chunk("source", 0, EPOCH, 10, [*records([10, 11]), unreadable(12, 20)])) == 0
    assert len(stage.refused) == 2


def test_a_stage_that_refuses_no_batch_raises() -> None:
    """What the product writes itself is not passed over."""
    one = owner_at(10)
    with pytest.raises(UnreadableBatchError, match="offsets 12 to 19 cannot be read"):
        one.process(Chunk("source", 0, EPOCH, 10, [*records([10, 11]), unreadable(12, 20)]))


def test_state_is_not_restored_without_a_batch() -> None:
    """A row in it would be missing."""

    class Consumer:
        async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
            return dict.fromkeys(places, 30)

        async def seek_to_beginning(self, *_: TopicPartition) -> None:
            pass

        async def position(self, _: TopicPartition) -> int:
            return 0

        async def getmany(self, *_: TopicPartition, **__: int) -> dict[TopicPartition, list[Any]]:
            return {PLACE: [*records([10, 11]), unreadable(12, 20)]}

    with pytest.raises(UnreadableBatchError, match="offsets 12 to 19 cannot be read"):
        asyncio.run(owner.read_from_start(cast("Any", Consumer()), PLACE))


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> list[ExitCode]:
    """The error that would end the process: the tests continue."""
    codes: list[ExitCode] = []

    def leave(code: ExitCode, *_: object, **__: object) -> None:
        codes.append(code)
        raise LeftError

    for module in (owner, ownership):
        monkeypatch.setattr(module, "leave", leave)
    return codes


def test_a_chunk_lost_on_the_way_ends_the_process(codes: list[ExitCode]) -> None:
    """When Faust drops a chunk and does not seek back, the next one shows it."""
    one = owner_at(10)
    assert one.process(Chunk("source", 0, EPOCH, 10, records([10, 11]))) == 2

    with pytest.raises(LeftError):
        one.process(Chunk("source", 0, EPOCH, 14, records([14])))
    assert codes == [ExitCode.CHUNK_LOST]


@pytest.mark.usefixtures("codes")
def test_a_chunk_read_before_the_last_seek_is_ignored() -> None:
    """Faust may deliver one that was on its way during a rebalance: processing it would skip what comes before it."""
    one = owner_at(10)

    assert one.process(Chunk("source", 0, EPOCH - 1, 500, records([500, 501]))) == 0
    assert one.process(Chunk("source", 0, EPOCH, 10, records([10]))) == 1
    assert one.next_offset == 11


@pytest.mark.parametrize(("generation", "expected"), [(7, ["restored", "resumed", "sought"]), (6, ["restored", "resumed"])])
def test_partitions_are_sought_once_more_when_faust_has_resumed(generation: int, expected: list[str]) -> None:
    """Faust clears its queues after its own seek; chunks in them were lost, about once in ten rebalances under load."""
    steps = []

    def step(name: str) -> Any:
        async def take(*_: object) -> None:
            steps.append(name)

        return take

    async def run() -> None:
        recovery = object.__new__(_RecoveryAfterOwnership)
        recovery.app = SimpleNamespace(
            ownership=SimpleNamespace(restored=step("restored")),
            consumer=SimpleNamespace(perform_seek=step("sought")),
            consumer_generation_id=7,
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_RecoveryAfterOwnership.__bases__[0], "on_recovery_completed", step("resumed"))
            await recovery.on_recovery_completed(generation)

    asyncio.run(run())

    assert steps == expected


def test_a_chunk_names_the_offset_before_it() -> None:
    """Begins are taken where reading and seeking take turns, so a fetch that is lost between threads leaves a gap."""

    async def run() -> None:
        fetched = [{PLACE: records(offsets)} for offsets in ([12, 13], [14], [10], [2])]
        thread = object.__new__(_ConsumerThread)
        thread._read, thread._next_take = {}, 0.0
        thread.consumer = SimpleNamespace(app=SimpleNamespace(ownership=SimpleNamespace(quiet_until=0.0, is_waiting=False)))
        consumer = SimpleNamespace(seek=lambda *_: None, _fetcher=SimpleNamespace(_records={}))
        thread._ensure_consumer = lambda: consumer

        async def fetch(*_: object, **__: object) -> Any:
            return fetched.pop(0)

        async def assigned(*_: object) -> None:
            pass

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_ConsumerThread.__bases__[0], "_fetch_records", fetch)
            patch.setattr(_ConsumerThread.__bases__[0], "on_partitions_assigned", assigned)
            await thread._seek_to(1, {PLACE: 10})
            first, second = await thread._fetch_records(), await thread._fetch_records()
            await thread._seek_to(3, {PLACE: 9})
            await thread._seek_to(2, {PLACE: 77})
            third = await thread._fetch_records()
            await thread.on_partitions_assigned({PLACE})
            assert await thread._fetch_records() == {}, "Read from where aiokafka begins by itself."

        assert [(chunk[PLACE].epoch, chunk[PLACE].begin) for chunk in (first, second, third)] == [(1, 10), (1, 14), (3, 9)]

    asyncio.run(run())


def test_sparse_records_are_processed_before_the_next_round() -> None:
    """A fetch waits until shortly before the round, and no longer than until that begins earlier than was thought."""

    async def run() -> None:
        thread, rounds = object.__new__(_ConsumerThread), SimpleNamespace(quiet_until=time.monotonic() + 0.3, is_waiting=False)
        thread._read, thread._next_take, thread.consumer = {}, 0.0, SimpleNamespace(app=SimpleNamespace(ownership=rounds))
        consumer = SimpleNamespace(_fetcher=SimpleNamespace(_records={}))
        thread._ensure_consumer = lambda: consumer
        thread.thread_loop = asyncio.get_running_loop()

        async def fetch(*_: object, **__: object) -> Any:
            return {}

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_ConsumerThread.__bases__[0], "_fetch_records", fetch)
            began = time.monotonic()
            await thread._fetch_records()
            assert time.monotonic() - began >= 0.3
            rounds.quiet_until = time.monotonic() + 60
            waiting = asyncio.ensure_future(thread._fetch_records())
            await asyncio.sleep(0.1)
            assert not waiting.done()
            rounds.quiet_until = 0.0
            await asyncio.to_thread(thread.take_at_once)
            await asyncio.wait_for(waiting, 5)

    asyncio.run(run())


def test_chunks_that_a_round_waits_for_are_processed_at_once() -> None:
    """The present pause ends, from another thread, and there is none until the records have arrived."""

    async def run() -> None:
        thread, rounds = object.__new__(_ConsumerThread), SimpleNamespace(quiet_until=time.monotonic() + 60, is_waiting=False)
        thread._read, thread._next_take, thread.consumer = {}, 0.0, SimpleNamespace(app=SimpleNamespace(ownership=rounds))
        thread._ensure_consumer = lambda: SimpleNamespace(_fetcher=SimpleNamespace(_records={}))
        thread.thread_loop = asyncio.get_running_loop()

        async def fetch(*_: object, **__: object) -> Any:
            return {}

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_ConsumerThread.__bases__[0], "_fetch_records", fetch)
            waiting = asyncio.ensure_future(thread._fetch_records())
            await asyncio.sleep(0.05)
            assert not waiting.done()
            rounds.is_waiting = True
            await asyncio.to_thread(thread.take_at_once)
            await asyncio.wait_for(waiting, 5)
            await asyncio.wait_for(thread._fetch_records(), 5)

    asyncio.run(run())


def test_rounds_that_are_expensive_to_collect_are_rarer(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take a twelfth of the processor at most, up to the longest interval; not where the configured interval is longer."""
    rounds: list[float] = []
    owned: Ownership

    async def work(_: object, *, second: bool) -> None:
        assert not second
        rounds.append(time.monotonic())
        owned._collecting_seconds += work_seconds

    async def run(interval: float) -> float:
        nonlocal owned
        rounds.clear()
        owned = Ownership(replace(SETTINGS, flush_interval_seconds=interval), [FLOW], Health(), lambda _: None, lambda _: None)
        flushing = asyncio.ensure_future(owned._flush_regularly())
        while len(rounds) < 3:
            owned._arrived_records = 1000
            await asyncio.sleep(0.005)
        await owned.stop()
        await flushing
        return min(later - sooner for sooner, later in itertools.pairwise(rounds))

    monkeypatch.setattr(Ownership, "_flush_unless_paused", work)
    work_seconds = 0.02
    assert asyncio.run(run(0.02)) >= 0.239
    work_seconds = 1.0
    assert 0.299 <= asyncio.run(run(0.02)) < 3
    work_seconds = 0.0
    assert asyncio.run(run(0.4)) >= 0.399


def test_a_round_that_was_quiet_makes_the_next_one_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read until shortly before it: with few records, until enough will have arrived; and not during a round."""
    seen: list[tuple[bool, float]] = []
    owned: Ownership

    async def check(_: object, *, second: bool) -> None:
        seen.append((second, owned.quiet_until))

    monkeypatch.setattr(Ownership, "_flush_unless_paused", check)

    async def run(come: int) -> float:
        nonlocal owned
        owned = Ownership(replace(SETTINGS, flush_interval_seconds=0.02), [FLOW], Health(), lambda _: None, lambda _: None)
        owned._arrived_records = come
        flushing, began = asyncio.ensure_future(owned._flush_regularly()), time.monotonic()
        await asyncio.sleep(0.1)
        quiet = owned.quiet_until - began
        await owned.stop()
        await flushing
        return quiet

    assert 0.65 < asyncio.run(run(3)) < 0.75
    # 32 in the 0.75 s before the first round are 16 in 0.375 s, and 60 ms before that they are taken.
    assert 0.3 < asyncio.run(run(32)) < 0.375
    assert asyncio.run(run(3000)) < 0
    assert {quiet for _, quiet in seen} == {0.0}


def test_a_round_that_begins_earlier_processes_fetched_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause was to last until shortly before the time at which it would have begun."""
    hurried: list[float] = []

    async def check(_: object, *, second: bool) -> None:
        pass

    monkeypatch.setattr(Ownership, "_flush_unless_paused", check)

    async def run() -> None:
        owned = Ownership(replace(SETTINGS, flush_interval_seconds=0.02), [FLOW], Health(), lambda _: None, lambda _: None)
        owned.on_hurry = lambda: hurried.append(owned.quiet_until)
        flushing = asyncio.ensure_future(owned._flush_regularly())
        await asyncio.sleep(0.1)
        assert owned.quiet_until > time.monotonic()
        assert hurried == []
        owned._enough_arrived.set()
        owned._any_arrived.set()
        await asyncio.sleep(0.05)
        assert hurried == [0.0]
        await owned.stop()
        await flushing

    asyncio.run(run())


@pytest.mark.parametrize("a_second", [10, 20])
def test_with_sparse_records_a_round_processes_a_few_times(monkeypatch: pytest.MonkeyPatch, a_second: int) -> None:
    """Not once a record: each take wakes two threads, and is answered by a fetch of all partitions."""
    takes: list[int] = []
    rounds: list[bool] = []

    async def count(_: object, *, second: bool) -> None:
        rounds.append(second)

    async def run() -> None:
        owned = Ownership(replace(SETTINGS, flush_interval_seconds=0.02), [FLOW], Health(), lambda _: None, lambda _: None)
        owned._owners[PLACE], owned._ready, owned._paused = owner_at(0), {PLACE}, False
        thread = object.__new__(_ConsumerThread)
        thread._read, thread._next_take = {PLACE: (EPOCH, 0)}, 0.0
        thread.consumer = SimpleNamespace(app=SimpleNamespace(ownership=owned))
        thread._ensure_consumer = lambda: SimpleNamespace(_fetcher=SimpleNamespace(_records={}))
        thread.thread_loop = asyncio.get_running_loop()
        owned.on_hurry = thread.take_at_once
        began = time.monotonic()

        async def fetch(*_: object, **__: object) -> Any:
            taken = sum(takes)
            await asyncio.sleep(max(0.0, began + (taken + 1) / a_second - time.monotonic()))
            takes.append(int((time.monotonic() - began) * a_second) - taken)
            return {PLACE: records(range(taken, sum(takes)))} if takes[-1] else {}

        monkeypatch.setattr(_ConsumerThread.__bases__[0], "_fetch_records", fetch)
        monkeypatch.setattr(Ownership, "_flush_unless_paused", count)
        flushing = asyncio.ensure_future(owned._flush_regularly())
        while time.monotonic() < began + 3.4:
            for chunk in (await thread._fetch_records()).values():
                owned.process(chunk)
        await owned.stop()
        await flushing

    asyncio.run(run())

    assert 4 <= len(rounds) <= 6
    assert len(takes) <= 3 * len(rounds)
    assert sum(takes) >= 3 * a_second


def written(batches: list[Any]) -> Iterator[Any]:
    """Yield the records of batches as a consumer reads them; their offsets count from 0 in each."""
    for _, batch in batches:
        found = list(MemoryRecords(bytes(batch._build())).next_batch())
        assert [record.offset for record in found] == list(range(batch.record_count()))
        yield from found


def test_large_flushes_are_split_into_batches_of_the_largest_size() -> None:
    """No batch is above the limit, every entry is in one, and headers go along."""

    async def run() -> None:
        producer = AIOKafkaProducer(bootstrap_servers="127.0.0.1:1", transactional_id="test", max_batch_size=4096)
        writer = TransactionWriter(producer, "test")
        source = TopicPartition("source", 0)
        outputs = [Output("panes", number % 2, b"%d" % number, b"y" * 100, (("kind", b"pane"),)) for number in range(99)]
        rows = [(b"%d" % number, b"x" * 100) for number in range(200)]
        transaction = writer.prepare([Share(source, 7, TopicPartition("changelog", 0), rows, outputs)])

        assert len(transaction.rows) > 4
        assert sum(batch.record_count() for _, batch in transaction.rows) == 200
        assert {place for place, _ in transaction.outputs} == {TopicPartition("panes", 0), TopicPartition("panes", 1)}
        assert sum(batch.record_count() for _, batch in transaction.outputs) == 99
        assert all(batch.size() <= 4096 for _, batch in transaction.rows + transaction.outputs)
        assert [(r.key, r.value) for r in written(transaction.rows)] == rows
        assert sorted((int(r.key), r.value, r.headers) for r in written(transaction.outputs)) == [
            (number, b"y" * 100, [("kind", b"pane")]) for number in range(99)
        ]
        await producer.stop()

    asyncio.run(run())


def test_a_row_without_a_changelog_is_refused() -> None:
    """State that nothing would restore is a mistake of the flow, not something to drop quietly."""

    async def run() -> None:
        producer = AIOKafkaProducer(bootstrap_servers="127.0.0.1:1", transactional_id="test")
        with pytest.raises(ValueError, match="no changelog"):
            TransactionWriter(producer, "test").prepare([Share(PLACE, 1, None, [(b"a", b"b")], [])])
        await producer.stop()

    asyncio.run(run())


def test_a_fence_between_two_batches_is_reported_as_a_fence() -> None:
    """The batch that a failed transaction no longer takes is refused with what had ended the transaction, not as a wrong call."""

    class Fenced:
        """A producer that is fenced after its first batch."""

        def __init__(self) -> None:
            self.sent = 0
            self._txn_manager = SimpleNamespace(wait_for_transaction_end=lambda: self.end)
            self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def create_batch(self) -> Any:
            return SimpleNamespace(_builder=SimpleNamespace(append=lambda *_: True), close=lambda: None)

        async def begin_transaction(self) -> None:
            pass

        async def send_batch(self, *_: object, **__: object) -> asyncio.Future[None]:
            self.sent += 1
            if self.sent > 1:
                self.end.set_exception(ProducerFenced())
                raise IllegalOperation("Can't send messages while not in transaction")
            return asyncio.get_running_loop().create_future()

    async def write() -> None:
        writer = TransactionWriter(Fenced(), "group")
        outputs = [Output(topic, 0, b"key", b"value") for topic in ("one", "two")]
        await writer.write(writer.prepare([Share(PLACE, 1, None, [], outputs)]))

    with pytest.raises(ProducerFenced):
        asyncio.run(write())


def test_a_record_larger_than_a_batch_has_one_of_its_own() -> None:
    """A dead letter of megabytes goes out alone; what comes after it fills batches as ever."""

    async def sizes() -> list[int]:
        producer = AIOKafkaProducer(bootstrap_servers="127.0.0.1:1", max_batch_size=SETTINGS.max_batch_bytes)
        writer = TransactionWriter(producer, "group")
        values = [b"small", b"q" * 5 * 1024 * 1024, b"small", b"small"]
        prepared = writer.prepare([Share(PLACE, 1, None, [], [Output("letters", 0, b"key", value) for value in values])])
        await producer.stop()
        return [batch.record_count() for _, batch in prepared.outputs]

    assert asyncio.run(sizes()) == [1, 1, 2]


def test_crash_points_are_inert_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable, or with another name in it, a point does nothing however often it is passed."""
    monkeypatch.delenv(CRASH_VARIABLE, raising=False)
    CrashPoint("after_rows").reach()
    monkeypatch.setenv(CRASH_VARIABLE, "after_rows:3")
    other = CrashPoint("after_outputs")
    for _ in range(5):
        other.reach()

    assert not other.armed
    assert CrashPoint("after_rows").armed


def test_two_flows_of_one_source_are_refused() -> None:
    """The offset of a source partition can belong to one transaction only."""
    second = Flow(name="other", source="source", stage_factory=FLOW.stage_factory)

    with pytest.raises(ValueError, match="same source"):
        build_app(SETTINGS, [FLOW, second])


def test_a_changelog_is_restored_first_and_once() -> None:
    """Naming the changelog among the restored topics changes nothing."""
    flow = Flow(name="x", source="in", changelog="log", restore=("in", "log", "out"), stage_factory=FLOW.stage_factory)

    assert flow.restored == ("log", "in", "out")


def owned_with(writer: Any) -> tuple[Ownership, Owner]:
    """Return what owns a partition, claimed, and writes through ``writer``."""
    owned = Ownership(SETTINGS, [FLOW], Health(), lambda _: None, lambda _: None)
    one = owner_at(0)
    owned._owners[PLACE], owned._claimed, owned._maybe_claimed, owned._writer = one, {PLACE}, {PLACE}, writer
    return owned, one


class SlowWriter:
    """A writer whose transactions take until they are released."""

    def __init__(self) -> None:
        """Hold everything back."""
        self.release = asyncio.Event()
        self.written: list[Any] = []
        self._writing = False

    def prepare(self, shares: list[Share]) -> Any:
        """Remember what is to be written."""
        return [(share.rows, share.next_offset) for share in shares]

    async def write(self, transaction: Any) -> dict[TopicPartition, int]:
        """Write when released; a producer has one transaction at a time."""
        assert not self._writing
        self._writing = True
        await self.release.wait()
        self.written.append(transaction)
        self._writing = False
        return {}


@pytest.mark.usefixtures("codes")
def test_a_canceled_flush_is_finished_and_never_repeated_without_its_rows() -> None:
    """SIGTERM or a rebalance may cancel who waits for a flush; the changes that the stage gave away still become durable."""

    async def run() -> None:
        writer = SlowWriter()
        owned, one = owned_with(writer)
        one.process(Chunk("source", 0, EPOCH, 0, records(range(3))))
        waiting = asyncio.ensure_future(owned._flush())
        await asyncio.sleep(0.01)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        one.process(Chunk("source", 0, EPOCH, 3, records([3])))
        last = asyncio.ensure_future(owned._flush())
        await asyncio.sleep(0.01)
        writer.release.set()
        await last

        assert writer.written == [[([(b"a", b"3")], 3)], [([(b"a", b"4")], 4)]]

    asyncio.run(run())


@pytest.mark.parametrize(("released_after", "expected"), [(0.05, []), (60.0, [ExitCode.FLUSH_FAILED])])
def test_a_flush_over_its_limit_is_measured_again(
    monkeypatch: pytest.MonkeyPatch, codes: list[ExitCode], released_after: float, expected: list[ExitCode]
) -> None:
    """A process that was paused finds its limit over and the answers unread; one whose flush is stuck ends."""
    monkeypatch.setattr(ownership, "_GRACE_SECONDS", -SETTINGS.transaction_timeout_seconds)
    monkeypatch.setattr(ownership, "_SECOND_CHECK_SECONDS", 0.3)

    async def run() -> None:
        writer = SlowWriter()
        owned, one = owned_with(writer)
        one.process(Chunk("source", 0, EPOCH, 0, records([0])))
        release = asyncio.get_running_loop().call_later(released_after, writer.release.set)
        with contextlib.suppress(LeftError):
            await owned._flush()
        release.cancel()

    asyncio.run(run())

    assert codes == expected


@pytest.mark.usefixtures("codes")
@pytest.mark.parametrize("answer", ["none", "refused", "too late"])
def test_a_partition_of_unknown_claim_is_released_but_not_flushed(answer: str) -> None:
    """Not when who waited for the answer was canceled, nor when the group had gone on, nor when it began to before the answer came."""
    released: list[dict[tuple[str, int], int]] = []

    class Writer(SlowWriter):
        async def wait_until_complete(self) -> None:
            """Nothing has been written."""

    class Claims:
        async def claim(self, *_: object) -> bool:
            if answer == "none":
                await asyncio.Event().wait()
            owned._rebalances += answer == "too late"
            return answer != "refused"

        async def release(self, _: object, offsets: dict[tuple[str, int], int]) -> bool:
            released.append(offsets)
            return True

    async def run() -> None:
        one.process(Chunk("source", 0, EPOCH, 0, records(range(3))))
        claims: Any = Claims()
        owned._claimed, owned._ready, owned._claims = set(), {PLACE}, claims
        claiming = asyncio.ensure_future(owned._claim(owned._rebalances))
        done, _ = await asyncio.wait({claiming}, timeout=0.05)
        assert [each.result() for each in done] == ([] if answer == "none" else [False])
        claiming.cancel()
        await asyncio.wait({claiming})
        writer.release.set()
        await owned._flush()
        await owned._release()

    writer = Writer()
    owned, one = owned_with(writer)
    one.committed_offset = 0
    asyncio.run(run())

    assert writer.written == []
    assert released == [{PLACE: 0}]


@pytest.mark.usefixtures("codes")
@pytest.mark.parametrize("arrives", [True, False])
def test_flows_that_read_what_others_write_wait_until_it_has_arrived(monkeypatch: pytest.MonkeyPatch, *, arrives: bool) -> None:
    """They pass on in the same round what has just been written, as soon as a fetch has brought it."""
    monkeypatch.setattr(ownership, "_ARRIVAL_SECONDS", 30.0 if arrives else 0.05)

    class Writer(SlowWriter):
        async def write(self, transaction: Any) -> dict[TopicPartition, int]:
            return {TopicPartition("panes", 0): 5, TopicPartition("elsewhere", 0): 77}

    waiting_when_hurried: list[bool] = []

    async def run() -> None:
        owned, one = owned_with(Writer())
        owned.on_hurry = lambda: waiting_when_hurried.append(owned.is_waiting)
        reader = counting_flow("panes", "second", "windows", 1)
        owned._flows["panes"] = reader
        two = Owner(SETTINGS, reader, 0, Health())
        two.next_offset, two.epoch = 3, EPOCH
        owned._owners["panes", 0] = two
        owned._claimed.add(("panes", 0))
        owned._ready, owned._paused = {PLACE, ("panes", 0)}, False
        one.process(Chunk("source", 0, EPOCH, 0, records(range(3))))
        await owned._flush([PLACE])
        waiting = asyncio.ensure_future(owned._arrival())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        if arrives:
            owned.process(Chunk("panes", 0, EPOCH, 3, records([3])))
            await asyncio.sleep(0.01)
            assert not waiting.done()
            owned.process(Chunk("panes", 0, EPOCH, 4, records([4])))
        await asyncio.wait_for(waiting, 5)
        assert waiting_when_hurried == [True]
        assert not owned.is_waiting

    asyncio.run(run())


@pytest.mark.parametrize("busy", [True, False])
def test_sparse_records_have_fewer_rounds_of_flushes(monkeypatch: pytest.MonkeyPatch, *, busy: bool) -> None:
    """Each costs two transactions, whatever is in it: with a handful of records a round waits for more, but not for long."""
    monkeypatch.setattr(ownership, "_QUIET_SECONDS", 0.5)
    rounds: list[bool] = []

    async def count(_: object, *, second: bool) -> None:
        rounds.append(second)

    monkeypatch.setattr(Ownership, "_flush_unless_paused", count)

    async def run() -> None:
        owned = Ownership(replace(SETTINGS, flush_interval_seconds=0.02), [FLOW], Health(), lambda _: None, lambda _: None)
        flushing = asyncio.ensure_future(owned._flush_regularly())
        until = time.monotonic() + 1.2
        while time.monotonic() < until:
            owned._arrived_records += 10 if busy else 0
            await asyncio.sleep(0.005)
        owned._stopping.set()
        await flushing

    asyncio.run(run())

    assert len(rounds) > 6 if busy else 2 <= len(rounds) <= 4


def test_the_first_record_after_a_quiet_time_is_flushed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round without anything waits for the first record, of whichever flow; what has just been passed on is none."""
    monkeypatch.setattr(ownership, "_QUIET_SECONDS", 0.05)
    monkeypatch.setattr(ownership, "_IDLE_SECONDS", 60.0)
    rounds: list[bool] = []
    two = TopicPartition("panes", 0)

    async def run() -> None:
        owned = Ownership(replace(SETTINGS, flush_interval_seconds=0.02), [FLOW, SECOND], Health(), lambda _: None, lambda _: None)
        for flow in (FLOW, SECOND):
            owner = Owner(SETTINGS, flow, 0, Health())
            owner.next_offset, owner.epoch = 0, EPOCH
            owned._owners[flow.source, 0] = owner
        owned._ready, owned._paused = {PLACE, two}, False

        def bring(place: TopicPartition) -> None:
            at = owned._owners[place].next_offset
            owned.process(Chunk(place.topic, place.partition, EPOCH, at, records([at])))

        async def count(_: object, *, second: bool) -> None:
            rounds.append(second)
            if not second:
                bring(two)

        monkeypatch.setattr(Ownership, "_flush_unless_paused", count)
        flushing = asyncio.ensure_future(owned._flush_regularly())
        for expected, place in ((2, PLACE), (4, two), (6, None)):
            await asyncio.sleep(0.3)
            assert len(rounds) == expected
            if place is not None:
                bring(place)
        owned._stopping.set()
        owned._any_arrived.set()
        await flushing

    asyncio.run(run())


def test_a_stage_with_more_to_write_is_polled_again() -> None:
    """Without a chunk in between a partition is polled until its stage reports that this is all; then not until a chunk arrives."""

    class Portions:
        left = 3

        def restore(self, topic: str, rows: Any) -> None: ...
        def process(self, records: Any) -> None: ...
        def collect(self) -> Flush:
            self.left -= 1
            return Flush([(b"k", b"v")], more=self.left > 0)

    flow = Flow(name="f", source="s", changelog="c", stage_factory=lambda _: Portions())
    owner = Owner(EngineSettings(app_id="a", bootstrap="localhost:1"), flow, 0, Health())

    assert [owner.collect() is not None for _ in range(5)] == [True, True, True, False, False]
