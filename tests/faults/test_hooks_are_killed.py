"""The gateway is killed while platforms deliver: what was acknowledged is in Kafka, what was not comes again and counts once."""

# ruff: noqa: T201 - a fault test prints what it did and with which seed.

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from schemas.topics import topic
from streams.connectors.kit.verifying import Delivery, signature
from streams.connectors.platforms import connector
from streams.worker import create_topics
from tests.faults.test_product_under_faults import SEED
from tests.support.services import Services
from tests.support.topics import read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = [pytest.mark.faults]

SENDERS, KILLS = 8, 3
SECRET = "a-secret-of-some-length"
CONNECTORS = """\
connectors:
  line: {connector: line, secrets: [{env: HOOKS_SECRET}]}
  desk: {connector: zendesk, secrets: [{env: HOOKS_SECRET}]}
"""


def line(number: int) -> tuple[bytes, set[str]]:
    """Return a delivery of one message, and the ids of its events."""
    name = f"01LINE{number:020d}"
    message = {
        "type": "message",
        "mode": "active",
        "timestamp": int(datetime.now(UTC).timestamp() * 1000),
        "source": {"type": "user", "userId": f"U{number:032x}"},
        "webhookEventId": name,
        "message": {"id": str(number), "type": "text", "text": "Hello"},
    }
    return orjson.dumps({"destination": "U1", "events": [message]}), {f"{name}-arrived", f"{name}-message"}


def ticket(number: int) -> tuple[bytes, set[str]]:
    """Return a delivery of a ticket that was created, and the ids of its events."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    detail = {"id": str(number), "status": "NEW", "created_at": now, "updated_at": now, "group_id": "330", "via": {"channel": "mail"}}
    event = {
        "type": "zen:event-type:ticket.created",
        "id": f"event-{number}",
        "time": now,
        "subject": f"zen:ticket:{number}",
        "detail": detail,
        "event": {"meta": {"sequence": {"id": f"S{number}", "position": 1}}},
    }
    return orjson.dumps(event), {f"{number}-arrived", f"{number}-queued"}


def headers(platform: str, body: bytes) -> dict[str, str]:
    """Return what the platform sends with a body, signed now."""
    scheme = connector(platform).verification
    assert scheme is not None
    there = {"Content-Type": "application/json"}
    if scheme.timestamp_header:
        there[scheme.timestamp_header] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return there | {scheme.header: signature(scheme, SECRET, Delivery(body, there, {}, ""))}


async def deliver(session: aiohttp.ClientSession, address: str, sender: int, stop: asyncio.Event, tally: Counter[str]) -> set[str]:
    """Deliver, the same again until it is acknowledged; return the ids of the events that were."""
    source, platform = ("line", "line") if sender % 2 else ("desk", "zendesk")
    acknowledged = set[str]()
    number = sender * 1_000_000
    while not stop.is_set():
        number += 1
        body, ids = (line if sender % 2 else ticket)(number)
        signed = headers(platform, body)
        while True:
            try:
                async with session.post(f"{address}/v1/hooks/{source}", data=body, headers=signed) as response:
                    if response.status == 200:
                        acknowledged |= ids
                        break
                    answer = await response.json()
                    assert response.status in {429, 503}, answer
                    assert 0 < int(response.headers["Retry-After"]) < 60
                    tally["asked to retry"] += 1
            except (aiohttp.ClientError, OSError, TimeoutError):
                tally["without an answer"] += 1
            await asyncio.sleep(0.05)
    return acknowledged


def test_gateway_killed_while_platforms_deliver(kafka: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the gateway killed three times, every acknowledged event is in the topic, with the same bytes wherever it is there again."""
    chance, prefix, tally = random.Random(SEED), f"hooks-{SEED}", Counter[str]()
    monkeypatch.setenv("HOOKS_SECRET", SECRET)
    file = tmp_path / "connectors.yaml"
    file.write_text(CONNECTORS, encoding="utf-8")

    async def scenario(services: Services) -> None:
        await create_topics(kafka.bootstrap, prefix)
        services.run("gateway", "--connectors", str(file), "--rate", "1000000", "--burst", "1000000")
        await services.ready("gateway")
        stop = asyncio.Event()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            address = services.addresses["gateway"]
            senders = [asyncio.create_task(deliver(session, address, number, stop, tally)) for number in range(SENDERS)]
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(0.5, 1.5))
                services.kill("gateway")
                await asyncio.sleep(chance.uniform(0, 0.5))
                services.start("gateway")
                await services.ready("gateway")
            await asyncio.sleep(0.5)
            stop.set()
            acknowledged = set[str]().union(*await asyncio.gather(*senders))
        found: dict[str, set[bytes]] = {}
        copies = 0
        for record in await read(kafka.bootstrap, topic("contact-events.v1").full_name(prefix)):
            event: dict[str, Any] = orjson.loads(record.value)
            if event["type"] != "source.heartbeat":
                copies += 1
                # Of a live source the time of receipt alone is that of the delivery.
                found.setdefault(event["event_id"], set()).add(orjson.dumps({**event, "received_at": None}))
        print(f"\nseed {SEED}: {dict(tally)}; {len(acknowledged)} events acknowledged, {copies} records of {len(found)} events")
        assert tally["without an answer"] > 0
        assert acknowledged
        assert acknowledged <= found.keys()
        assert all(len(contents) == 1 for contents in found.values())

    with Services(tmp_path, kafka.bootstrap, prefix) as services:
        asyncio.run(scenario(services))
