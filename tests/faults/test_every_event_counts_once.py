"""Two workers under load on Apache Kafka, killed, paused and crashed at every named point: the counts are exact."""

# ruff: noqa: T201 - a fault test prints what it did and with which seed.

from __future__ import annotations

import asyncio
import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from streams.engine.exits import ExitCode
from tests.support.exactness import Exactness
from tests.support.workers import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = [pytest.mark.faults, pytest.mark.nightly]

#: Seconds of faults for each membership beyond the list below; 0 for the short form.
LONG_SECONDS = float(os.environ.get("CONTACT_STREAMS_FAULT_SECONDS", "0"))
SEED = int(os.environ.get("CONTACT_STREAMS_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)

#: A rebalance, a restore and the passes before the one that was asked for, on a busy machine.
CRASH_SECONDS = 60.0

CRASHES = ["after_rows", "after_outputs", "after_offsets", "after_commit_sent", "during_restore"]
SHORT = {
    "static": ["kill", "pause", "after_rows", "after_offsets"],
    "dynamic": ["kill", "pause", "after_outputs", "after_commit_sent", "during_restore"],
}


async def inflict(fault: str, counting: Exactness, chance: random.Random) -> None:
    """Do ``fault`` to one of the workers and return when it has happened."""
    workers = counting.workers
    victim = chance.choice(workers.names)
    if fault == "pause":
        # One that owns nothing would wake up to nothing.
        await counting.busy(victim)
        pause = chance.uniform(9, 12)
        print(f"{victim} paused for {pause:.1f} s")
        workers.pause(victim)
        await counting.wait(pause)
        workers.resume(victim)
        return
    workers.kill(victim)
    crash_at = None if fault == "kill" else f"{fault}:{1 if fault == 'during_restore' else chance.randint(1, 12)}"
    print(f"{victim} killed, comes back with {crash_at or 'nothing'}")
    reached = f"Crash point {fault} reached."
    before = workers.log(victim).count(reached)
    workers.start(victim, crash_at=crash_at)
    until = time.monotonic() + CRASH_SECONDS
    # The victim has to be given partitions first.
    while crash_at is not None and workers.log(victim).count(reached) == before:
        if time.monotonic() > until:
            raise TimeoutError(f"{fault} was not reached in {CRASH_SECONDS} s.")
        await counting.wait(0.4)


@pytest.mark.parametrize("membership", ["static", "dynamic"])
def test_every_event_counts_once(kafka: Cluster, tmp_path: Path, membership: str) -> None:
    """Rows and outputs equal the recount after kills, pauses and crashes under load, and who was paused is fenced."""
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    with Workers(tmp_path) as workers:
        counting = Exactness(kafka.bootstrap, f"exact-{membership}-{SEED}", workers, SEED, static=membership == "static")

        async def faults() -> None:
            for fault in chance.sample(SHORT[membership], len(SHORT[membership])):
                await inflict(fault, counting, chance)
                await counting.wait(chance.uniform(2, 5))
            until = time.monotonic() + LONG_SECONDS
            while time.monotonic() < until:
                await inflict(chance.choice(["kill", "pause", *CRASHES]), counting, chance)
                await counting.wait(chance.uniform(2, 9))

        asyncio.run(counting.hold(faults))

        logs = "\n".join(workers.log(name) for name in workers.names)
        # Who was paused beyond its session woke up to find its partitions owned by another.
        assert "FENCED: another worker owns" in logs
        assert ExitCode.FENCED in {status for _, status in workers.ended}
        assert {status for _, status in workers.ended} <= {ExitCode.FENCED, -9}
