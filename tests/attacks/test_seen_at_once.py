"""Dead and paused workers: page and API report stalled figures within 3 s, and the others take over in seconds."""

# ruff: noqa: T201 - figures are to be seen.

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from streams.worker import create_topics
from tests.support.services import Services, until
from tests.support.standstill import Standstill

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = [pytest.mark.faults, pytest.mark.kafka]

#: 5 s are documented for a machine that has cores to spare (``benchmarks/failover.py`` measures); by the session timeout it were over 10.
STALL_SECONDS = 8.0
REPORTED_SECONDS = 3.0


def test_dead_and_paused_workers_are_seen_and_replaced(kafka: Cluster, tmp_path: Path) -> None:
    """Kill -9 of one of two, SIGSTOP of one of two, and of the last: reported within 3 s, and the queues continue while one is left."""
    prefix = f"seen-{time.time_ns()}"

    async def seconds_until_reported(followed: Standstill, since: float) -> float:
        await until(lambda: followed.first_reported(since) is not None, 12)
        return followed.first_reported(since) or 0.0

    async def survived(followed: Standstill, since: float, what: str) -> None:
        seconds = await seconds_until_reported(followed, since)
        await followed.caught_up()
        stall = followed.median_stall(since, time.monotonic())
        print(f"\n{what}: reported after {seconds:.1f} s, median stall by queue {stall:.1f} s; the API: {followed.states_since(since)}")
        assert seconds <= REPORTED_SECONDS
        assert stall <= STALL_SECONDS

    async def scenario(services: Services) -> None:
        await create_topics(kafka.bootstrap, prefix)
        services.run("worker1")
        services.run("worker2", "--instance-id", "second")
        services.run("serve")
        await services.ready("worker1", "worker2", "serve")
        async with Standstill(kafka.bootstrap, prefix, services) as followed:
            await followed.caught_up()
            services.kill("worker2")
            await survived(followed, time.monotonic(), "kill -9 of a static member")
            services.start("worker2")
            await services.ready("worker2")
            await followed.caught_up()
            services.pause("worker1")
            await survived(followed, time.monotonic(), "SIGSTOP")
            services.pause("worker2")
            paused = time.monotonic()
            assert await seconds_until_reported(followed, paused) <= REPORTED_SECONDS
            await until(lambda: followed.states[-1][1] == "stale", 5)
            assert followed.states[-1][0] - paused < REPORTED_SECONDS + 1
            print(f"SIGSTOP of the last: {followed.states_since(paused)}")
            services.resume("worker2")
            services.kill("worker1")
            services.start("worker1")
            await followed.caught_up()

    with Services(tmp_path, kafka.bootstrap, prefix) as services:
        asyncio.run(scenario(services))
