"""The client against a running server: typed answers and errors, the event stream over interruptions, and where the token goes."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import re
import shutil
import subprocess
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas.metrics import NowFigures, WindowFigures
from streams.client import (
    AlertsMessage,
    ApiError,
    BadRequestError,
    ChangeMessage,
    Client,
    FiguresAnswer,
    ForbiddenError,
    Message,
    NotFoundError,
    SnapshotMessage,
    TooManyRequestsError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
)
from streams.client.events import EventReader
from streams.listening import ConnectionLimits, Connections, HttpServer, Listening
from streams.listening.tls import Certificates, TlsFiles
from streams.serving.api import create_app
from streams.serving.clients import Clients
from tests.serving.records import now_record, window
from tests.serving.running import ALL, FEW, guarded, reading, serving
from tests.support.certificates import Authority
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from streams.serving.api import Serving

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def running(served: Serving, port: int = 0) -> AsyncIterator[str]:
    """Run a server in this loop; yield its address."""
    server = HttpServer(create_app(served), Connections(ConnectionLimits()), shutdown_timeout=0.2)
    address = await server.start("127.0.0.1", port)
    try:
        yield address
    finally:
        await server.stop()


@asynccontextmanager
async def answering(handler: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    """Run a server that is none of ours and answers everything in one way."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


def test_answers_are_typed() -> None:
    """Each method returns the answer of its address, as types: figures, a queue, alerts, targets, trends, people and the catalogue."""

    async def check() -> None:
        served, _ = guarded()
        async with running(served) as address, Client(address, token=ALL) as client:
            answer = await client.figures("trailing_15m")
            record = answer.records["trailing_15m|voice|queue:sales"]
            assert isinstance(record, WindowFigures)
            assert (record.kpis["service_level"].value, record.kpis["service_level"].denominator) == (0.74, 50)
            assert isinstance(answer.records["now|voice|queue:sales"], NowFigures)
            assert answer.as_of == "2026-04-01T09:00:00.000Z"
            assert answer.sources["chat"].quarantined is not None

            queue = await client.queue("sales")
            assert (queue.queue, queue.target) == ("sales", 0.8)
            assert queue.channels["voice"].windows["interval_15m"].exceptions == ["golden week"]
            served.figures.store.feed(*now_record("queue:a/b?c 料金", "chat", waiting=1))
            assert (await client.queue("a/b?c 料金")).channels["chat"].now is not None

            assert [alert.state for alert in (await client.alerts("firing", "cleared")).alerts or ()] == ["cleared", "firing"]
            asked: dict[str, Any] = {"rules": ["low-service-level"], "scopes": ["queue:firing"], "since": "2026-04-01T00:00:00Z"}
            history = (await client.alert_history(**asked)).history
            assert [[event.event for event in each.events] for each in history or ()] == [["fired", "acknowledged"]]
            assert {target.standing for target in (await client.targets()).targets} >= {"met", "missed"}
            assert (await client.trends()).trends[0].queue == "sales"
            assert (await client.outlook()).interval_minutes == 15
            assert [each.channel for each in (await client.intervals("sales")).channels] == ["chat", "voice"]
            assert {(each.scope, each.channel) for each in (await client.today()).days} == {("sales", "voice")}
            assert {each.source: each.code for each in (await client.sources()).health}["chat"] == "quarantined"
            assert [each.scope for each in (await client.agents("tanaka", windows=["day"])).agents or ()] == ["tanaka"]
            assert (await client.agents("sato")).agents == []
            (tanaka,) = (await client.people(states=["unavailable"], strip=True)).people
            assert (tanaka.person, tanaka.reason, tanaka.seconds, len(tanaka.strip or ())) == ("tanaka", "lunch", 600, 1)
            assert (await client.people(teams=["unknown"])).people == []
            assert [each.conversation_id for each in (await client.abandoned("sales", hours=2)).abandoned] == ["gone"]
            assert (await client.abandoned("claims")).total == 0
            assert list((await client.boards()).boards) == ["calls", "written", "floor"]
            assert {kpi.id for kpi in (await client.catalogue()).kpis} > {"service_level"}

    asyncio.run(check())


def test_contacts_of_a_queue_or_of_a_wider_scope() -> None:
    """Of a queue, or of the total with the queue of each, abandoned first; both at once, or neither, is refused with what is permitted."""

    async def check() -> None:
        served, _ = guarded(**reading())
        served.figures.store.feed(*window("total:all", kpis={}, revision=2))
        async with running(served) as address, Client(address, token=ALL) as client:
            of_queue = await client.contacts("sales", "offered", channel="voice")
            assert (of_queue.queue, [each.conversation_id for each in of_queue.contacts]) == ("sales", ["two", "one"])
            of_total = await client.contacts(None, "offered", scope="total:all", channel="voice")
            assert (of_total.queue, of_total.scope) == (None, "total:all")
            assert [(each.conversation_id, each.queue) for each in of_total.contacts] == [("two", "sales"), ("one", "sales")]
            with pytest.raises(BadRequestError) as refused:
                await client.contacts("sales", "offered", scope="total:all")
            assert refused.value.problem.detail == "permitted: queue or scope, not both"
            with pytest.raises(BadRequestError) as refused:
                await client.contacts(None, "offered")
            assert refused.value.problem.detail == "required: queue"

    asyncio.run(check())


def test_pages_are_the_whole() -> None:
    """All pages together hold each record once, and the windows stay chosen from page to page."""

    async def check() -> None:
        served, _ = guarded()
        async with running(served) as address, Client(address, token=ALL) as client:
            whole = [*(await client.figures("day")).records]
            pages = [[*page.records] async for page in client.figure_pages("day", limit=4)]
            assert [key for page in pages for key in page] == whole
            assert [len(page) for page in pages[:-1]] == [4] * (len(pages) - 1)

    asyncio.run(check())


def test_an_export_is_written() -> None:
    """Bytes go into the file as they come, and their number is returned."""

    async def check() -> None:
        served, _ = guarded()
        async with running(served) as address, Client(address, token=ALL) as client:
            file = io.BytesIO()
            size = await client.export(file, scopes=["queue:sales"], kpis=["service_level"], windows=["trailing_15m"], mark=True)
            lines = file.getvalue().decode("utf-8-sig").splitlines()
            assert size == len(file.getvalue())
            assert [line.split(",")[:4] for line in lines[1:]] == [["queue", "sales", "voice", "trailing_15m"]]

    asyncio.run(check())


def test_errors_are_typed() -> None:
    """By their status, each with the problem as the server reported it and when to retry."""

    async def check() -> None:
        served, _ = guarded()
        async with running(served) as address:
            async with Client(address, token=ALL) as client:
                with pytest.raises(NotFoundError, match="404 Not Found: no record names this queue") as missing:
                    await client.queue("nothing")
                assert missing.value.problem.detail == "no record names this queue"
                with pytest.raises(BadRequestError, match="trailing_15m, interval_30m or day"):
                    await client.figures("today")
                with pytest.raises(UnavailableError, match="Kafka") as unavailable:
                    await client.explain("sales", "service_level", channel="voice")
                assert unavailable.value.retry_after_seconds == 5
            async with Client(address, token=FEW) as client:
                assert (await client.queue("sales")).queue == "sales"
                with pytest.raises(ForbiddenError):
                    await client.agents()
                with pytest.raises(NotFoundError):
                    await client.queue("claims")
            async with Client(address) as client:
                with pytest.raises(UnauthorizedError):
                    await client.figures()
        async with Client(address, token=ALL) as client:
            with pytest.raises(UnreachableError, match=r"127\.0\.0\.1"):
                await client.figures()

    asyncio.run(check())


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (502, b"<html>Bad Gateway</html>", ApiError, "502 Bad Gateway: no problem details"),
        (429, b"", TooManyRequestsError, "429 Too Many Requests"),
        (200, b"<html>", UnexpectedAnswerError, "does not fit this version"),
        (200, b'{"as_of": 3}', UnexpectedAnswerError, "as_of"),
    ],
    ids=range(4),
)
def test_what_is_not_this_api(status: int, body: bytes, error: type[Exception], message: str) -> None:
    """The page of a proxy, or a document of something else, is an error with that message."""

    async def check() -> None:
        async def handler(_: web.Request) -> web.Response:
            return web.Response(status=status, body=body)

        async with answering(handler) as address, Client(address) as client:
            with pytest.raises(error, match=re.escape(message)):
                await client.figures()

    asyncio.run(check())


def test_the_token_is_sent_to_the_server_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Not after a redirection, not to a next page elsewhere, not over a network in the clear; and no text of ours has it."""
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    texts: list[str] = []

    async def check() -> None:
        async def elsewhere(request: web.Request) -> web.Response:
            seen.append(request.headers.get("Authorization", ""))
            return web.Response()

        async with answering(elsewhere) as other:

            async def handler(_: web.Request) -> web.Response:
                return web.Response(status=302, headers={"Location": f"{other}/api/v1/figures"})

            async with answering(handler) as address, Client(address, token=ALL) as client:
                texts.append(repr(client))
                with pytest.raises(UnexpectedAnswerError, match="302") as raised:
                    await client.figures()
                texts.append(repr(raised.value))
            served, _ = guarded()
            linked = (await _linked(served, other)).removesuffix("/")
            async with (
                answering_with(linked) as address,
                Client(address, token=ALL) as client,
                aclosing(client.figure_pages(limit=1)) as pages,
            ):
                await anext(pages)
                with pytest.raises(ApiError):
                    await anext(pages)
        async with Client("http://127.0.0.1:9", token=ALL) as client:
            with pytest.raises(UnreachableError) as unreachable:
                await client.figures()
            error: BaseException | None = unreachable.value
            assert error is not None
            texts.append(f"{error!r} {error.__cause__!r} {error.__dict__!r}")

    async def _linked(served: Serving, other: str) -> str:
        async with running(served) as address, Client(address, token=ALL) as client:
            return f"{other}|{(await client.figures()).model_dump_json(exclude_unset=True)}"

    @asynccontextmanager
    async def answering_with(linked: str) -> AsyncIterator[str]:
        other, _, body = linked.partition("|")

        async def handler(request: web.Request) -> web.Response:
            if "cursor" in request.query:
                return web.Response(status=404)
            link = f'<{other}/api/v1/figures?cursor=x>; rel="next"'
            return web.Response(text=body, content_type="application/json", headers={"Link": link})

        async with answering(handler) as address:
            yield address

    asyncio.run(check())
    assert seen == []
    assert ALL not in caplog.text + " ".join(texts)
    with pytest.raises(ValueError, match="in the clear"):
        Client("http://board.example", token=ALL)
    Client("http://board.example", token=ALL, insecure=True)
    Client("http://localhost:8080", token=ALL)
    for odd in ("board.example", "ftp://board.example", "https://user@board.example", "https://board.example/?a=b", ""):
        with pytest.raises(ValueError, match="url"):
            Client(odd)


def test_over_tls(tmp_path: Path) -> None:
    """The server's certificate is looked at: an authority that the client trusts, and the name that was asked for."""
    authority = Authority(tmp_path)
    pair = authority.server("localhost")

    async def check() -> None:
        served, _ = guarded()
        listening = Listening(certificates=Certificates(TlsFiles(certificate=pair.certificate, key=pair.key)))
        server = HttpServer(create_app(served), listening.connections(), listening, shutdown_timeout=0.2)
        port = (await server.start("127.0.0.1", 0)).rpartition(":")[2]
        trusting = authority.trusting()
        try:
            async with Client(f"https://localhost:{port}", token=ALL, ssl_context=trusting) as client:
                assert (await client.queue("sales")).queue == "sales"
            for address, context in ((f"https://localhost:{port}", None), (f"https://127.0.0.1:{port}", trusting)):
                async with Client(address, token=ALL, ssl_context=context) as client:
                    with pytest.raises(UnreachableError, match="certificate"):
                        await client.queue("sales")
        finally:
            await server.stop()

    asyncio.run(check())


async def take(messages: AsyncIterator[Message], *kinds: type[Message]) -> Message:
    """Return the next message, of some kinds if any are named."""
    async with asyncio.timeout(10):
        message = await anext(messages)
        while kinds and not isinstance(message, kinds):
            message = await anext(messages)
        return message


def test_events_go_on_over_interruptions() -> None:
    """First everything, then changes; after the server was gone everything again, without a call."""

    async def check() -> None:
        served, _ = guarded()
        async with running(served) as address:
            client = Client(address, token=ALL)
            await client.__aenter__()
            messages = client.events("trailing_15m")
            first, alerts = await take(messages), await take(messages)
            assert isinstance(first, SnapshotMessage)
            assert isinstance(first.records["now|voice|queue:sales"], NowFigures)
            assert isinstance(alerts, AlertsMessage)
            assert {alert.state for alert in (alerts.firing or {}).values()} == {"firing"}
            served.figures.store.feed(*now_record("queue:sales", waiting=9, revision=2))
            change = await take(messages, ChangeMessage)
            assert isinstance(change, ChangeMessage)
            record = change.records["now|voice|queue:sales"]
            assert isinstance(record, NowFigures)
            assert record.waiting == 9
        waiting = asyncio.create_task(take(messages, SnapshotMessage))
        await asyncio.sleep(0.3)
        again, _ = guarded()
        again.figures.store.feed(*now_record("queue:sales", waiting=3, revision=2))
        async with running(again, int(address.rpartition(":")[2])):
            snapshot = await waiting
            assert isinstance(snapshot, SnapshotMessage)
            assert snapshot.records["now|voice|queue:sales"].model_dump()["waiting"] == 3
            await messages.aclose()
            await client.__aexit__(None, None, None)

    asyncio.run(check())


def test_events_end_with_the_right_and_wait_for_room() -> None:
    """Where there is no room, the client retries when the server asks; a token that has ended is an error, not a reason to try again."""

    async def check() -> None:
        served, access = guarded(clients=Clients(1, 1))
        async with running(served) as address, Client(address, token=ALL) as client, Client(address, token=FEW) as other:
            async with aclosing(client.events()) as held, aclosing(other.events()) as later:
                assert isinstance(await take(held), SnapshotMessage)
                waits = asyncio.create_task(take(later))
                await asyncio.sleep(0.3)
                assert not waits.done()
                await held.aclose()
                assert isinstance(await waits, SnapshotMessage)
            access.becomes()
            with pytest.raises(UnauthorizedError):
                await take(client.events())

    asyncio.run(check())


def test_events_however_they_are_cut() -> None:
    """Chunks may end anywhere: the same events come of them, comments and unknown fields left out; one beyond the limit is refused."""
    text = 'retry: 2000\n\n: comment\nid: 1\nevent: snapshot\ndata: {"a":\ndata: 1}\n\nevent: alive\r\ndata: 料\r\n\r\ndata: x\n\n'.encode()
    expected = [("snapshot", b'{"a":\n1}'), ("alive", "料".encode()), ("", b"x")]
    for size in (1, 2, 3, 7, len(text)):
        reader = EventReader()
        chunks = [text[at : at + size] for at in range(0, len(text), size)]
        assert [event for chunk in chunks for event in reader.feed(chunk)] == expected
    reader = EventReader(max_bytes=40)
    for _ in range(10):
        assert reader.feed(b"data: 12345678901234567890\n\n") == [("", b"12345678901234567890")]
    reader.feed(b"data: 1234567890123456789012345678")
    with pytest.raises(UnexpectedAnswerError, match="more than 40 bytes"):
        reader.feed(b"1234567")


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The program of docs/api.md does what the page states, against a running server."""
    program = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text("utf-8"), re.DOTALL)
    assert program is not None
    monkeypatch.setenv("CONTACT_STREAMS_TOKEN", ALL)
    monkeypatch.chdir(tmp_path)
    with serving() as address:
        exec(compile(program[1].replace("https://board.example", address), "docs/api.md", "exec"), {"__name__": "page"})  # noqa: S102 - our own
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == ["service level 0.74 of 50.0 contacts, as of 2026-04-01T09:00:00.000Z", "no record names this queue"]
    assert printed[-1].startswith("everything again:")
    assert (tmp_path / "figures.csv").read_text("utf-8").startswith("scope_kind,scope,")


def test_the_command_of_the_page_runs() -> None:
    """The request of docs/api.md for other programs gets figures."""
    commands = re.search(r"```sh\n(.*?)```", (ROOT / "docs" / "api.md").read_text("utf-8"), re.DOTALL)
    assert commands is not None
    require(shutil.which("curl"), "the command needs curl: apt-get install curl")
    with serving() as address:
        text = commands[1].replace("https://board.example", address)
        done = subprocess.run(
            ["sh", "-ec", text], capture_output=True, check=True, timeout=30, env={**os.environ, "CONTACT_STREAMS_TOKEN": ALL}
        )
    answer = FiguresAnswer.model_validate_json(done.stdout)
    assert "trailing_15m|voice|queue:sales" in answer.records
