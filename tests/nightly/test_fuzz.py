"""Bent records through the track stages, bent requests through a real gateway: no crash, and every one counts as taken or refused."""

# ruff: noqa: T201 - prints its figures.

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from schemas.topics import topic
from streams.configuration import Configuration
from streams.stages.track import AgentStage, ContactStage, TrackTopics
from streams.worker import create_topics
from tests.connectors.test_gateway import mutated as bent_body
from tests.support.services import Services
from tests.support.topics import read

if TYPE_CHECKING:
    from tests.support.kafka import Cluster

EXAMPLES: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parents[1] / "schemas" / "examples.jsonl").read_text(encoding="utf-8").splitlines()
]
SIGNS_OF_LIFE = ("source.heartbeat", "source.snapshot")

ODD: list[Any] = [
    None,
    -1,
    0,
    1e308,
    2**70,
    "",
    "\x00",
    "\ud800",
    "　",
    [],
    {},
    [[]],
    True,
    "x" * 300,
    "2026-13-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
]
SPLINTERS = [
    b"",
    b"\x00",
    b"\n",
    b'"',
    b"\\",
    b"\\u",
    b"{",
    b"}",
    b"[",
    b",",
    b":",
    b"0",
    b"-",
    b"e",
    b"\x80",
    b"\xe3",
    b"\xff",
    b"\xc2\x85",
]


def bent(chance: random.Random, number: int) -> bytes | None:
    """Return an example's record, nearly always with fields or bytes changed."""
    event = dict(chance.choice(EXAMPLES))
    event["event_id"] = f"e{number}"
    for name in ("conversation_id", "person_id"):
        if name in event:
            # A few events each: no contact's story is endless.
            event[name] = f"{name}-{number // 400}-{chance.randrange(20)}"
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        name = chance.choice([*event, "sequence", "agent", "queue", "unknown"])
        if chance.random() < 0.3:
            event.pop(name, None)
        else:
            event[name] = chance.choice(ODD)
    raw = json.dumps(event, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    for _ in range(chance.choice((0, 0, 0, 1, 2))):
        at = chance.randrange(len(raw) + 1)
        raw = raw[:at] + chance.choice(SPLINTERS) + raw[at + chance.randrange(3) :]
    return None if chance.random() < 0.001 else raw


@pytest.mark.parametrize("count", [pytest.param(20_000, id="quick"), pytest.param(1_000_000, id="nightly", marks=pytest.mark.nightly)])
def test_records(count: int) -> None:
    """Must-show 7: 1,000,000 bent records through the stages of the worker; taken and refused add up, refused ones are dead letters."""
    chance, began = random.Random(count), time.monotonic()
    topics = TrackTopics("events", "panes", 4, "dead", "fuzz", lambda: 0)
    # A source that floods the dead letters is quarantined otherwise.
    configuration = Configuration.model_validate({"dead_letters": {"max_ratio": 0, "max_run": 0}})
    stages = [ContactStage(0, configuration, topics), AgentStage(0, configuration, topics)]
    dead = sent = 0
    facts: Counter[str] = Counter()
    while sent < count:
        # Published a moment after they were received, some of them long before their stated time.
        published_ms = chance.choice((1_786_000_000_000, 4_000_000_000_000))
        records = [
            SimpleNamespace(topic="events", partition=0, offset=sent + each, timestamp=published_ms, key=b"k", value=value, headers=())
            for each, value in enumerate(bent(chance, sent + each) for each in range(400))
        ]
        sent += len(records)
        for stage in stages:
            stage.process(records)
            flush = stage.collect()
            dead_letters = [output for output in flush.outputs if output.topic == "dead"]
            dead += len(dead_letters)
            facts["rows"] += len(flush.rows)
            assert {dead_letter.value for dead_letter in dead_letters} <= {record.value for record in records}
    refused = sum((Counter(stage.counters.rejected) for stage in stages), Counter())
    processed = sum(stage.counters.events for stage in stages)
    late = sum(stage.counters.late for stage in stages)
    print(f"\n{processed:,} records in {time.monotonic() - began:.0f} s: {refused.total():,} refused {dict(refused)}, {late:,} late")
    assert processed == 2 * sent
    assert refused.total() == dead
    # Of each half the other stage's kinds are unknown; beyond those enough got through and enough did not.
    assert 0.1 * sent < processed - refused.total() < 0.9 * sent


CONTENT_TYPES = ["application/json", "application/x-ndjson", "text/plain", "", "multipart/form-data", "application/json; charset=nonsense"]


@pytest.mark.parametrize("count", [pytest.param(3_000, id="quick"), pytest.param(100_000, id="nightly", marks=pytest.mark.nightly)])
def test_requests(kafka: Cluster, tmp_path: Path, count: int) -> None:
    """Must-show 7: 100,000 bent requests to a real gateway over kept connections; no 500, counters and topics agree with the answers."""
    prefix = f"fuzz-{time.time_ns()}"
    statuses: Counter[int] = Counter()
    events: Counter[str] = Counter()
    left = iter(range(count))

    async def sender(session: aiohttp.ClientSession, address: str, number: int) -> None:
        chance = random.Random(number)
        for _ in left:
            body = bent_body(chance) if chance.random() < 0.5 else bent(chance, chance.randrange(10**9)) or b""
            headers = {"Content-Type": chance.choice(CONTENT_TYPES)}
            if chance.random() < 0.02:
                headers |= {"Content-Encoding": "gzip"}
            method = "PUT" if chance.random() < 0.01 else "POST"
            async with session.request(method, f"{address}/v1/events", data=body, headers=headers) as response:
                statuses[response.status] += 1
                answer = await response.json()
                events["accepted"] += answer["accepted"]
                events["rejected"] += answer.get("rejected", 0)
                events["signs of life"] += _signs_of_life(body, answer)

    async def scenario(services: Services) -> None:
        await create_topics(kafka.bootstrap, prefix)
        services.run("gateway", "--rate", "100000000", "--burst", "100000000")
        await services.ready("gateway")
        began = time.monotonic()
        connections = aiohttp.TCPConnector(limit=16)
        async with aiohttp.ClientSession(connector=connections, timeout=aiohttp.ClientTimeout(total=30)) as session:
            await asyncio.gather(*(sender(session, services.addresses["gateway"], number) for number in range(16)))
        print(f"\n{count:,} requests in {time.monotonic() - began:.0f} s: {dict(statuses)}, events {dict(events)}")
        assert services.ended == []
        assert set(statuses) <= {200, 202, 400, 405, 415}
        for status, number in statuses.items():
            assert await services.counter("gateway", f'contact_center_gateway_requests_total{{status="{status}"}}') == number
        assert statuses.total() == count
        for outcome in ("accepted", "rejected"):
            assert await services.counter("gateway", f"contact_center_gateway_events_{outcome}_total") == events[outcome]
        published = dead = 0
        for entry in ("contact-events.v1", "agent-events.v1", "customer-events.v1"):
            for record in await read(kafka.bootstrap, topic(entry).full_name(prefix)):
                published += orjson.loads(record.value)["type"] not in SIGNS_OF_LIFE
        for entry in ("contact-events-dead-letters.v1", "agent-events-dead-letters.v1"):
            dead += len(await read(kafka.bootstrap, topic(entry).full_name(prefix)))
        assert published == events["accepted"] - events["signs of life"]
        assert dead == events["rejected"]

    with Services(tmp_path, kafka.bootstrap, prefix) as services:
        asyncio.run(scenario(services))


def _signs_of_life(body: bytes, answer: dict[str, Any]) -> int:
    """Return how many accepted events were heartbeats or snapshots, which go to every partition: only single events of ours are."""
    if answer["accepted"] != 1 or answer.get("rejected"):
        return 0
    try:
        event = json.loads(body)
    except ValueError:
        return 0
    return int(isinstance(event, dict) and event.get("type") in SIGNS_OF_LIFE)
