"""Names that a server answers to, pages that may change something there, and proxies that are believed: over raw sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from streams.connectors.gateway import Gateway, GatewaySettings
from streams.connectors.publishing import MemoryPublisher
from streams.connectors.senders import Senders
from streams.listening import HttpServer, Listening
from streams.listening.hosts import Hosts, host_of
from streams.listening.proxies import Proxies
from streams.serving.api.app import create_app
from tests.serving.records import Backend, progress, window

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


async def answer_to(port: int, request: str, address: str = "127.0.0.1") -> tuple[int, bytes]:
    """Return status and content of the answer to a raw request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    writer.write(request.encode("latin-1"))
    text = await asyncio.wait_for(reader.read(200_000), 5)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    head, _, content = text.partition(b"\r\n\r\n")
    return int(head.split()[1]), content


def request(path: str, *headers: str, method: str = "GET") -> str:
    """Return a request of HTTP/1.1 whose connection ends with it."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", *headers, "Connection: close", "", ""])


@contextlib.asynccontextmanager
async def serving(app: web.Application, listening: Listening | None = None) -> AsyncIterator[int]:
    """Run a server and give its port."""
    how = listening or Listening()
    server = HttpServer(app, how.connections(), how, shutdown_timeout=0.1)
    address = await server.start("127.0.0.1", 0)
    try:
        yield int(address.rsplit(":", 1)[1])
    finally:
        await server.stop()


def small() -> web.Application:
    """Return an application that answers how it sees a request, with one route that changes something."""

    async def seen(request: web.Request) -> web.Response:
        return web.json_response({"client": request.remote, "scheme": request.scheme, "body": await request.text()})

    app = web.Application()
    for path in ("/", "/healthz", "/readyz", "/metrics"):
        app.router.add_route("*", path, seen)
    return app


def inside(scenario: Callable[[int], Awaitable[None]], **how: Any) -> None:
    """Run a scenario with a server."""

    async def run() -> None:
        async with asyncio.timeout(20), serving(small(), Listening(**how)) as port:
            await scenario(port)

    asyncio.run(run())


# ---- H8: a page of evil.example whose name is turned to 127.0.0.1 ------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/figures", "/api/v1/agents", "/api/v1/events", "/api/v1/queues/orders"])
def test_a_rebound_page_reads_nothing_of_serve(path: str) -> None:
    """The browser sends the page's name as Host: 421 without content; the same request for localhost is answered with figures."""

    async def run() -> None:
        backend = Backend.fed([progress(), window("queue:orders")])
        async with asyncio.timeout(20), serving(create_app(backend.serving())) as port:
            assert await answer_to(port, request(path, f"Host: evil.example:{port}")) == (421, b"")
            if path not in {"/api/v1/agents", "/api/v1/events"}:
                status, content = await answer_to(port, request(path, f"Host: localhost:{port}"))
                assert status == 200
                assert content

    asyncio.run(run())


def test_a_rebound_page_reads_nothing_of_the_gateway() -> None:
    """Nor the names of its senders; without tokens it cannot send either."""

    async def run() -> None:
        publisher = MemoryPublisher(now=lambda: datetime.now(UTC))
        gateway = Gateway(publisher, Senders(), GatewaySettings(port=0))
        port = int((await gateway.start()).rsplit(":", 1)[1])
        try:
            for path in ("/metrics", "/readyz"):
                assert await answer_to(port, request(path, f"Host: evil.example:{port}")) == (421, b"")
            post = request("/v1/events", f"Host: evil.example:{port}", "Content-Length: 0", method="POST")
            assert await answer_to(port, post) == (421, b"")
            assert (await answer_to(port, request("/metrics", f"Host: 127.0.0.1:{port}")))[0] == 200
        finally:
            await gateway.stop()

    asyncio.run(asyncio.wait_for(run(), 20))


# ---- Names -------------------------------------------------------------------------------------------------------------------------------

OTHERS = [
    "evil.example", "evil.example:80", "localhost.evil.example", "evil-localhost", "0.0.0.0.", "0", "192.0.2.7",
    "[::]", "0x7f.1", "2130706433", "127.1", "sub.localhost", "board.example.evil.example", "127.0.0.1.evil.example",
    "xboard.example", "a.b.wall.example", "wall.example",
]  # fmt: skip
NO_HOSTS = [
    "",
    "a b",
    "localhost, evil.example",
    "localhost@evil.example",
    "evil.example/",
    "[::1",
    "::1",
    "localhost:",
    "localhost:99999",
    "é",
]
OURS = [
    "localhost", "LOCALHOST:1", "localhost.", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080", "[0:0:0:0:0:0:0:1]", "board.example",
    "Board.Example.", "a.wall.example", "later.example", "192.0.2.9", "[2001:db8:0::9]",
]  # fmt: skip


@pytest.mark.parametrize(("hosts", "status"), [(OURS, 200), (OTHERS, 421), (NO_HOSTS, 400)], ids=["ours", "others", "none"])
def test_hosts(hosts: list[str], status: int) -> None:
    """Loopback, the names that are listed, and those that come later; never what only looks like them."""

    async def scenario(port: int) -> None:
        found = {host: (await answer_to(port, request("/metrics", f"Host: {host}")))[0] for host in hosts}
        assert found == dict.fromkeys(hosts, status)

    inside(scenario, hosts=Hosts(["board.example", "*.wall.example", "192.0.2.9"], lambda: {"Later.example:8443", "[2001:DB8::9]:8443"}))


def test_one_host_and_no_more() -> None:
    """No Host, two of them, or another in the first line: 400, as a proxy might read the other one."""

    async def scenario(port: int) -> None:
        assert (await answer_to(port, request("/metrics")))[0] == 400
        assert (await answer_to(port, request("/metrics", "Host: localhost", "Host: evil.example")))[0] == 400
        assert await answer_to(port, request("http://evil.example/metrics", "Host: localhost")) == (400, b"")
        assert await answer_to(port, request(f"http://evil.example:{port}/metrics", f"Host: evil.example:{port}")) == (421, b"")
        assert (await answer_to(port, request(f"http://localhost:{port}/metrics", f"Host: localhost:{port}")))[0] == 200

    inside(scenario)


def test_any_host() -> None:
    """Where a proxy looks at names."""

    async def scenario(port: int) -> None:
        assert (await answer_to(port, request("/metrics", "Host: whatever.example")))[0] == 200
        assert (await answer_to(port, request("/metrics", "Host: 192.0.2.7")))[0] == 200
        assert (await answer_to(port, request("/metrics", "Host: a b")))[0] == 400

    inside(scenario, hosts=Hosts(["*"]))


def test_orchestrators_ask_for_health_by_address() -> None:
    """By any address, and in HTTP/1.0 without a Host; a name that is not listed is no address, and other paths are not health."""

    async def scenario(port: int) -> None:
        for path in ("/healthz", "/readyz"):
            for host in ("10.1.2.3", "10.1.2.3:8080", "[2001:db8::7]:8080"):
                assert (await answer_to(port, request(path, f"Host: {host}")))[0] == 200
            assert (await answer_to(port, f"GET {path} HTTP/1.0\r\n\r\n"))[0] == 200
            assert (await answer_to(port, request(path, "Host: evil.example")))[0] == 421
        assert (await answer_to(port, request("/metrics", "Host: 10.1.2.3")))[0] == 421
        assert (await answer_to(port, "GET /metrics HTTP/1.0\r\n\r\n"))[0] == 400

    inside(scenario)


def test_the_local_address_of_a_connection_is_a_name_of_the_server() -> None:
    """Listening on all addresses, each of them is one; another is not."""
    found = {}
    for host in ("192.0.2.1", "192.0.2.2"):
        asked = make_mocked_request("GET", "/metrics", headers={"Host": host})
        transport: Any = asked.transport
        transport.get_extra_info.side_effect = lambda name, default=None: ("192.0.2.1", 8080) if name == "sockname" else default
        found[host] = Hosts().refusal(asked)
    assert found == {"192.0.2.1": None, "192.0.2.2": 421}


def test_refused_names_are_logged_and_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """The log states once what to do; names that any client sends do not fill it, and the metric counts all."""

    async def scenario(port: int) -> None:
        for number in range(30):
            for _ in range(2):
                await answer_to(port, request("/metrics", f"Host: n{number}.example"))

    with caplog.at_level(logging.WARNING):
        inside(scenario)
    logged = [record.getMessage() for record in caplog.records if "--allowed-host" in record.getMessage()]
    assert len(logged) == 20
    assert logged[0].endswith("--allowed-host n0.example.")


@pytest.mark.parametrize(
    ("text", "host"),
    [("Board.Example:443", "board.example"), ("[2001:DB8::0]:1", "2001:db8::"), ("[x]", None), ("[1.2.3.4]", "1.2.3.4"), (".", None)],
)
def test_a_host_has_one_form(text: str, host: str | None) -> None:
    """Lower case, no port, no brackets, no dot at the end."""
    assert host_of(text) == host


# ---- Changes -----------------------------------------------------------------------------------------------------------------------------

#: What a browser or a program sends with a POST to https://board.example, and whether it is let through.
CHANGES = [
    (["Host: board.example"], True),
    (["Host: board.example", "Sec-Fetch-Site: same-origin", "Origin: https://board.example"], True),
    (["Host: board.example", "Sec-Fetch-Site: none"], True),
    (["Host: board.example", "Sec-Fetch-Site: cross-site"], False),
    (["Host: board.example", "Sec-Fetch-Site: same-site", "Origin: https://wall.board.example"], False),
    (["Host: board.example", "Sec-Fetch-Site: cross-site", "Origin: https://board.example"], False),
    (["Host: board.example", "Origin: https://board.example"], True),
    (["Host: board.example:8443", "Origin: https://board.example:8443"], True),
    (["Host: board.example:443", "Origin: https://board.example"], True),
    (["Host: board.example:8443", "Origin: https://board.example"], False),
    (["Host: board.example", "Origin: https://board.example:8443"], False),
    (["Host: board.example", "Origin: https://evil.example"], False),
    (["Host: board.example", "Origin: https://board.example.evil.example"], False),
    (["Host: board.example", "Origin: null"], False),
    (["Host: board.example", "Origin: "], False),
    (["Host: board.example", "Origin: file://board.example"], False),
    (["Host: board.example", "Origin: https://board.example:x"], False),
    (["Host: localhost", "Origin: http://127.0.0.1"], False),
]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_pages_of_others_change_nothing(method: str) -> None:
    """By Sec-Fetch-Site where the browser sends it, else by Origin; a program that sends neither is let through: it has no cookies."""

    async def scenario(port: int) -> None:
        for headers, is_ours in CHANGES:
            status, content = await answer_to(port, request("/", *headers, "Content-Length: 0", method=method))
            assert status == (200 if is_ours else 403), headers
            assert bool(content) == is_ours

    inside(scenario, hosts=Hosts(["board.example"]))


def test_pages_of_others_may_link_here() -> None:
    """A GET changes nothing, so a link from elsewhere leads here; the browser decides what a page may read."""

    async def scenario(port: int) -> None:
        for method in ("GET", "HEAD", "OPTIONS"):
            assert (await answer_to(port, request("/", "Host: localhost", "Sec-Fetch-Site: cross-site", method=method)))[0] == 200

    inside(scenario)


# ---- Proxies -----------------------------------------------------------------------------------------------------------------------------

FORWARDED = [
    ("127.0.0.2", ["X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https"], ("198.51.100.7", "https")),
    # The client's own entries are to the left of the proxy's.
    ("127.0.0.2", ["X-Forwarded-For: 127.0.0.1, 198.51.100.7"], ("198.51.100.7", "http")),
    ("127.0.0.2", ["X-Forwarded-For: 10.9.9.9", "X-Forwarded-For: 198.51.100.7, 10.0.0.5"], ("198.51.100.7", "http")),
    ("127.0.0.2", ["X-Forwarded-For: 198.51.100.7:50123"], ("198.51.100.7", "http")),
    ("127.0.0.2", ["X-Forwarded-For: [2001:db8::7]:50123"], ("2001:db8::7", "http")),
    ("127.0.0.2", ["X-Forwarded-For: 198.51.100.7, secret"], ("127.0.0.2", "http")),
    ("127.0.0.2", ["X-Forwarded-For: " + ", ".join(["10.0.0.1"] * 500)], ("10.0.0.1", "http")),
    ("127.0.0.2", ["X-Forwarded-Proto: https, http"], ("127.0.0.2", "http")),
    ("127.0.0.2", ["X-Forwarded-Proto: gopher"], ("127.0.0.2", "http")),
    ("127.0.0.2", [], ("127.0.0.2", "http")),
    # From another address nothing is believed.
    ("127.0.0.1", ["X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https"], ("127.0.0.1", "http")),
]


@pytest.mark.parametrize(("peer", "headers", "seen"), FORWARDED, ids=range(len(FORWARDED)))
def test_only_a_proxy_is_trusted_to_forward(peer: str, headers: list[str], seen: tuple[str, str]) -> None:
    """Client and scheme as the first of our proxies knew them; the body comes through too."""

    async def scenario(port: int) -> None:
        sent = [*headers, "Host: localhost", "Content-Length: 4"]
        status, content = await answer_to(port, request("/", *sent, method="POST") + "body", peer)
        assert status == 200
        found = orjson.loads(content)
        assert (found["client"], found["scheme"], found["body"]) == (*seen, "body")

    inside(scenario, proxies=Proxies(["127.0.0.2", "10.0.0.0/8"]))


def test_no_client_bypasses_the_proxy_in_plain_text() -> None:
    """Where a proxy ends TLS, it and this machine are answered; others get nothing but health, whatever headers they send."""

    def asked(path: str, peer: str) -> int | None:
        sent = make_mocked_request("GET", path, headers={"Host": "localhost", "X-Forwarded-Proto": "https", "X-Forwarded-For": "10.0.0.1"})
        sent = sent.clone(remote=peer)
        listening = Listening(proxies=Proxies(["10.0.0.1"]))
        refused = listening._refusal(sent, listening.proxies.seen_through(sent))
        return None if refused is None else refused[1]

    assert [asked("/metrics", peer) for peer in ("10.0.0.1", "127.0.0.1", "10.0.0.2", "198.51.100.7")] == [None, None, 403, 403]
    assert asked("/healthz", "10.0.0.2") is None


@pytest.mark.parametrize("text", ["", "proxy.example", "10.0.0.1/8", "10.0.0.0/33"])
def test_what_is_no_address_is_no_proxy(text: str) -> None:
    """Names and networks with bits beyond their mask are refused: whom they would trust is not certain."""
    with pytest.raises(ValueError, match="no address and no network"):
        Proxies([text])
