"""Measures how long after an event is published the figure it changes can be read in the metric topic, and what that costs.

``python -m benchmarks.latency`` starts Apache Kafka and one worker as a process of its own, publishes simulated events at a
steady rate, and reads queue-metrics-latest beside it (``read_committed``). The nth contact that is queued in a queue is readable when
the day of that queue says n offered. At the end each day must say as many as were published: otherwise the run counts for nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from heapq import merge
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.topics import topic
from streams.demo.simulator.emission import Emission
from streams.demo.simulator.load import multiplied
from streams.demo.simulator.simulation import Simulation
from streams.worker import create_topics
from tests.support.kafka import VERSION, cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CONFIGURATION = Path(__file__).parents[1] / "streams" / "demo" / "configuration.yaml"
CONTACTS, AGENTS, LATEST = topic("contact-events.v1"), topic("agent-events.v1"), topic("queue-metrics-latest.v1")

#: So many events a second a center is asked for: some three times what one of 45 people publishes, so its time passes faster than ours.
_EVENTS_A_CENTER = 5
#: In its first seconds a center plans its day and signs on: that is published at once, and not measured.
_OPENING_MS = 30_000
#: How far in the past the first event is, so that none is ahead of the clock.
_BEHIND_MS = 900_000
#: Centers that are simulated; the others are copies of them.
_SIMULATED = 12
#: How often a second what is due is published.
_TICKS = 50
#: What the opening needs to be counted, beside its publishing.
_OPENED_SECONDS = 5.0
#: How long a last figure may take.
_PATIENCE_SECONDS = 20.0

Place = tuple[str, str]


def events_of_now(rate: int, seed: int, start_ms: int) -> Iterator[Emission]:
    """Yield events of as many centers side by side as publish ``rate`` events a second, in the order of publishing."""
    centers = max(1, round(rate / _EVENTS_A_CENTER))
    simulated = min(_SIMULATED, centers)
    streams = []
    for number in range(simulated):
        copies = centers // simulated + (number < centers % simulated)
        streams.append(_renamed(multiplied(Simulation(seed=seed + number, start_ms=start_ms).emissions(), copies), number))
    return merge(*streams, key=lambda emission: emission.published_ms)


def _renamed(emissions: Iterator[Emission], number: int) -> Iterator[Emission]:
    """Yield the events of a center under names of its own."""
    for published_ms, destination, key, event in emissions:
        if event["type"] == "contact.excluded":  # it takes an offer back
            continue
        if destination == "every-partition":
            if number == 0:
                yield Emission(published_ms, destination, key, event)
            continue
        own = {
            name: f"{event[name]}-{number}"
            for name in ("event_id", "person_id", "agent", "conversation_id", "customer_key")
            if name in event
        }
        yield Emission(published_ms, destination, f"{key}-{number}", {**event, **own})


@dataclass
class Offers:
    """By queue and channel: when each contact was queued, that is published, and when the figure said so."""

    published: dict[Place, list[float]] = field(default_factory=lambda: defaultdict(list))
    readable: dict[Place, list[float]] = field(default_factory=lambda: defaultdict(list))

    def took_ms(self, since: float, until: float) -> list[float]:
        """Return the milliseconds of each contact published in this time, ascending."""
        return sorted(
            1000 * (self.readable[place][number] - at)
            for place, times in self.published.items()
            for number, at in enumerate(times)
            if since <= at < until
        )

    def missing(self) -> list[str]:
        """Return what differs: queue, how many were published, how many the figure says."""
        return [
            f"{place}: {len(times)} published, {len(self.readable[place])} said"
            for place, times in self.published.items()
            if len(times) != len(self.readable[place])
        ]


def _divided(emissions: Iterator[Emission], at_ms: int) -> tuple[list[Emission], Iterator[Emission]]:
    """Return what is published before an instant, and all that follows."""
    before = []
    for emission in emissions:
        if emission.published_ms >= at_ms:
            return before, chain([emission], emissions)
        before.append(emission)
    return before, emissions


async def publish(bootstrap: str, prefix: str, rate: int, seconds: float, seed: int, offers: Offers, opened: Callable[[], None]) -> int:
    """Publish the opening, then at a steady rate; return how many records that were. ``opened`` is called in between."""
    start_ms = int(time.time() * 1000) - _BEHIND_MS
    opening, emissions = _divided(events_of_now(rate, seed, start_ms), start_ms + _OPENING_MS)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=1024 * 1024)
    await producer.start()
    records = 0
    channels: dict[str, str] = {}

    async def send(events: Sequence[Emission]) -> None:
        nonlocal records
        batches: dict[tuple[str, int], Any] = {}
        queued = []
        for _, destination, key, event in events:
            name = key.encode()
            entries = [CONTACTS, AGENTS] if destination == "every-partition" else [CONTACTS if destination == "contact-events" else AGENTS]
            for entry in entries:
                for number in range(entry.partitions) if destination == "every-partition" else (crc32(name) % entry.partitions,):
                    place = (entry.full_name(prefix), number)
                    batch = batches.get(place)
                    if batch is None:
                        batch = batches[place] = producer.create_batch()
                    if batch.append(key=name, value=orjson.dumps(event), timestamp=None) is None:
                        await producer.send_batch(batch, place[0], partition=number)
                        batch = batches[place] = producer.create_batch()
                        batch.append(key=name, value=orjson.dumps(event), timestamp=None)
                    records += 1
            if event["type"] == "contact.queued":
                queued.append((event["queue"], event.get("channel") or channels.get(event["queue"], "")))
        sent = [await producer.send_batch(batch, name, partition=number) for (name, number), batch in batches.items()]
        at = time.monotonic()
        for each in queued:
            offers.published[each].append(at)
        for each in sent:
            await each

    try:
        for begin in range(0, len(opening), rate):
            await send(opening[begin : begin + rate])
        await asyncio.sleep(_OPENED_SECONDS)
        opened()
        records = 0
        began, done = time.monotonic(), 0
        while (elapsed := time.monotonic() - began) < seconds:
            due = int(elapsed * rate)
            await send(list(islice(emissions, due - done)))
            done = due
            await asyncio.sleep(max(0.0, began + elapsed + 1 / _TICKS - time.monotonic()))
    finally:
        await producer.stop()
    return records


async def read(bootstrap: str, prefix: str, offers: Offers) -> None:
    """Note when each figure can be read, until canceled."""
    places = [TopicPartition(LATEST.full_name(prefix), number) for number in range(LATEST.partitions)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    days: dict[str, int] = {}
    sums: dict[Place, int] = defaultdict(int)
    try:
        while True:
            found = await consumer.getmany(timeout_ms=1000)
            at = time.monotonic()
            for records in found.values():
                for record in records:
                    if record.value is None or not record.key.startswith(b"window|day|") or b"|queue:" not in record.key:
                        continue
                    told, key = orjson.loads(record.value), record.key.decode()
                    if told["channel"] is None:
                        continue
                    offered = told["kpis"]["offered"]["value"] or 0
                    place = (told["scope"], told["channel"])
                    # A day that begins while this runs goes on where the one before ended.
                    sums[place] += offered - days.get(key, 0)
                    days[key] = offered
                    seen = offers.readable[place]
                    seen += [at] * (sums[place] - len(seen))
    finally:
        await consumer.stop()


@dataclass(frozen=True)
class Result:
    """What one rate came to."""

    rate: int
    offers: int
    p50_ms: float
    p99_ms: float
    longest_ms: float
    #: The worker's, charged to the records published while it was measured.
    cpu_us_a_record: float
    #: The worker's share of a core.
    share: float
    #: The broker's share of a core.
    broker_share: float


async def measure(bootstrap: str, prefix: str, pids: tuple[int, int], rate: int, seconds: float, warm_seconds: float, seed: int) -> Result:
    """Publish at ``rate``, and return what became of the offers after ``warm_seconds``."""
    offers = Offers()
    reading = asyncio.create_task(read(bootstrap, prefix, offers))
    opened = asyncio.Event()
    publishing = asyncio.create_task(publish(bootstrap, prefix, rate, warm_seconds + seconds, seed, offers, opened.set))
    await opened.wait()
    await asyncio.sleep(warm_seconds)
    began, worker, broker = time.monotonic(), cpu_seconds(pids[0]), cpu_seconds(pids[1])
    records = await publishing
    ended = time.monotonic()
    worker, broker = cpu_seconds(pids[0]) - worker, cpu_seconds(pids[1]) - broker
    while offers.missing() and time.monotonic() < ended + _PATIENCE_SECONDS:  # noqa: ASYNC110 - what is awaited is in Kafka
        await asyncio.sleep(0.1)
    reading.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reading
    if offers.missing():
        raise SystemExit("Figures are not what was published:\n" + "\n".join(offers.missing()))
    took = offers.took_ms(began, ended)
    measured = records * (ended - began) / (warm_seconds + seconds)
    return Result(
        rate=rate,
        offers=len(took),
        p50_ms=statistics.median(took) if took else float("nan"),
        p99_ms=took[int(len(took) * 0.99)] if took else float("nan"),
        longest_ms=took[-1] if took else float("nan"),
        cpu_us_a_record=worker / measured * 1e6,
        share=worker / (ended - began),
        broker_share=broker / (ended - began),
    )


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


@contextlib.contextmanager
def worker(bootstrap: str, prefix: str, *options: str) -> Iterator[int]:
    """Run a worker; yield its process id once it is ready."""
    command = [sys.executable, "-m", "streams", "worker", "--bootstrap", bootstrap, "--prefix", prefix, "--config", str(CONFIGURATION)]
    with subprocess.Popen([*command, "--port", "0", "--log-level", "WARNING", *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if re.search(r"http://\S+", line) is None:
                raise SystemExit(f"The worker did not say where its metrics are, but: {line!r}")
            time.sleep(3)
            yield process.pid
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def main() -> None:
    """Print one row a rate, and one line of JSON with all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", default="10,100,2000", help="events a second, each with a worker of its own (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="measured at each rate (default: %(default)s)")
    parser.add_argument("--warm", type=float, default=10.0, help="seconds before that (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    results = []
    print("| events/s | offers | p50 ms | p99 ms | longest ms | worker, µs a record | worker, share of a core | broker |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    with cluster() as kafka:
        broker = kafka.pid(kafka.nodes[0])
        for rate in map(int, given.rates.split(",")):
            prefix = f"latency-{rate}"
            asyncio.run(create_topics(kafka.bootstrap, prefix))
            with worker(kafka.bootstrap, prefix) as pid:
                found = asyncio.run(measure(kafka.bootstrap, prefix, (pid, broker), rate, given.seconds, given.warm, given.seed))
            results.append(found)
            print(
                f"| {rate} | {found.offers} | {found.p50_ms:.0f} | {found.p99_ms:.0f} | {found.longest_ms:.0f} "
                f"| {found.cpu_us_a_record:.0f} | {found.share:.3f} | {found.broker_share:.3f} |",
                flush=True,
            )
    print(json.dumps({"kafka": VERSION, "latency": [vars(each) for each in results]}))


if __name__ == "__main__":
    main()
