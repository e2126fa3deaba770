"""The embedded broker: a Kafka for the demo and for tests, in a separate process, with its data in a temporary directory.

It never expires a dead group member or a hanging transaction, and stores every record in memory: use static membership and small data,
and test failover on Apache Kafka.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import platform
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from streams.demo import guard
from streams.demo.relay import Relay

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["BrokerError", "EmbeddedBroker", "broker_binary"]

#: Metadata request, version 1, for no topics: length, api key 3, version, correlation id, no client id, an empty array.
_METADATA_REQUEST = struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0)
#: A response begins with its length and the correlation id of the request.
_RESPONSE_HEAD = struct.Struct(">ii")
_PORT_TAKEN = "already in use"
_PORT_TRIES = 5
#: The file of its directory through which the broker saves all its data.
_SAVED_THROUGH = "kafka.tmp"


class BrokerError(RuntimeError):
    """The embedded broker cannot run here; the message states what failed, where, and what to do."""


def broker_binary() -> Path:
    """Return the broker's program inside the installed package.

    Not the package's own start-up script: killed, that leaves the real process running.

    Raises:
        BrokerError: the package is not installed, or its wheel for this platform has no program.
    """
    package = importlib.util.find_spec("noida_db")
    if package is None or package.origin is None:
        message = (
            f"The embedded broker (package noida-db) is not installed in {sys.prefix}. "
            "Install it with `make setup` or `pip install 'contact-streams[demo]'`, or give the address of a Kafka of your own."
        )
        raise BrokerError(message)
    binary = Path(package.origin).with_name("noida-db.exe" if os.name == "nt" else "noida-db")
    if not binary.is_file():
        message = (
            f"The embedded broker has no program for {platform.system()} on {platform.machine()}: {binary} is missing. "
            "Give the address of a Kafka of your own; deploy/ has one for Docker Compose."
        )
        raise BrokerError(message)
    return binary


class EmbeddedBroker:
    """A broker on a free port of 127.0.0.1, from entering the context until leaving it.

    Works as a plain and as an asynchronous context manager. Nothing is left running or on disk when this process ends, however it ends.
    Do not fork while it runs: a forked child inherits the pipe that keeps the broker alive.
    """

    def __init__(self, *, start_timeout_seconds: float = 15.0) -> None:
        self.start_timeout_seconds = start_timeout_seconds
        self._port: int | None = None
        self._relay: Relay | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    @property
    def port(self) -> int:
        """The port that clients reach the broker on."""
        if self._port is None:
            message = "The embedded broker is not running: start() it, or use it in a with block, before asking for its address."
            raise BrokerError(message)
        return self._port

    @property
    def bootstrap_servers(self) -> str:
        """The address for Kafka clients, ``127.0.0.1:port``."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The leader of the broker's process group; None when it is not running."""
        return None if self._guard is None else self._guard.pid

    def start(self) -> None:
        """Start the broker and return once it has answered a metadata request.

        Raises:
            BrokerError: it is missing on this platform, ended at once or did not answer in time.
        """
        if self._guard is not None:
            message = "The embedded broker already runs; call stop() before start()."
            raise BrokerError(message)
        binary = broker_binary()
        for _ in range(_PORT_TRIES):  # another process may take the free port before the broker does
            port = _free_port()
            output = self._try_start(binary, port)
            if output is None:
                self._relay = Relay(port)
                try:
                    self._relay.start()
                except OSError as error:
                    self.stop()
                    raise BrokerError(f"No port of 127.0.0.1 can be listened on for the embedded broker: {error}.") from error
                self._port = self._relay.port
                return
            if _PORT_TAKEN not in output:
                break
        message = (
            f"The embedded broker did not start: {binary} for 127.0.0.1:{port} printed: {output or 'nothing'}. "
            "Run that program by hand to see why, or give the address of a Kafka of your own."
        )
        raise BrokerError(message)

    def stop(self) -> None:
        """End the broker's process group and delete its data. Stopping twice is harmless."""
        self._port = None
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.stop()
        running, self._guard = self._guard, None
        if running is None:
            return
        if running.stdin is not None:
            running.stdin.close()  # the guard ends the broker and removes its data
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(2)
        with contextlib.suppress(ProcessLookupError, PermissionError):  # the group has ended, as expected
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        if self._output is not None:
            self._output.close()
            self._output = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self.start)
        except asyncio.CancelledError:
            await asyncio.to_thread(self.stop)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await asyncio.to_thread(self.stop)

    def _try_start(self, binary: Path, port: int) -> str | None:
        """Start on the port; return None when the broker answers, else stop it and return its output."""
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the broker runs
        broker = [str(binary), "start", "--only", "kafka", "--kafka-port", str(port), "--data-dir", guard.DIRECTORY]
        # Once a second the broker would save all its data through this file: more than half a core for data that is thrown away. A pipe
        # without a reader blocks that for ever, also at its end.
        never = ["0", "--pipe", _SAVED_THROUGH]
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, *never, *broker],
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Each of its many threads would otherwise hold separate memory, mostly free.
            env={**os.environ, "MALLOC_ARENA_MAX": "2"},
        )
        try:
            deadline = time.monotonic() + self.start_timeout_seconds
            while self._guard.poll() is None:
                if f"127.0.0.1:{port}" in self._read_output() and _answers(port):  # another broker on the port would answer too
                    return None
                if time.monotonic() > deadline:
                    break
                time.sleep(0.02)
            is_late = self._guard.poll() is None
            output = self._read_output()
        except BaseException:
            self.stop()
            raise
        self.stop()
        return f"{output} (no answer within {self.start_timeout_seconds:g} s)" if is_late else output

    def _read_output(self) -> str:
        """Return the broker's output so far; read by position, as the broker shares the file's offset."""
        return "" if self._output is None else os.pread(self._output.fileno(), 1 << 16, 0).decode(errors="replace").strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    """Return whether a Kafka broker answers a metadata request on the port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(_METADATA_REQUEST)
            head = connection.recv(_RESPONSE_HEAD.size, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(head) == _RESPONSE_HEAD.size and _RESPONSE_HEAD.unpack(head)[1] == 1
