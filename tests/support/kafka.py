"""Apache Kafka for tests: real brokers from Maven Central's jars, on free loopback ports, gone with the test run."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PASSWORD", "USER", "VERSION", "Cluster", "Listener", "cluster", "die_with_parent", "free_port", "jars", "missing"]

_POM = Path(__file__).with_name("kafka-pom.xml")
_found = re.search(r"<kafka\.version>(.+)</kafka\.version>", _POM.read_text(encoding="utf-8"))
if _found is None:
    raise RuntimeError(f"{_POM} names no kafka.version.")

#: The version of Apache Kafka that tests run against.
VERSION: str = _found.group(1)

#: Seconds a broker may take from its start to its first answer: a cold JVM on two busy cores.
_READY_SECONDS = 60.0

_PR_SET_PDEATHSIG = 1

#: Who may come in through listeners that ask.
USER, PASSWORD = "contact-streams", "a-secret-of-tests"


def missing() -> str | None:
    """Return why Apache Kafka cannot run here, or None when it can."""
    if shutil.which("java") is None:
        return "Apache Kafka needs Java 17 or newer on the path."
    if not _cached().exists() and shutil.which("mvn") is None:
        return "Maven is needed once, to fetch the jars of Apache Kafka."
    return None


def _cached() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "contact-streams" / f"kafka-{VERSION}"


def jars() -> Path:
    """Return the folder with the jars of Apache Kafka, fetched on first use."""
    folder = _cached()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".complete").exists():
            print(f"Fetching Apache Kafka {VERSION} with Maven into {folder}.", file=sys.stderr, flush=True)  # noqa: T201
            subprocess.run(
                [
                    "mvn",
                    "--batch-mode",
                    "--quiet",
                    f"--file={_POM}",
                    "dependency:copy-dependencies",
                    "-DincludeScope=runtime",
                    f"-DoutputDirectory={folder}",
                ],
                check=True,
                timeout=900,
            )
            (folder / ".complete").touch()
            print(f"Apache Kafka {VERSION} is there.", file=sys.stderr, flush=True)  # noqa: T201
    return folder


def die_with_parent() -> None:
    """Ask Linux to kill this process when the thread that started it ends (for ``preexec_fn``)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port() -> int:
    """Return a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Listener(NamedTuple):
    """A further way to reach a node; settings without the listener's name before them."""

    protocol: str
    settings: Mapping[str, str]


class Cluster:
    """One or several combined broker and controller nodes on 127.0.0.1, numbered from 1.

    A single node may have further listeners, by name: their security protocol and the settings of each. ``user`` and
    ``password`` are then known to it by SCRAM.
    """

    def __init__(
        self, nodes: int, folder: Path, listeners: Mapping[str, Listener] | None = None, settings: Mapping[str, object] | None = None
    ) -> None:
        """Lay out ``nodes`` nodes below ``folder``, with ``settings`` beside or in place of ours; nothing runs yet."""
        self._settings = settings or {}
        self._folder = folder
        self._listeners = {name: (listener, free_port()) for name, listener in (listeners or {}).items()}
        self._jars = jars()
        self._ports = {node: (free_port(), free_port()) for node in range(1, nodes + 1)}
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        identity = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        for node in self._ports:
            self._format(node, identity)

    @property
    def nodes(self) -> list[int]:
        """All node numbers, running or not."""
        return list(self._ports)

    @property
    def bootstrap(self) -> str:
        """The addresses a client starts with."""
        return ",".join(f"127.0.0.1:{port}" for port, _ in self._ports.values())

    def bootstrap_of(self, listener: str) -> str:
        """Return the address of a further listener; its certificate is for localhost."""
        return f"localhost:{self._listeners[listener][1]}"

    def start(self, *nodes: int, wait: bool = True) -> None:
        """Start ``nodes`` (all without arguments), and ``wait_ready`` unless ``wait`` is false.

        Call it from the main thread: nodes die with the thread that started them.
        """
        for node in nodes or self.nodes:
            with (self._home(node) / "output.log").open("ab") as output:
                self._running[node] = subprocess.Popen(
                    [*self._java(), "kafka.Kafka", str(self._home(node) / "server.properties")],
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                    preexec_fn=die_with_parent,  # noqa: PLW1509 - the child calls one system call and execs
                )
        if wait:
            self.wait_ready()

    def kill(self, node: int) -> None:
        """End ``node`` as a power cut would."""
        self._end(node, signal.SIGKILL)

    def pause(self, node: int) -> None:
        """Stop ``node`` in its tracks."""
        os.killpg(self._running[node].pid, signal.SIGSTOP)

    def resume(self, node: int) -> None:
        """Let ``node`` continue, unaware of the time that passed."""
        os.killpg(self._running[node].pid, signal.SIGCONT)

    def pid(self, node: int) -> int:
        """Return the process id of a running node."""
        return self._running[node].pid

    def ended(self, node: int) -> bool:
        """Return whether a node that was started has ended by itself."""
        return self._running[node].poll() is not None

    def data(self, node: int) -> Path:
        """Return the folder with the logs of ``node``."""
        return self._home(node) / "data"

    def stop(self, node: int) -> None:
        """Shut ``node`` down in order."""
        self._end(node, signal.SIGTERM)

    def close(self) -> None:
        """End every node."""
        for node in list(self._running):
            self.kill(node)

    def _end(self, node: int, how: signal.Signals) -> None:
        process = self._running.pop(node)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _home(self, node: int) -> Path:
        return self._folder / f"node-{node}"

    def _java(self) -> list[str]:
        return [
            "java",
            "-Xms128m",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            f"{self._jars}/*",
        ]

    def _format(self, node: int, identity: str) -> None:
        home = self._home(node)
        home.mkdir(parents=True)
        (home / "server.properties").write_text(self._properties(node), encoding="utf-8")
        done = subprocess.run(
            [
                *self._java(),
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id={identity}",
                f"--config={home / 'server.properties'}",
                *([f"--add-scram=SCRAM-SHA-256=[name={USER},password={PASSWORD}]"] if self._listeners else []),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"Apache Kafka's storage could not be formatted: {done.stdout}{done.stderr}")

    def _properties(self, node: int) -> str:
        client, controller = self._ports[node]
        voters = ",".join(f"{number}@127.0.0.1:{port}" for number, (_, port) in self._ports.items())
        copies = min(3, len(self._ports))
        further = [f"{name}://localhost:{port}" for name, (_, port) in self._listeners.items()]
        protocols = [f"{name}:{listener.protocol}" for name, (listener, _) in self._listeners.items()]
        settings: dict[str, object] = {
            "process.roles": "broker,controller",
            "node.id": node,
            "controller.quorum.voters": voters,
            "listeners": ",".join([f"CLIENT://127.0.0.1:{client}", f"CONTROLLER://127.0.0.1:{controller}", *further]),
            "advertised.listeners": ",".join([f"CLIENT://127.0.0.1:{client}", *further]),
            "listener.security.protocol.map": ",".join(["CLIENT:PLAINTEXT", "CONTROLLER:PLAINTEXT", *protocols]),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "CLIENT",
            "log.dirs": self._home(node) / "data",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": max(1, copies - 1),
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 1,
            "group.initial.rebalance.delay.ms": 0,
            # Below the default of 6,000: a killed member is missed for seconds in a test of a minute.
            "group.min.session.timeout.ms": 1000,
            # A transaction left open is ended at its own timeout, not up to 10 s after it.
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
            "broker.session.timeout.ms": 4000,
            "broker.heartbeat.interval.ms": 500,
            "controller.quorum.election.timeout.ms": 500,
            "controller.quorum.fetch.timeout.ms": 1000,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "num.partitions": 1,
            "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
            "log.cleaner.threads": 1,
        }
        settings |= self._settings
        for name, (listener, _) in self._listeners.items():
            settings |= {f"listener.name.{name.lower()}.{key}": value for key, value in listener.settings.items()}
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def wait_ready(self) -> None:
        """Wait until the cluster answers with every node that was started."""
        failure: list[BaseException] = []

        def ask() -> None:
            try:
                asyncio.run(self._answered())
            except BaseException as error:  # noqa: BLE001 - carried to the thread that waits
                failure.append(error)

        # Its own thread, as a loop may be running in the caller's.
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        if failure:
            logs = "".join(self._tail(node) for node in self._running)
            raise RuntimeError(f"Apache Kafka did not start: {failure[0]!r}\n{logs}")

    def _tail(self, node: int) -> str:
        text = (self._home(node) / "output.log").read_text(encoding="utf-8", errors="replace")
        return f"node {node}:\n{text[-2000:]}\n"

    def _listens(self, node: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._ports[node][0])) == 0

    async def _answered(self) -> None:
        from aiokafka.admin import AIOKafkaAdminClient

        deadline = time.monotonic() + _READY_SECONDS
        reason: object = "no answer"
        servers = [f"127.0.0.1:{self._ports[node][0]}" for node in self._running]
        while time.monotonic() < deadline:
            for node, process in self._running.items():
                if process.poll() is not None:
                    raise RuntimeError(f"Node {node} ended with {process.returncode}.")
            if not all(self._listens(node) for node in self._running):
                await asyncio.sleep(0.1)
                continue
            admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=5000)
            try:
                await admin.start()
                answer = await admin.describe_cluster()
                seen = {broker["node_id"] for broker in answer["brokers"]}
                if seen >= set(self._running):
                    return
                reason = f"only {sorted(seen)} answered"
            except Exception as error:  # noqa: BLE001 - any failure means: not yet
                reason = error
            finally:
                with contextlib.suppress(Exception):
                    await admin.close()
            await asyncio.sleep(0.3)
        raise TimeoutError(f"Not ready after {_READY_SECONDS:.0f} s: {reason!r}")


@contextlib.contextmanager
def cluster(
    nodes: int = 1, listeners: Mapping[str, Listener] | None = None, settings: Mapping[str, object] | None = None
) -> Iterator[Cluster]:
    """Run ``nodes`` nodes of Apache Kafka for the length of a ``with`` block. Call it from the main thread."""
    with tempfile.TemporaryDirectory(prefix="contact-streams-kafka-", ignore_cleanup_errors=True) as folder:
        running = Cluster(nodes, Path(folder), listeners, settings)
        try:
            running.start()
            yield running
        finally:
            running.close()
