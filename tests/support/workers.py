"""Worker processes that a test starts, kills, pauses and supervises."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from streams.engine.exits import CRASH_VARIABLE
from tests.support.kafka import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

__all__ = ["Workers"]

_ROOT = Path(__file__).parents[2]


class Workers:
    """Named processes of one worker module, each restarted when it ends, as a supervisor would."""

    def __init__(self, folder: Path, module: str = "tests.support.counting") -> None:
        """Log to ``folder``; ``module`` is run with one argument, JSON."""
        self._folder, self._module = folder, module
        self._arguments: dict[str, dict[str, Any]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        #: Name and exit status of each process that ended by itself.
        self.ended: list[tuple[str, int]] = []

    def __enter__(self) -> Self:
        """Return the workers; leaving ends them all."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End every process."""
        for name in list(self._running):
            self.kill(name)

    @property
    def names(self) -> list[str]:
        """The names of all workers."""
        return list(self._arguments)

    def start(self, name: str, arguments: dict[str, Any] | None = None, crash_at: str | None = None) -> None:
        """Start worker ``name``, with the arguments of its last start unless others are given."""
        if arguments is not None:
            self._arguments[name] = arguments
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        environment.pop(CRASH_VARIABLE, None)
        if crash_at is not None:
            environment[CRASH_VARIABLE] = crash_at
        with self._log(name).open("ab") as output:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", self._module, json.dumps(self._arguments[name])],
                cwd=_ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - the child calls one system call and execs
            )

    def kill(self, name: str) -> None:
        """End ``name`` as a power cut would."""
        process = self._running.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def pause(self, name: str) -> None:
        """Stop ``name`` in its tracks, as a frozen virtual machine does."""
        os.killpg(self._running[name].pid, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let ``name`` continue, unaware of the time that passed."""
        os.killpg(self._running[name].pid, signal.SIGCONT)

    def pid(self, name: str) -> int:
        """Return the process id of ``name``."""
        return self._running[name].pid

    def alive(self, name: str) -> bool:
        """Return whether ``name`` runs."""
        return self._running[name].poll() is None

    def terminate(self, name: str, seconds: float = 30) -> int:
        """Ask ``name`` to stop and return its exit status."""
        return self.terminate_all([name], seconds)[name]

    def terminate_all(self, names: Iterable[str] | None = None, seconds: float = 30) -> dict[str, int]:
        """Ask ``names``, or all, to stop at the same moment and return their exit status."""
        processes = {name: self._running.pop(name) for name in (self.names if names is None else names)}
        for process in processes.values():
            process.terminate()
        return {name: process.wait(timeout=seconds) for name, process in processes.items()}

    def wait(self, name: str, seconds: float = 60) -> int:
        """Wait until ``name`` ends by itself and return its exit status."""
        status = self._running[name].wait(timeout=seconds)
        del self._running[name]
        return status

    def supervise(self) -> None:
        """Start again whatever has ended."""
        for name, process in list(self._running.items()):
            status = process.poll()
            if status is not None:
                self.ended.append((name, status))
                self.start(name)

    def log(self, name: str) -> str:
        """Return everything that processes of this name have printed."""
        return self._log(name).read_text(encoding="utf-8", errors="replace")

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"
