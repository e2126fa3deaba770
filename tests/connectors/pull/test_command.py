"""``contact-streams connector run``: errors are reported before anything starts; it continues where it was, and stops on a signal."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import orjson
import pytest

from schemas.topics import topic
from tests.support.services import until
from tests.support.topics import read

if TYPE_CHECKING:
    from tests.support.kafka import Cluster

ROOT = Path(__file__).parents[3]
KEY = {"CONTACT_STREAMS_CUSTOMER_KEY": "a-key-of-the-tests-0123456789"}
ORDERS = "システム受注番号,受注日時,受注進捗コード,注文者メールアドレス,税込金額,配送毎配送料\r\n"


def command(*arguments: str, key: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command and return its output."""
    environment = {**os.environ, **KEY} if key else {name: value for name, value in os.environ.items() if name not in KEY}
    return subprocess.run(
        [sys.executable, "-m", "streams", "connector", "run", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def connectors(folder: Path, text: str) -> str:
    """Write a connectors file and return its name."""
    path = folder / "connectors.yaml"
    path.write_text(f"connectors:\n{text}", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("name", "entry", "message"),
    [
        ("other", "  shop: {connector: tempostar}\n", "no connector other; known: shop"),
        ("shop", "  shop: {connector: tempostar}\n", "folder: required"),
        ("shop", "  shop: {connector: line, secrets: [], settings: {queue: q}}\n", "LINE Official Account is not polled"),
        ("desk", "  desk: {connector: freshdesk, settings: {subdomain: a}}\n", "credentials: api_key: required to poll Freshdesk"),
        ("desk", "  desk: {connector: freshdesk, credentials: {token: {env: HOME}}}\n", "no such one"),
        (
            "desk",
            "  desk: {connector: freshdesk, credentials: {api_key: {env: HOME}}, settings: {url: 'http://example.com'}}\n",
            "begins with https://",
        ),
        (
            "desk",
            "  desk: {connector: freshdesk, credentials: {api_key: {env: HOME}}, settings: {subdomain: a, poll_seconds: 0}}\n",
            "poll_seconds",
        ),
        (
            "desk",
            "  desk: {connector: freshdesk, credentials: {api_key: {env: HOME}}, settings: {subdomain: a, since: yesterday}}\n",
            "since",
        ),
    ],
)
def test_errors_are_reported(name: str, entry: str, message: str, tmp_path: Path) -> None:
    """With status 2, in one sentence with the location, before any request to Kafka or a platform."""
    done = command(name, "--connectors", connectors(tmp_path, entry), "--bootstrap", "127.0.0.1:1", "--once")
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr
    assert os.environ["HOME"] not in done.stderr


def test_orders_want_a_key(tmp_path: Path) -> None:
    """Orders count by customer: without a key nothing is asked for."""
    file = connectors(tmp_path, f"  shop: {{connector: tempostar, settings: {{folder: {tmp_path}, lock: none}}}}\n")
    done = command("shop", "--connectors", file, "--once", key=False)
    assert (done.returncode, "CONTACT_STREAMS_CUSTOMER_KEY" in done.stderr) == (2, True), done.stderr


def test_on_kafka(kafka: Cluster, tmp_path: Path) -> None:
    """Once, again, and for long: each file is published once, the process serves its status, and ends in order on a signal."""
    folder, prefix = tmp_path / "orders", f"t{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    file = connectors(
        tmp_path, f"  shop: {{connector: tempostar, site: tokyo, settings: {{folder: {folder}, lock: none, poll_seconds: 1}}}}\n"
    )
    common = ("shop", "--connectors", file, "--bootstrap", kafka.bootstrap, "--prefix", prefix)

    def put(name: str, order: str) -> None:
        text = f"{ORDERS}{order},2026/04/06 09:00,2,hanako@customer.example,1000,300\r\n"
        (folder / name).write_bytes(text.encode("cp932"))

    put("a.csv", "A-1")
    done = command(*common, "--once")
    assert (done.returncode, done.stdout.startswith("1 records in 2 answers: 1 events, 0 dead letters")) == (0, True), (
        done.stderr + done.stdout
    )
    put("b.csv", "A-2")
    done = command(*common, "--once")
    assert "1 records in" in done.stdout, done.stdout

    async def orders() -> list[str]:
        records = await read(kafka.bootstrap, topic("customer-events.v1").full_name(prefix))
        events = [orjson.loads(record.value) for record in records]
        assert {event.get("site") for event in events if event["type"] == "order.placed"} == {"tokyo"}
        return [event["order_id"] for event in events if event["type"] == "order.placed"]

    async def all_there() -> bool:
        return sorted(await orders()) == ["A-1", "A-2", "A-3"]

    async def for_long() -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streams", "connector", "run", *common),
            cwd=ROOT,
            env={**os.environ, **KEY},
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(60):
                line = (await process.stdout.readline()).decode()
                found = re.search(r"http://\S+/metrics", line)
                assert found, line
                put("c.csv", "A-3")
                async with aiohttp.ClientSession() as session:
                    await until(all_there, 30)
                    async with session.get(found[0]) as response:
                        metrics = await response.text()
                    async with session.get(found[0].replace("/metrics", "/readyz")) as response:
                        assert response.status == 200
                    async with session.get(found[0].replace("/metrics", "/healthz")) as response:
                        assert "complete through: 20" in await response.text()
                assert 'contact_center_connector_events_total{source="shop"} 1.0' in metrics
                assert 'contact_center_connector_waiting{reason="unreachable",source="shop"} 0.0' in metrics
                process.send_signal(signal.SIGTERM)
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()

    asyncio.run(for_long())
