"""Two workers on three nodes of Apache Kafka that are killed one after the other: the counts are exact."""

# ruff: noqa: T201 - a fault test prints what it did and with which seed.

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from tests.faults.test_every_event_counts_once import LONG_SECONDS, SEED
from tests.support.exactness import Exactness
from tests.support.workers import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = [pytest.mark.faults, pytest.mark.nightly]

#: Seconds a killed node is away, and between its return and the next kill: replicas have to catch up.
AWAY_SECONDS, BACK_SECONDS = 6.0, 6.0


def test_counts_are_exact_when_brokers_are_killed(kafka3: Cluster, tmp_path: Path) -> None:
    """Leaders, group and transaction coordinators move under load; nothing is lost and nothing counts twice."""
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    with Workers(tmp_path) as workers:
        counting = Exactness(kafka3.bootstrap, f"brokers-{SEED}", workers, SEED, rate=6500, replication=3)

        async def faults() -> None:
            kills = 1 if LONG_SECONDS == 0 else int(LONG_SECONDS / (AWAY_SECONDS + BACK_SECONDS))
            for _ in range(kills):
                node = chance.choice(kafka3.nodes)
                print(f"node {node} killed")
                kafka3.kill(node)
                await counting.wait(AWAY_SECONDS)
                kafka3.start(node, wait=False)
                await asyncio.to_thread(kafka3.wait_ready)
                await counting.wait(BACK_SECONDS)

        asyncio.run(counting.hold(faults, catch_up_seconds=120))
