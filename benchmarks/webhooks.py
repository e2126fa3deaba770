"""Measures how many verified webhooks a second one gateway accepts on one core, and the cost of each.

``python -m benchmarks.webhooks`` sends signed deliveries of LINE, one message each (two events), over persistent connections: first to a
gateway with a Kafka of lists, which shows the cost of the gateway itself, then with ``--kafka`` to the product's gateway with Apache Kafka.
With ``--tls`` it instead compares one over TLS with one in plain text, in turns, and measures a handshake.
Gateway and sender have a core each. On a busy machine, compare the CPU seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import ssl
import statistics
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
from streams.listening import Listening
from streams.listening.tls import Certificates, TlsFiles
from streams.worker import create_topics
from tests.support.certificates import Authority
from tests.support.kafka import VERSION, cluster, missing
from tests.support.services import Services

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECRET: Final = "a-secret-of-some-length"  # noqa: S105 - of no account
SOURCE: Final = "line-shop"
FILE: Final = f"connectors:\n  {SOURCE}: {{connector: line, secrets: [{{env: LINE_SECRET}}]}}\n"

_UNLIMITED: Final = 1e12
#: With ``--tls``: turns of each, and connections that are opened and closed in each.
_TURNS: Final = 5
_HANDSHAKES: Final = 200


def requests_of(run: int, deliveries: int) -> list[bytes]:
    """Return signed HTTP requests, one for each of ``deliveries`` different messages."""
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
            f"POST /v1/hooks/{SOURCE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"{scheme.header}: {signed}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


async def send(host: str, port: int, requests: Iterator[bytes], took: list[float], tls: ssl.SSLContext | None = None) -> None:
    """Send one after the other on one connection."""
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
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
    parts = []
    for run, count in ((0, deliveries // 10), (1, deliveries)):
        requests, took = iter(requests_of(run, count)), list[float]()
        before, began = cpu_seconds(pid), time.perf_counter()
        await asyncio.gather(*(send(host, int(port), requests, took) for _ in range(connections)))
        seconds, cpu = time.perf_counter() - began, cpu_seconds(pid) - before
        took.sort()
        parts = [
            f"{name}: {count:,} deliveries over {connections} connections, {count / seconds:,.0f} a second,",
            f"{cpu / count * 1e6:.0f} µs of CPU each ({count / cpu:,.0f} a second of one core),",
            f"answered in {took[count // 2] * 1000:.1f} ms, 99 % in {took[count * 99 // 100] * 1000:.1f} ms",
        ]
    return " ".join(parts)


async def compared(addresses: Mapping[str, str], pids: Mapping[str, int], authority: Path, deliveries: int, connections: int) -> list[str]:
    """Return lines: CPU of a delivery in plain text and over TLS, in turns of one run, and of a connection with its handshake."""
    tls = {"plain": None, "tls": ssl.create_default_context(cafile=authority)}
    each = deliveries // _TURNS
    cpu: dict[str, list[float]] = {"plain": [], "tls": []}
    shakes: dict[str, list[float]] = {"plain": [], "tls": []}
    for turn in range(_TURNS + 1):
        for name, address in addresses.items():
            host, _, port = address.partition("://")[2].rpartition(":")
            requests = iter(requests_of(turn, each))
            before = cpu_seconds(pids[name])
            await asyncio.gather(*(send(host, int(port), requests, [], tls[name]) for _ in range(connections)))
            used = cpu_seconds(pids[name]) - before
            before = cpu_seconds(pids[name])
            for _ in range(_HANDSHAKES):
                await send(host, int(port), iter(()), [], tls[name])
            if turn:  # the first is to warm up
                cpu[name].append(used / each * 1e6)
                shakes[name].append((cpu_seconds(pids[name]) - before) / _HANDSHAKES * 1e6)
    ratios = sorted(over / plain for plain, over in zip(cpu["plain"], cpu["tls"], strict=True))
    plain, over = (statistics.median(cpu[name]) for name in ("plain", "tls"))
    extra = statistics.median(shakes["tls"]) - statistics.median(shakes["plain"])
    spread = f"{statistics.median(ratios):.2f} times ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    return [
        f"{each:,} deliveries of two events a turn over {connections} connections, {_TURNS} turns each:",
        f"plain {plain:.0f} µs of CPU a delivery, TLS {over:.0f} µs: {spread},",
        f"{extra:.0f} µs more for each new connection with TLS",
    ]


def over_tls(options: argparse.Namespace) -> str:
    """Compare two gateways with a Kafka of lists each, one over TLS."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        authority = Authority(Path(folder))
        pair = authority.server("localhost", "127.0.0.1")
        addresses, pids = {}, {}
        for name, more in (("plain", []), ("tls", [str(pair.certificate), str(pair.key)])):
            command = [sys.executable, "-m", "benchmarks.webhooks", "--serve", *more]
            gateway = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            stack.callback(gateway.communicate, "")
            addresses[name] = gateway.stdout.readline().strip() if gateway.stdout is not None else ""
            pids[name] = gateway.pid
            _separate_cores(gateway.pid)
        lines = asyncio.run(compared(addresses, pids, authority.path, options.deliveries, options.connections))
    return " ".join(lines)


async def serve(files: list[str]) -> None:
    """Run a gateway with a Kafka of lists until stdin ends, over TLS with these files."""
    found = read_connectors(Path("connectors.yaml"), FILE, environment={"LINE_SECRET": SECRET})
    certificates = Certificates(TlsFiles(certificate=Path(files[0]), key=Path(files[1]))) if files else None
    listening = Listening(certificates=certificates)
    settings = GatewaySettings(port=0, events_per_second=_UNLIMITED, burst_events=_UNLIMITED, listening=listening)
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
        _separate_cores(gateway.pid)
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
        _separate_cores(pid)
        name = f"Apache Kafka {VERSION}"
        return await measured(name, services.addresses["gateway"], pid, options.deliveries, options.connections)

    os.environ["LINE_SECRET"] = SECRET
    with cluster(1) as running, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "connectors.yaml"
        file.write_text(FILE, encoding="utf-8")
        with Services(Path(folder), running.bootstrap, "webhooks") as services:
            return asyncio.run(run(services, running.bootstrap, "webhooks", file))


def _separate_cores(pid: int) -> None:
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
    parser.add_argument("--tls", action="store_true", help="compare TLS with plain text instead")
    parser.add_argument("--serve", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(serve(options.serve))
        return 0
    if options.tls:
        sys.stdout.write(f"{over_tls(options)}\n")
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
