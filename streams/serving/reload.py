"""Watches the configuration or senders file of a running process, and exports its state."""

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

#: The events that SIGHUP sets, by loop: a loop has one handler per signal.
_SIGNALLED: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.WeakSet[asyncio.Event]] = weakref.WeakKeyDictionary()

#: Between two polls of the file; a change is validated at the second poll that finds it.
POLL_SECONDS = 2.0

VALID = "contact_center_configuration_valid"
CHANGED = "contact_center_configuration_changed_timestamp_seconds"
_HELP = {metric.name: metric.help for metric in SERVING_METRICS}


class _Judged(Protocol):
    """A file that is known to be valid or not."""

    @property
    def changed_ms(self) -> int: ...

    @property
    def valid(self) -> bool: ...


class _Watched(Protocol[T_co]):
    """A file that is polled."""

    def poll(self, now_ms: int, *, at_once: bool = False) -> T_co | None: ...


def now_ms() -> int:
    """Return the time of the wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


async def watch(file: _Watched[T], take: Callable[[T], None], *, poll_seconds: float = POLL_SECONDS) -> None:
    """Poll the file every few seconds, and at once on SIGHUP, until cancelled; pass valid changes to ``take``.

    A process may watch several files.
    """
    signalled = _signalled()
    while True:
        # Not wait_for, which in Python 3.11 continues when it is cancelled at the moment of the signal.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(poll_seconds):
                await signalled.wait()
        at_once = signalled.is_set()
        signalled.clear()
        try:
            # Reading waits for a disk, and checking a large file takes a second: not in the event loop.
            taken = await asyncio.to_thread(file.poll, now_ms(), at_once=at_once)
        except Exception:
            logger.exception("The file could not be checked; continuing as before.")
            continue
        if taken is not None:
            take(taken)


def _signalled() -> asyncio.Event:
    """Return an event that SIGHUP sets, like all others of this loop."""
    loop, signalled = asyncio.get_running_loop(), asyncio.Event()
    events = _SIGNALLED.setdefault(loop, weakref.WeakSet())
    events.add(signalled)

    def set_all() -> None:
        for event in events:
            event.set()

    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # no such signal, or not in the main thread
        loop.add_signal_handler(signal.SIGHUP, set_all)
    return signalled


class FileGauges:
    """The gauges of a file, for a registry."""

    def __init__(self, file: _Judged) -> None:
        self._file = file

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges as of now."""
        return configuration_families(self._file)


def configuration_families(file: _Judged | None) -> Iterator[Metric]:
    """Yield the gauges of the file; none if the process has no file."""
    if file is not None:
        yield GaugeMetricFamily(VALID, _HELP[VALID], value=float(file.valid))
        yield GaugeMetricFamily(CHANGED, _HELP[CHANGED], value=file.changed_ms / 1000)
