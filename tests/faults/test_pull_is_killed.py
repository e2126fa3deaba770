"""A polling connector is killed at random moments while its platform changes: each event is in Kafka once, and the figures are right."""

# ruff: noqa: T201 - a fault test prints what it did and with which seed.

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest

from schemas.topics import topic
from streams.configuration import Configuration
from streams.replay import Replay
from streams.worker import create_topics
from tests.faults.test_product_under_faults import SEED
from tests.support import kafka as apache
from tests.support.polled_desk import SOURCE, Desk
from tests.support.require import require
from tests.support.services import until
from tests.support.topics import read
from tests.support.workers import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = [pytest.mark.faults]

#: What the platform does now and then in place of answering.
FAILURES: Final[list[tuple[int, dict[str, str]] | str | bytes]] = [(429, {"Retry-After": "0"}), (500, {}), "cut", b"no JSON"]

#: How often the connector is killed while the platform changes.
KILLS = 5


class Simulated(Desk):
    """A desk at work: what happened to its tickets is what must come out."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(page_tickets=7)
        self.chance = chance
        self.waits: list[float] = []
        self._opened: dict[str, datetime] = {}

    async def work(self, stop: asyncio.Event) -> None:
        """Open, answer and solve tickets until stopped; now and then fail."""
        number = 0
        while not stop.is_set():
            # What lies a moment ago may happen now: an export has it when it is over.
            now = datetime.now(UTC) - timedelta(seconds=1)
            for _ in range(self.chance.randint(1, 4)):
                number += 1
                self._opened[f"t{number}"] = now
                self.change(f"t{number}", created_at=now.isoformat())
            for ticket, opened in list(self._opened.items()):
                if self.chance.random() < 0.3 and now > opened:
                    del self._opened[ticket]
                    self.waits.append((now - opened).total_seconds())
                    self.change(ticket, answered_at=now.isoformat(), agent=f"agent-{self.chance.randint(1, 3)}")
                    if self.chance.random() < 0.5:
                        self.change(ticket, solved_at=(now + timedelta(milliseconds=1)).isoformat())
            if self.chance.random() < 0.1:
                self.instead.append(self.chance.choice(FAILURES))
            await asyncio.sleep(0.05)

    def happened(self) -> set[str]:
        """Return the ids of the events that are to come of it."""
        return {f"{SOURCE}-{ticket}-{name}" for ticket, fields in self.tickets.items() for name in fields if name.endswith("_at")}


async def committed_events(bootstrap: str, prefix: str) -> list[dict[str, Any]]:
    """Return the events of contacts that are committed."""
    records = await read(bootstrap, topic("contact-events.v1").full_name(prefix))
    return [event for event in (orjson.loads(record.value) for record in records) if event["type"] != "source.heartbeat"]


async def polled_again(desk: Desk, workers: Workers, times: int = 1) -> None:
    """Wait until the connector has asked the desk so often from now on."""
    asked = len(desk.asked)
    await until(lambda: len(desk.asked) >= asked + times, 40, lambda: workers.log("connector")[-3000:])


async def complete_events(bootstrap: str, prefix: str, desk: Simulated, workers: Workers) -> list[dict[str, Any]]:
    """Return the events once all are there, after the connector has ended in order; each is there once."""
    expected, events = desk.happened(), []
    for _ in range(100):
        events = await committed_events(bootstrap, prefix)
        if {event["event_id"] for event in events} >= expected:
            break
        await asyncio.sleep(0.3)
    # All may have been there before the last start; who has not begun yet cannot end in order.
    await polled_again(desk, workers)
    assert workers.terminate("connector") == 0, workers.log("connector")[-3000:]
    events = await committed_events(bootstrap, prefix)
    ids = Counter(event["event_id"] for event in events)
    assert set(ids) == expected, workers.log("connector")[-3000:]
    assert ids.total() == len(expected), [name for name, count in ids.items() if count > 1][:5]
    return events


def test_connector_killed_while_its_platform_changes(kafka: Cluster, tmp_path: Path) -> None:
    """Must-show 6: with five kills at random moments no event is lost and none is there twice, and offers, answers and waits are right."""
    chance, prefix = random.Random(SEED), f"pull-{SEED}"
    desk = Simulated(chance)

    async def scenario(workers: Workers) -> None:
        await create_topics(kafka.bootstrap, prefix)
        killed_at: list[int] = []
        async with desk.serve() as address:
            workers.start("connector", {"address": address, "bootstrap": kafka.bootstrap, "prefix": prefix})
            stop = asyncio.Event()
            work = asyncio.create_task(desk.work(stop))
            for _ in range(KILLS):
                await polled_again(desk, workers)
                await asyncio.sleep(chance.uniform(0, 0.6))
                workers.kill("connector")
                killed_at.append(len(desk.asked))
                workers.start("connector")
            stop.set()
            await work
            events = await complete_events(kafka.bootstrap, prefix, desk, workers)
        print(f"\nseed {SEED}: {len(events)} events of {len(desk.tickets)} tickets; kills after {killed_at} of {len(desk.asked)} answers")
        # It was killed while it worked, not before or after.
        assert len(set(killed_at)) == KILLS

        replay = Replay(Configuration(), figures_only=True)
        for event in events:
            replay.add(orjson.dumps(event), "contact")
        kpis = replay.finish()["totals"]
        answered = len(desk.waits)
        assert (kpis["offered"]["value"], kpis["answered"]["value"]) == (len(desk.tickets), answered)
        assert kpis["asa"]["value"] == pytest.approx(sum(desk.waits) / answered, abs=0.002)

    with Workers(tmp_path, "tests.support.polled_desk") as workers:
        asyncio.run(scenario(workers))


@pytest.mark.nightly
def test_broker_is_paused_and_killed(tmp_path: Path) -> None:
    """A broker that answers nothing for ten seconds, and one that is killed and comes back: the connector waits, and repeats nothing."""
    require(apache.missing() is None, apache.missing() or "")
    prefix = f"pull-broker-{SEED}"
    desk = Simulated(random.Random(SEED))

    async def scenario(broker: Cluster, workers: Workers) -> None:
        await create_topics(broker.bootstrap, prefix)
        async with desk.serve() as address:
            workers.start("connector", {"address": address, "bootstrap": broker.bootstrap, "prefix": prefix})
            stop = asyncio.Event()
            work = asyncio.create_task(desk.work(stop))
            await polled_again(desk, workers, 4)
            broker.pause(1)
            # Longer than it waits for a transaction.
            await asyncio.sleep(10)
            broker.resume(1)
            await polled_again(desk, workers, 4)
            broker.kill(1)
            await asyncio.sleep(1)
            broker.start(1, wait=False)
            await asyncio.to_thread(broker.wait_ready)
            stop.set()
            await work
            events = await complete_events(broker.bootstrap, prefix, desk, workers)
        log = workers.log("connector")
        print(f"\nseed {SEED}: {len(events)} events of {len(desk.tickets)} tickets in {len(desk.asked)} answers")
        assert "waits. reason=kafka" in log
        assert "is polled again" in log
        assert workers.ended == []

    with apache.cluster() as broker, Workers(tmp_path, "tests.support.polled_desk") as workers:
        asyncio.run(scenario(broker, workers))
