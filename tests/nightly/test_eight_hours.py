"""Eight hours of a center of 135 people through one worker: its memory and the topics stay bounded."""

# ruff: noqa: T201 - prints its figures.

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from statistics import mean
from typing import TYPE_CHECKING

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import topic
from streams.worker import create_topics
from tests.support.center_load import CenterPlan, start
from tests.support.product import CONFIGURATION
from tests.support.services import Services, rss_mib, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = pytest.mark.nightly

HOURS = int(os.environ.get("CONTACT_STREAMS_NIGHTLY_HOURS", "8"))
SPEED = float(os.environ.get("CONTACT_STREAMS_NIGHTLY_SPEED", "60"))
CENTERS = 3

STATE = ("track-contacts-state.v1", "track-agents-state.v1", "queue-panes.v1", "queue-metrics-latest.v1")

#: A closed contact is kept for half an hour and not for a day, so that what is forgotten balances what is new within the eight hours.
CLOSED_RETENTION_SECONDS = 1800


@dataclass
class Sizes:
    """What is alive in the state topics, followed from their beginning."""

    bootstrap: str
    prefix: str
    #: Topic, partition and key → bytes of key and value.
    alive: dict[tuple[str, int, bytes], int] = field(default_factory=dict)
    _consumer: AIOKafkaConsumer | None = None

    async def follow(self) -> Counter[str]:
        """Read to the end; return records and bytes alive by topic, and the contacts and people among them."""
        names = {topic(name).full_name(self.prefix): name for name in STATE}
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                bootstrap_servers=self.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest", enable_auto_commit=False
            )
            await self._consumer.start()
            self._consumer.assign(
                [TopicPartition(name, number) for name, short in names.items() for number in range(topic(short).partitions)]
            )
        consumer = self._consumer
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    key = (names[place.topic], place.partition, record.key)
                    if record.value is None:
                        self.alive.pop(key, None)
                    else:
                        self.alive[key] = len(record.key) + len(record.value)
        found: Counter[str] = Counter()
        for (name, _, record_key), size in self.alive.items():
            found[name] += 1
            found[f"{name} bytes"] += size
            if record_key.startswith(b"s|"):
                found[f"{name} subjects"] += 1
        return found

    async def close(self) -> None:
        """Release it."""
        if self._consumer is not None:
            await self._consumer.stop()


def on_disk_mib(data: Path, prefix: str) -> float:
    """Return what the broker holds of the product's topics, dead or alive."""
    return sum(file.stat().st_size for file in data.glob(f"{prefix}.*/*.log")) / 2**20


def at_end(samples: list[float]) -> float:
    """Return the memory at the end of an hour: the mean of its last half minute, in which free memory is given back twice."""
    return mean(samples[-30:])


def test_eight_hours(kafka: Cluster, tmp_path: Path) -> None:
    """Must-show 6: memory of the worker at hour 8 within 10 % of hour 2; the contacts and people kept likewise, slices grow no faster."""
    prefix = f"hours-{time.time_ns()}"
    configuration = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    configuration["counting"] = {**configuration.get("counting", {}), "closed_retention_seconds": CLOSED_RETENTION_SECONDS}
    (tmp_path / "center.yaml").write_text(yaml.safe_dump(configuration, allow_unicode=True), encoding="utf-8")
    plan = CenterPlan(kafka.bootstrap, prefix, 1, HOURS, SPEED, CENTERS)
    memory: dict[int, list[float]] = {hour: [] for hour in range(1, HOURS + 1)}
    sizes: dict[int, Counter[str]] = {}

    async def scenario(services: Services) -> None:
        await create_topics(kafka.bootstrap, prefix)
        services.run("worker")
        await services.ready("worker")
        following = Sizes(kafka.bootstrap, prefix)
        with start(plan) as load:
            try:
                for hour, samples in memory.items():
                    reading = asyncio.create_task(asyncio.to_thread(load.stdout.readline))  # type: ignore[union-attr]
                    while not reading.done():
                        await asyncio.wait({reading}, timeout=1)
                        samples.append(rss_mib(services.pid("worker")))
                    sent = json.loads(reading.result())
                    began = time.monotonic()

                    async def is_processed(records: int = sent["records"]) -> bool:
                        return await services.counter("worker", 'contact_center_events_processed_total{flow="track') >= records

                    await until(is_processed, 600, lambda: services.log("worker")[-3000:])
                    sizes[hour] = found = await following.follow()
                    print(
                        f"hour {hour}: {sent['records']:>9,} records, worker {at_end(samples):6.1f} MiB; alive: "
                        f"{found['track-contacts-state.v1 subjects']:,} contacts, {found['track-agents-state.v1 subjects']:,} people, "
                        + ", ".join(f"{name} {found[name]:,} records {found[f'{name} bytes'] / 2**20:.1f} MiB" for name in STATE)
                        + f"; on disk {on_disk_mib(kafka.data(1), prefix):.0f} MiB; load {sent['behind_seconds']:.0f} s of its time late, "
                        f"worker {time.monotonic() - began:.1f} s",
                        flush=True,
                    )
            finally:
                load.kill()
                await following.close()
        assert services.ended == []

    with Services(tmp_path, kafka.bootstrap, prefix, tmp_path / "center.yaml") as services:
        print()
        asyncio.run(scenario(services))
    early, last = sizes[2], sizes[HOURS]
    grown = at_end(memory[HOURS]) / at_end(memory[2])
    print(f"memory at hour {HOURS} is {grown:.3f} times that at hour 2")
    for name in ("track-contacts-state.v1 subjects", "track-agents-state.v1 subjects"):
        assert last[name] <= 1.1 * early[name] + 50, name
    for name in STATE:
        # Cells are kept for a day and a half, so they are still growing: at most as fast as at first.
        assert last[name] <= early[name] * HOURS / 2 * 1.1, name
    assert grown <= 1.1
