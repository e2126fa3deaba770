"""Each way in which Faust would acknowledge, commit, recover or keep rows by itself, tried: docs/engine.md has the list."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from streams.engine import ownership
from streams.engine.app import build_app
from streams.engine.exits import ExitCode
from streams.engine.health import Health
from streams.engine.ownership import Owner, Ownership
from streams.engine.settings import EngineSettings
from streams.engine.topics import TopicSpec, ensure_topics
from tests.engine.test_engine_on_kafka import START_SECONDS, Bench, bench
from tests.support.counting import counting_flow
from tests.support.recount import until_processed

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["bench"]

SETTINGS = EngineSettings(app_id="test", bootstrap="127.0.0.1:1")
FLOW = counting_flow("source", "changelog", "panes", 1)
ROOT = Path(__file__).parents[2]


def test_what_faust_does_unless_told_otherwise_is_switched_off() -> None:
    """Standby replicas read all changelogs, declared topics are made with wrong settings, a leader topic and a web server serve nobody."""
    conf = build_app(SETTINGS, [FLOW]).conf

    assert (conf.table_standby_replicas, conf.topic_allow_declare, conf.topic_disable_leader) == (0, False, True)
    assert (conf.web_enabled, conf.stream_wait_empty) == (False, False)
    # Faust would take the host's name, and crash when a static member comes back on another host.
    assert str(conf.canonical_url) == "http://worker"


@pytest.mark.parametrize(
    "write",
    [
        lambda table: table.__setitem__(b"a", 1),
        lambda table: table.__delitem__(b"a"),
        lambda table: table.update({b"a": 1}),
        lambda table: table.setdefault(b"b", 1),
        lambda table: table.pop(b"a"),
        lambda table: table.clear(),
    ],
    ids=["set", "delete", "update", "setdefault", "pop", "clear"],
)
def test_nobody_writes_to_a_table_but_its_stage(write: Callable[[Any], object]) -> None:
    """Faust would publish the row at once, outside of the transaction that moves the offset."""

    async def run() -> None:
        table = build_app(SETTINGS, [FLOW]).tables["counts"]
        table.data.data.add(0, {b"a": 7})
        with pytest.raises(TypeError, match="written by its stage"):
            write(table)
        assert dict(table) == {b"a": 7}

    asyncio.run(run())


@pytest.mark.parametrize(("generation", "kept"), [(5, True), (6, False)])
def test_who_missed_a_generation_keeps_no_state(monkeypatch: pytest.MonkeyPatch, generation: int, *, kept: bool) -> None:
    """Meanwhile another process may have owned the partition: what is here is old, though the assignment looks the same."""

    async def nothing(_: object) -> None:
        pass

    monkeypatch.setattr(Owner, "take", nothing)

    async def run() -> None:
        owned = Ownership(SETTINGS, [FLOW], Health(), lambda _: None, lambda _: None)
        place = ("source", 0)
        owned.on_assigned({place}, 4)
        await owned.restored()
        before = owned._owners[place]
        await owned.on_revoked()
        owned.on_assigned({place}, generation)
        assert (owned._owners[place] is before) == kept
        await owned.restored()
        await owned.stop()

    asyncio.run(run())


def test_a_partition_is_taken_in_order(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fence, then read the rows, then the offset: before the former owner is fenced, its last transaction may still be pending."""
    steps: list[str] = []

    def spied(owner: type, name: str, step: str) -> None:
        real = getattr(owner, name)

        async def call(self: Any, *args: Any, **options: Any) -> Any:
            found = await real(self, *args, **options)
            steps.append(step)
            return found

        monkeypatch.setattr(owner, name, call)

    async def run() -> None:
        await bench.make()
        await bench.send((0, b"a", b"x"))
        settings = EngineSettings(app_id=bench.name, bootstrap=bench.bootstrap)
        flow = counting_flow(bench.source, bench.changelog, bench.panes, 1)
        spied(AIOKafkaProducer, "start", "fenced")
        spied(AIOKafkaConsumer, "committed", "offset")
        real = ownership.read_from_start

        async def read(*args: Any) -> Any:
            found = await real(*args)
            steps.append("rows")
            return found

        monkeypatch.setattr(ownership, "read_from_start", read)
        owner = Owner(settings, flow, 0, Health())
        await owner.take()
        await owner.close()

    asyncio.run(run())

    assert steps == ["fenced", "rows", "offset"]


def test_faust_makes_and_opens_nothing(bench: Bench) -> None:
    """No topic, port or folder beside what is declared: plain Faust has a leader topic, a web server and a data folder."""

    async def topics() -> set[str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=bench.bootstrap)
        await admin.start()
        found = set(await admin.list_topics())
        await admin.close()
        return found

    async def run() -> None:
        await bench.make()
        before = await topics()
        await bench.send((0, b"a", b"x"), (1, b"b", b"x"))
        bench.start()
        await until_processed(bench.bootstrap, bench.name, bench.source, 2, START_SECONDS)
        assert {name for name in await topics() - before if not name.startswith("__")} == set()
        assert _listening(bench.workers.pid("worker")) == []
        assert not list(ROOT.glob(f"{bench.name}*"))

    asyncio.run(run())


def test_nothing_piles_up_for_commits_that_never_come(bench: Bench) -> None:
    """Faust keeps every acknowledged offset, and every gap of a compacted or transactional source, until it commits."""

    async def run() -> None:
        await bench.make()
        for number in range(5):
            await bench.send((0, b"a", b"%d" % number), (1, b"b", b"%d" % number), transactional=True)
        health = Health()
        app = build_app(
            EngineSettings(app_id=bench.name, bootstrap=bench.bootstrap, max_poll_records=1),
            [counting_flow(bench.source, bench.changelog, bench.panes, 1)],
            health,
        )
        await app.start()
        try:
            until = time.monotonic() + START_SECONDS
            while health.records < 10:
                assert time.monotonic() < until
                await asyncio.sleep(0.1)
            consumer = app.consumer
            for name in ("_acked", "_acked_index", "_gap"):
                assert not any(getattr(consumer, name).values()), name
            assert len(consumer._unacked_messages) <= bench.partitions  # a weak set: the chunk last seen of each
            assert await consumer.commit() is False
        finally:
            await app.stop()

    asyncio.run(run())


def test_a_source_made_anew_is_refused(bench: Bench) -> None:
    """The rows belong to records that are no more; Faust would begin at the start. Kafka 4 forgets the offset together with the topic."""

    async def run() -> None:
        await bench.make()
        await bench.send(*[(0, b"a", b"x")] * 3)
        bench.start()
        await until_processed(bench.bootstrap, bench.name, bench.source, 2, START_SECONDS)
        assert bench.workers.terminate("worker") == 0

        admin = AIOKafkaAdminClient(bootstrap_servers=bench.bootstrap)
        await admin.start()
        await admin.delete_topics([bench.source])
        await asyncio.sleep(1)
        assert bench.source not in await admin.list_topics()
        await admin.close()
        await ensure_topics(bench.bootstrap, [TopicSpec(bench.source, bench.partitions)])
        bench.start()
        assert await asyncio.to_thread(bench.workers.wait, "worker") == ExitCode.RESTORE_FAILED
        assert re.search(r"has no offset|was it made anew\?", bench.workers.log("worker"))

    asyncio.run(run())


def _listening(pid: int) -> list[int]:
    """Return the TCP ports that a process listens on, as Linux tells."""
    own = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        own.add(str(descriptor.readlink()))
    ports = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in own:
                ports.append(int(fields[1].rsplit(":", 1)[1], 16))
    return ports
