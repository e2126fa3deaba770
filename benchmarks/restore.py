"""Measures how long a worker takes to restore contacts: rows as written by stages, of tickets and of calls.

``python -m benchmarks.restore`` restores them in memory; with ``--kafka`` from a changelog on a separate broker, written in transactions,
by the engine. Rows are those of some thousand contacts under many names. Prints rows per second and CPU per row.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import time
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiokafka import AIOKafkaProducer, TopicPartition

from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration
from streams.engine.flush import Share, TransactionWriter
from streams.engine.health import Health
from streams.engine.memory import collect_seldom, hold_until_release
from streams.engine.owner import Owner, restoring_consumer
from streams.engine.records import return_raw_records
from streams.engine.settings import EngineSettings, Flow
from streams.engine.topics import TopicSpec, ensure_topics
from streams.stages.track import ContactStage, TrackTopics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["KINDS", "Restored", "in_memory", "stored_rows"]

_START_MS: Final = parse_time_ms("2026-01-05T08:00:00Z")
_TOPICS: Final = TrackTopics("contact-events", "panes", 4, "dead", "benchmark", lambda: 0, "facts")
_WRITTEN: Final = 2_000
_CHUNK: Final = 500
_ROWS_A_TRANSACTION: Final = 5_000
KINDS: Final = ("tickets", "calls")


@dataclass(frozen=True, slots=True)
class Restored:
    """The cost of restoring contacts."""

    kind: str
    rows: int
    bytes_a_row: float
    cpu_us: float
    seconds: float
    #: Number of rows that were decoded at once.
    read: int

    @property
    def rows_a_second(self) -> float:
        """Rows of contacts, and the others with them, by the clock."""
        return self.rows / self.seconds


def configuration() -> Configuration:
    """Return a center with twenty queues, half of them of tickets."""
    queues: dict[str, Any] = {f"tickets {number}": {"channel": "ticket", "department": "desk", "site": "bonn"} for number in range(10)}
    queues |= {f"calls {number}": {"channel": "voice", "department": "phone"} for number in range(10)}
    limits = dict.fromkeys(("max_contacts", "max_contact_events"))
    return Configuration.model_validate({"sites": {"bonn": {"zone": "Europe/Berlin"}}, "queues": queues, "source_limits": limits})


def _ticket(number: int) -> Iterator[dict[str, Any]]:
    """Yield the events of a ticket: written, queued, answered, written again, and mostly not resolved."""
    name, agent, at_ms = f"ticket-{number:08d}", f"agent-{number % 200}", _START_MS + number * 1_000
    story: list[tuple[int, str, dict[str, Any]]] = [
        (0, "contact.arrived", {"channel": "ticket", "direction": "inbound", "customer_key": f"customer-{number}"}),
        (1, "contact.queued", {"queue": f"tickets {number % 10}", "channel": "ticket"}),
        (2, "contact.status_changed", {"status": "new"}),
        (900, "contact.message", {"author_kind": "agent", "agent": agent, "public": True}),
        (901, "contact.status_changed", {"status": "waiting_on_customer"}),
        (4_000, "contact.message", {"author_kind": "customer", "public": True}),
        (4_001, "contact.status_changed", {"status": "open"}),
    ]
    if number % 10 == 0:
        story.append((5_000, "contact.status_changed", {"status": "resolved"}))
    yield from _events_of(name, at_ms, "helpdesk", story)


def _call(number: int) -> Iterator[dict[str, Any]]:
    """Yield the events of a call: answered, once on hold, and over."""
    name, agent, at_ms = f"call-{number:08d}", f"agent-{number % 200}", _START_MS + number * 50
    story: list[tuple[int, str, dict[str, Any]]] = [
        (0, "contact.arrived", {"channel": "voice", "direction": "inbound"}),
        (1, "contact.queued", {"queue": f"calls {number % 10}", "channel": "voice"}),
        (20, "contact.answered", {"queue": f"calls {number % 10}", "agent": agent, "reports": ["hold", "wrap_up"]}),
        (60, "contact.held", {"agent": agent}),
        (90, "contact.resumed", {"agent": agent}),
        (200, "contact.ended", {"by": "customer"}),
        (230, "contact.wrapped_up", {"agent": agent}),
    ]
    yield from _events_of(name, at_ms, "switch", story)


def _events_of(name: str, at_ms: int, source: str, story: list[tuple[int, str, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for index, (seconds, kind, fields) in enumerate(story):
        at = format_ms(at_ms + 1_000 * seconds)
        common = {"event_id": f"{name}:{index}", "occurred_at": at, "received_at": at, "source": source, "conversation_id": name}
        yield {"type": kind, **common, **fields}


def _events(kind: str) -> list[dict[str, Any]]:
    story = _ticket if kind == "tickets" else _call
    events = [event for number in range(_WRITTEN) for event in story(number)]
    return sorted(events, key=lambda event: str(event["received_at"]))


def stored_rows(kind: str, count: int) -> list[tuple[bytes, bytes]]:
    """Return the rows of a stage with ``count`` contacts: those of some thousand, repeated under further names."""
    stage = ContactStage(0, configuration(), _TOPICS)
    rows: dict[bytes, bytes] = {}
    events = _events(kind)
    for begin in range(0, len(events), _CHUNK):
        stage.process(
            [
                SimpleNamespace(offset=0, timestamp=parse_time_ms(event["received_at"]), key=None, value=orjson.dumps(event), headers=())
                for event in events[begin : begin + _CHUNK]
            ]
        )
        for key, value in stage.collect().rows:
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
    contacts = [(key, value) for key, value in rows.items() if key.startswith((b"s|", b"t|"))]
    others = [(key, value) for key, value in rows.items() if not key.startswith((b"s|", b"t|"))]
    number = sum(key.startswith(b"s|") for key, _ in contacts)
    found: list[tuple[bytes, bytes]] = []
    for copy in range(-(-count // number)):
        for key, value in contacts:
            kind_, _, name = key.rpartition(b"|")
            found.append((b"%b|%d-%b" % (kind_, copy, name), value))
    return found[:count] + others


def _restored(kind: str, rows: Sequence[tuple[bytes, bytes]], stage: ContactStage, cpu: float, seconds: float) -> Restored:
    contacts = [value for key, value in rows if key.startswith((b"s|", b"t|"))]
    read = len(stage.tracker.conversations.live)
    return Restored(kind, len(rows), sum(map(len, contacts)) / len(contacts), cpu / len(rows) * 1e6, seconds, read)


def in_memory(kind: str, count: int) -> Restored:
    """Take ``count`` contacts back in, without Kafka."""
    rows = dict(stored_rows(kind, count))
    stage = ContactStage(0, configuration(), _TOPICS)
    gc.collect()
    began, worked = time.perf_counter(), time.process_time()
    stage.restore("rows", rows.items())
    return _restored(kind, list(rows.items()), stage, time.process_time() - worked, time.perf_counter() - began)


async def from_kafka(bootstrap: str, kind: str, count: int) -> Restored:
    """Write them to a changelog as flushes do, and take them back in as a worker does."""
    rows = stored_rows(kind, count)
    source, changelog = f"{kind}-events", f"{kind}-rows"
    await ensure_topics(bootstrap, [TopicSpec(source, 1), TopicSpec(changelog, 1, config={"cleanup.policy": "compact"})])
    settings = EngineSettings(app_id=f"restore-{kind}", bootstrap=bootstrap)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=kind, max_batch_size=settings.max_batch_bytes)
    await producer.start()
    writer = TransactionWriter(producer, settings.app_id)
    for begin in range(0, len(rows), _ROWS_A_TRANSACTION):
        share = Share(TopicPartition(source, 0), 0, TopicPartition(changelog, 0), rows[begin : begin + _ROWS_A_TRANSACTION], [])
        await writer.write(writer.prepare([share]))
    await producer.stop()
    flow = Flow(name=kind, source=source, changelog=changelog, stage_factory=lambda _: ContactStage(0, configuration(), _TOPICS))
    owner = Owner(settings, flow, 0, Health())
    consumer = restoring_consumer(settings)
    await consumer.start()
    return_raw_records(consumer)
    gc.collect()
    gc.freeze()
    # As a worker does.
    collect_seldom()
    hold_until_release()
    began, worked = time.perf_counter(), time.process_time()
    await owner.take(consumer)
    found = time.process_time() - worked, time.perf_counter() - began
    await consumer.stop()
    stage: Any = owner.stage
    return _restored(kind, rows, stage, *found)


def main() -> None:
    """Print a line for each kind of contact, and one of JSON with all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=100_000, help="number of each kind (default: %(default)s)")
    parser.add_argument("--kafka", action="store_true", help="from a broker of its own")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    found = []
    if arguments.kafka:
        from tests.support.kafka import cluster  # noqa: PLC0415 - the broker is asked for only here

        with cluster() as running:
            found = [asyncio.run(from_kafka(running.bootstrap, kind, arguments.contacts)) for kind in KINDS]
    else:
        found = [in_memory(kind, arguments.contacts) for kind in KINDS]
    for each in found:
        print(
            f"{each.kind:8} {each.rows:>9,} rows, {each.bytes_a_row:,.0f} bytes each: {each.rows_a_second:>9,.0f} rows/s, "
            f"{each.cpu_us:.2f} us of CPU a row, {each.cpu_us * each.rows / 1e6:.2f} s in all; {each.read:,} read at once"
        )
    print(json.dumps([asdict(each) for each in found]))


if __name__ == "__main__":
    main()
