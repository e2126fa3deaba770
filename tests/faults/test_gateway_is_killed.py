"""The gateway is killed while senders send: they get no answer, repeat, and every event counts once. Then the worker is, and it shows."""

# ruff: noqa: T201 - a fault test prints what it did and with which seed.

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from schemas.topics import topic
from streams.worker import create_topics
from tests.faults.test_product_under_faults import SEED
from tests.support.recount import last_values
from tests.support.services import Services, until
from tests.support.topics import read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = [pytest.mark.faults, pytest.mark.nightly]

SENDERS, CONVERSATIONS_A_REQUEST = 8, 5
WINDOW = b"window|trailing_60m|voice|queue:orders"


def conversation(name: str) -> list[dict[str, Any]]:
    """Return a call that is over by now: queued, answered half a second later, ended."""
    now = datetime.now(UTC)

    def event(kind: str, ago_ms: int, **fields: Any) -> dict[str, Any]:
        occurred = (now - timedelta(milliseconds=ago_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        common = {"type": f"contact.{kind}", "event_id": f"{name}-{kind}", "occurred_at": occurred, "conversation_id": name}
        return {**common, "source": "calls", **fields}

    return [
        event("arrived", 900, channel="voice", direction="inbound"),
        event("queued", 800, queue="orders", channel="voice"),
        event("answered", 300, agent=f"agent-{name}", queue="orders"),
        event("ended", 100, by="customer"),
    ]


async def send(session: aiohttp.ClientSession, url: str, sender: int, stop: asyncio.Event, tally: Counter[str]) -> None:
    """Send conversations; repeat each request until it is acknowledged."""
    number = 0
    while not stop.is_set():
        names = [f"c{sender}-{number + each}" for each in range(CONVERSATIONS_A_REQUEST)]
        number += len(names)
        body = orjson.dumps([event for name in names for event in conversation(name)])
        while True:
            try:
                async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
                    answer = await response.json()
                    if response.status == 200:
                        tally["conversations"] += len(names)
                        break
                    assert response.status in {429, 503}, answer
                    tally["asked to retry"] += 1
            except (aiohttp.ClientError, OSError, TimeoutError):
                tally["without an answer"] += 1
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.02)


def test_gateway_killed_while_senders_retry(kafka: Cluster, tmp_path: Path) -> None:
    """Must-show 2 and 9: with the gateway killed four times every event counts once; without a worker the figures are shown as stale."""
    chance, prefix, tally = random.Random(SEED), f"gateway-{SEED}", Counter[str]()

    async def offered() -> tuple[int | None, int | None]:
        entry = topic("queue-metrics-latest.v1")
        latest = await last_values(kafka.bootstrap, entry.full_name(prefix), range(entry.partitions))
        for (_, key), value in latest.items():
            if key == WINDOW and value is not None:
                kpis = orjson.loads(value)["kpis"]
                return kpis["offered"]["value"], kpis["answered"]["value"]
        return None, None

    async def scenario(services: Services) -> None:
        await create_topics(kafka.bootstrap, prefix)
        services.run("worker")
        services.run("serve")
        services.run("gateway", "--rate", "1000000", "--burst", "1000000")
        await services.ready("worker", "serve", "gateway")
        stop = asyncio.Event()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            url = f"{services.addresses['gateway']}/v1/events"
            senders = [asyncio.create_task(send(session, url, number, stop, tally)) for number in range(SENDERS)]
            for _ in range(4):
                await asyncio.sleep(chance.uniform(0.7, 1.8))
                services.kill("gateway")
                await asyncio.sleep(chance.uniform(0, 1))
                services.start("gateway")
                await services.ready("gateway")
            await asyncio.sleep(1)
            stop.set()
            await asyncio.gather(*senders)
        records = [orjson.loads(record.value) for record in await read(kafka.bootstrap, topic("contact-events.v1").full_name(prefix))]
        ids = Counter(record["event_id"] for record in records if record["type"] != "source.heartbeat")
        repeats = ids.total() - len(ids)
        print(f"\nseed {SEED}: {dict(tally)}; {len(ids)} events, {repeats} of them in the topic once more")
        assert len(ids) == 4 * tally["conversations"]
        assert tally["without an answer"] > 0
        sent = tally["conversations"]
        await until(lambda: _equals(offered, (sent, sent)), 30, lambda: f"expected {sent}\n{services.log('worker')[-3000:]}")
        assert await services.counter("worker", 'contact_center_events_repeated_total{flow="track-contacts"}') == repeats
        await stale_while_the_worker_is_gone(services)
        assert await offered() == (sent, sent)

    with Services(tmp_path, kafka.bootstrap, prefix) as services:
        asyncio.run(scenario(services))


async def _equals(ask: Any, expected: Any) -> bool:
    return bool(await ask() == expected)


async def stale_while_the_worker_is_gone(services: Services) -> None:
    """Without a worker figures stall, and are reported as stale at once; when it has restored they are of now again."""

    async def stale() -> bool:
        return bool((await services.ask("serve", "/api/v1/figures"))[1]["stale"])

    async def fresh() -> bool:
        return not await stale()

    assert await fresh()
    services.kill("worker")
    killed = time.monotonic()
    await until(stale, 20)
    stale_after_seconds = time.monotonic() - killed
    _, figures = await services.ask("serve", "/api/v1/figures")
    print(f"  without a worker: stale after {stale_after_seconds:.1f} s, {figures['age_seconds']:.0f} s old")
    # 3 s are documented; by the age of the figures alone it were over 10.
    assert stale_after_seconds < 5
    assert figures["records"]
    services.start("worker")
    seen: set[str] = set()

    async def back() -> bool:
        answer = (await services.ask("worker", "/readyz"))[1]
        seen.add(answer["status"] if answer else "no answer")
        return await fresh()

    await until(back, 60)
    print(f"  and back: the worker reported {sorted(seen)}")
