"""A simulated center at a constant arrival rate, replayed at a multiple of its own speed by a process of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer

from streams.demo.simulator import arrivals
from streams.demo.simulator.load import LOAD_START_MS, multiplied
from streams.demo.simulator.simulation import Simulation
from tests.support.kafka import die_with_parent
from tests.support.product_load import LoadPlan, Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.demo.simulator.emission import Emission

__all__ = ["CenterPlan", "center", "main", "start"]

HOUR_MS = 3_600_000
_TICK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class CenterPlan:
    """What is replayed, and where to."""

    bootstrap: str
    prefix: str
    seed: int
    hours: int
    #: Simulated seconds a second.
    speed: float
    #: Centers of 45 people side by side.
    centers: int


def center(seed: int, hours: int, centers: int) -> Iterator[Emission]:
    """Yield the events of ``hours`` hours; contacts arrive at the same rate all the time."""
    arrivals.volume = lambda since_opening_ms: 0.9
    end_ms = LOAD_START_MS + hours * HOUR_MS
    events = multiplied(Simulation(seed=seed, start_ms=LOAD_START_MS).emissions(), centers)
    return takewhile(lambda each: each.published_ms < end_ms, events)


def start(plan: CenterPlan) -> subprocess.Popen[str]:
    """Start a replay; its output has the lines of JSON."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.center_load", json.dumps(asdict(plan))],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - the child calls one system call and execs
    )


async def replay(plan: CenterPlan) -> None:
    """Publish, and print a line of JSON when a simulated hour is over."""
    producer = AIOKafkaProducer(bootstrap_servers=plan.bootstrap, enable_idempotence=True, max_batch_size=1024 * 1024)
    await producer.start()
    publisher = Publisher(LoadPlan(plan.bootstrap, plan.prefix, plan.seed, 0, 0), producer)
    began, hour, behind_ms = time.monotonic(), 1, 0.0
    batch: list[Emission] = []
    try:
        for emission in center(plan.seed, plan.hours, plan.centers):
            now_ms = LOAD_START_MS + (time.monotonic() - began) * plan.speed * 1000
            behind_ms = max(behind_ms, now_ms - emission.published_ms)
            if emission.published_ms >= LOAD_START_MS + hour * HOUR_MS:
                await publisher.send(batch)
                batch = []
                _print_hour(hour, publisher, behind_ms)
                hour, behind_ms = hour + 1, 0.0
            if emission.published_ms > now_ms or len(batch) >= 2000:
                await publisher.send(batch)
                batch = []
                if emission.published_ms > now_ms:
                    await asyncio.sleep(max(_TICK_SECONDS, (emission.published_ms - now_ms) / 1000 / plan.speed))
            batch.append(emission)
        await publisher.send(batch)
        _print_hour(hour, publisher, behind_ms)
    finally:
        await producer.stop()


def _print_hour(hour: int, publisher: Publisher, behind_ms: float) -> None:
    print(json.dumps({"hour": hour, "records": publisher.records, "behind_seconds": behind_ms / 1000}), flush=True)  # noqa: T201 - the test reads it


def main(arguments: str) -> None:
    """Replay; ``arguments`` is JSON, a CenterPlan."""
    asyncio.run(replay(CenterPlan(**json.loads(arguments))))


if __name__ == "__main__":
    main(sys.argv[1])
