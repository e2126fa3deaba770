"""``contact-streams connector run`` of a platform that is followed over a connection: the command, on the embedded broker."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from streams.demo.broker import EmbeddedBroker
from streams.worker import create_topics
from tests.connectors.test_connections import PASSWORD, FakeFreeSwitch
from tests.support.require import require_embedded_broker
from tests.support.topics import read

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def embedded() -> Iterator[str]:
    """Run the embedded broker."""
    require_embedded_broker()
    with EmbeddedBroker() as broker:
        yield broker.bootstrap_servers


@pytest.mark.embedded
def test_command(tmp_path: Path, embedded: str) -> None:
    """Events are in Kafka under the names of agents, the command serves the source's status, and ends on a signal."""

    async def scenario() -> tuple[str, list[dict[str, Any]], str]:
        prefix = f"t{uuid.uuid4().hex[:10]}"
        await create_topics(embedded, prefix)
        async with FakeFreeSwitch() as fake:
            file = tmp_path / "connectors.yaml"
            entry = f"connector: freeswitch-callcenter, site: osaka, settings: {{port: {fake.port}, queues: {{support@default: support}}}}"
            file.write_text(f"connectors:\n  pbx: {{{entry}, credentials: {{secret: {{env: ESL_PASSWORD}}}}}}\n", encoding="utf-8")
            people = tmp_path / "people.yaml"
            people.write_text("people:\n  ann:\n    identities: {pbx: [ann@default]}\n", encoding="utf-8")
            running = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "streams", "connector", "run", "pbx", "--connectors", str(file), "--config", str(people),
                "--bootstrap", embedded, "--prefix", prefix,
                cwd=ROOT, env={**os.environ, "ESL_PASSWORD": PASSWORD}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                assert running.stdout is not None
                async with asyncio.timeout(60):
                    line = (await running.stdout.readline()).decode()
                    base = line.split()[-1].removesuffix("/metrics")
                    async with aiohttp.ClientSession() as session:
                        while (await session.get(f"{base}/readyz")).status != 200:  # noqa: ASYNC110 - another process
                            await asyncio.sleep(0.1)
                        member = {"CC_Queue": "support@default", "CC_Member_UUID": "m-1", "CC_Member_Session_UUID": "s-1"}
                        fake.event(fake.writers[-1], "bridge-agent-start", CC_Agent="ann@default", **member)
                        await asyncio.sleep(1.5)
                        metrics = await (await session.get(f"{base}/metrics")).text()
                    running.send_signal(signal.SIGTERM)
                    rest, errors = await running.communicate()
                assert running.returncode == 0, errors.decode()
            finally:
                if running.returncode is None:
                    running.kill()
                    await running.wait()
            assert PASSWORD not in errors.decode() + rest.decode()
            assert "5550171" not in errors.decode()
        events = [orjson.loads(record.value or b"{}") for record in await read(embedded, f"{prefix}.contact-events.v1")]
        return rest.decode(), events, metrics

    rest, events, metrics = asyncio.run(scenario())
    assert "1 connections" in rest
    assert 'complete_through_seconds{source="pbx"} 1.' in metrics
    assert 'contact_center_connector_waiting{reason="starting",source="pbx"} 0.0' in metrics
    contacts = [each for each in events if each["type"].startswith("contact.")]
    assert [(each["type"], each["queue"], each["site"], each.get("agent")) for each in contacts] == [
        ("contact.queued", "support", "osaka", None),
        ("contact.answered", "support", "osaka", "ann"),
    ]
    assert any(each["type"] == "source.heartbeat" for each in events)
    assert {tuple(each["open_ids"]) for each in events if each.get("kind") == "contacts"} == {("m-1",)}
