"""Measures how many verified webhooks a second one gateway takes on one core, and what each costs.

``python -m benchmarks.webhooks`` sends signed deliveries of LINE, one message each (two events), over kept connections: first to a gateway
with a Kafka of lists behind it, which shows what the gateway itself takes, then with ``--kafka`` to the product's gateway before Apache
Kafka. Gateway and sender have a core each. Where others use the machine as well, look at the CPU: a core has a second of it a second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from benchmarks.measuring import cpu_seconds
from streams.connectors.configured import read_connectors
from streams.connectors.gateway import Gateway, GatewaySettings
from streams.connectors.kit.verifying import Delivery, signature
from streams.connectors.platforms import connector
from streams.connectors.publishing import MemoryPublisher
from streams.connectors.senders import Senders
from streams.worker import create_topics
from tests.support.kafka import VERSION, cluster, missing
from tests.support.services import Services

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET: Final = "a-secret-of-some-length"  # noqa: S105 - of no account
SOURCE: Final = "line-shop"
FILE: Final = f"connectors:\n  {SOURCE}: {{connector: line, secrets: [{{env: LINE_SECRET}}]}}\n"

_UNLIMITED: Final = 1e12


def requests_of(run: int, deliveries: int) -> list[bytes]:
    """Return so many HTTP requests, each signed, of a message of its own."""
    scheme = connector("line").verification
    if scheme is None:
        raise RuntimeError("LINE signs its deliveries")
    now_ms = int(time.time() * 1000)
    made = []
    for number in range(deliveries):
        event = {
            "type": "message",
            "mode": "active",
            "timestamp": now_ms,
            "source": {"type": "user", "userId": f"U{number % 5_000:032x}"},
            "webhookEventId": f"{run:04d}{number:022d}",
            "deliveryContext": {"isRedelivery": False},
            "replyToken": "0123456789abcdef0123456789abcdef",
            "message": {"id": f"{number}", "type": "text", "text": "Where is my order? " * 5, "quoteToken": "q" * 60},
        }
        body = orjson.dumps({"destination": "U" + "0" * 32, "events": [event]})
        signed = signature(scheme, SECRET, Delivery(body, {}, {}, ""))
        head = (
            f"POST /v1/hooks/{SOURCE} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
            f"{scheme.header}: {signed}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


async def send(host: str, port: int, requests: Iterator[bytes], took: list[float]) -> None:
    """Send one after the other on one connection."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        for request in requests:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(f"answered {head[:200]!r}")
            length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            took.append(time.perf_counter() - began)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def measured(name: str, address: str, pid: int, deliveries: int, connections: int) -> str:
    """Return a line: deliveries a second, CPU of the gateway, and how long answers took."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    told = []
    for run, count in ((0, deliveries // 10), (1, deliveries)):
        requests, took = iter(requests_of(run, count)), list[float]()
        before, began = cpu_seconds(pid), time.perf_counter()
        await asyncio.gather(*(send(host, int(port), requests, took) for _ in range(connections)))
        seconds, cpu = time.perf_counter() - began, cpu_seconds(pid) - before
        took.sort()
        told = [
            f"{name}: {count:,} deliveries over {connections} connections, {count / seconds:,.0f} a second,",
            f"{cpu / count * 1e6:.0f} µs of CPU each ({count / cpu:,.0f} a second of one core),",
            f"answered in {took[count // 2] * 1000:.1f} ms, 99 % in {took[count * 99 // 100] * 1000:.1f} ms",
        ]
    return " ".join(told)


async def serve() -> None:
    """Run a gateway with a Kafka of lists until stdin ends."""
    found = read_connectors(Path("connectors.yaml"), FILE, environment={"LINE_SECRET": SECRET})
    settings = GatewaySettings(port=0, events_per_second=_UNLIMITED, burst_events=_UNLIMITED)
    gateway = Gateway(MemoryPublisher(now=lambda: datetime.now(UTC)), Senders(), settings, connectors=found)
    sys.stdout.write(f"{await gateway.start()}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await gateway.stop()


def in_memory(options: argparse.Namespace) -> str:
    """Measure a gateway with a Kafka of lists."""
    command = [sys.executable, "-m", "benchmarks.webhooks", "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as gateway:
        address = gateway.stdout.readline().strip() if gateway.stdout is not None else ""
        _apart(gateway.pid)
        try:
            return asyncio.run(measured("a Kafka of lists", address, gateway.pid, options.deliveries, options.connections))
        finally:
            gateway.communicate("")


def on_kafka(options: argparse.Namespace) -> str:
    """Measure the product's gateway before Apache Kafka."""

    async def run(services: Services, bootstrap: str, prefix: str, file: Path) -> str:
        await create_topics(bootstrap, prefix)
        limits = ("--rate", f"{_UNLIMITED:.0f}", "--burst", f"{_UNLIMITED:.0f}")
        services.run("gateway", "--connectors", str(file), *limits)
        await services.ready("gateway")
        pid: Any = services.pid("gateway")
        _apart(pid)
        name = f"Apache Kafka {VERSION}"
        return await measured(name, services.addresses["gateway"], pid, options.deliveries, options.connections)

    os.environ["LINE_SECRET"] = SECRET
    with cluster(1) as running, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "connectors.yaml"
        file.write_text(FILE, encoding="utf-8")
        with Services(Path(folder), running.bootstrap, "webhooks") as services:
            return asyncio.run(run(services, running.bootstrap, "webhooks", file))


def _apart(pid: int) -> None:
    """Give the gateway and the sender a core each, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(pid, {cores[0]})
        os.sched_setaffinity(0, {cores[1]})


def main() -> int:
    """Print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--kafka", action="store_true", help="before Apache Kafka too")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return 0
    sys.stdout.write(f"{in_memory(options)}\n")
    sys.stdout.flush()
    if options.kafka:
        if (reason := missing()) is not None:
            sys.stderr.write(f"{reason}\n")
            return 1
        sys.stdout.write(f"{on_kafka(options)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
