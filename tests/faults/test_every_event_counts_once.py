"""Two workers under load on Apache Kafka, killed, paused and crashed at every named point: the counts are exact."""

# ruff: noqa: T201 - a fault test tells what it did and with which seed.

from __future__ import annotations

import asyncio
import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from streams.engine.exits import ExitCode
from streams.engine.topics import TopicSpec, ensure_topics
from tests.support.counting import pane_key
from tests.support.recount import Load, last_values, until_processed
from tests.support.workers import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = pytest.mark.faults

#: Seconds of faults for each membership beyond the list below; 0 for the short form.
LONG_SECONDS = float(os.environ.get("CONTACT_STREAMS_FAULT_SECONDS", "0"))
SEED = int(os.environ.get("CONTACT_STREAMS_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)

PARTITIONS, PANE_PARTITIONS, RATE = 4, 2, 8000

#: A rebalance, a restore and the passes before the one that was asked for.
CRASH_SECONDS = 40.0

CRASHES = ["after_rows", "after_outputs", "after_offsets", "after_commit_sent", "during_restore"]
SHORT = {
    "static": ["kill", "pause", "after_rows", "after_offsets"],
    "dynamic": ["kill", "pause", "after_outputs", "after_commit_sent", "during_restore"],
}


async def _wait(workers: Workers, seconds: float) -> None:
    """Let time pass as a supervisor lets it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        workers.supervise()
        await asyncio.sleep(0.2)


async def _inflict(fault: str, workers: Workers, chance: random.Random) -> None:
    victim = chance.choice(workers.names)
    if fault == "pause":
        pause = chance.uniform(9, 12)
        print(f"{victim} paused for {pause:.1f} s")
        workers.pause(victim)
        await _wait(workers, pause)
        workers.resume(victim)
    else:
        workers.kill(victim)
        crash_at = None if fault == "kill" else f"{fault}:{1 if fault == 'during_restore' else chance.randint(1, 12)}"
        print(f"{victim} killed, comes back with {crash_at or 'nothing'}")
        workers.start(victim, crash_at=crash_at)
        if crash_at is not None:
            await _crashed(workers, fault)


async def _crashed(workers: Workers, fault: str) -> None:
    """Wait until the point is reached; the victim has to be given partitions first."""
    seen = f"Crash point {fault} reached."
    before = sum(workers.log(name).count(seen) for name in workers.names)
    until = time.monotonic() + CRASH_SECONDS
    while time.monotonic() < until:
        await _wait(workers, 0.4)
        if sum(workers.log(name).count(seen) for name in workers.names) > before:
            return
    raise TimeoutError(f"{fault} was not reached in {CRASH_SECONDS} s.")


async def _run(bootstrap: str, membership: str, folder: Path) -> None:
    chance = random.Random(SEED)
    name = f"exact-{membership}-{SEED}"
    source, changelog, panes = f"{name}-source", f"{name}-changelog", f"{name}-panes"
    flow = {"source": source, "changelog": changelog, "panes": panes, "pane_partitions": PANE_PARTITIONS}
    await ensure_topics(
        bootstrap,
        [
            TopicSpec(source, PARTITIONS),
            TopicSpec(changelog, PARTITIONS, config={"cleanup.policy": "compact"}),
            TopicSpec(panes, PANE_PARTITIONS, config={"cleanup.policy": "compact"}),
        ],
    )
    settings = {
        "app_id": name,
        "bootstrap": bootstrap,
        "session_timeout_seconds": 4 if membership == "dynamic" else 6,
        "rebalance_timeout_seconds": 10,
        "transaction_timeout_seconds": 5,
    }
    load = Load(bootstrap, source, PARTITIONS, SEED)
    stop = asyncio.Event()
    with Workers(folder) as workers:
        for worker in ("a", "b"):
            instance = {"group_instance_id": f"{name}-{worker}"} if membership == "static" else {}
            workers.start(worker, {"settings": {**settings, **instance}, "flow": flow})
        sending = asyncio.create_task(load.run(RATE, stop))
        try:
            await _wait(workers, 5)
            faults = list(SHORT[membership])
            chance.shuffle(faults)
            for fault in faults:
                await _inflict(fault, workers, chance)
                await _wait(workers, chance.uniform(2, 5))
            until = time.monotonic() + LONG_SECONDS
            while time.monotonic() < until:
                await _inflict(chance.choice(["kill", "pause", *CRASHES]), workers, chance)
                await _wait(workers, chance.uniform(2, 9))
        finally:
            stop.set()
            await sending
        catching_up = asyncio.create_task(until_processed(bootstrap, name, source, PARTITIONS, seconds=60))
        while not catching_up.done():
            await _wait(workers, 0.4)
        logs = {worker: workers.log(worker) for worker in workers.names}
        try:
            await catching_up
        except TimeoutError:
            print(*(f"{worker}:\n{log[-5000:]}" for worker, log in logs.items()), sep="\n")
            raise

        rows = await last_values(bootstrap, changelog, range(PARTITIONS))
        outputs = await last_values(bootstrap, panes, range(PANE_PARTITIONS))
        print(
            f"{membership}: {load.sent} records sent at {load.sent / load.seconds:.0f} a second, "
            f"{sum(map(int, rows.values()))} counted; ended by themselves: {workers.ended}"
        )

        assert load.sent / load.seconds >= 5000
        assert {place: int(count) for place, count in rows.items()} == load.truth
        assert {key: int(count) for (_, key), count in outputs.items()} == {
            pane_key(partition, key): count for (partition, key), count in load.truth.items()
        }
        everything = "\n".join(logs.values())
        # Who was paused beyond its session woke up to find its partitions owned by another.
        assert ExitCode.FENCED in {status for _, status in workers.ended}
        assert "FENCED: another worker owns" in everything
        assert {status for _, status in workers.ended} <= {ExitCode.FENCED, -9}


@pytest.mark.parametrize("membership", ["static", "dynamic"])
def test_every_event_counts_once(kafka: Cluster, tmp_path: Path, membership: str) -> None:
    """Rows and outputs equal the recount after kills, pauses and crashes under load, and who was paused is fenced."""
    print(f"seed {SEED}")
    asyncio.run(_run(kafka.bootstrap, membership, tmp_path))
