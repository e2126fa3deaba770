"""Measures one worker's whole pipeline beside a plain aiokafka loop, over the same events on the same broker in the same run.

``python -m benchmarks.pipeline`` starts Apache Kafka (or, without Java and Maven, the embedded broker), fills
contact-events and agent-events with simulated events and prints events a second of both, and the ratio. The plain
loop reads, parses and adds up in a dictionary, nothing more: it is the ceiling of what a consumer in this language
can do. The worker does everything: track, state, panes, roll-up, metric topics, one transaction a flush. By default
the events are those of 200 centers side by side (45 people each), as many in a second of their time as one worker
takes in; ``--rate 1`` is one center's day read as fast as it goes, where each flush covers many more windows.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.topics import topic
from streams.demo.broker import EmbeddedBroker
from streams.demo.simulator.load import load_events
from streams.worker import create_topics
from tests.support.kafka import VERSION, cluster, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIGURATION = Path(__file__).parents[1] / "streams" / "demo" / "configuration.yaml"
BATCH_BYTES = 512 * 1024
GIVE_UP_SECONDS = 600.0


@contextlib.contextmanager
def broker(*, embedded: bool) -> Iterator[tuple[str, str]]:
    """Run a broker; yield its name and address."""
    if embedded or missing() is not None:
        with EmbeddedBroker() as running:
            yield "embedded broker", running.bootstrap_servers
    else:
        with cluster(1) as running:
            yield f"Apache Kafka {VERSION}", running.bootstrap


SOURCES = (topic("contact-events.v1"), topic("agent-events.v1"))


async def fill(bootstrap: str, prefix: str, count: int, seed: int, rate: int) -> int:
    """Publish simulated contact events, agent events and heartbeats; return how many records there are."""
    contacts, agents = SOURCES
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=BATCH_BYTES, linger_ms=5)
    await producer.start()
    published = 0
    batches: dict[tuple[str, int], object] = {}

    async def put(name: str, partition: int, key: bytes, value: bytes) -> None:
        place = (name, partition)
        batch = batches.get(place)
        if batch is None:
            batch = batches[place] = producer.create_batch()
        if batch.append(key=key, value=value, timestamp=None) is None:  # type: ignore[attr-defined]
            await producer.send_batch(batch, name, partition=partition)
            batches[place] = fresh = producer.create_batch()
            fresh.append(key=key, value=value, timestamp=None)

    try:
        for emission in load_events(count, seed, rate=rate):
            key, value = emission.key.encode(), orjson.dumps(emission.event)
            if emission.destination == "every-partition":
                places = [(entry, number) for entry in (contacts, agents) for number in range(entry.partitions)]
            else:
                entry = contacts if emission.destination == "contact-events" else agents
                places = [(entry, crc32(key) % entry.partitions)]
            for entry, number in places:
                published += 1
                await put(entry.full_name(prefix), number, key, value)
        for (name, number), batch in batches.items():
            await producer.send_batch(batch, name, partition=number)
        await producer.flush()
    finally:
        await producer.stop()
    return published


async def plain_loop(bootstrap: str, prefix: str, count: int) -> tuple[float, float]:
    """Return events a second of reading, parsing and adding up in a dictionary, and CPU time per event in microseconds."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", isolation_level="read_committed")
    await consumer.start()
    places = [TopicPartition(entry.full_name(prefix), number) for entry in SOURCES for number in range(entry.partitions)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    sums: dict[str, int] = {}
    seen, first, began, cpu_began, loads = 0, 0, 0.0, 0.0, orjson.loads
    try:
        while seen < count:
            for records in (await consumer.getmany(timeout_ms=1000, max_records=4000)).values():
                if not began:
                    began, cpu_began = time.perf_counter(), time.process_time()
                    first = len(records)
                for record in records:
                    kind = loads(record.value)["type"]
                    sums[kind] = sums.get(kind, 0) + 1
                seen += len(records)
    finally:
        await consumer.stop()
    return (count - first) / (time.perf_counter() - began), (time.process_time() - cpu_began) / (count - first) * 1e6


def worker(bootstrap: str, prefix: str, count: int) -> tuple[float, float]:
    """Return events a second of one worker and its CPU time per event in microseconds."""
    command = [sys.executable, "-m", "streams", "worker", "--bootstrap", bootstrap, "--prefix", prefix, "--config", str(CONFIGURATION)]
    with subprocess.Popen([*command, "--port", "0", "--log-level", "ERROR"], stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://\S+", line)
            if found is None:
                raise SystemExit(f"The worker did not say where its metrics are, but: {line!r}")
            return _watch(found.group(), count, process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _watch(url: str, count: int, pid: int) -> tuple[float, float]:
    began = None
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < give_up:
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - the worker's own address
            text = answer.read().decode()
        now = time.perf_counter()
        done = sum(map(float, re.findall(r'contact_center_events_processed_total\{flow="track-\w+"\} (\S+)', text)))
        if began is None and done > 0:
            began = (now, done, _cpu_seconds(pid))
        if began is not None and done >= count:
            seconds, events = now - began[0], done - began[1]
            return events / seconds, (_cpu_seconds(pid) - began[2]) / events * 1e6
        time.sleep(0.05)
    raise SystemExit(f"The worker did not take in {count} events within {GIVE_UP_SECONDS:.0f} s; see its log.")


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> int:
    """Run the measurement; exit 1 if the ratio is below the floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=200, help="simulated centers side by side (default: %(default)s)")
    parser.add_argument("--embedded", action="store_true", help="use the embedded broker")
    parser.add_argument("--floor", type=float, default=0.2, help="least ratio, worker to plain loop (default: %(default)s)")
    args = parser.parse_args()
    with broker(embedded=args.embedded) as (name, bootstrap):
        asyncio.run(create_topics(bootstrap, "bench"))
        print(f"{name}: filling with {args.events} simulated events, seed {args.seed} …", flush=True)
        count = asyncio.run(fill(bootstrap, "bench", args.events, args.seed, args.rate))
        before = asyncio.run(plain_loop(bootstrap, "bench", count))
        rate, cpu_us = worker(bootstrap, "bench", count)
        after = asyncio.run(plain_loop(bootstrap, "bench", count))
    ceiling = (before[0] + after[0]) / 2
    plain_cpu_us = (before[1] + after[1]) / 2
    print(f"plain aiokafka loop  {before[0]:>10,.0f} events/s before and {after[0]:,.0f} after, {plain_cpu_us:.1f} µs of CPU an event")
    print(f"worker, everything   {rate:>10,.0f} events/s, {cpu_us:.1f} µs of CPU an event")
    print(f"ratio by the clock   {rate / ceiling:>10.2f} (floor {args.floor})")
    print(f"ratio by CPU time    {plain_cpu_us / cpu_us:>10.2f}")
    return 0 if rate / ceiling >= args.floor else 1


if __name__ == "__main__":
    sys.exit(main())
