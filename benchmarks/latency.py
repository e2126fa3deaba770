"""Measures how long after an event is published the figure it changes can be read in the metric topic, and what that costs.

``python -m benchmarks.latency`` (``make bench-latency``) starts Apache Kafka and one worker as a process of its own, publishes simulated
events at a steady rate, and reads queue-metrics-latest beside it (``read_committed``). The nth contact that is queued in a queue is
readable when the day of that queue has n offered. At the end each day must have as many as were published: otherwise the run is invalid.
``--page`` runs ``serve`` too and measures its event stream, which the page follows. ``--peers`` measures the output topics of
``benchmarks/peers``, which publish offers by 15 minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from heapq import merge
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import aiohttp
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.measuring import cpu_seconds
from benchmarks.peers.programs import PEERS, Run
from benchmarks.pipeline import PEER_PARTITIONS, prepared, started
from schemas.topics import topic
from streams.demo.simulator.emission import Emission
from streams.demo.simulator.load import multiplied
from streams.demo.simulator.simulation import Simulation
from streams.engine.topics import TopicSpec, ensure_topics
from streams.worker import create_topics
from tests.support.kafka import VERSION, cluster

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.peers.programs import Peer

CONFIGURATION = Path(__file__).parents[1] / "streams" / "demo" / "configuration.yaml"
CONTACTS, AGENTS, LATEST = topic("contact-events.v1"), topic("agent-events.v1"), topic("queue-metrics-latest.v1")

#: Events per second of a center: some three times those of a real one with 45 agents, so its time passes faster.
_EVENTS_A_CENTER = 5
#: In its first seconds a center plans its day and logs in: that is published at once, and not measured.
_OPENING_MS = 30_000
#: How far in the past the first event is, so that none is ahead of the clock.
_BEHIND_MS = 900_000
#: Simulated centers; the others are copies of them.
_SIMULATED = 12
#: Times per second that due events are published.
_TICKS = 50
#: Time for counting the opening, after its publishing.
_OPENED_SECONDS = 5.0
#: How long a last figure may take.
_PATIENCE_SECONDS = 20.0

#: A snapshot of the event stream is one line.
_LONGEST_LINE = 64 * 1024 * 1024

QueueKey = tuple[str, str]


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
    """Yield the events of a center under separate names."""
    for published_ms, destination, key, event in emissions:
        if event["type"] == "contact.excluded":  # it withdraws an offer
            continue
        if destination == "every-partition":
            if number == 0:
                yield Emission(published_ms, destination, key, event)
            continue
        own: dict[str, Any] = {
            name: f"{event[name]}-{number}"
            for name in ("event_id", "person_id", "agent", "conversation_id", "customer_key")
            if name in event
        }
        yield Emission(published_ms, destination, f"{key}-{number}", {**event, **own})


@dataclass
class Offers:
    """By queue and channel: when each contact was published as queued, and when the figure included it."""

    published: dict[QueueKey, list[float]] = field(default_factory=lambda: defaultdict(list))
    readable: dict[QueueKey, list[float]] = field(default_factory=lambda: defaultdict(list))

    def took_ms(self, since: float, until: float) -> list[float]:
        """Return the milliseconds of each contact published in this time, ascending."""
        return sorted(
            1000 * (self.readable[queue][number] - at)
            for queue, times in self.published.items()
            for number, at in enumerate(times)
            if since <= at < until
        )

    def missing(self) -> list[str]:
        """Return the differences: queue, published offers, offers of the figure."""
        return [
            f"{queue}: {len(times)} published, {len(self.readable[queue])} counted"
            for queue, times in self.published.items()
            if len(times) != len(self.readable[queue])
        ]


def _divided(emissions: Iterator[Emission], at_ms: int) -> tuple[list[Emission], Iterator[Emission]]:
    """Return what is published before an instant, and all that follows."""
    before: list[Emission] = []
    for emission in emissions:
        if emission.published_ms >= at_ms:
            return before, chain([emission], emissions)
        before.append(emission)
    return before, emissions


async def publish(bootstrap: str, prefix: str, rate: int, seconds: float, seed: int, offers: Offers, opened: Callable[[], None]) -> int:
    """Publish the opening, then at a steady rate; return the number of records. ``opened`` is called in between."""
    start_ms = int(time.time() * 1000) - _BEHIND_MS
    opening, emissions = _divided(events_of_now(rate, seed, start_ms), start_ms + _OPENING_MS)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=1024 * 1024)
    await producer.start()
    records = 0
    channels: dict[str, str] = {}
    #: The simulation repeats some events: they count once.
    queued_before: set[str] = set()

    async def send(events: Sequence[Emission]) -> None:
        nonlocal records
        batches: dict[tuple[str, int], Any] = {}
        queued = []
        for _, destination, key, event in events:
            name = key.encode()
            entries = [CONTACTS, AGENTS] if destination == "every-partition" else [CONTACTS if destination == "contact-events" else AGENTS]
            for entry in entries:
                for number in range(entry.partitions) if destination == "every-partition" else (crc32(name) % entry.partitions,):
                    partition = (entry.full_name(prefix), number)
                    batch = batches.get(partition)
                    if batch is None:
                        batch = batches[partition] = producer.create_batch()
                    if batch.append(key=name, value=orjson.dumps(event), timestamp=None) is None:
                        await producer.send_batch(batch, partition[0], partition=number)
                        batch = batches[partition] = producer.create_batch()
                        batch.append(key=name, value=orjson.dumps(event), timestamp=None)
                    records += 1
            if event["type"] == "contact.queued" and event["event_id"] not in queued_before:
                queued_before.add(event["event_id"])
                queued.append((event["queue"], event.get("channel") or channels.get(event["queue"], "")))
        sent = [await producer.send_batch(batch, name, partition=number) for (name, number), batch in batches.items()]
        at = time.monotonic()
        for queue in queued:
            offers.published[queue].append(at)
        for delivered in sent:
            await delivered

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


class Counted:
    """Offers in the figures so far, by record: a day or an interval that begins meanwhile continues the sum of earlier ones."""

    def __init__(self, offers: Offers) -> None:
        """Record in ``offers`` when each can be read."""
        self._readable, self._offered, self._sums = offers.readable, dict[str, int](), defaultdict[QueueKey, int](int)

    def add(self, key: str, queue: QueueKey, offered: int, at: float) -> None:
        """Add the offers of the record ``key`` of a queue and channel."""
        self._sums[queue] += offered - self._offered.get(key, 0)
        self._offered[key] = offered
        seen = self._readable[queue]
        seen += [at] * (self._sums[queue] - len(seen))

    def add_day(self, key: str, record: Mapping[str, Any], at: float) -> None:
        """Add a record of queue-metrics-latest if it is the day of a queue and channel."""
        if key.startswith("window|day|") and "|queue:" in key and record["channel"] is not None:
            self.add(key, (record["scope"], record["channel"]), record["kpis"]["offered"]["value"] or 0, at)

    def add_interval(self, key: str, sums: Mapping[str, int], at: float) -> None:
        """Add a record of a peer if it is an interval."""
        kind, queue, channel, *_ = key.split("|")
        if kind == "15m":
            self.add(key, (queue, channel), sums["offered"], at)


async def read(bootstrap: str, partitions: Sequence[TopicPartition], add: Callable[[str, Any, float], None]) -> None:
    """Call ``add`` for each readable record, with its key and the time, until canceled."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    consumer.assign(list(partitions))
    await consumer.seek_to_beginning(*partitions)
    try:
        while True:
            fetched = await consumer.getmany(timeout_ms=1000)
            at = time.monotonic()
            for records in fetched.values():
                for record in records:
                    if record.value is not None and record.key.startswith((b"window|day|", b"15m|")):
                        add(record.key.decode(), orjson.loads(record.value), at)
    finally:
        await consumer.stop()


async def read_page(address: str, add: Callable[[str, Any, float], None]) -> None:
    """Call ``add`` for each record of a day in the event stream of ``serve``, until canceled."""
    timeout = aiohttp.ClientTimeout(total=None, sock_read=None)
    url = f"{address}/api/v1/events?window=day"
    async with aiohttp.ClientSession(timeout=timeout, read_bufsize=_LONGEST_LINE) as session, session.get(url) as answer:
        answer.raise_for_status()
        async for line in answer.content:
            at = time.monotonic()
            if line.startswith(b"data: "):
                records = orjson.loads(line[6:]).get("records") or {}
                for key, record in records.items():
                    if key.startswith("window|day|"):
                        add(key, record, at)


@dataclass(frozen=True)
class Result:
    """The result of one program at one rate."""

    program: str
    rate: int
    offers: int
    p50_ms: float
    p99_ms: float
    longest_ms: float
    #: CPU of the worker, divided by the records published during the measurement.
    cpu_us_a_record: float
    #: The worker's share of a core.
    share: float
    #: The broker's share of a core.
    broker_share: float
    #: Until the event stream has it, which the page follows; None where not measured.
    page_p50_ms: float | None = None
    page_p99_ms: float | None = None


@dataclass(frozen=True)
class Program:
    """A measured program: its process, and where its figures can be read."""

    name: str
    pid: int
    partitions: list[TopicPartition]
    #: Whether its records are those of a peer.
    peer: bool = False
    #: Where ``serve`` answers.
    page: str | None = None


async def measure(bootstrap: str, prefix: str, program: Program, broker_pid: int, given: Wanted) -> Result:
    """Publish at a steady rate, and return the result for the offers after the warm-up."""
    offers = Offers()
    seen = {"topic": offers}
    counted = Counted(offers)
    readers = [read(bootstrap, program.partitions, counted.add_interval if program.peer else counted.add_day)]
    if program.page is not None:
        seen["page"] = Offers(published=offers.published)
        readers.append(read_page(program.page, Counted(seen["page"]).add_day))
    reading = [asyncio.create_task(reader) for reader in readers]
    rate, seconds, warm_seconds, pids = given.rate, given.seconds, given.warm_seconds, (program.pid, broker_pid)
    opened = asyncio.Event()
    publishing = asyncio.create_task(publish(bootstrap, prefix, rate, warm_seconds + seconds, given.seed, offers, opened.set))
    await opened.wait()
    await asyncio.sleep(warm_seconds)
    began, worker, broker = time.monotonic(), cpu_seconds(pids[0]), cpu_seconds(pids[1])
    records = await publishing
    ended = time.monotonic()
    worker, broker = cpu_seconds(pids[0]) - worker, cpu_seconds(pids[1]) - broker
    while any(of_output.missing() for of_output in seen.values()) and time.monotonic() < ended + _PATIENCE_SECONDS:  # noqa: ASYNC110 - it is in Kafka
        await asyncio.sleep(0.1)
    for task in reading:
        task.cancel()
    for failed in await asyncio.gather(*reading, return_exceptions=True):
        if isinstance(failed, Exception):
            raise failed
    for output, of_output in seen.items():
        if missing := of_output.missing():
            raise SystemExit(f"{program.name}, {output}: figures differ from what was published:\n" + "\n".join(missing))
    took = offers.took_ms(began, ended)
    page = seen["page"].took_ms(began, ended) if "page" in seen else []
    measured = records * (ended - began) / (warm_seconds + seconds)
    return Result(
        program=program.name,
        rate=rate,
        offers=len(took),
        p50_ms=statistics.median(took) if took else float("nan"),
        p99_ms=took[int(len(took) * 0.99)] if took else float("nan"),
        page_p50_ms=statistics.median(page) if page else None,
        page_p99_ms=page[int(len(page) * 0.99)] if page else None,
        longest_ms=took[-1] if took else float("nan"),
        cpu_us_a_record=worker / measured * 1e6,
        share=worker / (ended - began),
        broker_share=broker / (ended - began),
    )


@dataclass(frozen=True)
class Wanted:
    """How a program is measured."""

    rate: int
    seconds: float
    warm_seconds: float
    seed: int


@contextlib.contextmanager
def worker(bootstrap: str, prefix: str, *options: str, page: bool = False) -> Iterator[Program]:
    """Run a worker, and ``serve`` if the page is wanted; yield it once it is ready."""
    common = ["--bootstrap", bootstrap, "--prefix", prefix, "--config", str(CONFIGURATION), "--port", "0", "--log-level", "WARNING"]
    partitions = [TopicPartition(LATEST.full_name(prefix), number) for number in range(LATEST.partitions)]
    with contextlib.ExitStack() as running:
        process = running.enter_context(started([sys.executable, "-m", "streams", "worker", *common, *options]))
        _address(process, "worker")
        address = None
        if page:
            serving = running.enter_context(started([sys.executable, "-m", "streams", "serve", *common]))
            address = _address(serving, "serve")
        time.sleep(3)
        name = "this worker, everything, with serve" if page else "this worker, everything"
        yield Program(name, process.pid, partitions, page=address)


def _address(process: subprocess.Popen[str], name: str) -> str:
    line = process.stdout.readline() if process.stdout else ""
    address = re.search(r"http://[^/\s]+", line)
    if address is None:
        raise SystemExit(f"{name} did not print its address, but: {line!r}")
    return address.group()


@contextlib.contextmanager
def peer_program(peer: Peer, command: Sequence[str], bootstrap: str, prefix: str, commit_ms: int) -> Iterator[Program]:
    """Run a peer; yield it once it has had time to join its group."""
    output, contributions = f"{prefix}-figures", f"{prefix}-contributions"
    asyncio.run(ensure_topics(bootstrap, [TopicSpec(name, PEER_PARTITIONS) for name in (output, contributions)]))
    # The number of events does not matter here: the marks are not read.
    run = Run(bootstrap, CONTACTS.full_name(prefix), contributions, output, sys.maxsize >> 33, commit_ms)
    with started([*command, *run.options(prefix)]) as process:
        # Its marks are too few to fill the pipe.
        time.sleep(8)
        yield Program(peer.name, process.pid, [TopicPartition(output, number) for number in range(PEER_PARTITIONS)], peer=True)


def main() -> None:
    """Print one row per program and rate, and one line of JSON with all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default="10,100,2000", help="events a second, each with a worker of its own (default: %(default)s)")
    parser.add_argument("--peer-rates", default="100,2000", help="the same for peers, and for the page (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="measured at each rate (default: %(default)s)")
    parser.add_argument("--warm", type=float, default=10.0, help="seconds before that (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", action="store_true", help="run serve too, and follow its event stream")
    parser.add_argument("--peers", nargs="*", default=[], choices=[peer.id for peer in PEERS], help="(default: none)")
    parser.add_argument("--commit-ms", type=int, default=100, help="between two commits of a peer (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures here too, as the JSON line at the end")
    given = parser.parse_args()
    rates, peer_rates = ([int(each) for each in text.split(",") if each] for text in (given.rates, given.peer_rates))
    peers = prepared(given.peers)
    results = []
    columns = "program | events/s | offers | p50 ms | p99 ms | longest ms | page p50 ms | page p99 ms"
    print(f"| {columns} | µs of CPU a record | share of a core | broker |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    with cluster() as kafka:
        address = kafka.bootstrap
        runs = [(rate, f"latency-{rate}", partial(worker, address, f"latency-{rate}")) for rate in rates]
        if given.page:
            runs += [(rate, f"page-{rate}", partial(worker, address, f"page-{rate}", page=True)) for rate in peer_rates]
        for peer, command in peers:
            runs += [
                (rate, f"{peer.id}-{rate}", partial(peer_program, peer, command, address, f"{peer.id}-{rate}", given.commit_ms))
                for rate in peer_rates
            ]
        for rate, prefix, run in runs:
            asyncio.run(create_topics(address, prefix))
            wanted = Wanted(rate, given.seconds, given.warm, given.seed)
            with run() as program:
                result = asyncio.run(measure(address, prefix, program, kafka.pid(kafka.nodes[0]), wanted))
            results.append(result)
            page = "– | –" if result.page_p50_ms is None else f"{result.page_p50_ms:.0f} | {result.page_p99_ms:.0f}"
            print(
                f"| {result.program} | {rate} | {result.offers} | {result.p50_ms:.0f} | {result.p99_ms:.0f} | {result.longest_ms:.0f} "
                f"| {page} | {result.cpu_us_a_record:.0f} | {result.share:.3f} | {result.broker_share:.3f} |",
                flush=True,
            )
    line = json.dumps({"kafka": VERSION, "latency": [vars(result) for result in results]}, ensure_ascii=False)
    print(line)
    if given.json:
        given.json.write_text(line + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
