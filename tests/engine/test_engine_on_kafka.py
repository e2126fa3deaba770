"""What the engine holds on Apache Kafka beside exact counts: offsets, recovery, isolation, tables and failures."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from streams.engine.app import build_app
from streams.engine.exits import ExitCode
from streams.engine.health import Health
from streams.engine.settings import EngineSettings
from streams.engine.topics import PartitionMismatchError, TopicSpec, ensure_topics
from streams.serving.pipeline import PipelineCollector
from tests.support.counting import POISON, counting_flow, pane_key
from tests.support.recount import committed, last_values, until_processed
from tests.support.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.kafka import Cluster

#: Long enough for a worker to start on a busy machine.
START_SECONDS = 40.0

#: Faust's own commits would come every 2.8 s (setting broker_commit_interval).
FAUST_COMMITS_SECONDS = 6.0

NEVER_SECONDS = 3600.0


@dataclass
class Bench:
    """Topics of one test, and a worker for them."""

    bootstrap: str
    name: str
    workers: Workers
    partitions: int = 2

    @property
    def source(self) -> str:
        """Where the records are."""
        return f"{self.name}-source"

    @property
    def changelog(self) -> str:
        """Where the rows are."""
        return f"{self.name}-changelog"

    @property
    def panes(self) -> str:
        """Where the outputs are."""
        return f"{self.name}-panes"

    async def make(self, **panes_config: str) -> None:
        """Create the topics."""
        compact = {"cleanup.policy": "compact"}
        await ensure_topics(
            self.bootstrap,
            [
                TopicSpec(self.source, self.partitions),
                TopicSpec(self.changelog, self.partitions, config=compact),
                TopicSpec(self.panes, 1, config={**compact, **panes_config}),
            ],
        )

    def start(self, flow: dict[str, Any] | None = None, **settings: Any) -> None:
        """Start the worker."""
        self.workers.start(
            "worker",
            {
                "settings": {"app_id": self.name, "bootstrap": self.bootstrap, "group_instance_id": "only", **settings},
                "flow": {
                    "source": self.source,
                    "changelog": self.changelog,
                    "panes": self.panes,
                    "pane_partitions": 1,
                    **(flow or {}),
                },
            },
        )

    async def send(self, *records: tuple[int, bytes, bytes], transactional: bool = False, commit: bool = True) -> None:
        """Send records of partition, key and value, in one transaction or each by itself."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, transactional_id=f"{self.name}-source-writer" if transactional else None
        )
        await producer.start()
        try:
            if transactional:
                await producer.begin_transaction()
            for partition, key, value in records:
                await producer.send_and_wait(self.source, value, key=key, partition=partition)
            if transactional:
                await (producer.commit_transaction() if commit else producer.abort_transaction())
        finally:
            await producer.stop()

    async def logged(self, pattern: str, times: int = 1) -> None:
        """Wait until the worker has logged ``pattern`` ``times`` times."""
        until = time.monotonic() + START_SECONDS
        while len(re.findall(pattern, self.workers.log("worker"))) < times:
            if time.monotonic() > until:
                raise TimeoutError(f"{pattern!r} was not logged {times} times:\n{self.workers.log('worker')[-4000:]}")
            await asyncio.sleep(0.1)

    async def processed(self, count: int) -> None:
        """Wait until a process of the worker has processed ``count`` records."""
        await self.logged(rf"processed {count} records")

    async def counts(self) -> dict[tuple[int, bytes], int]:
        """Return the rows."""
        values = await last_values(self.bootstrap, self.changelog, range(self.partitions))
        return {place: int(value) for place, value in values.items()}

    async def committed(self) -> list[int | None]:
        """Return the committed offset of each source partition."""
        return list((await committed(self.bootstrap, self.name, self.source, self.partitions)).values())


@pytest.fixture
def bench(kafka: Cluster, tmp_path: Path) -> Iterator[Bench]:
    """Topics of this test alone."""
    with Workers(tmp_path) as workers:
        yield Bench(kafka.bootstrap, f"engine-{uuid.uuid4().hex[:8]}", workers)


def test_faust_never_commits_offsets_of_a_source(bench: Bench) -> None:
    """Only a flush moves offsets: records processed but not flushed stay uncommitted, and SIGTERM flushes them."""

    async def run() -> None:
        await bench.make()
        await bench.send((0, b"a", b"x"), (1, b"b", b"x"))
        bench.start(flush_interval_seconds=NEVER_SECONDS)
        await bench.processed(2)
        await asyncio.sleep(FAUST_COMMITS_SECONDS)
        assert await bench.committed() == [0, 0]

        bench.workers.kill("worker")
        assert await bench.committed() == [0, 0]

        bench.start(flush_interval_seconds=NEVER_SECONDS)
        await bench.logged("processed 2 records", times=2)
        assert bench.workers.terminate("worker") == 0
        assert await bench.committed() == [1, 1]
        assert await bench.counts() == {(0, b"a"): 1, (1, b"b"): 1}

    asyncio.run(run())


def test_recovery_ends_on_a_changelog_with_control_records(bench: Bench) -> None:
    """A restart restores rows from transactions at once, where Faust's own recovery waits for ever."""

    async def run() -> None:
        await bench.make()
        await bench.send(*[(0, b"key-%d" % number, b"x") for number in range(50)])
        bench.start()
        await until_processed(bench.bootstrap, bench.name, bench.source, 2, START_SECONDS)
        bench.workers.kill("worker")

        bench.start()
        await bench.logged(rf"{bench.source} partition 0 is owned: 50 rows restored")
        await bench.send((0, b"key-7", b"x"))
        await until_processed(bench.bootstrap, bench.name, bench.source, 2, START_SECONDS)
        assert (await bench.counts())[0, b"key-7"] == 2

    asyncio.run(run())


def test_taking_a_partition_waits_for_no_fetch(bench: Bench) -> None:
    """A broker holds a fetch at the end of a topic for half a second, and what a restore asks next on that connection with it."""

    async def run() -> None:
        await bench.make()
        bench.start()
        seconds = []
        for number in (0, 1):
            await bench.logged(rf"{bench.source} partition {number} is owned")
            seconds += re.findall(rf"partition {number} is owned: 0 rows restored in (.*) s,", bench.workers.log("worker"))
        assert len(seconds) == 2
        assert min(map(float, seconds)) < 0.4

    asyncio.run(run())


def test_further_signals_disturb_nothing(bench: Bench) -> None:
    """Faust would write its stacks with the rows in them into the log, and stop in a debugger."""

    async def run() -> None:
        await bench.make()
        bench.start()
        await bench.logged("Worker ready")
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            os.kill(bench.workers.pid("worker"), number)
        await bench.logged("SIGUSR2 is ignored")
        await bench.send((0, b"a", b"x"))
        await until_processed(bench.bootstrap, bench.name, bench.source, 2, START_SECONDS)
        assert 'File "' not in bench.workers.log("worker")
        assert bench.workers.terminate("worker") == 0

    asyncio.run(run())


def test_aborted_records_of_a_source_are_not_read(bench: Bench) -> None:
    """The consumer reads committed records only, and an aborted batch before them holds nothing up."""

    async def run() -> None:
        await bench.make()
        await bench.send((0, b"a", b"x"), (0, b"b", b"x"), transactional=True, commit=False)
        await bench.send((0, b"a", b"x"), transactional=True)
        bench.start()
        await bench.processed(1)
        await asyncio.sleep(1)
        bench.workers.terminate("worker")
        assert await bench.counts() == {(0, b"a"): 1}

    asyncio.run(run())


def test_another_partition_count_is_refused(bench: Bench) -> None:
    """A topic with another number of partitions than declared is named, and nothing is created beside it."""

    async def run() -> None:
        await bench.make()
        other = f"{bench.name}-other"
        with pytest.raises(PartitionMismatchError, match=f"{bench.source} has 2 partitions, 3 are declared"):
            await ensure_topics(bench.bootstrap, [TopicSpec(other, 1), TopicSpec(bench.source, 3)])
        await ensure_topics(bench.bootstrap, [TopicSpec(other, 4)])

    asyncio.run(run())


def test_a_wrong_partition_count_names_the_commands_that_fix_it(bench: Bench) -> None:
    """For an empty topic the very command; for one with records, that only another topic helps. The command does fix it."""

    async def refused(*specs: TopicSpec) -> str:
        with pytest.raises(PartitionMismatchError) as refusal:
            await ensure_topics(bench.bootstrap, specs)
        return str(refusal.value)

    async def run() -> None:
        await bench.make()
        message = await refused(TopicSpec(bench.source, 3), TopicSpec(bench.panes, 1), TopicSpec(bench.changelog, 1))
        tool = f"kafka-topics.sh --bootstrap-server {bench.bootstrap}"
        assert f"{tool} --alter --topic {bench.source} --partitions 3`" in message
        assert f"{tool} --delete --topic {bench.changelog}`" in message
        assert "Where there are records" not in message
        await bench.send((0, b"a", b"x"))
        message = await refused(TopicSpec(bench.source, 3))
        assert "Where there are records" in message
        assert tool not in message
        admin = AIOKafkaAdminClient(bootstrap_servers=bench.bootstrap)
        await admin.start()
        await admin.create_partitions({bench.panes: NewPartitions(2)})
        await admin.close()
        await ensure_topics(bench.bootstrap, [TopicSpec(bench.panes, 2)])

    asyncio.run(run())


def test_an_exception_of_a_stage_ends_the_process_and_loses_nothing(bench: Bench) -> None:
    """Faust would continue after the chunk that failed; here the next process reads it again."""

    async def run() -> None:
        await bench.make()
        await bench.send((0, b"a", b"x"), (0, b"a", POISON), (0, b"a", b"x"))
        bench.start()
        assert await asyncio.to_thread(bench.workers.wait, "worker") == ExitCode.STAGE_FAILED
        assert "A poisoned record was met." in bench.workers.log("worker")

        bench.start(flow={"fears_poison": False})
        await until_processed(bench.bootstrap, bench.name, bench.source, 2, START_SECONDS)
        assert await bench.counts() == {(0, b"a"): 3}

    asyncio.run(run())


def test_an_output_that_kafka_refuses_ends_the_process_uncommitted(bench: Bench) -> None:
    """The flush asks every batch; aiokafka alone would commit the offsets without the refused outputs."""

    async def run() -> None:
        await bench.make(**{"max.message.bytes": "100"})
        await bench.send(*[(0, b"a-long-key-%d" % number, b"x") for number in range(20)])
        bench.start()
        assert await asyncio.to_thread(bench.workers.wait, "worker") == ExitCode.FLUSH_FAILED
        assert await bench.committed() == [0, 0]
        assert await bench.counts() == {}

    asyncio.run(run())


def test_rows_without_an_offset_are_refused(bench: Bench) -> None:
    """When the group's offset has expired but rows are there, starting at the beginning would count twice."""

    async def run() -> None:
        await bench.make()
        await bench.send((0, b"a", b"x"))
        bench.start()
        await until_processed(bench.bootstrap, bench.name, bench.source, 2, START_SECONDS)
        assert bench.workers.terminate("worker") == 0

        bench.start(app_id=f"{bench.name}-other")
        assert await asyncio.to_thread(bench.workers.wait, "worker") == ExitCode.RESTORE_FAILED
        assert "has no offset" in bench.workers.log("worker")

    asyncio.run(run())


def test_a_restored_source_continues_at_its_offset(bench: Bench) -> None:
    """A flow that rebuilds its state from its own input takes what was there as rows, and only what follows as records."""

    async def run() -> None:
        await bench.make()
        await bench.send(*[(0, b"key-%d" % (number % 10), b"%d" % number) for number in range(30)], transactional=True)
        bench.start(flow={"changelog": None})
        await bench.logged(rf"{bench.source} partition 0 is owned: 10 rows restored in .* next offset 31\.")
        await bench.send((0, b"key-3", b"new"), (0, b"key-4", b"old"), (0, b"key-4", b"new"))
        await bench.logged(r"processed [123] records")
        await until_processed(bench.bootstrap, bench.name, bench.source, 2, START_SECONDS)
        assert await last_values(bench.bootstrap, bench.panes, [0]) == {
            (0, pane_key(0, b"key-3")): b"new",
            (0, pane_key(0, b"key-4")): b"new",
        }

    asyncio.run(run())


def test_the_state_is_a_table_of_the_app(bench: Bench) -> None:
    """``app.tables`` shows the live rows of owned partitions, refuses writes, and forgets them when they go."""

    async def run() -> None:
        await bench.make()
        await bench.send((0, b"a", b"x"), (1, b"b", b"x"), (1, b"b", b"x"))
        health = Health()
        app = build_app(
            EngineSettings(app_id=bench.name, bootstrap=bench.bootstrap),
            [counting_flow(bench.source, bench.changelog, bench.panes, 1)],
            health,
        )
        await app.start()
        try:
            until = time.monotonic() + START_SECONDS
            while health.records < 3:
                assert time.monotonic() < until
                await asyncio.sleep(0.1)
            table = app.tables["counts"]
            assert table[b"a"] == 1
            assert dict(table) == {b"a": 1, b"b": 2}
            assert table.rows.partitions == [0, 1]
            with pytest.raises(TypeError, match="written by its stage"):
                table[b"a"] = 5

            app.ownership.on_assigned({(bench.source, 1)}, app.consumer_generation_id + 1)
            assert dict(table) == {b"b": 2}
            assert b"a" not in table
        finally:
            await app.stop()

    asyncio.run(run())


def test_the_lag_counts_records_beyond_the_last_flush(bench: Bench) -> None:
    """A worker's lag counts what lies between its last flush and the end of each partition."""

    async def run() -> None:
        await bench.make()
        health = Health()
        app = build_app(
            EngineSettings(app_id=bench.name, bootstrap=bench.bootstrap, flush_interval_seconds=NEVER_SECONDS),
            [counting_flow(bench.source, bench.changelog, bench.panes, 1)],
            health,
        )

        def lags() -> dict[str, float]:
            families = {family.name: family for family in PipelineCollector(health, {}).collect()}
            return {each.labels["partition"]: each.value for each in families["contact_center_consumer_lag_records"].samples}

        async def come_to(expected: dict[str, float]) -> None:
            until = time.monotonic() + START_SECONDS
            while (found := lags()) != expected:
                assert time.monotonic() < until, found
                await asyncio.sleep(0.1)

        await app.start()
        try:
            await come_to({"0": 0, "1": 0})
            await bench.send((0, b"a", b"x"), (1, b"b", b"x"), (1, b"b", b"x"))
            await come_to({"0": 1, "1": 2})
            until = time.monotonic() + START_SECONDS
            while health.records < 3:
                assert time.monotonic() < until
                await asyncio.sleep(0.1)
            await app.ownership.on_revoked()  # makes a flush
            await come_to({"0": 0, "1": 0})
        finally:
            await app.stop()

    asyncio.run(run())
