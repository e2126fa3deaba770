"""A newcomer starts things in any order, stops Kafka, or presses Ctrl-C at once: one calm line, no traceback, and it recovers by itself."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streams.commands.log_limits import MAX_KINDS, OVER_SECONDS, LimitedLibraries
from streams.demo.broker import EmbeddedBroker
from streams.demo.processes import free_port
from streams.engine.health import Health
from streams.engine.heartbeats import Heartbeats
from streams.engine.settings import EngineSettings
from streams.topics import create_topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]


def start(log: Path, *arguments: str, after: str = "") -> subprocess.Popen[bytes]:
    """Start a command; its output goes to a file."""
    program = [sys.executable, "-m", "streams"] if not after else [sys.executable, "-c", after]
    with log.open("wb") as file:
        return subprocess.Popen([*program, *arguments], cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)


def until(true: Callable[[], bool], seconds: float) -> None:
    """Wait, but not for ever."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def status_of(port: int, path: str) -> int:
    """Return the status of an answer, 0 for none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def complaints(log: Path) -> list[str]:
    """Return the lines of our own at WARNING or above, without those about tokens."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if (" WARNING streams" in line or " ERROR streams" in line) and "without tokens" not in line]


@contextlib.contextmanager
def forwarded(port: int, to: str) -> Iterator[None]:
    """Let a port lead to a broker, which sends clients its own address then."""
    host, _, number = to.rpartition(":")
    ready, ended = threading.Event(), asyncio.Event()
    running: list[asyncio.AbstractEventLoop] = []

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):
                while data := await source.read(65_536):
                    sink.write(data)
        finally:
            sink.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(number))
        await asyncio.gather(pump(reader, back), pump(there, writer))

    async def serve() -> None:
        server = await asyncio.start_server(pass_on, "127.0.0.1", port)
        running.append(asyncio.get_running_loop())
        ready.set()
        async with server:
            await ended.wait()

    # What still passes on is cancelled when this ends, and every socket closed, or a later test would be blamed for it.
    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        running[0].call_soon_threadsafe(ended.set)
        thread.join(10)


@pytest.mark.embedded
def test_the_order_of_starting_does_not_matter(tmp_path: Path) -> None:
    """Serve, gateway and a connector started before Kafka and any worker log one line each, and do their work once both are there."""
    kafka, page, gateway = free_port(), free_port(), free_port()
    queue_log = tmp_path / "queue_log"
    queue_log.write_text("", encoding="utf-8")
    bootstrap = ["--bootstrap", f"127.0.0.1:{kafka}"]
    logs = {name: tmp_path / f"{name}.log" for name in ("serve", "gateway", "connector", "worker")}
    early = [
        start(logs["serve"], "serve", "--port", str(page), *bootstrap),
        start(logs["gateway"], "gateway", "--port", str(gateway), *bootstrap),
        start(logs["connector"], "connector", "asterisk-queue-log", str(queue_log), *bootstrap),
    ]
    children = list(early)
    try:
        until(lambda: all(complaints(logs[name]) for name in ("serve", "gateway", "connector")), 40)
        time.sleep(6)
        for name in ("serve", "gateway", "connector"):
            text = logs[name].read_text(encoding="utf-8")
            assert len(complaints(logs[name])) == 1, text
            # That of the Kafka client beside it.
            assert (text.count("ERROR"), "Traceback" in text) == (1, False), text
        assert "Kafka has not answered since" in logs["serve"].read_text(encoding="utf-8")
        assert (status_of(page, "/readyz"), status_of(gateway, "/readyz")) == (503, 503)
        with EmbeddedBroker() as broker, forwarded(kafka, broker.bootstrap_servers):
            until(lambda: status_of(gateway, "/readyz") == 200, 40)
            until(lambda: "worker has created the topics" in logs["serve"].read_text(encoding="utf-8"), 40)
            children.append(start(logs["worker"], "worker", "--port", "-1", "--bootstrap", broker.bootstrap_servers))
            until(lambda: status_of(page, "/readyz") == 200, 60)
            assert [child.poll() for child in children] == [None] * 4
            for child in children:
                child.terminate()
            assert [child.wait(40) for child in children] == [0] * 4
    finally:
        for child in children:
            child.kill()
            child.wait(10)


@pytest.mark.embedded
def test_the_log_stays_short_while_kafka_is_away(tmp_path: Path) -> None:
    """Kafka stops under a worker and a server: ten seconds make less than a hundred lines each; on SIGTERM the worker ends with 82."""
    logs = {name: tmp_path / f"{name}.log" for name in ("worker", "serve")}
    children = []

    def lines(name: str) -> int:
        return logs[name].read_text(encoding="utf-8").count("\n")

    try:
        with EmbeddedBroker() as broker:
            children = [start(logs[name], name, "--port", "0", "--bootstrap", broker.bootstrap_servers) for name in logs]
            until(lambda: "queue-panes.v1 partition 3 is owned" in logs["worker"].read_text(encoding="utf-8"), 60)
            until(lambda: "queue-metrics-latest.v1 is read" in logs["serve"].read_text(encoding="utf-8"), 60)
            before = {name: lines(name) for name in logs}
        time.sleep(10)
        assert {name: lines(name) - before[name] < 100 for name in logs} == {"worker": True, "serve": True}
        assert "Kafka cannot be read since" in logs["serve"].read_text(encoding="utf-8")
        assert "Exception in thread" not in logs["worker"].read_text(encoding="utf-8")
        for child in children:
            child.terminate()
        assert [child.wait(30) for child in children] == [82, 0]
    finally:
        for child in children:
            child.kill()
            child.wait(10)


@pytest.mark.embedded
def test_heartbeats_outlive_an_outage() -> None:
    """The thread of the heartbeats ended with a lost Kafka, and a worker that survived it counted as dead to all others."""
    with EmbeddedBroker() as broker:
        asyncio.run(create_topics(broker.bootstrap_servers, "outage", 1))
        settings = EngineSettings(app_id="outage", bootstrap=broker.bootstrap_servers, heartbeats_topic="outage.worker-heartbeats.v1")
        heartbeats = Heartbeats(settings, Health(), lambda: "")
        heartbeats.start()
        time.sleep(3)
    time.sleep(14)  # one send and two stops are given up after five seconds each
    alive = [thread for thread in threading.enumerate() if thread.name == "heartbeats"]
    asyncio.run(heartbeats.stop())

    assert len(alive) == 1


@pytest.mark.parametrize("command", ["worker", "serve", "gateway", "check", "replay"])
@pytest.mark.parametrize("seconds", [0.15, 0.6])
def test_an_interrupt_while_it_starts_shows_no_traceback(command: str, seconds: float, tmp_path: Path) -> None:
    """Ctrl-C while modules are loaded: status 130 and not a word. What the caller ignores would stay ignored, so it is set back."""
    log = tmp_path / "log"
    own = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    own += "from streams.cli import main; print('!', flush=True); sys.exit(main())"
    child = start(log, command, "--bootstrap" if command in {"worker", "serve", "gateway"} else "nowhere", "127.0.0.1:1", after=own)
    until(lambda: log.read_bytes().startswith(b"!"), 20)
    time.sleep(seconds)
    child.send_signal(signal.SIGINT)
    child.wait(30)

    assert "Traceback" not in log.read_text(encoding="utf-8")
    # A command that is done before has its own; while Python ends there is no handler any more, and the signal ends it: shells report 130.
    assert child.returncode in {0, 2, 82, 130, -signal.SIGINT}


class PassedLines(logging.Handler):
    """Keeps what is let through."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.addFilter(LimitedLibraries(monotonic))

    def take(self, logger: str, message: str, *arguments: object) -> None:
        """Have a logger log a line."""
        self.handle(logging.LogRecord(logger, logging.ERROR, "here.py", 1, message, arguments, None))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def test_a_library_logs_each_kind_once_a_minute() -> None:
    """A thousand lines that differ in numbers are one; after a minute one more counts them; ours all pass."""
    seconds = [0.0]
    passed = PassedLines(lambda: seconds[0])
    for number in range(1000):
        passed.take("aiokafka.client", "Unable connect to node %s at port %d", number, number)
    passed.take("aiokafka.client", "Another thing")
    for _ in range(3):
        passed.take("streams.serving", "Once more")
    seconds[0] = OVER_SECONDS
    passed.take("aiokafka.client", "Unable connect to node %s at port %d", 7, 7)

    assert passed.lines == [
        "Unable connect to node 0 at port 0",
        "Another thing",
        *["Once more"] * 3,
        "Unable connect to node 7 at port 7 (999 lines like this were left out)",
    ]


def test_a_library_with_endless_texts_uses_bounded_memory() -> None:
    """Beyond the kinds that are remembered all lines of a logger at a level are one kind."""
    passed = PassedLines(lambda: 0.0)
    for number in range(1, 10 * MAX_KINDS):
        passed.take("aiokafka", "x" * number)

    assert len(passed.lines) == MAX_KINDS + 1


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    """Worker, serve, gateway and demo: status 1 or 2, the port, what to do, and no traceback; the demo does not claim to be up."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for number, command in enumerate(("worker", "serve", "gateway", "demo")):
            log = tmp_path / str(number)
            assert start(log, command, "--port", port).wait(60) in {1, 2}, command
            text = log.read_text(encoding="utf-8")
            assert port in text, command
            assert "--port" in text, command
            assert "Traceback" not in text, command
            assert "Up after" not in text, command
