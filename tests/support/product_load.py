"""Load for the whole product: seeded events with bad records among them, published by a process of its own at a steady rate."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from schemas.topics import topic
from streams.demo.simulator.emission import heartbeat
from streams.demo.simulator.load import LOAD_START_MS, load_events
from streams.demo.simulator.shop import with_shop
from streams.demo.simulator.simulation import final_heartbeats

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.demo.simulator.emission import Emission

__all__ = ["BAD_RECORDS", "CENTERS", "BadRecord", "LoadPlan", "Publisher", "bad_records", "events_of", "final_ms", "main", "partition_of"]

#: How many simulated centers run side by side: at 6,000 events a second a minute of theirs passes in half a second.
CENTERS = 20

#: Bad records of a round.
BAD_RECORDS = 28

#: Who sends what is not true, and how often before another's event.
HOSTILE, _HOSTILE = "hostile", 1 / 100

#: Seconds between two batches of a partition.
_TICK_SECONDS = 0.05

_FAR = 10_000_000
_SOURCES = ("contact-events", "agent-events", "customer-events")


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What one round publishes, and where."""

    bootstrap: str
    prefix: str
    seed: int
    #: Events a second.
    rate: int
    #: Bad records are spread over these seconds from the start.
    bad_seconds: float

    def topic(self, source: str) -> str:
        """Return the full name of ``contact-events``, ``agent-events`` or ``customer-events``."""
        return topic(f"{source}.v1").full_name(self.prefix)


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that no stage can use, and the reason it is to be refused for."""

    source: str
    reason: str
    value: bytes | None
    key: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key as every usual producer chooses it."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


def events_of(seed: int, count: int = _FAR) -> Iterator[Emission]:
    """Yield the first ``count`` events of a round: contacts, agents, customer events of their shop, and those of a hostile sender."""
    honest = with_shop(load_events(_FAR, seed, rate=CENTERS), seed, LOAD_START_MS, rate=CENTERS)
    return islice(with_hostile_sender(honest, seed), count)


def with_hostile_sender(emissions: Iterable[Emission], seed: int) -> Iterator[Emission]:
    """Yield before some events one of another source under the same ids, to use them up or to end what they are of."""
    chance = Random(f"{seed} hostile")
    for emission in emissions:
        if emission.destination in {"contact-events", "agent-events"} and chance.random() < _HOSTILE:
            event = {key: value for key, value in emission.event.items() if key != "customer_key"} | {"source": HOSTILE}
            if emission.destination == "contact-events" and chance.random() < 1 / 2:
                kept = ("event_id", "occurred_at", "received_at", "source", "conversation_id")
                kind = chance.choice(("contact.excluded", "contact.ended"))
                event = {"type": kind, **{key: event[key] for key in kept}} | ({"reason": "test"} if kind == "contact.excluded" else {})
            yield emission._replace(event=event)
        yield emission


def final_ms(last: Emission) -> int:
    """Return the instant of the final heartbeats after the last event; no edge of a window is near it."""
    return last.published_ms + 7_321


def bad_records(seed: int) -> list[BadRecord]:
    """Return the bad records of a round in the order of publishing."""
    moment = "2026-01-05T00:10:00.000Z"
    common = {"occurred_at": moment, "received_at": moment, "source": "sim-telephony"}
    queued = {"type": "contact.queued", "event_id": "bad", **common, "conversation_id": "bad-contact", "queue": "Orders 注文受付"}
    state = {"type": "agent.state_changed", "event_id": "bad", **common, "person_id": "bad-person", "axis": "routing", "state": "idle"}

    def without(event: dict[str, Any], name: str) -> dict[str, Any]:
        return {key: value for key, value in event.items() if key != name}

    def of(source: str, reason: str, value: bytes | dict[str, Any] | None) -> BadRecord:
        raw = orjson.dumps(value) if isinstance(value, dict) else value
        return BadRecord(source, reason, raw, None, [("trace", b"\x00\xff"), ("trace", b"again")])

    order = {"type": "order.placed", "event_id": "bad", **common, "customer_key": "v1:bad", "order_id": "o", "value": 1, "currency": "JPY"}
    plan = {"type": "forecast.set", "event_id": "bad", **common, "queue": "Orders 注文受付", "interval_start": moment, "volume": 1}
    contacts, agents, customers = _SOURCES
    records = [
        of(contacts, "invalid_json", orjson.dumps(queued)[:-40]),
        of(contacts, "invalid_utf8", orjson.dumps(queued).replace(b"Orders", b"\xff\xfe\xc3")),
        of(contacts, "unknown_type", {**queued, "type": "contact.teleported"}),
        of(contacts, "wrong_type", {**queued, "queue": 17}),
        of(contacts, "wrong_type", b"[1, 2, 3]"),
        of(contacts, "missing_field", without(queued, "conversation_id")),
        of(contacts, "missing_field", without(queued, "type")),
        of(contacts, "time_too_old", {**queued, "occurred_at": "1970-01-01T00:00:00.000Z"}),
        of(contacts, "time_in_future", {**queued, "occurred_at": "2090-01-01T00:00:00.000Z"}),
        of(contacts, "time_in_future", {**queued, "occurred_at": "2090-01-01T00:00:00.000Z", "received_at": "2090-01-01T00:00:00.000Z"}),
        of(contacts, "invalid_value", {**queued, "type": "contact.answered", "wait_seconds": -3}),
        of(contacts, "too_large", {**queued, "queue": "q" * 5 * 1024 * 1024}),
        of(contacts, "empty", None),
        of(contacts, "empty", b""),
        of(agents, "invalid_json", b"not json"),
        of(agents, "invalid_utf8", orjson.dumps(state).replace(b"idle", b"\x80\x81")),
        of(agents, "unknown_type", queued),
        of(agents, "wrong_type", {**state, "state": ["idle"]}),
        of(agents, "missing_field", without(state, "axis")),
        of(agents, "time_too_old", {**state, "occurred_at": "1970-01-01T00:00:00.000Z", "received_at": "1970-01-01T00:00:00.000Z"}),
        of(customers, "invalid_json", orjson.dumps(order)[:-5]),
        of(customers, "unknown_type", {**order, "type": "order.eaten"}),
        of(customers, "missing_field", without(order, "customer_key")),
        of(customers, "invalid_value", {**plan, "interval_seconds": 0}),
    ]
    lie = {"type": "source.heartbeat", "event_id": "bad", **common, "source": HOSTILE, "complete_through": "2099-01-01T00:00:00.000Z"}
    shift = {"type": "schedule.planned", "event_id": "bad", **common, "source": HOSTILE, "person_id": "bad-person", "activity": "work"}
    records += [
        of(contacts, "complete_through_in_future", lie),
        of(agents, "complete_through_in_future", lie),
        of(agents, "invalid_value", {**shift, "start": moment, "end": "9999-01-01T00:00:00.000Z"}),
        of(contacts, "invalid_value", {**queued, "source": HOSTILE, "queue": "Ord\u200bers"}),
    ]
    if len(records) != BAD_RECORDS:
        raise ValueError(f"{len(records)} bad records and not {BAD_RECORDS}.")
    chance = Random(seed)
    chance.shuffle(records)
    # Most producers give a key; a few records come without.
    return [
        replace(each, key=b"bad-%d" % number if each.value is None or chance.random() < 7 / 8 else None)
        for number, each in enumerate(records)
    ]


class Publisher:
    """Sends events in whole batches, each to the partition of its key, and heartbeats to every partition."""

    def __init__(self, plan: LoadPlan, producer: AIOKafkaProducer) -> None:
        self._plan, self._producer = plan, producer
        self._topics = {source: (plan.topic(source), topic(f"{source}.v1").partitions) for source in _SOURCES}
        self._partitions: dict[str, int] = {}
        #: Records acknowledged; a heartbeat is one in every partition.
        self.records = 0

    async def send(self, events: Iterable[Emission]) -> None:
        """Send ``events`` in order and return when every one is acknowledged."""
        batches: dict[tuple[str, int], list[tuple[bytes, bytes]]] = defaultdict(list)
        for _, destination, key, event in events:
            entry = (key.encode(), orjson.dumps(event))
            if destination == "every-partition":
                for name, partitions in self._topics.values():
                    for partition in range(partitions):
                        batches[name, partition].append(entry)
            else:
                name, partitions = self._topics[destination]
                place = self._partitions.get(key)
                if place is None:
                    place = self._partitions[key] = partition_of(entry[0], partitions)
                batches[name, place].append(entry)
        pending = []
        for (name, partition), entries in batches.items():
            batch = self._producer.create_batch()
            for record_key, value in entries:
                if batch.append(key=record_key, value=value, timestamp=None) is None:
                    raise ValueError("Too many records for one batch: send oftener.")
            pending.append(await self._producer.send_batch(batch, name, partition=partition))
        for delivered in pending:
            await delivered
        self.records += sum(map(len, batches.values()))

    async def send_bad(self, record: BadRecord) -> list[Any]:
        """Send a bad record and return its topic, partition and offset."""
        name, partitions = self._topics[record.source]
        partition = 3 if record.key is None else partition_of(record.key, partitions)
        done = await self._producer.send_and_wait(name, record.value, record.key, partition=partition, headers=record.headers)
        return [done.topic, done.partition, done.offset]


async def publish(plan: LoadPlan, stop: asyncio.Event) -> dict[str, Any]:
    """Publish until ``stop`` and then the final heartbeats; return how many events, in how many seconds, and where the bad ones are."""
    producer = AIOKafkaProducer(
        bootstrap_servers=plan.bootstrap, enable_idempotence=True, max_batch_size=1024 * 1024, max_request_size=8 * 1024 * 1024
    )
    await producer.start()
    try:
        publisher, emissions = Publisher(plan, producer), events_of(plan.seed)
        chance = Random(~plan.seed)
        bad = list(zip(sorted(chance.uniform(0, plan.bad_seconds) for _ in range(BAD_RECORDS)), bad_records(plan.seed), strict=True))
        places, sent, last = [], 0, None
        began = time.monotonic()
        while not stop.is_set() or bad:
            elapsed = time.monotonic() - began
            events = list(islice(emissions, min(plan.rate, int(plan.rate * elapsed) - sent)))
            await publisher.send(events)
            sent += len(events)
            last = events[-1] if events else last
            while bad and (bad[0][0] < elapsed or stop.is_set()):
                places.append(await publisher.send_bad(bad.pop(0)[1]))
            await asyncio.sleep(_TICK_SECONDS)
        seconds = time.monotonic() - began
        if last is None:
            raise ValueError("Stopped before anything was sent.")
        final = final_ms(last)
        await publisher.send([*final_heartbeats(final, str(plan.seed)), heartbeat(HOSTILE, f"final-{plan.seed}-{HOSTILE}", final, final)])
    finally:
        await producer.stop()
    return {"events": sent, "seconds": seconds, "bad": places}


async def _until_stopped(plan: LoadPlan) -> dict[str, Any]:
    stop = asyncio.Event()
    publishing = asyncio.create_task(publish(plan, stop))
    reading = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    await asyncio.wait({publishing, reading}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    return await publishing


def main(arguments: str) -> None:
    """Publish until a line comes in, then print what was published; ``arguments`` is JSON, a LoadPlan."""
    print(json.dumps(asyncio.run(_until_stopped(LoadPlan(**json.loads(arguments))))), flush=True)  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main(sys.argv[1])
