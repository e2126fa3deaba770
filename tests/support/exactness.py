"""A counting application on Kafka that tests break in some way, and the comparison with the exact recount at the end."""

# ruff: noqa: T201 - a fault test prints what it did.

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.engine.topics import TopicSpec, ensure_topics
from tests.support.counting import pane_key
from tests.support.recount import Load, last_values, until_processed
from tests.support.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


__all__ = ["Exactness"]

PARTITIONS, PANE_PARTITIONS = 4, 2


@dataclass
class Exactness:
    """Two workers that count under load."""

    bootstrap: str
    name: str
    workers: Workers
    seed: int
    #: Records a second.
    rate: int = 8000
    replication: int = 1
    static: bool = True

    async def wait(self, seconds: float) -> None:
        """Let time pass as a supervisor lets it: what has ended is started again."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.workers.supervise()
            await asyncio.sleep(0.2)

    async def busy(self, worker: str, seconds: float = 60) -> None:
        """Wait until ``worker`` processes records."""
        before = self.workers.log(worker).count("processed")
        until = time.monotonic() + seconds
        while self.workers.log(worker).count("processed") < before + 2:
            if time.monotonic() > until:
                raise TimeoutError(f"{worker} has processed nothing for {seconds:.0f} s.")
            await self.wait(0.2)

    async def hold(self, faults: Callable[[], Awaitable[None]], catch_up_seconds: float = 60) -> None:
        """Run ``faults`` under load, let the workers finish, and assert that rows and outputs equal the recount."""
        source, changelog, panes = f"{self.name}-source", f"{self.name}-changelog", f"{self.name}-panes"
        config = {"min.insync.replicas": str(max(1, self.replication - 1))}
        compact = {"cleanup.policy": "compact", **config}
        await ensure_topics(
            self.bootstrap,
            [
                TopicSpec(source, PARTITIONS, self.replication, config),
                TopicSpec(changelog, PARTITIONS, self.replication, compact),
                TopicSpec(panes, PANE_PARTITIONS, self.replication, compact),
            ],
        )
        for worker in ("a", "b"):
            settings = {
                "app_id": self.name,
                "bootstrap": self.bootstrap,
                "session_timeout_seconds": 6 if self.static else 4,
                "rebalance_timeout_seconds": 10,
                "transaction_timeout_seconds": 5,
                "group_instance_id": f"{self.name}-{worker}" if self.static else None,
            }
            flow = {"source": source, "changelog": changelog, "panes": panes, "pane_partitions": PANE_PARTITIONS}
            self.workers.start(worker, {"settings": settings, "flow": flow})
        load = Load(self.bootstrap, source, PARTITIONS, self.seed)
        stop = asyncio.Event()
        sending = asyncio.create_task(load.run(self.rate, stop))
        try:
            await self.wait(5)
            await faults()
        finally:
            stop.set()
            await sending
        catching_up = asyncio.create_task(until_processed(self.bootstrap, self.name, source, PARTITIONS, catch_up_seconds))
        while not catching_up.done():
            await self.wait(0.4)
        try:
            await catching_up
        except TimeoutError:
            print(*(f"{worker}:\n{self.workers.log(worker)[-5000:]}" for worker in self.workers.names), sep="\n")
            raise

        rows = await last_values(self.bootstrap, changelog, range(PARTITIONS))
        outputs = await last_values(self.bootstrap, panes, range(PANE_PARTITIONS))
        print(
            f"{self.name}: {load.sent} records sent at {load.sent / load.seconds:.0f} a second, "
            f"{sum(map(int, rows.values()))} counted; ended by themselves: {self.workers.ended}"
        )
        assert load.sent / load.seconds >= 5000
        assert {place: int(count) for place, count in rows.items()} == load.truth
        assert {key: int(count) for (_, key), count in outputs.items()} == {
            pane_key(partition, key): count for (partition, key), count in load.truth.items()
        }
