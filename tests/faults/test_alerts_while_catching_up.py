"""A worker that reads a backlog: source partitions are minutes from each other meanwhile, and no alert may come of that."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from zlib import crc32

import orjson
import pytest
import yaml
from aiokafka import AIOKafkaProducer

from schemas.times import format_ms
from schemas.topics import topic
from streams.worker import create_topics
from tests.support import kafka as apache
from tests.support import topics
from tests.support.require import require
from tests.support.services import Services, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.faults, pytest.mark.kafka]

PREFIX = "backlog"
EVENTS = topic("contact-events.v1")
CALLS, CALLS_A_SECOND = 30_000, 50
WAIT_MS, TALK_MS = 5_000, 20_000
START_MS = 1_790_000_000_000
CENTER = {
    "queues": {"sales": {"channel": "voice", "target": 0.8}},
    "alerts": {"long wait": {"kpi": "longest_wait", "above": 60, "for_seconds": 0, "clear_for_seconds": 0}},
}


def calls() -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of ten minutes of calls that each wait 5 s and talk 20 s, and of one that waits to the end, in order of time."""
    events: list[tuple[int, str, str, dict[str, str]]] = []
    for number in range(CALLS):
        call, at = f"call-{number}", START_MS + 1000 * number // CALLS_A_SECOND
        events.append((at, call, "contact.queued", {"queue": "sales", "channel": "voice"}))
        events.append((at + WAIT_MS, call, "contact.answered", {"queue": "sales", "channel": "voice", "agent": f"agent-{number % 2000}"}))
        events.append((at + WAIT_MS + TALK_MS, call, "contact.ended", {}))
    last_ms = START_MS + 1000 * CALLS // CALLS_A_SECOND
    events.append((last_ms - 100_000, "the-one-that-waits", "contact.queued", {"queue": "sales", "channel": "voice"}))
    for at, call, kind, more in sorted(events, key=lambda event: event[0]):
        when = format_ms(at)
        event = {
            "type": kind,
            "conversation_id": call,
            "event_id": f"{call}/{kind}",
            "occurred_at": when,
            "received_at": when,
            "source": "pbx",
        }
        yield call.encode(), orjson.dumps(event | more)


async def publish(bootstrap: str) -> None:
    """Write them to Kafka before any worker runs."""
    await create_topics(bootstrap, PREFIX)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, max_batch_size=256 * 1024)
    await producer.start()
    try:
        for key, value in calls():
            await producer.send(EVENTS.full_name(PREFIX), value, key=key, partition=crc32(key) % EVENTS.partitions)
        await producer.flush()
    finally:
        await producer.stop()


async def alerts_of(bootstrap: str, services: Services) -> list[tuple[str, float | None]]:
    """Return state and value of each alert that a worker announces from its start until it has caught up and an alert fires."""
    await publish(bootstrap)
    services.run("worker")
    await services.ready("worker")
    found: list[tuple[str, float | None]] = []

    async def fired() -> bool:
        records = await topics.read(bootstrap, topic("alerts.v1").full_name(PREFIX))
        found[:] = [(alert["state"], alert["value"]) for alert in (json.loads(record.value) for record in records if record.value)]
        return bool(found)

    await until(fired, 30)
    return found


def test_catching_up_fires_no_alert(tmp_path: Path) -> None:
    """30,000 calls wait 5 s each and fire nothing, though partitions are read one after the other; the one that still waits does."""
    reason = apache.missing()
    require(reason is None, reason or "")
    configuration = tmp_path / "center.yaml"
    configuration.write_text(yaml.safe_dump(CENTER), encoding="utf-8")
    with apache.cluster() as running, Services(tmp_path, running.bootstrap, PREFIX, configuration) as services:
        alerts = asyncio.run(alerts_of(running.bootstrap, services))

    # As-of is the end of the last call: 100 s before the last arrival, and 25 s after it, without 20 ms between two arrivals.
    assert alerts == [("firing", 124.98)]
