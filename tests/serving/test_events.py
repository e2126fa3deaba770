"""The event stream: a snapshot, then changes at most four times a second, at each client's own speed in constant memory."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import ClientSession

from streams.listening import ConnectionLimits, Connections, HttpServer
from streams.serving.api import create_app
from streams.serving.clients import Clients
from streams.serving.events import Feed
from tests.serving.records import Backend, client_of, now_record, progress, small_center, window

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import ClientResponse


async def next_event(response: ClientResponse) -> tuple[str, int, dict[str, Any]]:
    """Return kind, id and data of the next event; comments and the retry time are skipped."""
    fields: dict[str, str] = {}
    while True:
        line = (await asyncio.wait_for(response.content.readuntil(b"\n"), 5)).decode().rstrip("\n")
        if response.content.at_eof():
            raise EOFError
        if not line and "data" in fields:
            return fields["event"], int(fields["id"]), orjson.loads(fields["data"])
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, for 5 s."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


def test_a_snapshot_then_changes() -> None:
    """A client gets everything once, then changed and removed records, each with the header of their time."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        async with client_of(backend.serving(targets={"sales": 0.8})) as client, client.get("/api/v1/events") as response:
            assert response.headers["Content-Type"].startswith("text/event-stream")
            kind, _, sent = await next_event(response)
            assert (kind, sent["targets"]) == ("snapshot", {"sales": 0.8})
            assert set(sent["records"]) == {key.decode() for key, _ in small_center()}

            backend.store.feed(*now_record("queue:sales", waiting=3, waiting_since="2026-04-01T08:59:00Z", revision=2))
            backend.store.feed(now_record("queue:claims", "mail")[0], None)
            kind, number, sent = await next_event(response)
            assert (kind, list(sent["records"]), sent["removed"]) == (
                "change",
                ["now|voice|queue:sales"],
                ["now|mail|queue:claims"],
            )
            assert sent["records"]["now|voice|queue:sales"]["longest_wait_seconds"] == 60
            assert (number, sent["version"], sent["as_of"]) == (
                backend.store.version,
                backend.store.version,
                "2026-04-01T09:00:00.000Z",
            )

    asyncio.run(check())


def test_changes_are_coalesced() -> None:
    """A hundred changes a second make at most four events, and the last one has the newest state."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        async with client_of(backend.serving()) as client, client.get("/api/v1/events") as response:
            await next_event(response)
            loop = asyncio.get_running_loop()
            began = loop.time()

            async def change() -> None:
                for revision in range(2, 102):
                    backend.store.feed(*now_record("queue:sales", waiting=revision, revision=revision))
                    await asyncio.sleep(0.01)

            changing = asyncio.create_task(change())
            events = 0
            while True:
                _, _, sent = await next_event(response)
                events += 1
                if sent["records"]["now|voice|queue:sales"]["waiting"] == 101:
                    break
            took = loop.time() - began
            await changing

            assert 2 <= events <= took / 0.25 + 2

    asyncio.run(check())


def test_progress_alone_is_sent_once_a_second() -> None:
    """Progress of partitions at different moments makes one message a second; a changed figure is sent at once."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        async with client_of(backend.serving()) as client, client.get("/api/v1/events") as response:
            await next_event(response)
            loop = asyncio.get_running_loop()
            began, times = loop.time(), []

            async def pass_time() -> float:
                for revision in range(2, 42):
                    backend.store.feed(*progress(revision % 4, revision=revision))
                    await asyncio.sleep(0.05)
                backend.store.feed(*now_record("queue:sales", waiting=7, revision=50))
                return loop.time() - began

            passing = asyncio.create_task(pass_time())
            while True:
                _, _, sent = await next_event(response)
                times.append(loop.time() - began)
                if "now|voice|queue:sales" in sent["records"]:
                    break
            fed = await passing

            assert 2 <= len(times) <= times[-1] / 0.9 + 2
            assert times[-1] - fed < 0.75

    asyncio.run(check())


def test_only_the_window_asked_for() -> None:
    """A client of one window gets no records of others."""

    async def check() -> None:
        backend = Backend.fed([*small_center(), window("queue:sales", name="day")])
        async with client_of(backend.serving()) as client, client.get("/api/v1/events?window=day") as response:
            _, _, sent = await next_event(response)
            assert {record.get("window") for record in sent["records"].values()} == {"day", None}

            backend.store.feed(*window("queue:sales", revision=2))
            backend.store.feed(*window("queue:sales", name="day", revision=2))
            _, _, sent = await next_event(response)
            assert list(sent["records"]) == ["day|voice|queue:sales"]

    asyncio.run(check())


def test_a_returning_client_gets_everything() -> None:
    """Last-Event-ID may be of another process or invalid: it is accepted, and answered with a snapshot."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        async with client_of(backend.serving()) as client:
            for last in ("3", "99999", "nonsense"):
                async with client.get("/api/v1/events", headers={"Last-Event-ID": last}) as response:
                    assert (await next_event(response))[0] == "snapshot"

    asyncio.run(check())


def test_a_lost_connection_is_reported() -> None:
    """The loss of Kafka changes no record, yet every client gets an event."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        async with client_of(backend.serving()) as client, client.get("/api/v1/events") as response:
            assert (await next_event(response))[2]["connected"] is True
            backend.connected = False
            kind, _, sent = await next_event(response)
            assert (kind, sent["connected"], sent["stale"], sent["records"]) == ("change", False, True, {})

    asyncio.run(check())


def test_a_new_read_is_a_new_snapshot() -> None:
    """After a new read of the topic clients get everything again: keys may be gone without a tombstone."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        async with client_of(backend.serving()) as client, client.get("/api/v1/events") as response:
            await next_event(response)
            backend.store.take_over(Backend.fed([progress()]).store)
            kind, _, sent = await next_event(response)
            assert (kind, list(sent["records"])) == ("snapshot", ["progress|-|0"])

    asyncio.run(check())


def test_silence_has_a_heartbeat() -> None:
    """Without changes an empty event is sent, so that proxies keep the stream and the server notices closed clients."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        async with client_of(backend.serving(heartbeat_seconds=0.05)) as client, client.get("/api/v1/events") as response:
            await next_event(response)
            lines = [await asyncio.wait_for(response.content.readuntil(b"\n"), 2) for _ in range(6)]
            assert lines == [b"event: alive\n", b"data: {}\n", b"\n"] * 2

    asyncio.run(check())


def test_a_late_client_gets_the_current_age() -> None:
    """The event has the age of the figures when it is sent, though another client got the same version before."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        async with client_of(backend.serving()) as client:
            ages = []
            for _ in range(2):
                async with client.get("/api/v1/events") as response:
                    ages.append((await next_event(response))[2]["age_seconds"])
                backend.clock.seconds += 7
                await asyncio.sleep(0.3)
            assert ages == [1, 8]

    asyncio.run(check())


def test_a_client_that_does_not_read_is_dropped() -> None:
    """It delays no other client, is dropped after the timeout, and costs one message of memory until then."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        connections = Connections(ConnectionLimits(unread_seconds=1.0, check_seconds=0.1))
        serving = backend.serving(connections=connections)
        server = HttpServer(create_app(serving), connections, shutdown_timeout=1)
        host, port = (await server.start("127.0.0.1", 0)).removeprefix("http://").split(":")
        # Larger than what the kernel takes for a client that does not.
        filler = {"service_level": "x" * 4_000_000}

        async with ClientSession(f"http://{host}:{port}") as client:
            slow = socket.socket()
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.settimeout(0)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(slow, (host, int(port)))
            await loop.sock_sendall(slow, b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: bool(serving.clients))
            (stuck,) = tuple(serving.clients)
            async with client.get("/api/v1/events", read_bufsize=2**23) as response:
                size = largest = 0
                dropped_after = None
                for revision in range(2, 30):
                    key, value = window("queue:sales", definitions=filler, revision=revision)
                    size = len(value)
                    backend.store.feed(key, value)
                    _, _, sent = await next_event(response)
                    if stuck not in serving.clients:
                        dropped_after = revision
                        break
                    largest = max(largest, stuck.get_write_buffer_size())
                assert sent["ready"] is True
                assert dropped_after is not None
                assert len(serving.clients) == 1
                # What waited for it: at most what may lie in a buffer before the writer waits, and one event.
                assert 0 < largest < 3 * 65536 + 2 * size
            with contextlib.suppress(BlockingIOError, ConnectionError):
                while await asyncio.wait_for(loop.sock_recv(slow, 65536), 2):
                    pass
            slow.close()
        await server.stop()

    asyncio.run(check())


def test_the_number_of_clients_is_limited() -> None:
    """A stream above the limit is refused with Retry-After; a released place is given to the next client."""

    async def check() -> None:
        serving = Backend.fed(small_center()).serving(clients=Clients(1), heartbeat_seconds=0.05)
        async with client_of(serving) as client:
            async with client.get("/api/v1/events") as first:
                await next_event(first)
                async with client.get("/api/v1/events") as refused:
                    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
            await until(lambda: not serving.clients)
            async with client.get("/api/v1/events") as again:
                assert again.status == 200

    asyncio.run(asyncio.wait_for(check(), 10))


def test_streams_end_with_the_server() -> None:
    """A stop does not wait for open streams."""

    async def check() -> None:
        loop = asyncio.get_running_loop()
        async with client_of(Backend.fed(small_center()).serving()) as client:
            response = await client.get("/api/v1/events")
            await next_event(response)
            began = loop.time()
        assert loop.time() - began < 2

    asyncio.run(check())


@pytest.mark.parametrize("turns", range(4))
def test_cancellation_at_the_moment_of_a_change(turns: int) -> None:
    """A cancelled feed ends, however many turns of the loop after a record."""

    async def check() -> None:
        feed = Feed(Backend.fed(small_center()).serving().figures)
        running = asyncio.create_task(feed.run())
        await asyncio.sleep(0.01)
        feed._changed.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=2)
        if not done:
            running.cancel()
        assert done

    asyncio.run(check())
