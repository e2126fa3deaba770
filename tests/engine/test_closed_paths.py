"""Each way in which Faust would acknowledge, commit, recover or keep rows by itself, tried: docs/engine.md has the list."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from faust.types import TP
from faust.types.settings import Settings

from streams.engine import owner
from streams.engine.app import build_app
from streams.engine.claims import Claims
from streams.engine.health import Health
from streams.engine.owner import Owner
from streams.engine.ownership import Ownership
from streams.engine.settings import EngineSettings
from tests.engine.test_engine_on_kafka import START_SECONDS, Bench, bench
from tests.support.counting import CountingStage, counting_flow
from tests.support.recount import last_values, until_processed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from streams.engine.app import EngineApp
    from streams.engine.settings import Flow
    from streams.engine.stage import Record

__all__ = ["bench"]

SETTINGS = EngineSettings(app_id="test", bootstrap="127.0.0.1:1")
FLOW = counting_flow("source", "changelog", "panes", 1)
#: Who writes offsets of a group that has no members.
NO_MEMBER = (-1, "")
ROOT = Path(__file__).parents[2]


def test_defaults_of_faust_are_switched_off() -> None:
    """Standby replicas read all changelogs, declared topics get wrong settings, a leader topic and a web server have no use."""
    conf = build_app(SETTINGS, [FLOW]).conf

    assert (conf.table_standby_replicas, conf.topic_allow_declare, conf.topic_disable_leader) == (0, False, True)
    assert (conf.web_enabled, conf.stream_wait_empty) == (False, False)
    # Faust would take the host's name, and crash when a static member comes back on another host.
    assert str(conf.canonical_url) == "http://worker"


def test_a_static_member_may_come_back_on_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust's assignor takes an assignment only under the address that it was made for."""

    def on_host(name: str) -> Any:
        monkeypatch.setattr(Settings, "NODE_HOSTNAME", name)
        return build_app(SETTINGS, [FLOW]).assignor

    before = on_host("one")
    cluster = SimpleNamespace(partitions_for_topic=lambda _: {0, 1})
    stored = before.assign(cluster, {"only": before.metadata({"source"})})["only"]
    after = on_host("other")
    after.on_assignment(stored)

    assert after.assigned_actives() == {TP("source", 0), TP("source", 1)}


def test_faust_takes_no_setting_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust lets 79 variables override its settings; one with the version of an image even ends it."""
    variables = {name: each.env_name for name, each in Settings.SETTINGS.items() if each.env_name and not each.deprecated}

    def values() -> list[str]:
        conf = build_app(SETTINGS, [FLOW]).conf
        return [str(getattr(conf, name)) for name in variables]

    def heeded(variable: str) -> bool:
        with monkeypatch.context() as patch:
            patch.setenv(variable, "1")
            try:
                return values() != before
            except Exception:  # noqa: BLE001 - it was read, and found wanting
                return True

    before = values()
    assert len(before) > 70
    assert [variable for variable in variables.values() if heeded(variable)] == []


def test_the_environment_names_no_other_kafka(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs have a BROKER_URL, too: Faust would read from there, and the flush write the offsets here."""
    monkeypatch.setenv("BROKER_URL", "kafka://127.0.0.1:1")
    monkeypatch.setenv("APP_WEB_ENABLED", "1")

    async def run() -> None:
        await bench.make()
        await bench.send((0, b"a", b"x"))
        bench.start()
        await until_processed(bench.bootstrap, bench.name, bench.source, 2, START_SECONDS)
        assert _listening(bench.workers.pid("worker")) == []

    asyncio.run(run())


#: All methods of a table that write to it.
WRITES: list[Callable[[Any], object]] = [
    lambda table: table.__setitem__("stray", 1),
    lambda table: table.__delitem__("stray"),
    lambda table: table.update({"stray": 1}),
    lambda table: table.setdefault("other", 1),
    lambda table: table.pop(b"a"),
    lambda table: table.clear(),
]


def test_only_its_stage_writes_to_a_table(bench: Bench) -> None:
    """From within an agent Faust would publish the row at once, outside of the transaction that moves the offset."""
    tables: list[Any] = []
    refusals = []

    class Stray(CountingStage):
        """Writes to the table of its flow."""

        def process(self, records: Sequence[Record]) -> None:
            super().process(records)
            for table in tables:
                for write in WRITES:
                    try:
                        write(table)
                    except Exception as error:  # noqa: BLE001 - judged below
                        refusals.append(str(error))

    async def run() -> None:
        await bench.make()
        await bench.send((0, b"a", b"x"))
        flow = counting_flow(bench.source, bench.changelog, bench.panes, 1)
        async with _running(bench, 1, replace(flow, stage_factory=lambda partition: Stray(partition, bench.panes, 1))) as app:
            tables.append(app.tables["counts"])
            await bench.send((0, b"a", b"x"))
            await _until_counted(app.health, 2)
        assert await last_values(bench.bootstrap, bench.changelog, [0, 1]) == {(0, b"a"): b"2"}

    asyncio.run(run())

    assert ["written by its stage" in refusal for refusal in refusals] == [True] * len(WRITES)


@pytest.mark.parametrize(("generation", "kept"), [(5, True), (6, False)])
def test_a_worker_that_missed_a_generation_keeps_no_state(monkeypatch: pytest.MonkeyPatch, generation: int, *, kept: bool) -> None:
    """Meanwhile another process may have owned the partition: what is here is old, though the assignment looks the same."""

    async def nothing(*_: object) -> None:
        pass

    monkeypatch.setattr(Owner, "take", nothing)
    monkeypatch.setattr(Ownership, "_fence", nothing)
    monkeypatch.setattr(AIOKafkaConsumer, "start", nothing)
    monkeypatch.setattr("streams.engine.ownership.return_raw_records", lambda _: None)

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


def test_a_partition_is_acquired_in_order(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fence, rows, offset, claim: until the former owner is fenced its last transaction may be pending; without a claim none may begin."""
    steps: list[str] = []

    def spied(spied_on: type, name: str, step: str) -> None:
        real = getattr(spied_on, name)

        async def call(self: Any, *args: Any, **options: Any) -> Any:
            found = await real(self, *args, **options)
            steps.append(step)
            return found

        monkeypatch.setattr(spied_on, name, call)

    async def run() -> None:
        await bench.make()
        await bench.send((0, b"a", b"x"))
        settings = EngineSettings(app_id=bench.name, bootstrap=bench.bootstrap)
        flow = counting_flow(bench.source, bench.changelog, bench.panes, 1)
        spied(Claims, "fence", "fenced")
        spied(AIOKafkaConsumer, "committed", "offset")
        spied(Claims, "claim", "claimed")
        real = owner.read_from_start

        async def read(*args: Any) -> Any:
            found = await real(*args)
            steps.append("rows")
            return found

        monkeypatch.setattr(owner, "read_from_start", read)
        owned = Ownership(settings, [flow], Health(), lambda _: None, lambda _: None)
        owned.on_assigned({(bench.source, 0)}, *NO_MEMBER)
        await owned.restored()
        await owned.stop()

    asyncio.run(run())

    assert steps == ["fenced", "rows", "offset", "claimed"]


def test_faust_creates_and_opens_nothing(bench: Bench) -> None:
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
        async with _running(bench, 10, max_poll_records=1) as app:
            consumer = app.consumer
            for name in ("_acked", "_acked_index", "_gap"):
                assert not any(getattr(consumer, name).values()), name
            assert len(consumer._unacked_messages) <= bench.partitions  # a weak set: the chunk last seen of each

            until = time.monotonic() + START_SECONDS
            while await bench.committed() != [9, 9]:
                assert time.monotonic() < until
                await asyncio.sleep(0.1)
            consumer._acked[TP(bench.source, 0)].append(0)
            did = await consumer.commit()
            assert (await bench.committed(), did) == ([9, 9], False)

    asyncio.run(run())


def test_faust_treats_no_offset_as_already_read(bench: Bench) -> None:
    """Faust drops what is below the last offset it saw, which a chunk on its way during a seek moves ahead."""

    async def run() -> None:
        await bench.make()
        await bench.send((0, b"a", b"x"))
        async with _running(bench, 1) as app:
            app.consumer._read_offset[TP(bench.source, 0)] = 900
            await bench.send((0, b"a", b"x"))
            await _until_counted(app.health, 2)

    asyncio.run(run())


@contextlib.asynccontextmanager
async def _running(bench: Bench, records: int, flow: Flow | None = None, **settings: Any) -> AsyncIterator[EngineApp]:
    """Run the app of a flow here, once it has processed ``records`` records, until the block ends."""
    app = build_app(
        EngineSettings(app_id=bench.name, bootstrap=bench.bootstrap, **settings),
        [flow or counting_flow(bench.source, bench.changelog, bench.panes, 1)],
    )
    await app.start()
    try:
        await _until_counted(app.health, records)
        yield app
    finally:
        await app.stop()


async def _until_counted(health: Health, records: int) -> None:
    until = time.monotonic() + START_SECONDS
    while health.records < records:
        assert time.monotonic() < until, f"{health.records} of {records} records were processed."
        await asyncio.sleep(0.1)


def _listening(pid: int) -> list[int]:
    """Return the TCP ports that a process listens on, as Linux lists them."""
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
