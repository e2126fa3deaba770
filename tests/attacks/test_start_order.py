"""The first process to start creates the topics as specified, also on a broker that creates topics by itself."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from schemas.times import format_ms
from schemas.topics import TOPICS
from tests.support.kafka import cluster
from tests.support.services import Services, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kafka

#: What a sender may write to.
WRITTEN = [entry for entry in TOPICS if entry.name.startswith(("contact-events", "agent-events", "customer-events.v1"))]


async def described(bootstrap: str) -> dict[str, int]:
    """Return the topics that there are with their numbers of partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return {entry["topic"]: len(entry["partitions"]) for entry in await admin.describe_topics(await admin.list_topics())}
    finally:
        await admin.close()


def queued(name: str) -> dict[str, str]:
    """Return a call that begins to wait."""
    now = format_ms(time.time_ns() // 1_000_000)
    ids = {"event_id": name, "conversation_id": name, "contact_id": name}
    return {
        "type": "contact.queued",
        "source": "local",
        "channel": "voice",
        "queue": "sales",
        "occurred_at": now,
        "received_at": now,
        **ids,
    }


def test_gateway_before_worker(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Events taken before any worker was ever started count, though the broker would make topics of one partition."""
    request.getfixturevalue("kafka")  # is it here at all? This broker is one of our own

    async def scenario(bootstrap: str, services: Services) -> None:
        services.run("gateway")
        await services.ready("gateway")

        async def taken() -> bool:
            url, calls = f"{services.addresses['gateway']}/v1/events", [queued(f"call-{number}") for number in range(40)]
            async with aiohttp.ClientSession() as session, session.post(url, json=calls) as response:
                return response.status == 200

        await until(taken, 20, lambda: services.log("gateway")[-2000:])
        counts = await described(bootstrap)
        wanted = {entry.full_name("order"): entry.partitions for entry in WRITTEN}
        assert {name: counts.get(name) for name in wanted} == wanted
        services.run("worker")
        services.run("serve")
        await services.ready("worker", "serve")

        async def counted() -> bool:
            _, queue = await services.ask("serve", "/api/v1/queues/sales")
            return isinstance(queue, dict) and "channels" in queue and queue["channels"]["voice"]["now"]["waiting"] == 40

        await until(counted, 20, lambda: services.log("worker")[-2000:])
        assert services.ended == []

    with cluster(settings={"auto.create.topics.enable": "true"}) as own, Services(tmp_path, own.bootstrap, "order") as services:
        asyncio.run(scenario(own.bootstrap, services))
