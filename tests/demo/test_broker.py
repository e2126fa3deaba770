"""The embedded broker: that it serves real clients, and that nothing of it outlives its owner."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from streams.demo import broker as broker_module
from streams.demo.broker import BrokerError, EmbeddedBroker, broker_binary
from streams.demo.relay import finds_nothing
from streams.engine.topics import TopicSpec, ensure_topics
from streams.serving.broker import stop
from tests.support.require import require

ROOT = Path(__file__).parents[2]

OWNER = """
import signal, sys, time
from streams.demo.broker import EmbeddedBroker
signal.signal(signal.SIGINT, signal.default_int_handler)  # as on a terminal, also where the tests run in the background
with EmbeddedBroker() as broker:
    print(broker.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def binary() -> Path:
    """The broker's program, or the reason why this platform has none."""
    try:
        return broker_binary()
    except BrokerError as missing:
        require(condition=False, reason=str(missing))
        raise


def group_is_gone(group: int, within_seconds: float = 10.0) -> bool:
    """Return whether the process group has no running member left, waiting for it."""
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if group not in running_groups():
            return True
        time.sleep(0.02)
    return False


def running_groups() -> set[int]:
    """Return the process groups with a member that is more than a zombie: who reaps an orphan, and when, is the system's affair."""
    if not Path("/proc/self/stat").exists():
        listed = subprocess.run(["ps", "-A", "-o", "stat=", "-o", "pgid="], capture_output=True, text=True, check=True).stdout
        rows = [line.split() for line in listed.splitlines()]
        return {int(group) for state, group in rows if not state.startswith("Z")}
    groups = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # ended meanwhile
            state, _, group, *_ = stat.read_text(errors="replace").rpartition(")")[2].split()
            if state not in "ZX":
                groups.add(int(group))
    return groups


async def produce_and_consume(bootstrap_servers: str, values: list[bytes]) -> list[bytes]:
    """Send the values to a new topic and read them back from its start."""
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer:
        for value in values:
            await producer.send_and_wait("probe", value)
    async with AIOKafkaConsumer("probe", bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest") as consumer:
        return [(await asyncio.wait_for(consumer.getone(), 10)).value or b"" for _ in values]


@pytest.mark.embedded
def test_its_records_are_never_written_to_disk(binary: Path) -> None:
    """It would write all of it once a second: half a core and gigabytes, for what is thrown away. It continues to read and write."""
    values = [f"{number} {'x' * 1000}".encode() for number in range(3_000)]
    with EmbeddedBroker() as broker:
        assert asyncio.run(produce_and_consume(broker.bootstrap_servers, values)) == values
        time.sleep(2.5)
        command = subprocess.run(["ps", "-A", "-ww", "-o", "pgid=", "-o", "args="], capture_output=True, text=True, check=True).stdout
        (directory,) = re.findall(rf"^ *{broker.pid} {re.escape(str(binary))} .*--data-dir (\S+)", command, re.MULTILINE)
        assert sorted(file.name for file in Path(directory).iterdir()) == ["kafka.tmp", "noida.control.json"]
        assert Path(directory, "kafka.tmp").is_fifo()
        assert asyncio.run(produce_and_consume(broker.bootstrap_servers, values[:10]))[-1] == values[9]
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert not Path(directory).exists()


def test_produced_records_are_consumed() -> None:
    """A real client reads back what it wrote, in order, and leaving the context ends the whole process group."""
    values = [b"one", b"two", b"three"]

    async def run() -> tuple[list[bytes], int]:
        async with EmbeddedBroker() as broker:
            assert broker.pid is not None
            return await produce_and_consume(broker.bootstrap_servers, values), broker.pid

    received, group = asyncio.run(run())
    assert received == values
    assert group_is_gone(group, within_seconds=1)


@pytest.mark.embedded
@pytest.mark.usefixtures("binary")
def test_two_brokers_do_not_meet() -> None:
    """Each broker has its own port and stops alone; its address is gone with it."""
    with EmbeddedBroker() as first:
        with EmbeddedBroker() as second:
            assert first.port != second.port
        with pytest.raises(BrokerError, match="not running"):
            _ = second.port
        assert first.bootstrap_servers == f"127.0.0.1:{first.port}"
        with pytest.raises(BrokerError, match="already runs"):
            first.start()


@pytest.mark.embedded
@pytest.mark.usefixtures("binary")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_nothing_outlives_an_owner_that_is_killed(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C, kill and kill -9 of the owner each end the broker and remove its data."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
    )
    with owner:
        assert owner.stdout is not None
        group = int(owner.stdout.readline())
        assert list(tmp_path.glob("contact-streams-*"))
        owner.send_signal(number)
        owner.wait(10)
    assert group_is_gone(group)
    assert not list(tmp_path.glob("contact-streams-*"))


@pytest.mark.embedded
def test_another_port_is_chosen_when_one_is_in_use(binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that someone takes between the search and the start costs one more try, not an error."""
    free_port = broker_module._free_port
    with EmbeddedBroker() as first:
        offered = iter([first.port])
        monkeypatch.setattr(broker_module, "_free_port", lambda: next(offered, None) or free_port())
        with EmbeddedBroker() as second:
            assert second.port != first.port


def test_a_missing_package_is_named_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the error names it, the environment it is missing from and two ways on."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BrokerError, match=r"noida-db.*is not installed in .*make setup.*Kafka of your own"):
        EmbeddedBroker().start()


def test_a_program_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The program's last output is in the error, and nothing is left running."""
    program = tmp_path / "noida-db"
    program.write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(broker_module, "broker_binary", lambda: program)
    broker = EmbeddedBroker()
    with pytest.raises(BrokerError, match="no such luck"):
        broker.start()
    assert broker.pid is None


def test_a_program_that_never_answers_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program that runs but does not answer is ended after the given time."""
    program = tmp_path / "noida-db"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(broker_module, "broker_binary", lambda: program)
    broker = EmbeddedBroker(start_timeout_seconds=0.2)
    with pytest.raises(BrokerError, match=r"no answer within 0\.2 s"):
        broker.start()
    assert broker.pid is None


def fetched(errors: int = 0, records: bytes = b"", aborted: int = 0, version: int = 4) -> bytes:
    """Return an answer to a fetch with one partition, as the protocol has it."""
    session = struct.pack(">hi", 0, 0) if version >= 7 else b""
    log_start = struct.pack(">q", 0) if version >= 5 else b""
    replica = struct.pack(">i", -1) if version >= 11 else b""
    partition = struct.pack(">ihqq", 0, errors, 7, 7) + log_start + struct.pack(">i", aborted) + bytes(16 * aborted) + replica
    topic = struct.pack(">h", 1) + b"t" + struct.pack(">i", 1)
    return struct.pack(">ii", 1, 0) + session + struct.pack(">i", 1) + topic + partition + struct.pack(">i", len(records)) + records


@pytest.mark.parametrize("version", [4, 5, 7, 11])
def test_records_of_a_fetch_are_consumed(version: int) -> None:
    """Only an answer without a record and without an error is kept back."""
    assert finds_nothing(fetched(version=version), version)
    assert finds_nothing(fetched(version=version, aborted=2), version)
    assert not finds_nothing(fetched(version=version, records=b"r"), version)
    assert not finds_nothing(fetched(version=version, aborted=2, records=b"r"), version)
    assert not finds_nothing(fetched(version=version, errors=1), version)


def test_a_fetch_waits_and_is_woken(binary: Path) -> None:
    """Two seconds without records cost a consumer a dozen requests, not thousands; what is written then comes long before its wait ends."""
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

    async def run() -> tuple[int, float]:
        async with EmbeddedBroker() as broker:
            await ensure_topics(broker.bootstrap_servers, [TopicSpec("events", 2, 1, {})])
            producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers)
            consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers, fetch_max_wait_ms=500, auto_offset_reset="earliest")
            await producer.start()
            await consumer.start()
            try:
                consumer.assign([TopicPartition("events", number) for number in range(2)])
                assert not await consumer.getmany(timeout_ms=2_000)
                assert broker._relay is not None
                asked = broker._relay.asked[1]
                waits = []
                for number in range(5):
                    await asyncio.sleep(0.05)
                    began = time.monotonic()
                    await producer.send_and_wait("events", b"1", partition=number % 2)
                    found = await consumer.getmany(timeout_ms=5_000)
                    assert [record.value for records in found.values() for record in records] == [b"1"]
                    waits.append(time.monotonic() - began)
                return asked, min(waits)
            finally:
                await consumer.stop()
                await producer.stop()

    asked, shortest = asyncio.run(run())
    assert 3 <= asked <= 20
    assert shortest < 0.3


@pytest.mark.embedded
@pytest.mark.parametrize("turns", range(4))
def test_stops_in_the_moment_that_something_is_written(binary: Path, turns: int) -> None:
    """However many turns of its loop after those that wait for records were woken: the relay does not wait for them to go."""
    from aiokafka import AIOKafkaConsumer, TopicPartition

    async def run() -> None:
        broker = EmbeddedBroker()
        await asyncio.to_thread(broker.start)
        relay, group = broker._relay, broker.pid
        assert relay is not None
        assert group is not None
        consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers, fetch_max_wait_ms=20_000, auto_offset_reset="earliest")
        try:
            await ensure_topics(broker.bootstrap_servers, [TopicSpec("events", 1, 1, {})])
            await consumer.start()
            consumer.assign([TopicPartition("events", 0)])
            assert not await consumer.getmany(timeout_ms=300)

            async def write_and_stop() -> None:
                assert relay._stop is not None
                relay._wake_fetches()
                for _ in range(turns):
                    await asyncio.sleep(0)
                relay._stop.set()
                stop_asked.set()

            assert relay._loop is not None
            stop_asked = threading.Event()
            asyncio.run_coroutine_threadsafe(write_and_stop(), relay._loop)
            assert await asyncio.to_thread(stop_asked.wait, 5)
            stopping = asyncio.create_task(asyncio.to_thread(broker.stop))
            _, waiting = await asyncio.wait([stopping], timeout=10)
            if waiting:
                os.killpg(group, signal.SIGKILL)  # its clients go with it, and the thread with them
            await stopping
            assert not waiting
        finally:
            await stop(consumer)

    asyncio.run(run())
