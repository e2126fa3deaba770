"""Two workers of the product under 5,000 events a second on Apache Kafka, killed, paused and crashed: every figure equals the recount."""

# ruff: noqa: T201 - a fault test prints what it did and with which seed.

from __future__ import annotations

import asyncio
import os
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from streams.engine.exits import ExitCode
from tests.support.product import ProductRound
from tests.support.workers import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = [pytest.mark.alone, pytest.mark.faults]

#: How many of the rounds below are run.
ROUND_COUNT = int(os.environ.get("CONTACT_STREAMS_FAULT_ROUNDS", "1"))
SEED = int(os.environ.get("CONTACT_STREAMS_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)

#: A rebalance that waits for a session to end, a restore and the passes before the one that was asked for, on a busy machine.
CRASH_SECONDS = 60.0

CONTACTS, AGENTS, ROLL_UP = "contact-events.v1", "agent-events.v1", "queue-panes.v1"
CUSTOMERS, FACTS, LINKS = "customer-events.v1", "customer-facts.v2", "customer-links.v1"


@dataclass(frozen=True)
class Round:
    """Faults under load.

    ``kill``, ``kill-both``; ``pause`` for longer than a session lasts, ``pause-30`` for 30 seconds, ``pause-restored`` as soon as one
    that was killed has restored and before it claims; ``join``, a third worker comes, and ``leave``, one ends in good order and is away for
    a while; ``rolling-restart``, one after the other; or a crash point, ``@`` the source of the flow that is to reach it.
    """

    membership: str
    faults: tuple[str, ...]


ROUNDS = [
    Round("static", ("kill", "pause")),
    Round("static", (f"after_outputs@{ROLL_UP}",)),  # dies while roll-up publishes
    Round("dynamic", ("kill", "pause")),
    Round("static", (f"after_rows@{CONTACTS}", f"after_rows@{AGENTS}")),
    Round("static", (f"after_outputs@{CONTACTS}", "during_restore@")),
    Round("static", (f"after_offsets@{CONTACTS}", f"after_offsets@{ROLL_UP}")),
    Round("static", (f"after_commit_sent@{CONTACTS}", f"after_commit_sent@{AGENTS}", f"after_commit_sent@{ROLL_UP}")),
    Round("dynamic", (f"after_outputs@{ROLL_UP}", "during_restore@")),
    Round("static", ("pause", f"after_offsets@{AGENTS}", "kill-both")),
    Round("static", ("pause", f"after_rows@{CUSTOMERS}", "kill-both")),
    Round("dynamic", ("join", "leave")),
    Round("dynamic", ("pause-30",)),
    Round("static", ("rolling-restart", "kill")),
    Round("static", (f"after_rows@{ROLL_UP}", "during_restore@")),
    Round("dynamic", (f"after_commit_sent@{AGENTS}", "leave")),
    Round("static", (f"after_rows@{FACTS}", f"after_outputs@{LINKS}", "kill-both")),
    Round("dynamic", (f"after_offsets@{AGENTS}", "join", "kill")),
    Round("static", ("pause", "rolling-restart", "pause-restored")),
    Round("dynamic", ("kill", "kill", f"after_commit_sent@{ROLL_UP}")),
    Round("static", (f"after_outputs@{FACTS}", f"after_offsets@{CUSTOMERS}", f"after_commit_sent@{FACTS}")),
]


async def restored(worker: str, product: ProductRound) -> None:
    """Return when a worker that was just started has restored all partitions that it was assigned."""
    begun = len(product.workers.log(worker))
    until = time.monotonic() + CRASH_SECONDS
    while True:
        _, found, assigned = product.workers.log(worker)[begun:].partition("Setting newly assigned partitions")
        if found and 0 < assigned.partition("\n")[0].count("TopicPartition(") <= assigned.count(" is owned: "):
            return
        if time.monotonic() > until:
            raise TimeoutError(f"{worker} restored nothing in {CRASH_SECONDS} s.\n{product.workers.log(worker)[-4000:]}")
        await asyncio.sleep(0.002)  # the claim follows in some 50 ms


async def inflict(fault: str, product: ProductRound, chance: random.Random) -> None:
    """Do ``fault`` to one of the workers, or both, and return when it has happened."""
    workers = product.workers
    victim = chance.choice(workers.names)
    if fault in {"pause", "pause-30", "pause-restored"}:
        if fault == "pause-restored":
            workers.kill(victim)
            product.start(victim)
            await restored(victim, product)
        pause = 30.0 if fault == "pause-30" else chance.uniform(10.5, 12)  # a session lasts 10 s
        print(f"  {victim} paused for {pause:.1f} s")
        workers.pause(victim)
        await product.wait(pause)
        workers.resume(victim)
        return
    if fault == "kill-both":
        print("  both killed")
        for name in workers.names:
            workers.kill(name)
        for name in workers.names:
            product.start(name)
        return
    if fault == "join":
        print("  a third worker joins")
        product.start("c")
        await product.wait(chance.uniform(6, 9))
        return
    if fault == "leave":
        print(f"  {victim} leaves, status {workers.terminate(victim)}")
        await product.wait(chance.uniform(3, 6))
        product.start(victim)
        return
    if fault == "rolling-restart":
        for name in workers.names:
            ready = workers.log(name).count("Worker ready")
            print(f"  {name} is restarted, status {workers.terminate(name)}")
            product.start(name)
            until = time.monotonic() + CRASH_SECONDS
            while workers.log(name).count("Worker ready") == ready and time.monotonic() < until:
                await product.wait(0.2)
        return
    point, _, source = fault.partition("@")
    if source == FACTS:
        victim = product.owner(FACTS)  # of partition 0
    # Links have one partition, which may move when its worker dies: both come back to die of it, and one of them has it.
    victims = list(workers.names) if source == LINKS else [victim]
    for name in victims:
        workers.kill(name)
    if fault == "kill":
        print(f"  {victim} killed")
        product.start(victim)
        return
    # A worker that catches up makes rounds of flushes of some seconds.
    passes = 1 if point == "during_restore" else chance.randint(1, 4 if source in {ROLL_UP, FACTS, LINKS} else 8)
    print(f"  {' and '.join(victims)} killed, to die {point}:{passes}{f' of {source}' if source else ''}")

    def reached() -> int:
        return sum(workers.log(name).count(f"Crash point {point} reached.") for name in victims)

    before = reached()
    for name in victims:
        product.start(name, f"{point}:{passes}", source)
    until = time.monotonic() + CRASH_SECONDS
    while reached() == before:
        if time.monotonic() > until:
            raise TimeoutError(f"{fault} was not reached in {CRASH_SECONDS} s.\n{workers.log(victim)[-4000:]}")
        await product.wait(0.2)


@pytest.mark.parametrize("number", range(1, 1 + min(ROUND_COUNT, len(ROUNDS))))
def test_every_figure_under_faults(kafka: Cluster, tmp_path: Path, number: int) -> None:
    """Must-show 1 and 2: 20 rounds of kills, crashes, pauses, joins, leaves and restarts at 5,000 events a second, and no figure is off.

    Every served figure equals the recount, and no record is lost, doubled or contradicted by another.
    """
    this, seed = ROUNDS[number - 1], SEED + number
    chance = random.Random(seed)
    print(f"\nround {number}, seed {SEED} (+{number}), {this.membership}: {', '.join(this.faults)}")
    with Workers(tmp_path, "tests.support.product_worker") as workers:
        product = ProductRound(kafka.bootstrap, f"round-{number}-{seed}", workers, seed, static=this.membership == "static")

        async def faults() -> None:
            for fault in this.faults:
                await product.wait(chance.uniform(1, 2.5))
                await inflict(fault, product, chance)
            await product.wait(chance.uniform(1, 2.5))

        outcome = asyncio.run(product.run(faults, bad_seconds=6))
        removed = sum(workers.log(name).count("was removed from the group") for name in workers.names)
        print(f"  {outcome}; ended by themselves: {workers.ended}; silent and removed: {removed}")
        assert outcome.events_a_second >= 5000
        assert outcome.differences == []
        assert outcome.contradictions == []
        assert outcome.dead_letters == []
        assert {status for _, status in workers.ended} <= {ExitCode.FENCED, -9}
        # Who is only busy is not taken for dead; of two that die together, each newcomer may find both.
        assert removed <= 2 * sum((2 if LINKS in fault else 1) for fault in this.faults if "join" not in fault and "leave" not in fault)
