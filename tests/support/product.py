"""A round of the whole product on Apache Kafka: workers, load and faults, and the invariants of the topics afterwards."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.times import format_ms
from streams.worker import create_topics
from tests.support.children import start_module
from tests.support.product_load import LoadPlan
from tests.support.round_topics import RoundTopics
from tests.support.verification import recounting
from tests.support.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["CONFIGURATION", "Outcome", "ProductRound"]

CONFIGURATION = Path(__file__).parents[2] / "streams" / "demo" / "configuration.yaml"


@dataclass
class Outcome:
    """What came of a round; all but the first figures must be empty."""

    events: int
    events_a_second: float
    catch_up_seconds: float
    figures: int
    differences: list[str]
    contradictions: list[str]
    dead_letters: list[str]

    def __str__(self) -> str:
        return (
            f"{self.events} events at {self.events_a_second:.0f} a second, {len(self.differences)} differences in "
            f"{self.figures} figures, caught up after {self.catch_up_seconds:.1f} s"
        )


@dataclass
class ProductRound:
    """Two workers of the product under load, on topics of their own."""

    bootstrap: str
    prefix: str
    workers: Workers
    seed: int
    static: bool
    rate: int = 5200
    replication: int = 1
    configuration: Path = CONFIGURATION

    async def wait(self, seconds: float) -> None:
        """Let time pass as a supervisor lets it: what has ended is started again."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.workers.supervise()
            await asyncio.sleep(0.2)

    def start(self, worker: str, crash_at: str | None = None, crash_source: str = "") -> None:
        """Start a worker, to die at a crash point of the flow with this source if one is named."""
        arguments = ["worker", "--bootstrap", self.bootstrap, "--prefix", self.prefix, "--config", str(self.configuration), "--port", "-1"]
        arguments += ["--replication", str(self.replication)]
        if self.static:
            arguments += ["--instance-id", f"{self.prefix}-{worker}"]
        self.workers.start(worker, {"arguments": arguments, "crash_source": crash_source}, crash_at)

    def owner(self, topic_name: str) -> str:
        """Return the worker that was the last to own partition 0 of a topic."""
        sign = f"{self.prefix}.{topic_name} partition 0 is owned: "
        lines = [(line, name) for name in self.workers.names for line in self.workers.log(name).splitlines() if sign in line]
        return max(lines)[1]  # a line begins with its time

    async def ready(self, seconds: float = 60) -> None:
        """Wait until both workers have partitions and process them."""
        until = time.monotonic() + seconds
        while not all("Worker ready" in self.workers.log(name) for name in self.workers.names):
            if time.monotonic() > until:
                raise TimeoutError("\n".join(self.workers.log(name)[-4000:] for name in self.workers.names))
            await self.wait(0.2)

    async def run(
        self,
        faults: Callable[[], Awaitable[None]],
        bad_seconds: float,
        catch_up_seconds: float = 90,
        at_end: Callable[[dict[str, dict[str, Any]]], Awaitable[None]] | None = None,
    ) -> Outcome:
        """Run ``faults`` under load, let the workers finish, and compare what they have published with the events.

        ``at_end`` is given the latest records while the workers still run.
        """
        await create_topics(self.bootstrap, self.prefix, self.replication)
        for name in ("a", "b"):
            self.start(name)
        await self.ready()
        plan = LoadPlan(self.bootstrap, self.prefix, self.seed, self.rate, bad_seconds)
        with start_module("tests.support.product_load", asdict(plan)) as load:
            try:
                await faults()
                assert load.stdin is not None
                load.stdin.write(b"stop\n")
                load.stdin.close()
                while load.poll() is None:
                    await self.wait(0.2)
                assert load.stdout is not None
                published = json.loads(load.stdout.read())
            finally:
                load.kill()
        with recounting(self.seed, published["events"], CONFIGURATION) as recount:
            topics = RoundTopics(self.bootstrap, self.prefix)
            latest, waited = await topics.caught_up(format_ms(recount.final_ms), catch_up_seconds, self.workers.supervise, self._logs)
            if at_end is not None:
                await at_end(latest)
            unclean = [f"{name} ended with {status}" for name, status in self.workers.terminate_all().items() if status]
            differing = asyncio.create_task(asyncio.to_thread(recount.differences, latest))
            outcome = Outcome(
                events=published["events"],
                events_a_second=published["events"] / published["seconds"],
                catch_up_seconds=waited,
                figures=sum(len(record.get("kpis", {"now": 0})) for record in latest.values()),
                contradictions=unclean + await topics.contradictions(latest),
                dead_letters=await topics.unexpected_dead_letters(self.seed, published["bad"]),
                differences=await differing,
            )
        await topics.delete_topics()
        return outcome

    def _logs(self) -> str:
        return "\n".join(f"{name}:\n{self.workers.log(name)[-6000:]}" for name in self.workers.names)
