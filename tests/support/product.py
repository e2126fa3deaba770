"""A round of the whole product on Apache Kafka: workers, load and faults, and everything that the topics must say afterwards."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.dead_letters import REASON, headers_without_ours, origin_of
from schemas.events import parse_agent_event, parse_contact_event
from schemas.times import format_ms
from schemas.topics import TOPICS, topic
from streams.configuration import load_configuration
from streams.worker import create_topics
from tests.oracle.recount import recount
from tests.properties.compare import differences
from tests.support.kafka import die_with_parent
from tests.support.product_load import LoadPlan, bad_records, events_of, final_ms
from tests.support.workers import Workers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from aiokafka import ConsumerRecord

    from schemas.base import Event
    from streams.demo.simulator.emission import Emission

__all__ = ["CONFIGURATION", "Outcome", "ProductRound"]

CONFIGURATION = Path(__file__).parents[2] / "streams" / "demo" / "configuration.yaml"

#: Nothing may change any more for so long once everything has arrived.
_QUIET_SECONDS = 1.5


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
    rate: int = 5400
    replication: int = 1

    async def wait(self, seconds: float) -> None:
        """Let time pass as a supervisor lets it: what has ended is started again."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.workers.supervise()
            await asyncio.sleep(0.2)

    def start(self, worker: str, crash_at: str | None = None, crash_source: str = "") -> None:
        """Start a worker, to die at a crash point of the flow with this source if one is named."""
        arguments = ["worker", "--bootstrap", self.bootstrap, "--prefix", self.prefix, "--config", str(CONFIGURATION), "--port", "-1"]
        arguments += ["--replication", str(self.replication)]
        if self.static:
            arguments += ["--instance-id", f"{self.prefix}-{worker}"]
        self.workers.start(worker, {"arguments": arguments, "crash_source": crash_source}, crash_at)

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
        with self._load(plan) as load:
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
        emissions = list(events_of(self.seed, published["events"]))
        latest, waited = await self._caught_up(format_ms(final_ms(emissions[-1])), catch_up_seconds)
        if at_end is not None:
            await at_end(latest)
        unclean = [f"{name} ended with {status}" for name in self.workers.names if (status := self.workers.terminate(name))]
        wrong = self._differences(latest, emissions)
        outcome = Outcome(
            events=published["events"],
            events_a_second=published["events"] / published["seconds"],
            catch_up_seconds=waited,
            figures=sum(len(record.get("kpis", {"now": 0})) for record in latest.values()),
            differences=wrong,
            contradictions=unclean + await self._contradictions(latest),
            dead_letters=await self._wrong_dead_letters(published["bad"]),
        )
        await self._delete_topics()
        return outcome

    @staticmethod
    def _load(plan: LoadPlan) -> subprocess.Popen[bytes]:
        """Start the load, in a process of its own: nothing that is done here may slow it down."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.product_load", json.dumps(asdict(plan))],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - the child calls one system call and execs
        )

    @staticmethod
    def _differences(latest: dict[str, dict[str, Any]], emissions: list[Emission]) -> list[str]:
        """Hold every figure against the recount of the same events."""
        gc.disable()  # millions of objects that all stay: collecting would take most of the time
        try:
            final = final_ms(emissions[-1])
            events: list[Event] = [
                (parse_agent_event if each.destination == "agent-events" else parse_contact_event)(orjson.dumps(each.event))
                for each in emissions
            ]
            return differences(latest, recount(events, load_configuration(CONFIGURATION), final, final))
        finally:
            gc.enable()

    # ---- what the topics say

    async def _caught_up(self, final: str, seconds: float) -> tuple[dict[str, dict[str, Any]], float]:
        """Return the latest records once all is rolled up through the end and nothing changes any more, and the seconds it took."""
        entry = topic("queue-metrics-latest.v1")
        places = [TopicPartition(entry.full_name(self.prefix), number) for number in range(entry.partitions)]
        consumer = await self._reader(places)
        latest: dict[bytes, bytes] = {}
        began = changed = time.monotonic()
        waited: float | None = None
        try:
            while waited is None or time.monotonic() - changed < _QUIET_SECONDS:
                self.workers.supervise()
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        changed = time.monotonic()
                        if record.value is None:
                            latest.pop(record.key, None)
                        else:
                            latest[record.key] = record.value
                progress = [orjson.loads(latest.get(b"progress|%d" % place.partition, b"{}")) for place in places]
                if waited is None and all(each.get("as_of") == each.get("complete_through") == final for each in progress):
                    waited = time.monotonic() - began
                if time.monotonic() - began > seconds:
                    reached = [(each.get("as_of"), each.get("complete_through")) for each in progress]
                    logs = "\n".join(f"{name}:\n{self.workers.log(name)[-6000:]}" for name in self.workers.names)
                    raise TimeoutError(f"After {seconds:.0f} s not at {final} but at {reached}.\n{logs}")
        finally:
            await consumer.stop()
        return {key.decode(): orjson.loads(value) for key, value in latest.items()}, waited

    async def _contradictions(self, latest: dict[str, dict[str, Any]]) -> list[str]:
        """Hold the topics against each other: history and latest, panes and the state that they come from."""
        wrong: list[str] = []
        last: dict[str, dict[str, Any]] = {}
        homes: dict[bytes, set[int]] = {}
        async for record in self._read("queue-metrics.v1"):
            key, value = record.key.decode(), orjson.loads(record.value)
            homes.setdefault(record.key, set()).add(record.partition)
            before = last[key]["revision"] if key in last else 0
            if value["revision"] != before + 1:
                wrong.append(f"{key}: revision {value['revision']} after {before} at offset {record.offset}")
            last[key] = value
        wrong += [
            f"{key}: latest is {latest.get(key)}, the history ends with {value}" for key, value in last.items() if latest.get(key) != value
        ]
        wrong += [f"{key} is in latest only" for key in latest.keys() - last.keys()]
        panes: dict[bytes, bytes] = {}
        async for record in self._read("queue-panes.v1"):
            if not record.key.startswith(b"progress|"):
                homes.setdefault(record.key, set()).add(record.partition)
            _compact(panes, record)
        rows: dict[bytes, bytes] = {}
        for name in ("track-contacts-state.v1", "track-agents-state.v1"):
            async for record in self._read(name):
                _compact(rows, record)
        kinds = (b"s|", b"m", b"now|", b"progress|")
        panes = {key: value for key, value in panes.items() if not key.startswith(kinds)}
        rows = {key: value for key, value in rows.items() if not key.startswith(kinds)}
        wrong += [
            f"{key!r}: the pane is {panes.get(key)!r}, the state {rows.get(key)!r}"
            for key in panes.keys() | rows.keys()
            if panes.get(key) != rows.get(key)
        ]
        return wrong + [f"{key!r} is in partitions {sorted(partitions)}" for key, partitions in homes.items() if len(partitions) > 1]

    async def _wrong_dead_letters(self, places: list[list[Any]]) -> list[str]:
        """Return what is missing or too much among the dead letters: origin, reason, key, bytes and headers of each bad record, once."""
        expected = Counter(
            ((topic_name, partition, offset), bad.reason, bad.key, bad.value, tuple(bad.headers))
            for (topic_name, partition, offset), bad in zip(places, bad_records(self.seed), strict=True)
        )
        found: Counter[Any] = Counter()
        for entry in TOPICS:
            if entry.dead_letters is None:
                continue
            async for record in self._read(entry.dead_letters):
                origin, headers = origin_of(record.headers), dict(record.headers)
                if origin.consumer_group != f"{self.prefix}.worker" or origin.topic != entry.full_name(self.prefix):
                    found["in the wrong place", str(origin)] += 1
                place = (origin.topic, origin.partition, origin.offset)
                found[place, headers[REASON].decode(), record.key, record.value, tuple(headers_without_ours(record.headers))] += 1
        return [f"missing {str(each)[:300]}" for each in (expected - found)] + [
            f"too much {str(each)[:300]}" for each in (found - expected)
        ]

    async def _read(self, name: str) -> AsyncIterator[ConsumerRecord]:
        """Yield every committed record of a topic, a partition after the other's chunks."""
        entry = topic(name)
        places = [TopicPartition(entry.full_name(self.prefix), number) for number in range(entry.partitions)]
        consumer = await self._reader(places)
        try:
            ends = await consumer.end_offsets(places)
            while any([await consumer.position(place) < ends[place] for place in places]):
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    for record in records:
                        yield record
        finally:
            await consumer.stop()

    async def _reader(self, places: list[TopicPartition]) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest", enable_auto_commit=False
        )
        await consumer.start()
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        return consumer

    async def _delete_topics(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.delete_topics([entry.full_name(self.prefix) for entry in TOPICS])
        finally:
            await admin.close()


def _compact(kept: dict[bytes, bytes], record: ConsumerRecord) -> None:
    if record.value is None:
        kept.pop(record.key, None)
    else:
        kept[record.key] = record.value
