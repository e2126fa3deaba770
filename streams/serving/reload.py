"""Watches the configuration file of a running process, and says on its pages what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from streams.catalogue import SERVING_METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import Metric

    from streams.configuration.file import ConfigurationFile, Taken

__all__ = ["CHANGED", "POLL_SECONDS", "VALID", "configuration_families", "now_ms", "watch"]

logger = logging.getLogger(__name__)

#: Between two looks at the file; a change is judged at the second look that finds it.
POLL_SECONDS = 2.0

VALID = "contact_center_configuration_valid"
CHANGED = "contact_center_configuration_changed_timestamp_seconds"
_HELP = {metric.name: metric.help for metric in SERVING_METRICS}


def now_ms() -> int:
    """Return the time of the wall clock."""
    return time.time_ns() // 1_000_000


async def watch(file: ConfigurationFile, take: Callable[[Taken], None], *, poll_seconds: float = POLL_SECONDS) -> None:
    """Look at the file every few seconds, and at once on SIGHUP, until cancelled; ``take`` gets what is valid and new."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # no such signal, or not in the main thread
        loop.add_signal_handler(signal.SIGHUP, asked.set)
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asked.wait(), poll_seconds)
        at_once = asked.is_set()
        asked.clear()
        try:
            # Reading waits for a disk, and a large file takes a second to check: neither may hold up what else goes on.
            taken = await asyncio.to_thread(file.look, now_ms(), at_once=at_once)
        except Exception:
            logger.exception("The configuration file could not be looked at; going on as before.")
            continue
        if taken is not None:
            take(taken)


def configuration_families(file: ConfigurationFile | None) -> Iterator[Metric]:
    """Yield the gauges about the file; none where a process has no file."""
    if file is not None:
        yield GaugeMetricFamily(VALID, _HELP[VALID], value=float(file.valid))
        yield GaugeMetricFamily(CHANGED, _HELP[CHANGED], value=file.changed_ms / 1000)
