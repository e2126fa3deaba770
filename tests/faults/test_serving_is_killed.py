"""The serving process is killed under load: afterwards it shows what the topics hold, and the workers are not affected."""

# ruff: noqa: T201 - a fault test prints what it did and with which seed.

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.test_product_under_faults import SEED
from tests.support.product import ProductRound
from tests.support.services import Services, until
from tests.support.workers import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = [pytest.mark.faults, pytest.mark.nightly]

#: What the server adds to from its own reading of the time.
AGED = {"longest_wait_seconds", "backlog_oldest_seconds"}


def without_ages(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without what ages."""
    return {name: value for name, value in record.items() if name not in AGED}


def test_a_killed_server_moves_no_partition_and_loses_no_record(kafka: Cluster, tmp_path: Path) -> None:
    """Must-show 2: after kill -9 and a restart the server has every record of the topic, exactly, and no partition has moved."""
    prefix = f"served-{SEED}"
    (tmp_path / "served").mkdir()
    with Workers(tmp_path, "tests.support.product_worker") as workers, Services(tmp_path / "served", kafka.bootstrap, prefix) as services:
        product = ProductRound(kafka.bootstrap, prefix, workers, SEED, static=False)
        owned: list[int] = []

        def taken() -> int:
            return sum(workers.log(name).count(" is owned: ") for name in workers.names)

        async def faults() -> None:
            owned.append(taken())
            services.run("serve")
            await services.ready("serve")
            for _ in range(2):
                await product.wait(2)
                services.kill("serve")
                services.start("serve")
                await services.ready("serve")
            owned.append(taken())

        async def equal_to_the_topic(latest: dict[str, dict[str, Any]]) -> None:
            served: dict[str, Any] = {}

            async def caught_up() -> bool:
                served.update((await services.ask("serve", "/api/v1/figures"))[1]["records"])
                return all(served.get(key, {}).get("revision") == record["revision"] for key, record in latest.items())

            await until(caught_up, 20, lambda: f"{len(served)} served of {len(latest)}")
            assert {key: without_ages(record) for key, record in served.items()} == {
                key: without_ages(record) for key, record in latest.items()
            }
            print(f"  {len(served)} records served after two kills, all as in the topic")

        outcome = asyncio.run(product.run(faults, bad_seconds=2, at_end=equal_to_the_topic))
        print(f"\nseed {SEED}: {outcome.events} events at {outcome.events_a_second:.0f} a second, {outcome.figures} figures")
        assert outcome.differences == []
        assert outcome.contradictions == []
        assert workers.ended == []
        assert owned[0] == owned[1]
