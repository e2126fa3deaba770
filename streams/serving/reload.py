"""Watches the configuration or senders file of a running process, and says on its pages what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
import weakref
from typing import TYPE_CHECKING, Protocol, TypeVar

from prometheus_client.core import GaugeMetricFamily

from streams.catalogue import SERVING_METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import Metric

__all__ = ["CHANGED", "POLL_SECONDS", "VALID", "FileGauges", "configuration_families", "now_ms", "watch"]

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

logger = logging.getLogger(__name__)

#: What SIGHUP sets, by loop: a loop has one handler of a signal.
_ASKED: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.WeakSet[asyncio.Event]] = weakref.WeakKeyDictionary()

#: Between two looks at the file; a change is judged at the second look that finds it.
POLL_SECONDS = 2.0

VALID = "contact_center_configuration_valid"
CHANGED = "contact_center_configuration_changed_timestamp_seconds"
_HELP = {metric.name: metric.help for metric in SERVING_METRICS}


class _Judged(Protocol):
    """A file of which it is known whether a process can run with it as it is."""

    @property
    def changed_ms(self) -> int: ...

    @property
    def valid(self) -> bool: ...


class _Watched(Protocol[T_co]):
    """A file that is looked at again and again."""

    def poll(self, now_ms: int, *, at_once: bool = False) -> T_co | None: ...


def now_ms() -> int:
    """Return the time of the wall clock."""
    return time.time_ns() // 1_000_000


async def watch(file: _Watched[T], take: Callable[[T], None], *, poll_seconds: float = POLL_SECONDS) -> None:
    """Look at the file every few seconds, and at once on SIGHUP, until cancelled; ``take`` gets what is valid and new.

    A process may watch several.
    """
    asked = _asked_by_signal()
    while True:
        # Not wait_for, which in Python 3.11 goes on when it is cancelled in the moment of the signal.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(poll_seconds):
                await asked.wait()
        at_once = asked.is_set()
        asked.clear()
        try:
            # Reading waits for a disk, and a large file takes a second to check: neither may hold up what else goes on.
            taken = await asyncio.to_thread(file.poll, now_ms(), at_once=at_once)
        except Exception:
            logger.exception("The file could not be looked at; going on as before.")
            continue
        if taken is not None:
            take(taken)


def _asked_by_signal() -> asyncio.Event:
    """Return an event that SIGHUP sets, as all others that were returned in this loop."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    waiting = _ASKED.setdefault(loop, weakref.WeakSet())
    waiting.add(asked)

    def ask() -> None:
        for each in waiting:
            each.set()

    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # no such signal, or not in the main thread
        loop.add_signal_handler(signal.SIGHUP, ask)
    return asked


class FileGauges:
    """The gauges about a file, for a registry."""

    def __init__(self, file: _Judged) -> None:
        self._file = file

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges as of now."""
        return configuration_families(self._file)


def configuration_families(file: _Judged | None) -> Iterator[Metric]:
    """Yield the gauges about the file; none where a process has no file."""
    if file is not None:
        yield GaugeMetricFamily(VALID, _HELP[VALID], value=float(file.valid))
        yield GaugeMetricFamily(CHANGED, _HELP[CHANGED], value=file.changed_ms / 1000)
