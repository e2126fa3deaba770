"""Measures what an event costs one worker, beside a plain loop and five figures on other engines, over the same topics in the same run.

``python -m benchmarks.pipeline`` (``make bench``) starts Apache Kafka, fills contact-events and agent-events with simulated events and
measures each program from the first event read to the last figure published (see ``benchmarks/measuring.py``):

* the ceiling: a plain aiokafka loop that reads, parses and adds up in a dictionary, nothing more;
* our worker, which counts everything: track, customers, roll-up, metric topics, one transaction per flush;
* the peers of ``benchmarks/peers``, which read the contact events and count five figures. Each must equal the recount.

``--rate 200`` is 200 centers side by side (45 agents each), about as many as one worker counts in real time; ``--rate 1`` is one center's
days read as fast as possible, where each flush covers many more windows. ``--only contacts`` leaves the agents out.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import platform
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.measuring import Cost, as_json, committed, cost, follow, last_records, python, table
from benchmarks.memory import peak_mib
from benchmarks.peers.programs import PEERS, Peer, Run, UnavailableError
from benchmarks.peers.recount import Recount, difference
from schemas.topics import topic
from streams.demo.broker import EmbeddedBroker
from streams.demo.simulator.load import load_events
from streams.engine.topics import TopicSpec, ensure_topics
from streams.worker import create_topics
from tests.support.kafka import VERSION, cluster, die_with_parent, missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONFIGURATION = Path(__file__).parents[1] / "streams" / "demo" / "configuration.yaml"
BATCH_BYTES = 512 * 1024
GIVE_UP_SECONDS = 600.0
PEER_PARTITIONS = 4
#: The shown part of a failed program's output, in characters.
_MAX_SHOWN = 2000

SOURCES = (topic("contact-events.v1"), topic("agent-events.v1"))
#: The topics of a worker's figures.
FIGURES = (
    topic("queue-metrics.v1"),
    topic("queue-metrics-latest.v1"),
    topic("agent-metrics.v1"),
    topic("agent-metrics-latest.v1"),
    topic("alerts.v1"),
    topic("alerts-latest.v1"),
)


@contextlib.contextmanager
def broker(*, embedded: bool) -> Iterator[tuple[str, str]]:
    """Run a broker; yield its name and address."""
    if embedded or missing() is not None:
        with EmbeddedBroker() as running:
            yield "embedded broker", running.bootstrap_servers
    else:
        with cluster(1) as running:
            yield f"Apache Kafka {VERSION}", running.bootstrap


@dataclass(slots=True)
class Load:
    """Topics full of events."""

    bootstrap: str
    prefix: str
    #: Records in contact-events and in agent-events.
    contacts: int
    agents: int
    recount: Recount

    @property
    def records(self) -> int:
        """All of them."""
        return self.contacts + self.agents


async def fill(bootstrap: str, prefix: str, count: int, seed: int, rate: int, *, agents_too: bool = True) -> Load:
    """Publish ``count`` simulated events (heartbeats go to every partition) and recount them."""
    await create_topics(bootstrap, prefix)
    contacts, agents = SOURCES
    published = dict.fromkeys((contacts.name, agents.name), 0)
    recount = Recount()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=BATCH_BYTES, linger_ms=5)
    await producer.start()
    batches: dict[tuple[str, int], Any] = {}

    async def put(name: str, partition: int, key: bytes, value: bytes) -> None:
        target = (name, partition)
        batch = batches.get(target)
        if batch is None:
            batch = batches[target] = producer.create_batch()
        if batch.append(key=key, value=value, timestamp=None) is None:
            await producer.send_batch(batch, name, partition=partition)
            batches[target] = fresh = producer.create_batch()
            fresh.append(key=key, value=value, timestamp=None)

    shown = time.monotonic()
    try:
        for emission in load_events(sys.maxsize, seed, rate=rate):
            if sum(published.values()) >= count:
                break
            key, value = emission.key.encode(), orjson.dumps(emission.event)
            if emission.destination == "every-partition":
                targets = [(entry, number) for entry in SOURCES for number in range(entry.partitions)]
            else:
                entry = contacts if emission.destination == "contact-events" else agents
                targets = [(entry, crc32(key) % entry.partitions)]
            for entry, number in targets:
                if entry is contacts or agents_too:
                    published[entry.name] += 1
                    await put(entry.full_name(prefix), number, key, value)
            if emission.destination == "contact-events":
                recount.take(emission.event)
            if time.monotonic() - shown > 10:  # noqa: PLR2004 - seconds between two lines
                shown = time.monotonic()
                show(f"  {sum(published.values()):,} events published")
        for (name, number), batch in batches.items():
            await producer.send_batch(batch, name, partition=number)
        await producer.flush()
    finally:
        await producer.stop()
    if not recount.records():
        raise SystemExit(f"In {count:,} events at rate {rate} no contact is offered: nothing could be compared. Use more --events.")
    return Load(bootstrap, prefix, published[contacts.name], published[agents.name], recount)


async def plain_loop(load: Load) -> Cost:
    """Return the cost of reading, parsing and adding up in a dictionary."""
    consumer = AIOKafkaConsumer(bootstrap_servers=load.bootstrap, auto_offset_reset="earliest", isolation_level="read_committed")
    await consumer.start()
    places = [TopicPartition(entry.full_name(load.prefix), number) for entry in SOURCES for number in range(entry.partitions)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    sums: dict[str, int] = {}
    seen, first, began, cpu_began, half, loads = 0, 0, 0.0, 0.0, (0, 0.0), orjson.loads
    try:
        while seen < load.records:
            for records in (await consumer.getmany(timeout_ms=1000, max_records=4000)).values():
                if not began:
                    began, cpu_began = time.perf_counter(), time.process_time()
                    first = len(records)
                for record in records:
                    kind = loads(record.value)["type"]
                    sums[kind] = sums.get(kind, 0) + 1
                seen += len(records)
                if not half[0] and seen >= load.records / 2:
                    half = (seen, time.process_time())
    finally:
        await consumer.stop()
    cpu, taken = time.process_time(), load.records - first
    warm = (cpu - half[1]) / (load.records - half[0]) * 1e6 if half[0] < load.records else None
    return Cost("plain aiokafka loop", load.records, (cpu - cpu_began) / taken * 1e6, warm, taken / (time.perf_counter() - began), None)


def mean(before: Cost, after: Cost) -> Cost:
    """Return the mean of two runs of the plain loop."""
    warm = None if before.warm_cpu_us is None or after.warm_cpu_us is None else (before.warm_cpu_us + after.warm_cpu_us) / 2
    rate = 2 / (1 / before.events_per_second + 1 / after.events_per_second)
    return Cost(before.name, before.events, (before.cpu_us + after.cpu_us) / 2, warm, rate, None)


async def worker(load: Load, count: int = 1) -> Cost:
    """Return the cost of one worker that counts everything, or of several that share the partitions."""
    command = [sys.executable, "-m", "streams", "worker", "--bootstrap", load.bootstrap, "--prefix", load.prefix]
    command += ["--config", str(CONFIGURATION), "--port", "0", "--log-level", "ERROR"]
    sources, output = (
        [TopicPartition(entry.full_name(load.prefix), number) for entry in entries for number in range(entry.partitions)]
        for entries in (SOURCES, FIGURES)
    )
    async with committed(load.bootstrap, f"{load.prefix}.worker", sources) as offsets:
        with contextlib.ExitStack() as running:
            processes = [running.enter_context(started(command)) for _ in range(count)]
            urls = [await _metrics_of(process) for process in processes]
            begun = False

            async def done() -> int:
                nonlocal begun
                begun = begun or await asyncio.to_thread(lambda: any(map(_has_begun, urls)))
                return max(1, await offsets()) if begun else 0

            pids = [process.pid for process in processes]
            looks = await follow(load.bootstrap, output, pids, done, load.records, GIVE_UP_SECONDS)
            peak = sum(peak_mib(pid) or 0.0 for pid in pids)
    return cost("this worker, everything" if count == 1 else f"{count} of these workers", load.records, looks, peak)


async def _metrics_of(process: subprocess.Popen[str]) -> str:
    line = await asyncio.to_thread(process.stdout.readline) if process.stdout else ""
    address = re.search(r"http://\S+", line)
    if address is None:
        raise RuntimeError(f"the worker did not print the address of its metrics, but: {line!r}")
    return address.group()


def _has_begun(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the worker's own address
        text = answer.read().decode()
    return any(map(float, re.findall(r'contact_center_events_processed_total\{flow="track-\w+"\} (\S+)', text)))


async def peer_cost(peer: Peer, command: list[str], load: Load, commit_ms: int) -> Cost:
    """Return the cost of a peer for five figures, and whether they are right."""
    output, contributions = f"{load.prefix}-{peer.id}-figures", f"{load.prefix}-{peer.id}-contributions"
    await ensure_topics(load.bootstrap, [TopicSpec(name, PEER_PARTITIONS) for name in (output, contributions)])
    run = Run(load.bootstrap, SOURCES[0].full_name(load.prefix), contributions, output, load.contacts, commit_ms)
    places = [TopicPartition(output, number) for number in range(PEER_PARTITIONS)]
    with started([*command, *run.options(f"{load.prefix}-{peer.id}")]) as process:
        marks = Marks(process, load.contacts)
        looks = await follow(load.bootstrap, places, [process.pid], marks.done, load.contacts, GIVE_UP_SECONDS)
        peak = peak_mib(process.pid)
    wrong = difference(load.recount.records(), await last_records(load.bootstrap, places))
    for line in wrong[:5]:
        show(f"  {peer.name}: {line}")
    return cost(peer.name, load.contacts, looks, peak, right=not wrong)


class Marks:
    """The progress of a peer, by the marks it prints: first, half, all."""

    def __init__(self, process: subprocess.Popen[str], events: int) -> None:
        """Read the output of ``process``, which counts ``events``."""
        self._process, self._seen, self._after = process, 0, {"first": 1, "half": (events + 1) // 2, "all": events}
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            self._seen = max(self._seen, self._after.get(line.strip(), 0))

    async def done(self) -> int:
        """Return the least number of counted events."""
        return self._seen


@contextlib.contextmanager
def started(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """Run a program for the length of a ``with`` block."""
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "text": True, "preexec_fn": die_with_parent}
    with tempfile.TemporaryFile("w+") as output, subprocess.Popen(command, stderr=output, **options) as process:
        try:
            yield process
        except RuntimeError as error:
            output.seek(0)
            raise RuntimeError(f"{error}; its output: {output.read()[-_MAX_SHOWN:].strip()}") from error
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def show(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


def measure(bootstrap: str, rate: int, peers: Sequence[tuple[Peer, list[str]]], args: argparse.Namespace) -> list[Cost]:
    """Fill topics at ``rate`` and return the cost of each program, the ceiling first and this worker second."""

    def filled(prefix: str, events: int) -> Load:
        show(f"rate {rate}: filling with {events:,} simulated events, seed {args.seed} …")
        return asyncio.run(fill(bootstrap, prefix, events, args.seed, rate, agents_too=args.only != "contacts"))

    def shown(measured: Cost) -> Cost:
        show(f"  {measured.name}: {measured.cpu_us:.1f} µs of CPU an event, {measured.events_per_second:,.0f} events/s")
        return measured

    load = filled(f"bench-{rate}", args.events)
    loads = {args.events: load}
    before = shown(asyncio.run(plain_loop(load)))
    costs = [shown(asyncio.run(worker(load)))]
    for peer, command in peers:
        few = min(args.events, peer.most_events or args.events)
        if few not in loads:
            loads[few] = filled(f"bench-{rate}-{few}", few)
        try:
            costs.append(shown(asyncio.run(peer_cost(peer, command, loads[few], args.commit_ms))))
        except RuntimeError as error:
            show(f"  {peer.name}: failed: {error}")
            costs.append(Cost(peer.name, loads[few].contacts, float("nan"), None, float("nan"), None, right=False))
    after = shown(asyncio.run(plain_loop(load)))
    return [mean(before, after), *costs]


def prepared(ids: Sequence[str]) -> list[tuple[Peer, list[str]]]:
    """Return the requested peers with their commands; print why others cannot run here."""
    available = []
    for peer in PEERS:
        if peer.id in ids or "all" in ids:
            try:
                available.append((peer, peer.prepare()))
            except UnavailableError as error:
                show(f"Skipped: {peer.name}: {error}.")
    return available


def main() -> int:
    """Run the measurements; exit 1 if the worker is below the floor or a peer counts wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=400_000, help="events in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, nargs="+", default=[200], help="simulated centers side by side (default: 200)")
    parser.add_argument("--only", choices=["contacts"], help="publish no agent events")
    parser.add_argument(
        "--peers", nargs="*", default=["kafka-streams"], choices=["all", *(peer.id for peer in PEERS)], help="(default: kafka-streams)"
    )
    parser.add_argument("--commit-ms", type=int, default=250, help="between two commits of a peer, as of a worker (default: %(default)s)")
    parser.add_argument("--embedded", action="store_true", help="use the embedded broker; peers are left out")
    parser.add_argument("--floor", type=float, default=0.2, help="least ratio by CPU, plain loop to worker (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures here too, as the JSON line at the end")
    parser.add_argument("--build", action="store_true", help="only build the peers; exit 1 if one cannot be built")
    args = parser.parse_args()
    if args.build:
        wanted = [peer for peer in PEERS if "all" in args.peers or peer.id in args.peers]
        return 0 if len(prepared(args.peers)) == len(wanted) else 1
    # Clients log retried requests, such as for leaders that are not elected yet, as errors.
    logging.disable(logging.ERROR)
    by_rate: dict[str, list[Cost]] = {}
    with broker(embedded=args.embedded) as (name, bootstrap):
        peers = prepared(args.peers) if name.startswith("Apache") else []
        if args.peers and not name.startswith("Apache"):
            show(f"Skipped: all peers: the {name} has no transactions that they could use.")
        for rate in args.rate:
            by_rate[str(rate)] = measure(bootstrap, rate, peers, args)
    is_low = False
    for rate_text, (ceiling, ours, *others) in by_rate.items():
        ratio = ceiling.cpu_us / ours.cpu_us
        is_low = is_low or ratio < args.floor
        charged = f"CPU of one process with its threads; {python()}"
        show(f"\n{name}, {ours.events:,} events at rate {rate_text}, to the last figure published; {charged}:\n")
        show(table([ceiling, ours, *others], ceiling.cpu_us))
        show(f"\nratio by CPU {ratio:.2f} (floor {args.floor}), by the clock {ours.events_per_second / ceiling.events_per_second:.2f}")
    wrong = [program.name for costs in by_rate.values() for program in costs if program.right is False]
    for program_name in wrong:
        show(f"Wrong totals or no result: {program_name}.")
    document = {"broker": name, "machine": platform.machine(), "python": python(), "seed": args.seed, "only": args.only}
    line = json.dumps(document | {"rates": {rate: as_json(costs) for rate, costs in by_rate.items()}}, ensure_ascii=False)
    show(line)
    if args.json:
        args.json.write_text(line + "\n", encoding="utf-8")
    return 1 if is_low or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
