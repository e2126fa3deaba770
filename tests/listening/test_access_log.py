"""The access log: its format as other tools read it, what it never holds, and its rotation, written by a running server."""

from __future__ import annotations

import asyncio
import json
import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, web

from streams.listening import HttpServer, Listening
from streams.listening.access_log import AccessLog
from streams.listening.hosts import Hosts
from streams.listening.proxies import Proxies
from tests.listening.test_hosts import answer_to, request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

#: The Combined Log Format as Apache's documentation gives it: host, identity, user, time, request, status, bytes, referrer, agent.
COMBINED = re.compile(r'(\S+) (\S+) (\S+) \[([^\]]+)\] "([A-Z-]+) (\S+) (HTTP/[\d.]+)" (\d{3}) (\d+|-) "([^"]*)" "((?:[^"\\]|\\.)*)"')


def inside(scenario: Callable[[int], Awaitable[None]], path: Path, **how: Any) -> list[str]:
    """Run a scenario with a server that writes a log, and return the lines."""
    form = how.pop("form", "combined")

    async def run() -> None:
        async def queue(_: web.Request) -> web.Response:
            return web.Response(text="12345")

        app = web.Application()
        app.router.add_get("/api/v1/queues/{queue:.+}", queue)
        app.router.add_post("/login", queue)
        listening = Listening(access_log=AccessLog(path, form), **how)
        server = HttpServer(app, listening.connections(), listening)
        port = int((await server.start("127.0.0.1", 0)).rsplit(":", 1)[1])
        try:
            await asyncio.wait_for(scenario(port), 20)
        finally:
            await server.stop()

    asyncio.run(run())
    return path.read_text(encoding="ascii").splitlines() if path.exists() else []


def test_lines_are_in_the_combined_log_format(tmp_path: Path) -> None:
    """A parser of that format reads each, also of requests that are refused or match no route."""
    before = datetime.now(UTC).replace(microsecond=0)

    async def scenario(port: int) -> None:
        async with ClientSession(headers={"User-Agent": 'board "7"\\ é'}) as session:
            for path in ("/api/v1/queues/orders", "/nothing/here"):
                async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                    await response.read()
        await answer_to(port, request("/api/v1/queues/orders", "Host: evil.example"))

    found = [COMBINED.fullmatch(line) for line in inside(scenario, tmp_path / "log")]
    assert all(found)
    parts = [each.groups() for each in found if each is not None]
    assert [(each[0], each[1], each[2], *each[4:10]) for each in parts] == [
        ("127.0.0.1", "-", "-", "GET", "/api/v1/queues/{queue}", "HTTP/1.1", "200", "5", "-"),
        ("127.0.0.1", "-", "-", "GET", "/-", "HTTP/1.1", "404", "14", "-"),
        ("127.0.0.1", "-", "-", "GET", "/api/v1/queues/{queue}", "HTTP/1.1", "421", "-", "-"),
    ]
    assert [each[10] for each in parts] == [r"board \"7\"\\ \u00e9", r"board \"7\"\\ \u00e9", "-"]
    times = [datetime.strptime(each[3], "%d/%b/%Y:%H:%M:%S %z") for each in parts]
    assert all(before <= each <= datetime.now(UTC) for each in times)


def test_it_has_no_secret_and_no_id(tmp_path: Path) -> None:
    """Not of the path, the query, the headers, the body, nor of what is no request at all; nor can a line be made up."""
    secret = "c0nversation-4711"

    async def scenario(port: int) -> None:
        head = (
            "Host: localhost", f"Authorization: Bearer {secret}", f"Cookie: session={secret}", f"Referer: http://localhost/?token={secret}",
            f"X-Forwarded-For: {secret}", "User-Agent: one\ttwo",
        )  # fmt: skip
        for path in (
            f"/api/v1/queues/{secret}?ticket={secret}",
            f"/{secret}",
            f"/?code={secret}&state={secret}",
            f"/api/v1/queues/a%0a{secret}",
        ):
            await answer_to(port, request(path, *head))
        await answer_to(port, request("/login", *head, f"Content-Length: {len(secret)}", method="POST") + secret)
        await answer_to(port, f"{secret} / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await answer_to(port, f"GET / HTTP/1.1\r\nHost: localhost\r\n{secret}\x01: x\r\n\r\n")

    for form in ("combined", "json"):
        lines = inside(scenario, tmp_path / form, form=form)
        assert len(lines) >= 5
        assert secret not in "\n".join(lines)


def test_json_lines(tmp_path: Path) -> None:
    """An object a line, with times in UTC and how long it took; the client that a trusted proxy names."""

    async def scenario(port: int) -> None:
        await answer_to(port, request("/api/v1/queues/orders", "Host: board.example", "X-Forwarded-For: 198.51.100.7"), "127.0.0.2")

    how = {"hosts": Hosts(["board.example"]), "proxies": Proxies(["127.0.0.2"]), "form": "json"}
    (line,) = inside(scenario, tmp_path / "log", **how)
    document = json.loads(line)
    assert 0 <= document.pop("seconds") < 5
    assert abs((datetime.now(UTC) - datetime.fromisoformat(document.pop("time"))).total_seconds()) < 20
    assert document == {
        "client": "198.51.100.7",
        "method": "GET",
        "path": "/api/v1/queues/{queue}",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes": 5,
        "user_agent": "",
    }


def test_nothing_is_written_unless_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It holds addresses of clients: by default there is none, in no file and not on stdout or stderr."""

    async def run() -> None:
        listening = Listening()
        server = HttpServer(web.Application(), listening.connections(), listening)
        port = int((await server.start("127.0.0.1", 0)).rsplit(":", 1)[1])
        await answer_to(port, request("/", "Host: localhost"))
        await server.stop()

    asyncio.run(run())
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


@pytest.mark.parametrize("way", ["rename", "copytruncate"])
def test_the_log_is_rotated_without_a_signal(way: str, tmp_path: Path) -> None:
    """As logrotate does it: the file is renamed, or copied and emptied; lines before and after are there, each once, nothing between."""
    path, before = tmp_path / "log", tmp_path / "log.1"

    async def written(count: int) -> None:
        for _ in range(500):
            if path.exists() and path.read_text(encoding="ascii").count("\n") >= count:
                return
            await asyncio.sleep(0.01)

    async def scenario(port: int) -> None:
        for _ in range(3):
            await answer_to(port, request("/before", "Host: localhost"))
        await written(3)
        if way == "rename":
            path.rename(before)
        else:
            before.write_bytes(path.read_bytes())
            os.truncate(path, 0)
        await answer_to(port, request("/api/v1/queues/orders", "Host: localhost"))
        await written(1)

    lines = inside(scenario, path)
    assert len(lines) == 1
    assert '"GET /api/v1/queues/{queue} ' in lines[0]
    assert before.read_text(encoding="ascii").count('"GET /- HTTP/1.1" 404') == 3
    assert path.stat().st_mode & 0o007 == 0


def test_a_disk_that_is_full_holds_nothing_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Requests are answered, dropped lines are counted, and that is logged once."""
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    log = AccessLog(full)

    async def run() -> None:
        listening = Listening(access_log=log)
        server = HttpServer(web.Application(), listening.connections(), listening)
        port = int((await server.start("127.0.0.1", 0)).rsplit(":", 1)[1])
        for _ in range(5):
            assert (await answer_to(port, request("/", "Host: localhost")))[0] == 404
        await server.stop()

    asyncio.run(run())
    assert log.left_out == 5
    assert caplog.text.count("The access log cannot be written") == 1
