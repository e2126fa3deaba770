"""The demo's processes: each in its own group under the guard, so that none outlives the demo, however that ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import streams
from streams.demo import guard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Child", "ending", "free_port", "stop_all", "tail"]

#: Beyond this, an exit code is that of a signal.
_SIGNALLED: Final = 128
#: Where the packages are: the checkout, or site-packages.
_HOME = Path(streams.__file__).parents[1] if streams.__file__ else Path.cwd()


def free_port() -> int:
    """Return a port of 127.0.0.1 without a listener."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tail(log: Path, lines: int = 25) -> str:
    """Return the end of a log, indented."""
    try:
        last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    except OSError:
        last = []
    return "\n".join(f"    {line}" for line in last) or "    (empty)"


def ending(code: int) -> str:
    """Return how a process ended: by the exit code of its guard, or by the signal that ended the guard itself."""
    if 0 <= code <= _SIGNALLED:
        return f"ended with exit code {code}" + (", as when it is asked to stop" if code == 0 else "")
    try:
        return f"was ended by {signal.Signals(-code if code < 0 else code - _SIGNALLED).name}"
    except ValueError:
        return f"ended with exit code {code}"


def _inherited() -> dict[str, str]:
    """Return the environment without the security settings of the user's own Kafka: the demo's has none."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CONTACT_STREAMS_KAFKA_")}


class Child:
    """One process and its log."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        """Start ``python`` with the arguments."""
        self.name = name
        self.log = log
        self._read = 0
        self._partial = b""
        path = os.pathsep.join(filter(None, (str(_HOME), os.environ.get("PYTHONPATH"))))
        self._log: IO[bytes] = log.open("wb")
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(guard.GRACE_SECONDS), sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**_inherited(), "PYTHONUNBUFFERED": "1", "PYTHONPATH": path, **(environment or {})},
        )

    @property
    def group(self) -> int:
        """The process group that holds the process and its guard."""
        return self._guard.pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._guard.poll()

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the process; its guard waits for it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.group, signal.SIGTERM)

    def stop(self) -> None:
        """End the process and everything in its group; harmless when it has ended."""
        if self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.close()  # the guard asks the process to end, and ends it when it does not
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.wait(guard.GRACE_SECONDS + 2)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.group, signal.SIGKILL)
        self._guard.wait()
        self._log.close()

    def new_lines(self) -> Iterator[str]:
        """Yield the complete lines that the process has written since the last call."""
        with self.log.open("rb") as log:
            log.seek(self._read)
            chunk = log.read()
        self._read += len(chunk)
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)


def stop_all(children: Sequence[Child]) -> None:
    """End all processes, at the same time."""
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.stop()
