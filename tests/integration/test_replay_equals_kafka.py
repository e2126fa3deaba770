"""The same events through Apache Kafka and through ``contact-streams replay … --until T``: the same figures at T."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.times import format_ms, parse_time_ms
from schemas.topics import topic
from streams.demo.simulator.load import load_events
from streams.worker import create_topics
from tests.support.kafka import die_with_parent
from tests.support.product_load import final_ms, partition_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.demo.simulator.emission import Emission
    from tests.support.kafka import Cluster

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "streams" / "demo" / "configuration.yaml"
SOURCES = (topic("contact-events.v1"), topic("agent-events.v1"))
PREFIX = "equal"
SEED, EVENTS, AFTERWARDS = 11, 24_000, 3_000


def heartbeats(sources: set[str], at_ms: int) -> Iterator[bytes]:
    """Yield each source's word that nothing up to an instant is still to come."""
    at = format_ms(at_ms)
    for source in sorted(sources):
        beat = {"type": "source.heartbeat", "event_id": f"final-{source}", "source": source}
        yield orjson.dumps({**beat, "occurred_at": at, "received_at": at, "complete_through": at})


async def publish(bootstrap: str, emissions: list[Emission], until_ms: int) -> None:
    """Publish events by key and heartbeats everywhere, the last of them at ``until_ms``."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, acks="all")
    await producer.start()
    try:
        everywhere = [(entry.full_name(PREFIX), number) for entry in SOURCES for number in range(entry.partitions)]
        for emission in emissions:
            value, key = orjson.dumps(emission.event), emission.key.encode()
            places = everywhere
            if emission.destination != "every-partition":
                entry = topic(f"{emission.destination}.v1")
                places = [(entry.full_name(PREFIX), partition_of(key, entry.partitions))]
            for name, number in places:
                await producer.send(name, value, key=key, partition=number)
        for value in heartbeats({str(emission.event["source"]) for emission in emissions}, until_ms):
            for name, number in everywhere:
                await producer.send(name, value, partition=number)
        await producer.flush()
    finally:
        await producer.stop()


async def latest_at(bootstrap: str, until_ms: int) -> dict[str, dict[str, Any]]:
    """Return the latest records once every part is complete through ``until_ms`` and nothing more has come for two seconds."""
    entry = topic("queue-metrics-latest.v1")
    places = [TopicPartition(entry.full_name(PREFIX), number) for number in range(entry.partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest")
    await consumer.start()
    latest: dict[str, dict[str, Any]] = {}
    at, changed = format_ms(until_ms), time.monotonic()
    try:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        async with asyncio.timeout(90):
            complete = False
            while not complete or time.monotonic() - changed < 2:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        changed = time.monotonic()
                        latest[record.key.decode()] = orjson.loads(record.value)
                progress = [latest.get(f"progress|{place.partition}", {}) for place in places]
                complete = all(each.get("as_of") == each.get("complete_through") == at for each in progress)
    finally:
        await consumer.stop()
    return latest


def replayed(file: Path, until_ms: int) -> dict[str, Any]:
    """Return what the command prints for the file."""
    command = [sys.executable, "-m", "streams", "replay", "--connector", "canonical", str(file), "--config", str(CONFIGURATION)]
    done = subprocess.run([*command, "--until", format_ms(until_ms), "--json"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_equal_figures_at_an_instant(kafka: Cluster, tmp_path: Path) -> None:
    """Intervals and the present are the same at T, though the file continues after T and the live stream has not read that yet."""
    every = list(load_events(EVENTS + AFTERWARDS, SEED, rate=1))
    known = every[:EVENTS]
    until_ms = final_ms(known[-1])
    file = tmp_path / "events.jsonl"
    # A file also has what occurred by T and is received after it, which the live stream cannot know at T: here it has none of it.
    later = [each for each in every[EVENTS:] if each.published_ms > until_ms and parse_time_ms(each.event["occurred_at"]) > until_ms]
    written = [each for each in (*known, *later) if each.destination != "every-partition"]
    file.write_bytes(b"".join(orjson.dumps(each.event) + b"\n" for each in written))
    assert later
    assert all(first.published_ms <= second.published_ms for first, second in pairwise(written))

    asyncio.run(create_topics(kafka.bootstrap, PREFIX))
    command = [sys.executable, "-m", "streams", "worker", "--bootstrap", kafka.bootstrap, "--prefix", PREFIX, "--port", "-1"]
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [*command, "--config", str(CONFIGURATION)],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - the child calls one system call and execs
        )
        try:
            asyncio.run(publish(kafka.bootstrap, known, until_ms))
            latest = asyncio.run(latest_at(kafka.bootstrap, until_ms))
        finally:
            worker.terminate()
            worker.wait(30)
    result = replayed(file, until_ms)

    assert result["as_of"] == format_ms(until_ms)
    live = {
        (record["window"], record["channel"], record["scope"], record["window_start"]): record["kpis"]
        for record in latest.values()
        if record["kind"] == "window" and record["scope_kind"] == "queue" and record["window"].startswith("interval")
    }
    counted = {(each["interval"], each["channel"], each["queue"], each["start"]): each["kpis"] for each in result["intervals"]}
    assert len(counted) > 20
    assert {place: kpis for place, kpis in live.items() if place in counted or kpis["offered"]["value"]} == counted

    as_of = {"waiting", "waiting_since", "in_progress", "waiting_past_threshold", "agents_by_state"}
    now = {
        (record["scope_kind"], record["scope"], record["channel"]): {name: record[name] for name in as_of & record.keys()}
        for record in latest.values()
        if record["kind"] == "now"
    }
    replayed_now = {
        (each["scope_kind"], each["scope"], each["channel"]): {name: each[name] for name in as_of & each.keys()} for each in result["now"]
    }
    assert replayed_now.keys() <= now.keys()
    assert {place: now[place] for place in replayed_now} == replayed_now
    assert any(figures.get("waiting") or figures.get("in_progress") for figures in replayed_now.values())
