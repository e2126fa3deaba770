"""What a process has freed goes back to the machine."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from contextlib import suppress
from weakref import ref

import pytest

from streams.engine import memory
from streams.engine.health import Health
from tests.support.require import require

#: Frees 64,000 blocks of a kilobyte each in a thread of its own and 32 blocks of two megabytes, with a small block kept after every eighth.
_SCRIPT = """
import json, sys, threading
from pathlib import Path
from streams.engine import memory

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

if sys.argv[1] != "as it is":
    getattr(memory, sys.argv[1])()
kept, rss = [], {"before": held()}

def work():
    small = []
    for number in range(64_000):
        small.append(bytearray(1000))
        if number % 8_000 == 0:
            kept.append(bytearray(1000))
    large = [bytearray(2**21) for _ in range(32)]
    for each in large:
        each[::4096] = bytes(512)
    rss["most"] = held()

thread = threading.Thread(target=work)
thread.start()
thread.join()
rss["freed"] = held()
if sys.argv[1] != "as it is":
    memory.release_memory()
rss["after"] = held()
print(json.dumps(rss))
"""


def _held(how: str) -> dict[str, float]:
    found = subprocess.run([sys.executable, "-c", _SCRIPT, how], capture_output=True, text=True, check=True)
    rss: dict[str, float] = json.loads(found.stdout)
    return rss


@pytest.mark.parametrize("how", ["hold_little", "hold_until_release"])
def test_freed_memory_is_given_back(how: str) -> None:
    """Of 128 MiB that were taken and freed, less than a tenth stays with the process."""
    require(sys.platform == "linux" and memory._glibc() is not None, "Freed memory is given back through glibc, on Linux.")
    rss = _held(how)
    print(rss, "without:", _held("as it is"))  # noqa: T201 - prints its figures

    assert rss["most"] - rss["before"] > 120
    assert rss["after"] - rss["before"] < 12.8


#: Joins 3 MB from pieces ten times, as a request is assembled, and prints how many pages were allocated for it.
_JOINS = """
import resource, sys
from streams.engine import memory

getattr(memory, sys.argv[1])()
pieces = [bytes(200_000) for _ in range(16)]

def joined():
    return b"".join([b"size", b"".join(pieces)])

joined()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    joined()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_memory_of_a_flush_is_reused() -> None:
    """Mapped afresh each time, 3 MB are 800 pages for every copy of them, each zeroed by the kernel first."""
    require(sys.platform == "linux" and memory._glibc() is not None, "Large blocks are kept through glibc, on Linux.")

    def pages(how: str) -> int:
        return int(subprocess.run([sys.executable, "-c", _JOINS, how], capture_output=True, text=True, check=True).stdout)

    assert pages("hold_until_release") < 100
    assert pages("hold_little") > 10_000


def test_few_young_objects_are_not_scanned_for_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker to which little comes makes few; where many are made there is a look at each time."""
    looks: list[int] = []
    made: list[list[int]] = []
    monkeypatch.setattr(memory, "_COLLECT_SECONDS", 0.01)
    before = gc.get_threshold()

    async def run() -> None:
        giving = asyncio.ensure_future(memory.release_regularly(Health()))
        await asyncio.sleep(0.2)
        assert looks == []
        made.extend([] for _ in range(100_000))
        await asyncio.sleep(0.1)
        giving.cancel()

    collect = gc.collect
    try:
        memory.collect_seldom()
        collect()
        monkeypatch.setattr(gc, "collect", looks.append)
        asyncio.run(run())
    finally:
        gc.set_threshold(*before)
    assert looks[:1] == [1]


class _Loop:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


def _looks_until_gone(monkeypatch: pytest.MonkeyPatch, computes: float) -> int:
    """Return how many looks it takes until what refers only to itself is gone, in a process that computes for this share of the time."""
    seconds = 0.0

    async def second(_: float) -> None:
        nonlocal seconds
        seconds += 1.0
        if gone() is None or seconds > 100:
            raise asyncio.CancelledError

    monkeypatch.setattr("streams.engine.memory.time.monotonic", lambda: seconds)
    monkeypatch.setattr("streams.engine.memory.time.process_time", lambda: seconds * computes)
    monkeypatch.setattr("streams.engine.memory.asyncio.sleep", second)
    gc.disable()
    try:
        gone, young = ref(_Loop()), [list[int]() for _ in range(30_000)]
        with suppress(asyncio.CancelledError):
            asyncio.run(memory.release_regularly(Health()))
    finally:
        gc.enable()
    assert len(young) == 30_000  # while it ran
    return round(seconds) - 1


def test_reference_cycles_are_freed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second later where much is young and there is time for it; at full load once memory goes back, 15 s later."""
    assert _looks_until_gone(monkeypatch, 0.5) == 1
    assert _looks_until_gone(monkeypatch, 1.0) == 15
