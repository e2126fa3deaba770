"""A broker that hangs, a broker without room on its disk, and clients that do not read: memory is bounded, all counts."""

# ruff: noqa: T201 - prints its figures.

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import socket
import time
from collections import defaultdict
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.engine.exits import ExitCode
from tests.faults.test_product_under_faults import SEED
from tests.support.kafka import cluster
from tests.support.product import ProductRound
from tests.support.services import Services, rss_mib
from tests.support.workers import Workers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = pytest.mark.nightly

#: A worker of these rounds holds 100,000 contacts at the end, a server some 400 records.
WORKER_MIB, SERVE_MIB = 600.0, 250.0

#: What a client that does not read may cost: one answer with all figures of these rounds, as it is made and as it waits to be sent.
ANSWER_MIB = 2.0

#: 1 is a worker that was started while Kafka did not answer; the others are those of a flush or a restore that Kafka did not take.
ENDED = {1, ExitCode.FENCED, ExitCode.FLUSH_FAILED, ExitCode.RESTORE_FAILED}


@pytest.fixture
def own(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A broker of this test alone."""
    request.getfixturevalue("kafka")  # is it here at all?
    with cluster() as running:
        yield running


@contextlib.asynccontextmanager
async def measured(*groups: Workers) -> AsyncIterator[dict[str, list[float]]]:
    """Take the memory of every process twice a second."""
    samples: dict[str, list[float]] = defaultdict(list)

    async def sample() -> None:
        while True:
            for group in groups:
                for name in group.names:
                    with contextlib.suppress(OSError, KeyError, IndexError):  # between two lives
                        samples[name].append(rss_mib(group.pid(name)))
            await asyncio.sleep(0.5)

    sampling = asyncio.create_task(sample())
    try:
        yield samples
    finally:
        sampling.cancel()


def run(own: Cluster, folder: Path, name: str, faults: Callable[[ProductRound, Services], Awaitable[None]]) -> None:
    """Run faults under load with a server beside the workers; hold figures and memory."""
    prefix = f"{name}-{SEED}"
    (folder / "served").mkdir()
    print(f"\nseed {SEED}")
    with Workers(folder, "tests.support.product_worker") as workers, Services(folder / "served", own.bootstrap, prefix) as services:
        product = ProductRound(own.bootstrap, prefix, workers, SEED, static=True)
        peaks: dict[str, float] = {}

        async def measured_faults() -> None:
            services.run("serve")
            await services.ready("serve")
            async with measured(workers, services) as samples:
                await product.wait(3)
                await faults(product, services)
                await product.wait(5)
            peaks.update({each: max(found) for each, found in samples.items()})

        outcome = asyncio.run(product.run(measured_faults, bad_seconds=2, catch_up_seconds=180))
        print(
            f"  {outcome}; ended by themselves: {workers.ended}; "
            f"most memory in MiB: { {each: round(peak) for each, peak in peaks.items()} }"
        )
        assert outcome.differences == []
        assert outcome.contradictions == []
        assert outcome.dead_letters == []
        assert {status for _, status in workers.ended} <= ENDED
        assert services.ended == []
        assert peaks.pop("serve") < SERVE_MIB
        assert max(peaks.values()) < WORKER_MIB


def test_a_broker_that_hangs(own: Cluster, tmp_path: Path) -> None:
    """Must-show 8: with the broker stopped for 20 s under load, workers and server stay small, the page shows it, and all counts once."""

    async def faults(product: ProductRound, services: Services) -> None:
        own.pause(1)
        await product.wait(18)
        status, figures = await services.ask("serve", "/api/v1/figures")
        print(f"  after 18 s the server answers {status}: stale {figures['stale']}, connected {figures['connected']}")
        assert (status, figures["stale"], figures["connected"]) == (200, True, False)
        await product.wait(2)
        own.resume(1)
        await product.wait(15)

    run(own, tmp_path, "hangs", faults)


def test_a_full_disk(own: Cluster, tmp_path: Path) -> None:
    """Must-show 8: the broker's writes fail and it ends; when it has room again everything counts once.

    The limit is that on the size of a file: it makes a write fail in its middle, as a full disk does, and needs no file system of its own.
    """

    async def faults(product: ProductRound, services: Services) -> None:
        largest = max(file.stat().st_size for file in own.data(1).glob("*/*.log"))
        limit = largest + random.Random(SEED).randrange(20_000, 200_000)
        resource.prlimit(own.pid(1), resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        began = time.monotonic()
        while not own.ended(1):
            assert time.monotonic() - began < 90, "The broker continues."
            await product.wait(0.5)
        print(f"  no file beyond {limit:,} bytes: the broker ended after {time.monotonic() - began:.1f} s")
        await product.wait(5)
        own.start(1, wait=False)
        await asyncio.to_thread(own.wait_ready)
        await product.wait(10)
        await services.ready("serve")

    run(own, tmp_path, "full", faults)


def test_clients_that_do_not_read(own: Cluster, tmp_path: Path) -> None:
    """Must-show 8: 40 event streams and 40 pipelining clients that never read cost the server little; others are served as before."""

    async def changes(url: str, seconds: float) -> list[float]:
        """Return the waits between messages of an event stream that is read."""
        waits, last = [], time.monotonic()
        async with aiohttp.ClientSession(read_bufsize=2**22) as session, session.get(url) as response:
            end = last + seconds
            async for line in response.content:
                if line.startswith(b"event: change"):
                    waits.append(time.monotonic() - last)
                    last = time.monotonic()
                if time.monotonic() > end:
                    break
        return waits

    async def connections(url: str) -> tuple[float, float]:
        """Return how many connections were dropped, and how many are open."""
        async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
            found = {each.name: each for each in text_string_to_metric_families(await response.text())}
        dropped, still_open = found["contact_center_http_connections_dropped"], found["contact_center_http_connections"]
        return sum(each.value for each in dropped.samples), still_open.samples[0].value

    async def faults(product: ProductRound, services: Services) -> None:
        address = urlsplit(services.addresses["serve"])
        before = rss_mib(services.pid("serve"))
        with contextlib.ExitStack() as clients:
            for number in range(80):
                client = clients.enter_context(socket.socket())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.connect((address.hostname, address.port))
                path, times = ("/api/v1/events", 1) if number % 2 else ("/api/v1/figures", 50)
                client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * times)
            reading = asyncio.create_task(changes(f"{address.geturl()}/api/v1/events", 20))
            slowest, full, connected = 0.0, 0.0, time.monotonic()
            while not reading.done():
                began = time.monotonic()
                if not full and began - connected > 5:
                    # Each has had one answer, or one message, made for it.
                    full = rss_mib(services.pid("serve"))
                status, figures = await services.ask("serve", "/api/v1/figures")
                assert status == 200
                assert figures["records"]
                slowest = max(slowest, time.monotonic() - began)
                await product.wait(0.5)
            waits, after = await reading, rss_mib(services.pid("serve"))
            dropped, still_open = await connections(address.geturl())
        print(
            f"  80 clients that do not read: server from {before:.0f} to {full:.0f} and {after:.0f} MiB; others: slowest answer "
            f"{slowest:.2f} s, {len(waits)} messages of changes in 20 s, longest wait for one {max(waits):.2f} s; "
            f"{dropped:.0f} dropped, {still_open:.0f} connections open"
        )
        assert dropped == 80
        assert still_open < 10
        assert full < before + 80 * ANSWER_MIB
        assert after < full + 20
        assert slowest < 3
        assert len(waits) > 15
        assert max(waits) < 4

    run(own, tmp_path, "unread", faults)
