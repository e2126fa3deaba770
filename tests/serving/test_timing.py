"""The time to answer that something is absent: as long for what is hidden as for what does not exist.

The lines that run are the same, one by one, which no load on the machine changes; at night the time is measured, over sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import sys
import threading
import time
from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request

import streams
from streams.listening import ConnectionLimits, Connections, HttpServer
from streams.serving.api import create_app
from streams.serving.door import Door
from streams.serving.figures import Figures
from tests.serving.matrix_center import AGENTS, CONFIGURATION, Grantee, access, agents_of, center, grantees

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiohttp import web

    from streams.access.views import View
    from tests.serving.matrix_center import Center

HOME: Final = str(Path(streams.__file__).parent)
#: A supervisor of the site kanto, who may ask most.
GRANTEE: Final = next(each for each in grantees() if (each.role, each.area) == ("supervisor", "kanto"))
QUEUES: Final = ("ajisai", "tsubaki", "yurei")
#: Of the matrix' center, by its table: the silences of queues that are not in kanto.
SILENCES: Final = ("s163039", "s164052", "s165065")


class Address(NamedTuple):
    """A request with a name in place of the braces: unknown, or hidden. All names are equally long."""

    method: str
    path: str
    nothing: str
    hidden: tuple[str, ...]


ADDRESSES: Final = {
    "queue": Address("GET", "/api/v1/queues/{}", "nowhere", QUEUES),
    "head of a queue": Address("HEAD", "/api/v1/queues/{}", "nowhere", QUEUES),
    "explain": Address("GET", "/api/v1/explain?kpi=offered&queue={}", "nowhere", QUEUES),
    "agents": Address("GET", "/api/v1/agents?agent={}", "NOBODY", tuple(each for each in AGENTS if each in agents_of(GRANTEE)[1])),
    "export": Address("GET", "/api/v1/export?scope=queue:{}", "nowhere", QUEUES),
    "contacts": Address("GET", "/api/v1/contacts?kpi=abandoned&queue={}", "nowhere", QUEUES),
    "whom to call": Address("GET", "/api/v1/abandoned?queue={}", "nowhere", QUEUES),
    "intervals": Address("GET", "/api/v1/intervals?queue={}", "nowhere", QUEUES),
    "people of a team": Address("GET", "/api/v1/people?team={}", "none", ("kuma", "neko")),
    "acknowledgement": Address("POST", "/api/v1/alerts/id-{}/acknowledgement", "nowhere", QUEUES),
    "silence": Address("DELETE", "/api/v1/silences/{}", "s160000", SILENCES),
}


class Held:
    """The access file that is in force."""

    running = access()


def made() -> Center:
    """Return the center of the matrix behind its door."""
    return center(lambda backend, clock: Door(Held(), configuration=lambda: CONFIGURATION, signed_in=backend.store.signed_in, clock=clock))


def leaking(seconds: float) -> Any:
    """Return an answer about a queue that first looks it up, and then checks the view."""
    plain = Figures.queue

    def queue(self: Figures, name: str, view: View) -> dict[str, Any] | None:
        if self.store.of_scope("queue", name):
            time.sleep(seconds)
        return plain(self, name, view)

    return queue


# ---- The lines ---------------------------------------------------------------------------------------------------------------------------


async def lines_of(app: web.Application, grantee: Grantee, method: str, path: str) -> tuple[int, list[tuple[str, int]]]:
    """Return the status of an answer, and each line of ours that ran for it, in order."""
    lines: list[tuple[str, int]] = []

    def trace(frame: Any, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(HOME):
            return None
        if event == "line":
            lines.append((frame.f_code.co_filename, frame.f_lineno))
        return trace

    headers, transport = {"Authorization": f"Bearer {grantee.token}", "Host": "localhost"}, Mock()
    transport.is_closing.return_value = False
    request = make_mocked_request(method, path, headers=headers, app=app, transport=transport)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        answer = await app._handle(request)
    finally:
        sys.settrace(before)
    return answer.status, lines


async def differing(app: web.Application, asked: Address) -> list[str]:
    """Return the hidden names for which other lines run than for what there is not."""

    async def lines(name: str) -> tuple[int, list[tuple[str, int]]]:
        return await lines_of(app, GRANTEE, asked.method, asked.path.format(name))

    for name in (asked.nothing, *asked.hidden):  # what is kept is made
        await lines(name)
    wanted = await lines(asked.nothing)
    assert len(wanted[1]) > 20
    return [name for name in asked.hidden if await lines(name) != wanted]


async def here(do: Callable[..., Any], *given: object) -> Any:
    """Do in this thread, whose lines are noted, what is else done in another."""
    return do(*given)


@pytest.mark.parametrize("what", ADDRESSES)
def test_the_same_lines_run_for_what_is_hidden_and_for_what_is_not_there(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queues, people, alerts and silences of another site, by every address that names one."""
    for module in ("api.export", "materialized"):
        monkeypatch.setattr(f"streams.serving.{module}.in_thread", here)
    whole = made()
    app = create_app(whole.serving)
    app.freeze()

    assert asyncio.run(differing(app, ADDRESSES[what])) == []


def test_a_lookup_that_reveals_something_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that looks up a queue before it checks the view runs other lines for a hidden queue."""
    monkeypatch.setattr(Figures, "queue", leaking(0.0))
    app = create_app(made().serving)
    app.freeze()

    assert asyncio.run(differing(app, ADDRESSES["queue"])) == [*QUEUES]


# ---- The time ----------------------------------------------------------------------------------------------------------------------------

#: A difference below this is none: a hundred times less than what a network does to an answer.
BOUND_NS: Final = 100_000
_PAIRS, _MOST_PAIRS = 1000, 16_000
#: The interval for the median misses it once in two million times, however times are distributed.
_SIGMAS: Final = 5.0


@contextlib.contextmanager
def served() -> Iterator[tuple[str, int]]:
    """Run the center in a thread; yield host and port."""
    loop = asyncio.new_event_loop()
    whole = made()

    async def start() -> tuple[HttpServer, str]:
        server = HttpServer(create_app(whole.serving), Connections(ConnectionLimits()), shutdown_timeout=0.5)
        return server, await server.start("127.0.0.1", 0)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server, address = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield "127.0.0.1", int(address.rpartition(":")[2])
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def took_ns(connection: socket.socket, asked: Address, name: str) -> int:
    """Return how long an answer took to come, from before its request was sent to its last byte."""
    lines = (
        f"{asked.method} {asked.path.format(name)} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {GRANTEE.token}",
        "Content-Length: 0",
    )
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    began = time.perf_counter_ns()
    connection.sendall(request)
    answer = connection.recv(65_536)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(next((line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b"0"))
    while asked.method != "HEAD" and len(body) < length:
        body += connection.recv(65_536)
    return time.perf_counter_ns() - began


def difference_ns(place: tuple[str, int], asked: Address) -> tuple[float, float]:
    """Return an interval that holds the median of how much longer the hidden takes than what there is not.

    Each hidden name is asked for right before or after the other, in an order by chance, so that what else the machine does is in both. The
    interval is of order statistics: nothing is assumed of how times are distributed, and a few that are very long move nothing.
    """
    chance = random.Random(11)
    found: list[int] = []
    with socket.create_connection(place, timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name in (asked.nothing, *asked.hidden) * 20:
            took_ns(connection, asked, name)
        while True:
            for number in range(_PAIRS):
                names = [(asked.nothing, -1), (asked.hidden[number % len(asked.hidden)], 1)]
                chance.shuffle(names)
                found.append(sum(sign * took_ns(connection, asked, name) for name, sign in names))
            ordered = sorted(found)
            reach = ceil(_SIGMAS * sqrt(len(ordered)) / 2)
            least, most = ordered[len(ordered) // 2 - reach], ordered[len(ordered) // 2 + reach]
            # Beside much other work it takes more of them to decide.
            if most - least < BOUND_NS / 2 or least > BOUND_NS or most < -BOUND_NS or len(found) >= _MOST_PAIRS:
                return least, most


@pytest.mark.nightly
@pytest.mark.parametrize("what", ADDRESSES)
def test_what_is_hidden_takes_as_long_as_what_is_not_there(what: str) -> None:
    """The difference of the medians is surely less than a tenth of a millisecond."""
    with served() as place:
        least, most = difference_ns(place, ADDRESSES[what])
    assert least > -BOUND_NS
    assert most < BOUND_NS


@pytest.mark.nightly
def test_a_look_of_a_millisecond_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above would prove nothing."""
    monkeypatch.setattr(Figures, "queue", leaking(0.001))
    with served() as place:
        least, most = difference_ns(place, ADDRESSES["queue"])
    assert least > BOUND_NS
    assert most < 10_000_000
