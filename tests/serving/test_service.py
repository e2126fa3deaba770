"""Serving with a real broker: reading to the end through transactions, following, reconnecting, and starting and stopping cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from streams.demo.broker import EmbeddedBroker
from streams.serving.reader import Reader, latest_topic
from streams.serving.service import ServeSettings, run_serve
from streams.serving.store import Store
from tests.serving.records import now_record, progress, small_center
from tests.serving.topics import bootstrap, delete, make, publish, until
from tests.support import kafka as apache
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["bootstrap"]

TOPIC = latest_topic("contactcenter")


@contextlib.asynccontextmanager
async def reading(bootstrap: str, name: str) -> AsyncIterator[tuple[Reader, Store]]:
    """Run a reader."""
    store = Store()
    reader = Reader(store, bootstrap=bootstrap, topic_name=name)
    task = asyncio.create_task(reader.run())
    try:
        yield reader, store
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def run(check: Any) -> None:
    """Run a check for a minute at most."""
    asyncio.run(asyncio.wait_for(check, 60))


@pytest.mark.embedded
def test_the_whole_topic_is_read_before_anything_is_shown(bootstrap: str) -> None:
    """Ready means: every committed record up to the end at the start, with nothing of a transaction that was aborted last."""

    async def check() -> None:
        name = latest_topic("whole")
        await make(bootstrap, name)
        await publish(bootstrap, name, [now_record("queue:old", waiting=1), *small_center()])
        await publish(bootstrap, name, [(now_record("queue:old")[0], None)])
        await publish(bootstrap, name, [now_record("queue:ghost", waiting=1)], commit=False)
        async with reading(bootstrap, name) as (reader, store):
            sizes: set[int] = set()
            store.subscribe(lambda: sizes.add(len(store.entries())))
            await until(lambda: reader.ready)

            assert {entry.key for entry in store.entries()} == {key.decode() for key, _ in small_center()}
            assert sizes == {len(small_center())}
            assert reader.connected

            await publish(bootstrap, name, [now_record("queue:sales", waiting=7, revision=2)])
            await until(lambda: any(getattr(entry.record, "waiting", None) == 7 for entry in store.entries()))

    run(check())


@pytest.mark.embedded
def test_stalled_records_are_known_by_their_partition(bootstrap: str) -> None:
    """Exactly the records of a partition whose progress is behind that of the others."""

    async def check() -> None:
        name = latest_topic("still")
        await make(bootstrap, name)
        await publish(bootstrap, name, [progress(0), now_record("queue:sales")], partition=0)
        await publish(bootstrap, name, [progress(1, as_of="2026-04-01T08:59:40Z"), now_record("queue:claims")], partition=1)
        async with reading(bootstrap, name) as (reader, store):
            await until(lambda: reader.ready)
            assert store.stalled_scopes(10_000).keys() == {"queue:claims"}
            assert store.stalled_scopes(20_000) == {}

    run(check())


@pytest.mark.embedded
def test_an_empty_topic_is_ready_and_a_missing_one_awaited(bootstrap: str) -> None:
    """Without the topic serving waits and does not make it; once it is there, empty as it is, it is read."""

    async def check() -> None:
        name = latest_topic("empty")
        async with reading(bootstrap, name) as (reader, store):
            await asyncio.sleep(1.5)
            assert not reader.ready
            admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
            await admin.start()
            assert name not in await admin.list_topics()
            await admin.close()

            await make(bootstrap, name)
            await until(lambda: reader.ready)
            assert store.entries() == []

    run(check())


@pytest.mark.embedded
def test_a_recreated_topic_is_read_again(bootstrap: str) -> None:
    """Revisions of a new topic begin again: the old figures are served, as disconnected, until the new ones are all there."""

    async def check() -> None:
        name = latest_topic("anew")
        await make(bootstrap, name)
        await publish(bootstrap, name, [progress(revision=50), now_record("queue:a", waiting=9, revision=50), now_record("queue:b")])
        async with reading(bootstrap, name) as (reader, store):
            await until(lambda: reader.ready)
            await delete(bootstrap, name)
            await until(lambda: not reader.connected)
            assert (reader.ready, len(store.entries())) == (True, 3)

            await make(bootstrap, name)
            await publish(bootstrap, name, [now_record("queue:a", waiting=1, revision=1)])
            await until(lambda: reader.connected and len(store.entries()) == 1, seconds=30)
            assert getattr(store.entries()[0].record, "waiting", None) == 1

    run(check())


@pytest.mark.embedded
def test_a_lost_broker_shows(bootstrap: str) -> None:
    """With the broker gone the figures stay, the connection is reported cut, and the reader retries without leaving tasks behind."""

    async def check() -> None:
        async with EmbeddedBroker() as own:
            await make(own.bootstrap_servers, TOPIC)
            await publish(own.bootstrap_servers, TOPIC, small_center())
            before = len(asyncio.all_tasks())
            async with reading(own.bootstrap_servers, TOPIC) as (reader, store):
                await until(lambda: reader.ready)
                await asyncio.to_thread(own.stop)
                await until(lambda: not reader.connected, seconds=20)
                await asyncio.sleep(6)
                assert (reader.ready, len(store.entries())) == (True, len(small_center()))
                # The reader, and at most what one attempt at a connection takes.
                assert len(asyncio.all_tasks()) <= before + 5
            await until(lambda: len(asyncio.all_tasks()) <= before)

    run(check())


@pytest.mark.kafka
def test_a_restarted_broker_is_followed_again() -> None:
    """After a broker was killed and restarted, new records are served, without a restart of the server."""
    reason = apache.missing()
    require(reason is None, reason or "")
    with apache.cluster() as kafka:

        async def check() -> None:
            await make(kafka.bootstrap, TOPIC)
            await publish(kafka.bootstrap, TOPIC, small_center())
            async with reading(kafka.bootstrap, TOPIC) as (reader, store):
                await until(lambda: reader.ready)
                kafka.kill(1)
                await until(lambda: not reader.connected, seconds=20)
                kafka.start(1)
                await publish(kafka.bootstrap, TOPIC, [now_record("queue:sales", waiting=7, revision=2)])
                await until(
                    lambda: reader.connected and any(getattr(entry.record, "waiting", None) == 7 for entry in store.entries()), seconds=40
                )

        asyncio.run(asyncio.wait_for(check(), 120))


@pytest.mark.embedded
def test_from_topic_to_page(bootstrap: str) -> None:
    """The running service shows what was published, on every path, soon after it was."""

    async def check() -> None:
        name = latest_topic("service")
        await make(bootstrap, name)
        await publish(bootstrap, name, small_center())
        announced: asyncio.Queue[str] = asyncio.Queue()
        settings = ServeSettings(bootstrap=bootstrap, topic_prefix="service", port=0)
        serving = asyncio.create_task(run_serve(settings, announce=announced.put_nowait, clock=lambda: 0.0, handle_signals=False))
        line = await announced.get()
        assert re.fullmatch(r"serving http://127\.0\.0\.1:[1-9]\d*/", line)
        async with aiohttp.ClientSession(line.removeprefix("serving ")) as client:
            async with asyncio.timeout(15):
                while (await client.get("readyz")).status != 200:  # noqa: ASYNC110 - asks over HTTP
                    await asyncio.sleep(0.05)
            document = await (await client.get("api/v1/queues/sales")).json()
            assert document["channels"]["voice"]["now"]["waiting"] == 2

            await publish(bootstrap, name, [now_record("queue:sales", waiting=4, revision=2)])
            exposed = ""
            while 'contacts_waiting{channel="voice",scope="sales",scope_kind="queue"} 4.0' not in exposed:
                await asyncio.sleep(0.05)
                exposed = await (await client.get("metrics")).text()
            assert "contact_center_reader_connected 1.0" in exposed
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    run(check())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_its_address_and_stops_cleanly(number: signal.Signals) -> None:
    """The first line on stdout is the bound address, without any Kafka; a signal ends the process with 0, a listener or not."""
    code = "import sys; from streams.commands import serve; import argparse\n"
    code += "parser = argparse.ArgumentParser(); serve.add_parser(parser.add_subparsers()); args = parser.parse_args(sys.argv[1:])\n"
    code += "sys.exit(args.run(args))"
    with subprocess.Popen(
        [sys.executable, "-c", code, "serve", "--port", "0", "--bootstrap", "127.0.0.1:1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.curdir},
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert re.fullmatch(r"serving http://127\.0\.0\.1:[1-9]\d*/\n", line), process.stderr and process.stderr.read()

        async def listen() -> None:
            async with aiohttp.ClientSession() as client, client.get(f"{line.split()[1]}api/v1/events") as stream:
                assert (await stream.content.readline()).startswith(b"retry")
                process.send_signal(number)
                while await asyncio.wait_for(stream.content.readline(), 10):
                    pass

        asyncio.run(listen())
        _, errors = process.communicate(timeout=10)
        assert (process.returncode, b"Traceback" in errors) == (0, False), errors.decode()


def test_a_taken_port_and_a_wrong_window_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """One line with what to do, and an exit code; nothing is served."""
    import argparse
    import socket

    from streams.commands import serve

    parser = argparse.ArgumentParser()
    serve.add_parser(parser.add_subparsers())
    args = parser.parse_args(["serve", "--windows", "trailing_15m,15", "--port", "0"])
    assert args.run(args) == 2
    assert "trailing_15m" in capsys.readouterr().err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        args = parser.parse_args(["serve", "--port", str(taken.getsockname()[1])])
        assert args.run(args) == 1
    output = capsys.readouterr()
    assert "another --host or --port" in output.err
    assert output.out == ""
