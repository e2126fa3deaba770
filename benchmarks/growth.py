"""Measures how the cost of an event grows: over queues, agents, contacts in flight, partitions, and one and two workers.

``python -m benchmarks.growth`` (``make bench-growth``) runs the stages of contacts, agents and roll-up in memory, without a broker:
calls come and go at 2,000 events a second of their time with a flush every 250 ms, while as many contacts as asked for are in flight.
Only what follows their opening is charged; each size has a process of its own, and a plain loop over the same records beside it. The
broker comes in for workers alone, of which each reads half of the partitions when there are two.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import json
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import orjson

from benchmarks.instructions import plain_loop, stages_in_memory
from benchmarks.memory import peak_mib, resident_mib
from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration
from streams.engine.memory import collect_seldom

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["SIZES", "Grown", "Size", "calls", "measure", "records_of"]

_START_MS: Final = parse_time_ms("2026-01-05T08:00:00Z")
#: Of the events' own time.
_EVENTS_A_SECOND: Final = 2_000
#: What a worker takes in between two flushes at that rate.
_CHUNK: Final = 500
#: While contacts are opened flushes are rarer: that part is not charged.
_OPENING_CHUNK: Final = 20_000
_FIRST_CONTACTS: Final = 1_000
_CALL_EVENTS: Final = 7
_GIVE_UP_SECONDS: Final = 900


@dataclass(frozen=True, slots=True)
class Size:
    """How large a center is."""

    queues: int = 100
    agents: int = 1_000
    #: Contacts that are talked with at a time.
    in_flight: int = 1_000
    partitions: int = 8


@dataclass(frozen=True, slots=True)
class Grown:
    """What an event costs a center of this size, in microseconds of CPU, and what a contact in flight takes of memory."""

    size: Size
    events: int
    contacts_us: float
    agents_us: float
    roll_up_us: float
    plain_us: float
    #: Resident memory that came with the contacts beyond the first thousand, in bytes a contact.
    contact_bytes: float | None
    peak_mib: float

    @property
    def ratio(self) -> float:
        """How many times a plain loop over the same records."""
        return (self.contacts_us + self.agents_us + self.roll_up_us) / self.plain_us


_MIDDLE: Final = Size()
#: By what grows. The middle of each row is the same center.
SIZES: Final = {
    "queues": [replace(_MIDDLE, queues=number) for number in (10, 100, 1_000)],
    "agents": [replace(_MIDDLE, agents=number) for number in (100, 1_000, 10_000)],
    "contacts": [replace(_MIDDLE, in_flight=number) for number in (1_000, 10_000, 100_000)],
    "partitions": [replace(_MIDDLE, partitions=number) for number in (1, 4, 8, 16)],
}
#: Takes minutes and gigabytes: with ``--million`` alone.
MILLION: Final = replace(_MIDDLE, in_flight=1_000_000)


def queue_name(number: int) -> str:
    """Return the name of a queue."""
    return f"queue {number:04d}"


def calls(size: Size, count: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield topic, time (ms) and event: agents sign on, contacts are opened until enough are in flight, then one ends for each that begins.

    ``count`` contacts begin once all are in flight; each is offered, answered, ended and wrapped up, and changes its agent's state twice.
    """
    at_ms, number = float(_START_MS), 0

    def event(topic: str, kind: str, identity: str, **more: Any) -> tuple[str, int, dict[str, Any]]:
        nonlocal number
        number += 1
        moment = format_ms(int(at_ms))
        fields = {"type": kind, "event_id": f"e{number}", "occurred_at": moment, "received_at": moment, "source": "growth", **more}
        return topic, int(at_ms), {**fields, ("person_id" if topic == "agent-events" else "conversation_id"): identity}

    def state(agent: str, name: str) -> tuple[str, int, dict[str, Any]]:
        return event("agent-events", "agent.state_changed", agent, axis="activity", state=name)

    def begin(contact: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
        name, agent, queue = f"c{contact}", f"agent-{contact % size.agents}", queue_name(contact % size.queues)
        yield event("contact-events", "contact.arrived", name, channel="voice", direction="inbound")
        yield event("contact-events", "contact.queued", name, channel="voice", queue=queue)
        yield event("contact-events", "contact.answered", name, queue=queue, agent=agent, reports=["wrap_up"])
        yield state(agent, "talking")

    def end(contact: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
        name, agent = f"c{contact}", f"agent-{contact % size.agents}"
        yield event("contact-events", "contact.ended", name, by="customer")
        yield event("contact-events", "contact.wrapped_up", name, agent=agent)
        yield state(agent, "idle")

    for agent in range(size.agents):
        yield event("agent-events", "agent.state_changed", f"agent-{agent}", axis="presence", state="available")
    progress_ms = at_ms
    for contact in range(size.in_flight + count):
        at_ms += _CALL_EVENTS / _EVENTS_A_SECOND * 1000
        yield from begin(contact)
        if contact >= size.in_flight:
            yield from end(contact - size.in_flight)
        if at_ms - progress_ms >= 1000:  # noqa: PLR2004 - a second
            progress_ms = at_ms
            yield (
                "every-partition",
                int(at_ms),
                {
                    "type": "source.heartbeat",
                    "event_id": f"h{int(at_ms)}",
                    "occurred_at": format_ms(int(at_ms)),
                    "received_at": format_ms(int(at_ms)),
                    "source": "growth",
                    "complete_through": format_ms(int(at_ms) - 1),
                },
            )


def records_of(events: Iterable[tuple[str, int, dict[str, Any]]], partitions: int) -> Iterator[Any]:
    """Yield the events as records of their topics; a heartbeat goes to every partition of both."""
    offsets: dict[tuple[str, int], int] = defaultdict(int)
    for topic, at_ms, event in events:
        value = orjson.dumps(event)
        if topic == "every-partition":
            key = b"growth"
            places = [(name, number) for name in ("contact-events", "agent-events") for number in range(partitions)]
        else:
            key = str(event["person_id" if topic == "agent-events" else "conversation_id"]).encode()
            places = [(topic, crc32(key) % partitions)]
        for place in places:
            offset = offsets[place]
            offsets[place] += 1
            yield SimpleNamespace(
                topic=place[0],
                partition=place[1],
                offset=offset,
                key=key,
                headers=(),
                timestamp=at_ms,
                timestamp_type=1,
                value=value,
            )


class _Stages:
    """The stages of a worker that has all partitions, and the CPU each has taken."""

    def __init__(self, size: Size) -> None:
        limits = dict.fromkeys(("max_contacts", "max_contact_events", "max_people", "max_people_events"))
        configuration = Configuration.model_validate(
            {"queues": {queue_name(number): {"channel": "voice"} for number in range(size.queues)}, "source_limits": limits}
        )
        self.contacts, self.agents, self.roll_up = stages_in_memory(configuration, size.partitions)
        self.seconds = {"contacts": 0.0, "agents": 0.0, "roll_up": 0.0}
        self.dead = 0

    def flush(self, records: Sequence[Any]) -> None:
        """Take records in, and flush everything as a worker does."""
        places: dict[tuple[str, int], list[Any]] = defaultdict(list)
        for record in records:
            places[record.topic, record.partition].append(record)
        panes: dict[int, list[Any]] = defaultdict(list)
        for name, source, stages in (("contacts", "contact-events", self.contacts), ("agents", "agent-events", self.agents)):
            began = time.process_time()
            outputs = []
            for number, stage in enumerate(stages):
                stage.process(places[source, number])
                outputs += stage.collect().outputs
            self.seconds[name] += time.process_time() - began
            for output in outputs:
                if output.topic == "panes":
                    panes[output.partition].append(output)
                self.dead += output.topic.endswith("-dead")
        began = time.process_time()
        for number, stage in enumerate(self.roll_up):
            stage.process(panes[number])
            stage.collect()
        self.seconds["roll_up"] += time.process_time() - began


def measure(size: Size, events: int) -> Grown:
    """Open the contacts, then charge some ``events`` to the stages and to a plain loop.

    Raises:
        RuntimeError: an event became a dead letter, so that the size was not reached.
    """
    stages = _Stages(size)
    records = records_of(calls(size, max(1, events // _CALL_EVENTS)), size.partitions)
    before, chunk, opened = _resident_bytes(), [], 0
    first = min(size.in_flight, _FIRST_CONTACTS)
    for record in records:
        chunk.append(record)
        opened += record.value.startswith(b'{"type":"contact.answered"')
        if len(chunk) >= _OPENING_CHUNK or opened in {first, size.in_flight}:
            stages.flush(chunk)
            chunk = []
            if opened == first:
                before, first = _resident_bytes(), -1
            if opened == size.in_flight:
                break
    # The first bring queues, agents and code with them.
    beyond = size.in_flight - _FIRST_CONTACTS
    contact_bytes = (_resident_bytes() - before) / beyond if beyond > 0 else None
    stages.seconds = dict.fromkeys(stages.seconds, 0.0)
    rest = list(records)
    for begin in range(0, len(rest), _CHUNK):
        stages.flush(rest[begin : begin + _CHUNK])
    if stages.dead:
        raise RuntimeError(f"{stages.dead:,} of the events became dead letters: this is not the size that was asked for")
    began = time.process_time()
    plain_loop(rest)
    plain = time.process_time() - began
    each = {name: seconds / len(rest) * 1e6 for name, seconds in stages.seconds.items()}
    return Grown(
        size, len(rest), each["contacts"], each["agents"], each["roll_up"], plain / len(rest) * 1e6, contact_bytes, peak_mib() or 0.0
    )


def _resident_bytes() -> float:
    """Return what is resident once free memory has gone back, as a worker gives it back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return (resident_mib() or 0.0) * 2**20


def in_a_process(size: Size, events: int) -> Grown:
    """Measure a size in a separate process, with separate memory."""
    request = json.dumps({"size": asdict(size), "events": events})
    command = [sys.executable, "-m", "benchmarks.growth", "--child", request]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_GIVE_UP_SECONDS, check=False)
    if done.returncode:
        raise SystemExit(f"{size} could not be measured: {done.stderr[-2000:]}")
    found = json.loads(done.stdout)
    return Grown(**{**found, "size": Size(**found["size"])})


async def workers(events: int) -> list[tuple[int, float, float]]:
    """Return workers, microseconds of CPU an event of all of them, and events a second, for one and for two on the same topics."""
    from benchmarks import pipeline  # noqa: PLC0415 - the broker is asked for only here

    found = []
    with pipeline.broker(embedded=False) as (_, bootstrap):
        for number in (1, 2):
            load = await pipeline.fill(bootstrap, f"growth-{number}", events, 1, 200)
            cost = await pipeline.worker(load, number)
            found.append((number, cost.cpu_us, cost.events_per_second))
    return found


def main() -> int:
    """Print a table for each thing that grows, and one line of JSON with all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--over", nargs="+", choices=[*SIZES, "workers"], default=[*SIZES, "workers"], help="what grows (default: all)")
    parser.add_argument("--events", type=int, default=60_000, help="charged at each size (default: %(default)s)")
    parser.add_argument("--million", action="store_true", help="a million contacts in flight too")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        request = json.loads(args.child)
        # As in a worker.
        collect_seldom()
        print(json.dumps(asdict(measure(Size(**request["size"]), request["events"]))))
        return 0
    found: dict[str, list[dict[str, Any]]] = {}
    for name in args.over:
        if name == "workers":
            continue
        print(f"\n| {name} | contacts µs | agents µs | roll-up µs | plain loop µs | times the plain loop | bytes a contact | peak MiB |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
        found[name] = []
        for size in [*SIZES[name], *([MILLION] if args.million and name == "contacts" else [])]:
            grown = in_a_process(size, args.events)
            found[name].append({**asdict(grown), "ratio": grown.ratio})
            number = {"queues": size.queues, "agents": size.agents, "contacts": size.in_flight, "partitions": size.partitions}[name]
            contact_bytes = "–" if grown.contact_bytes is None else f"{grown.contact_bytes:,.0f}"
            print(
                f"| {number:,} | {grown.contacts_us:.1f} | {grown.agents_us:.1f} | {grown.roll_up_us:.1f} | {grown.plain_us:.2f} "
                f"| {grown.ratio:.1f} | {contact_bytes} | {grown.peak_mib:,.0f} |",
                flush=True,
            )
    if "workers" in args.over:
        print("\n| workers | µs of CPU an event | events/s |\n| --- | --- | --- |", flush=True)
        rows = asyncio.run(workers(args.events))
        for number, cpu_us, rate in rows:
            print(f"| {number} | {cpu_us:.1f} | {rate:,.0f} |")
        found["workers"] = [{"workers": number, "cpu_us": cpu_us, "events_per_second": rate} for number, cpu_us, rate in rows]
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
