"""The gateway as a command, with a real broker behind it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import uuid
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout

from streams.demo.broker import EmbeddedBroker
from streams.worker import create_topics
from tests.support.require import require_embedded_broker
from tests.support.topics import read as records_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROOT = Path(__file__).parents[2]
TOKEN = {"Authorization": "Bearer crm-token-0123456789"}


@pytest.fixture
def embedded() -> Iterator[EmbeddedBroker]:
    """Run an embedded broker that the test may stop."""
    require_embedded_broker()
    with EmbeddedBroker() as broker:
        yield broker


async def make_topics(bootstrap: str) -> str:
    """Make topics under a new prefix and return it."""
    prefix = f"t{uuid.uuid4().hex[:10]}"
    await create_topics(bootstrap, prefix)
    return prefix


@asynccontextmanager
async def gateway(bootstrap: str, prefix: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run the command; give the process and the address it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(
            "-m",
            "streams",
            "gateway",
            "--bootstrap",
            bootstrap,
            "--prefix",
            prefix,
            "--port",
            "0",
            "--rate",
            "1000000",
            "--burst",
            "1000000",
        ),
        cwd=ROOT,
        env={**os.environ, "CONTACT_STREAMS_GATEWAY_TOKENS": "crm=crm-token-0123456789"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process, await address_of(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def address_of(process: asyncio.subprocess.Process) -> str:
    """Return the address that the command prints when it listens."""
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    found = re.fullmatch(r"gateway (http://127\.0\.0\.1:\d+)/v1/events\n", line)
    assert found, line
    return found[1]


async def read(bootstrap: str, topic: str) -> list[bytes]:
    """Return the values of a topic."""
    return [record.value for record in await records_of(bootstrap, topic)]


def event(event_id: str) -> dict[str, str]:
    """Return a good event."""
    return {
        "type": "contact.queued",
        "event_id": event_id,
        "occurred_at": "2026-03-02T11:59:59Z",
        "conversation_id": event_id,
        "queue": "sales",
    }


async def everything_acknowledged_is_there(bootstrap: str) -> None:
    """Send from several senders at once, some of it rubbish, end the gateway in the middle, and count."""
    prefix = await make_topics(bootstrap)
    async with gateway(bootstrap, prefix) as (process, address):
        acknowledged, refused = await under_load(process, address)
    events = [orjson.loads(value) for value in await read(bootstrap, f"{prefix}.contact-events.v1")]
    assert acknowledged <= {each["event_id"] for each in events}
    assert len(acknowledged) > 500
    assert {each["source"] for each in events} == {"crm"}
    assert [each for each in events if each["type"] == "source.heartbeat"]
    assert len(await read(bootstrap, f"{prefix}.contact-events-dead-letters.v1")) >= refused


async def under_load(process: asyncio.subprocess.Process, address: str) -> tuple[set[str], int]:
    """Send for two seconds, then stop the gateway; return the ids it accepted, and how many events it refused."""
    acknowledged: set[str] = set()
    refused = 0

    async def send(session: ClientSession, sender: int) -> None:
        nonlocal refused
        for request in range(1000):
            ids = [f"{sender}-{request}-{number}" for number in range(20)]
            try:
                async with session.post(f"{address}/v1/events", json=[*map(event, ids), {"type": "nonsense"}], headers=TOKEN) as response:
                    if response.status == 503:
                        return
                    assert response.status == 202
                    acknowledged.update(ids)
                    refused += 1
            except (ClientError, OSError):
                return

    async with ClientSession(timeout=ClientTimeout(total=30)) as session:
        async with session.get(f"{address}/readyz") as response:
            assert response.status == 200
        senders = [asyncio.create_task(send(session, sender)) for sender in range(8)]
        await asyncio.sleep(2)
        process.send_signal(signal.SIGTERM)
        await asyncio.gather(*senders)
    assert await asyncio.wait_for(process.wait(), 20) == 0
    return acknowledged, refused


@pytest.mark.embedded
def test_everything_acknowledged_is_in_the_embedded_broker(embedded: EmbeddedBroker) -> None:
    """A gateway that is stopped under load has published all it accepted, and its heartbeats."""
    asyncio.run(everything_acknowledged_is_there(embedded.bootstrap_servers))


def test_everything_acknowledged_is_in_kafka(kafka: object) -> None:
    """The same holds on Apache Kafka."""
    asyncio.run(everything_acknowledged_is_there(str(kafka.bootstrap)))  # type: ignore[attr-defined]


@pytest.mark.embedded
def test_with_the_broker_gone_the_sender_is_answered_within_the_bound(embedded: EmbeddedBroker) -> None:
    """No request waits for a missing Kafka; the gateway itself stays up, reports that it is not ready, and stops on a signal."""

    async def scenario() -> None:
        prefix = await make_topics(embedded.bootstrap_servers)
        async with gateway(embedded.bootstrap_servers, prefix) as (process, address):
            await asks(process, address)

    async def asks(process: asyncio.subprocess.Process, address: str) -> None:
        async with ClientSession(timeout=ClientTimeout(total=30)) as session:
            async with session.post(f"{address}/v1/events", json=event("before"), headers=TOKEN) as response:
                assert response.status == 200
            await asyncio.to_thread(embedded.stop)
            began = asyncio.get_running_loop().time()
            for path, send in (("/v1/events", session.post), ("/readyz", session.get)):
                async with send(address + path, json=event("after"), headers=TOKEN) as response:
                    assert response.status == 503
                    assert path == "/readyz" or int(response.headers["Retry-After"]) > 0
            assert asyncio.get_running_loop().time() - began < 15
            async with session.get(f"{address}/healthz") as response:
                assert response.status == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 25) == 0

    asyncio.run(scenario())
