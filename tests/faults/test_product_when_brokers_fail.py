"""The product on three nodes of Apache Kafka that are killed one after the other, the group's coordinator first."""

# ruff: noqa: T201 - a fault test prints what it did and with which seed.

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import KafkaError

from streams.engine.exits import ExitCode
from tests.faults.test_product_under_faults import ROUND_COUNT, ROUNDS, SEED
from tests.support.product import ProductRound
from tests.support.workers import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = [pytest.mark.faults, pytest.mark.nightly]

#: Seconds a killed node is away at least, and after its return: replicas have to catch up, and the load with what it could not send.
AWAY_SECONDS, BACK_SECONDS = 4.0, 6.0
#: Until another node coordinates; the others take four seconds to miss the one that did.
MOVES_SECONDS = 30.0


async def coordinator(bootstrap: str, group: str) -> int:
    """Return the node that coordinates a consumer group."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        node: int = await client.coordinator_lookup(CoordinationType.GROUP, group)
        return node
    finally:
        await client.close()


async def successor(product: ProductRound, first: int) -> int:
    """Wait until another node coordinates the workers, and return which."""
    until = time.monotonic() + MOVES_SECONDS
    while time.monotonic() < until:
        with suppress(KafkaError):
            node = await coordinator(product.bootstrap, f"{product.prefix}.worker")
            if node != first:
                return node
        await product.wait(0.5)
    raise AssertionError(f"Node {first} still coordinates {MOVES_SECONDS:.0f} s after it was killed.")


def test_every_figure_when_brokers_fail(kafka3: Cluster, tmp_path: Path) -> None:
    """Must-show 2: replication 3, in sync 2, each node killed once, the group's coordinator first; every figure equals the recount."""
    chance = random.Random(SEED)
    print(f"\nseed {SEED}")
    with Workers(tmp_path, "tests.support.product_worker") as workers:
        product = ProductRound(kafka3.bootstrap, f"brokers-product-{SEED}", workers, SEED, static=True, replication=3)

        async def faults() -> None:
            first = await coordinator(kafka3.bootstrap, f"{product.prefix}.worker")
            others = [node for node in kafka3.nodes if node != first]
            # The short form kills the coordinator alone.
            further = chance.sample(others, len(others)) if len(ROUNDS) == ROUND_COUNT else []
            for node in [first, *further]:
                print(f"  node {node}{', the coordinator,' if node == first else ''} killed")
                kafka3.kill(node)
                await product.wait(AWAY_SECONDS)
                if node == first:
                    print(f"  node {await successor(product, first)} coordinates now")
                kafka3.start(node, wait=False)
                await asyncio.to_thread(kafka3.wait_ready)
                await product.wait(BACK_SECONDS)

        outcome = asyncio.run(product.run(faults, bad_seconds=6, catch_up_seconds=120))
        print(f"  {outcome}; ended by themselves: {workers.ended}")
        assert outcome.events_a_second >= 5000
        assert outcome.differences == []
        assert outcome.contradictions == []
        assert outcome.dead_letters == []
        # A transaction may outlive its timeout while it has no coordinator, and a commit the patience of a worker.
        assert {status for _, status in workers.ended} <= {ExitCode.FENCED, ExitCode.FLUSH_FAILED, ExitCode.RESTORE_FAILED}
