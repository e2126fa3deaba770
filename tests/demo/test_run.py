"""The demo as a whole: it comes up, proves its figures, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.require import require_embedded_broker

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.embedded, pytest.mark.faults, pytest.mark.long]

ROOT = Path(__file__).parents[2]


class Demo:
    """A demo that runs as a process of its own, and all its output."""

    def __init__(self, *arguments: str) -> None:
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "streams", "demo", "--open-hours", "0.5", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={key: value for key, value in os.environ.items() if key != "DEMO_SECONDS"},
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(iter(self.process.stdout.readline, ""))

    @property
    def output(self) -> str:
        """The output so far."""
        return "".join(self.lines)

    def prints(self, text: str, seconds: float) -> bool:
        """Return whether the text is printed in time."""
        deadline = time.monotonic() + seconds
        while text not in self.output and time.monotonic() < deadline and self.process.poll() is None:
            time.sleep(0.05)
        return text in self.output

    def ends(self, seconds: float) -> int:
        """Return the exit code."""
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code


def processes() -> dict[int, tuple[int, str, str]]:
    """Return parent, state and command of every process."""
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 3) for line in listed.splitlines()]
    return {int(pid): (int(parent), state, *command) for pid, parent, state, *command in rows if command}  # type: ignore[misc]


def descendants(of: int) -> dict[int, str]:
    """Return the processes below one, with their commands."""
    everything = processes()
    found: dict[int, str] = {}
    below = {of}
    while below:
        below = {pid for pid, (parent, _, _) in everything.items() if parent in below}
        found |= {pid: everything[pid][2] for pid in below}
    return found


def left(of: dict[int, str], within_seconds: float = 15.0) -> dict[int, str]:
    """Return which of the processes still run after a while."""
    deadline = time.monotonic() + within_seconds
    while True:
        now = processes()
        running = {pid: command for pid, command in of.items() if pid in now and not now[pid][1].startswith("Z") and now[pid][2] == command}
        if not running or time.monotonic() > deadline:
            return running
        time.sleep(0.1)


def folders_of(children: dict[int, str]) -> set[Path]:
    """Return the temporary folders that the commands name."""
    found = (re.search(r"(\S*contact-streams-demo-\w+)/", command) for command in children.values())
    return {Path(match[1]) for match in found if match}


@pytest.fixture
def demos() -> Iterator[list[Demo]]:
    """Take the demos that a test starts, and end what it left."""
    require_embedded_broker()
    started: list[Demo] = []
    yield started
    for demo in started:
        if demo.process.poll() is None:
            demo.process.send_signal(signal.SIGINT)
            try:
                demo.process.wait(20)
            except subprocess.TimeoutExpired:
                demo.process.kill()
        if demo.process.stdout is not None:
            demo.process.wait()
            demo._reader.join(5)
            demo.process.stdout.close()


def started(demos: list[Demo], *arguments: str) -> Demo:
    """Start a demo and wait until it is up."""
    demo = Demo(*arguments)
    demos.append(demo)
    assert demo.prints("Ctrl-C ends it", 30), demo.output
    return demo


def test_ends_by_itself_with_equal_figures(demos: list[Demo]) -> None:
    """Given its seconds, the demo names its addresses, ends by itself, and every served figure equals the recount."""
    demo = started(demos, "--seconds", "20")
    children = descendants(demo.process.pid)

    assert demo.ends(150) == 0, demo.output
    assert re.search(r"page +http://127\.0\.0\.1:\d+/\n", demo.output)
    equal = re.search(r"([\d,]+) served figures equal, 0 not", demo.output)
    assert equal is not None
    assert int(equal[1].replace(",", "")) > 500
    assert len(children) >= 10
    assert left(children) == {}


def test_interrupt_leaves_nothing(demos: list[Demo]) -> None:
    """Ctrl-C ends the demo in good order, also while its gateway is away: no process, no folder of logs."""
    demo = started(demos)
    children = descendants(demo.process.pid)
    folders = folders_of(children)
    (gateway,) = [pid for pid, command in children.items() if " -m streams gateway " in command and "guard.py" not in command]
    os.kill(gateway, signal.SIGTERM)
    assert demo.prints("restarts it in 90 s", 15), demo.output
    assert "The gateway ended with exit code 0, as when it is asked to stop. The end of its log:" in demo.output
    demo.process.send_signal(signal.SIGINT)

    assert demo.ends(30) == 0, demo.output
    assert "Stopped." in demo.output
    assert len(children) >= 10
    assert left(children) == {}
    assert folders
    assert not any(folder.exists() for folder in folders)


def test_interrupt_while_starting_leaves_nothing(demos: list[Demo]) -> None:
    """Ctrl-C before the demo is up leaves no process either."""
    demo = Demo()
    demos.append(demo)
    assert demo.prints("starting the gateway", 30), demo.output
    children = descendants(demo.process.pid)
    demo.process.send_signal(signal.SIGINT)

    assert demo.ends(30) in {0, 130}, demo.output
    assert children
    assert left(children) == {}


def test_kill_leaves_nothing(demos: list[Demo]) -> None:
    """Killed with -9 the demo can do nothing any more, and still no process of it stays."""
    demo = started(demos)
    children = descendants(demo.process.pid)
    demo.process.kill()

    assert demo.ends(10) == -signal.SIGKILL
    assert len(children) >= 10
    assert left(children) == {}
    for folder in folders_of(children):
        shutil.rmtree(folder)


def test_dead_worker_ends_the_demo(demos: list[Demo]) -> None:
    """When one of its processes dies the demo names it, shows the end of its log and where the logs are, and ends with 1."""
    demo = started(demos)
    children = descendants(demo.process.pid)
    workers = [pid for pid, command in children.items() if " -m streams worker " in command and "guard.py" not in command]
    assert len(workers) == 1
    os.kill(workers[0], signal.SIGKILL)

    assert demo.ends(30) == 1, demo.output
    assert "FAILED: the worker was ended by SIGKILL" in demo.output, demo.output
    assert "The end of worker.log" in demo.output
    where = re.search(r"The logs of all processes are in (\S+)\.\n", demo.output)
    assert where is not None
    assert (Path(where[1]) / "gateway.log").is_file()
    assert left(children) == {}
    for log in Path(where[1]).iterdir():
        log.unlink()
    Path(where[1]).rmdir()
