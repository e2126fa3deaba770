"""Measures how long figures are stalled when a worker dies, is paused or restarted, and what the API reports meanwhile.

``python -m benchmarks.failover`` starts a broker and prints one row per fault: workers with default settings, a server, 24 events a second
in 24 queues.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from streams.worker import create_topics
from tests.support.kafka import VERSION, cluster
from tests.support.services import Services
from tests.support.standstill import Standstill

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: How long after a fault events are followed.
_FOLLOWED_SECONDS = 16.0


async def _kill(services: Services) -> None:
    services.kill("worker1")


async def _pause(services: Services) -> None:
    services.pause("worker1")


async def _kill_and_start(services: Services) -> None:
    services.kill("worker1")
    await asyncio.sleep(1)
    services.start("worker1")


async def _restart(services: Services) -> None:
    await asyncio.to_thread(services.terminate, "worker1")
    services.start("worker1")


#: Fault → function that causes it, number of workers, whether they have instance ids.
FAULTS: dict[str, tuple[Callable[[Services], Awaitable[None]], int, bool]] = {
    "kill -9, one of two workers": (_kill, 2, False),
    "kill -9, one of two, with instance ids": (_kill, 2, True),
    "SIGSTOP, one of two": (_pause, 2, False),
    "kill -9, only worker, back after 1 s, without instance id": (_kill_and_start, 1, False),
    "the same with an instance id": (_kill_and_start, 1, True),
    "SIGTERM and restart, one of two": (_restart, 2, False),
    "SIGTERM and restart, one of two, with instance ids": (_restart, 2, True),
}


async def _measure(bootstrap: str, prefix: str, name: str) -> tuple[float, float, float | None, str]:
    act, workers, static = FAULTS[name]
    await create_topics(bootstrap, prefix)
    with tempfile.TemporaryDirectory() as folder, Services(Path(folder), bootstrap, prefix) as services:
        names = [f"worker{number}" for number in range(1, workers + 1)]
        for worker in names:
            services.run(worker, *(["--instance-id", worker] if static else []))
        services.run("serve")
        await services.ready(*names, "serve")
        async with Standstill(bootstrap, prefix, services) as followed:
            await followed.settled()
            await asyncio.sleep(3)
            began = time.monotonic()
            await act(services)
            await asyncio.sleep(_FOLLOWED_SECONDS)
            until = began + _FOLLOWED_SECONDS - 4
            stalls = followed.stalls(began, until)
            return followed.median_stall(began, until), stalls[-1], followed.first_reported(began), followed.telling(began)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--only", default="", help="only faults whose name contains this")
    given = parser.parse_args()
    with cluster() as kafka:
        print(f"Apache Kafka {VERSION}, default timings, 24 events/s, 24 queues\n", flush=True)
        print(
            "| event | median stall by queue | longest | reported after | the API meanwhile |\n| --- | --- | --- | --- | --- |", flush=True
        )
        for number, name in enumerate(FAULTS):
            if given.only not in name:
                continue
            for turn in range(given.repeat):
                median, longest, reported, status = asyncio.run(_measure(kafka.bootstrap, f"failover-{number}-{turn}", name))
                after = "–" if reported is None else f"{reported:.1f} s"
                print(f"| {name} | {median:.1f} s | {longest:.1f} s | {after} | {status} |", flush=True)


if __name__ == "__main__":
    main()
