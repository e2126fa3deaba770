"""TLS on real sockets: what is spoken, whose certificates are taken, handshakes that never end, and certificates that change meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
import shutil
import socket
import ssl
import struct
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientConnectorError, ClientOSError, ClientSession, ServerDisconnectedError, web

from streams.listening import ConnectionLimits, HttpServer, Listening, server
from streams.listening.hosts import Hosts
from streams.listening.tls import Certificates, TlsError, TlsFiles, names_of_certificate
from tests.support.certificates import Authority, Pair
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

#: More than the kernel takes for a client that does not read.
LARGE = b"x" * 8_000_000
LIMITS: dict[str, Any] = {
    "handshake_seconds": 0.5,
    "request_seconds": 0.5,
    "unread_seconds": 0.5,
    "answer_seconds": 30.0,
    "check_seconds": 0.05,
}


class House:
    """A server with TLS that answers the names of the client's certificate."""

    def __init__(self, files: TlsFiles, **limits: Any) -> None:
        self.certificates = Certificates(files)
        listening = Listening(
            limits=ConnectionLimits(**{**LIMITS, **limits}),
            certificates=self.certificates,
            hsts_seconds=1000,
            hosts=Hosts(["board.example"]),
        )
        self.connections = listening.connections()
        app = web.Application()
        app.router.add_get("/", self.names)
        app.router.add_get("/large", self.large)
        app.router.add_get("/stream", self.stream)
        self.go_on = asyncio.Event()
        self.server = HttpServer(app, self.connections, listening, shutdown_timeout=0.1)
        self.port = 0

    async def names(self, request: web.Request) -> web.Response:
        names = names_of_certificate(request)
        return web.json_response({"names": names, "name": next(iter(names), None), "secure": request.secure})

    async def large(self, _: web.Request) -> web.Response:
        return web.Response(body=LARGE)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first ")
        await self.go_on.wait()
        await response.write(b"second")
        return response

    def counts(self, what: str) -> dict[str, float]:
        """Return a counter's values above 0, by reason."""
        (family,) = [each for each in self.connections.collect() if each.name == f"contact_center_http_{what}"]
        return {each.labels["reason"]: each.value for each in family.samples if each.value}

    def gauge(self, name: str) -> float:
        """Return the value of a gauge."""
        (family,) = [each for each in self.connections.collect() if each.name == name]
        return float(family.samples[0].value)

    async def asked(self, context: ssl.SSLContext, path: str = "/") -> Any:
        """Return what a client of its own is answered."""
        async with ClientSession() as session, session.get(f"https://localhost:{self.port}{path}", ssl=context) as response:
            return await response.json()

    async def shown(self) -> bytes:
        """Return the certificate that a new client is shown."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return bytes(certificate)

    async def silent(self, sent: bytes = b"", address: str = "127.0.0.1") -> socket.socket:
        """Connect in plain TCP, send these bytes and no more."""
        client = socket.socket()
        client.bind((address, 0))
        client.settimeout(0)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", self.port))
        if sent:
            await loop.sock_sendall(client, sent)
        return client

    async def until(self, condition: Callable[[], bool], seconds: float = 5) -> float:
        """Wait until the condition holds, and return for how long."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not condition():
            assert loop.time() - began < seconds, (self.counts("connections_dropped"), len(self.connections))
            await asyncio.sleep(0.01)
        return loop.time() - began


@contextlib.asynccontextmanager
async def house(files: TlsFiles, **limits: Any) -> AsyncIterator[House]:
    """Run a server."""
    async with asyncio.timeout(30):
        there = House(files, **limits)
        address = await there.server.start("127.0.0.1", 0)
        assert address.startswith("https://127.0.0.1:")
        there.port = int(address.rsplit(":", 1)[1])
        try:
            yield there
        finally:
            await there.server.stop()


def inside(scenario: Callable[[House], Awaitable[None]], files: TlsFiles, **limits: Any) -> None:
    """Run a scenario with a server."""

    async def run() -> None:
        async with house(files, **limits) as there:
            await scenario(there)

    asyncio.run(run())


async def ends(client: socket.socket) -> bytes:
    """Return what comes until the server closes."""
    text = b""
    with contextlib.suppress(ConnectionError):
        while part := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 65536), 5):
            text += part
    client.close()
    return text


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority whose files are of this test."""
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    """Return a certificate for localhost."""
    return authority.server("localhost", "127.0.0.1")


@pytest.fixture
def files(pair: Pair) -> TlsFiles:
    """Return its files."""
    return TlsFiles(certificate=pair.certificate, key=pair.key)


# ---- What is spoken ----------------------------------------------------------------------------------------------------------------------


def test_tls_1_3_is_chosen_1_2_is_spoken_and_nothing_before(authority: Authority, files: TlsFiles) -> None:
    """Of TLS 1.2 only with forward secrecy and authenticated encryption; a client of 1.1, or with CBC alone, ends without an answer."""

    async def spoken(there: House, **how: Any) -> tuple[str, str] | None:
        context = authority.trusting()
        for name, value in how.items():
            if name == "ciphers":
                context.set_ciphers(value)
            else:
                setattr(context, name, value)
        try:
            _, writer = await asyncio.open_connection("localhost", there.port, ssl=context)
        except (ssl.SSLError, ConnectionError):
            return None
        cipher, version, _ = writer.get_extra_info("cipher")
        writer.close()
        return version, cipher

    async def scenario(there: House) -> None:
        v2 = {"maximum_version": ssl.TLSVersion.TLSv1_2}
        assert (await spoken(there) or ("", ""))[0] == "TLSv1.3"
        assert (await spoken(there, **v2) or ("", ""))[0] == "TLSv1.2"
        assert await spoken(there, ciphers="ECDHE+AESGCM", **v2) is not None
        assert await spoken(there, ciphers="ECDHE-ECDSA-AES128-SHA:AES128-SHA:AES128-GCM-SHA256:@SECLEVEL=0", **v2) is None
        with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
            answer = await spoken(
                there, ciphers="ALL:@SECLEVEL=0", minimum_version=ssl.TLSVersion.TLSv1_1, maximum_version=ssl.TLSVersion.TLSv1_1
            )
        assert answer is None

    inside(scenario, files)


def test_browsers_get_hsts(authority: Authority, files: TlsFiles) -> None:
    """Each answer has the header, also streams and answers without a route; none under loopback names, which many servers share."""

    async def scenario(there: House) -> None:
        there.go_on.set()
        async with ClientSession() as session:
            for path in ("/", "/stream", "/nothing"):
                url, sent = f"https://localhost:{there.port}{path}", {"Host": f"board.example:{there.port}"}
                async with session.get(url, ssl=authority.trusting(), headers=sent) as response:
                    assert response.headers["Strict-Transport-Security"] == "max-age=1000"
            for host in ("localhost", "127.0.0.1"):
                async with session.get(f"https://{host}:{there.port}/", ssl=authority.trusting()) as response:
                    assert "Strict-Transport-Security" not in response.headers
        assert (await there.asked(authority.trusting()))["secure"] is True

    inside(scenario, files)


def test_a_plain_request_ends_at_once(files: TlsFiles) -> None:
    """Who speaks HTTP to the port of TLS is not kept waiting, gets no answer of ours, and takes no place."""

    async def scenario(there: House) -> None:
        began = asyncio.get_running_loop().time()
        answer = await ends(await there.silent(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        assert b"HTTP" not in answer
        assert b"names" not in answer
        assert asyncio.get_running_loop().time() - began < 0.4
        await there.until(lambda: not len(there.connections))

    inside(scenario, files, handshake_seconds=20)


def test_what_is_no_handshake_leaves_nothing_behind(authority: Authority, files: TlsFiles, caplog: pytest.LogCaptureFixture) -> None:
    """Greetings with other bytes in them, cut off and followed by rubbish, ended by reset or half: no place is kept, nothing is logged."""
    chance = random.Random(1)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        authority.trusting().wrap_bio(there, back, server_hostname="localhost").do_handshake()
    hello = back.read()
    wrong = [b"", b"\x00" * 100, hello[:50], hello[:-1], hello + chance.randbytes(200), b"\x16\x03\x01\xff\xff" + chance.randbytes(70_000)]
    for _ in range(60):
        changed = bytearray(hello)
        for _ in range(chance.randint(1, 8)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        wrong.append(bytes(changed))

    async def scenario(house: House) -> None:
        for sent in wrong:
            client = await house.silent()
            with contextlib.suppress(OSError):
                await asyncio.get_running_loop().sock_sendall(client, sent)
                if chance.random() < 0.5:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    client.shutdown(socket.SHUT_WR)
            client.close()
        await house.until(lambda: not len(house.connections))
        assert await house.asked(authority.trusting())

    with caplog.at_level(logging.INFO):
        inside(scenario, files, handshake_seconds=20)
    assert caplog.text == ""


def test_a_client_cannot_ask_for_a_second_handshake(files: TlsFiles, authority: Authority) -> None:
    """In TLS 1.2 each costs the server a signature; OpenSSL's own client asks with a line R."""
    program = shutil.which("openssl")
    require(program, "openssl asks for a handshake: apt-get install openssl")

    async def scenario(there: House) -> None:
        process = await asyncio.create_subprocess_exec(
            str(program),
            *("s_client", "-connect", f"127.0.0.1:{there.port}", "-tls1_2", "-CAfile", str(authority.path)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        sent, _ = await asyncio.wait_for(process.communicate(b"R\n"), 15)
        assert b"RENEGOTIATING" in sent
        assert b"no renegotiation" in sent

    inside(scenario, files, request_seconds=20)


# ---- Handshakes that never end -----------------------------------------------------------------------------------------------------------


def test_who_never_ends_a_handshake_is_counted_and_dropped(authority: Authority, files: TlsFiles) -> None:
    """A silent client, one that sends half a greeting and one that drips: each counts as a connection while it is open."""

    async def scenario(there: House) -> None:
        # The head of a record of 512 bytes that never come.
        begun = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        clients = [await there.silent(sent) for sent in (b"", begun, begun)]
        await there.until(lambda: len(there.connections) == 3)
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                await loop.sock_sendall(clients[2], b"\x00")
                await asyncio.sleep(0.02)
                if there.counts("connections_dropped") == {"slow_handshake": 3}:
                    break
        assert there.counts("connections_dropped") == {"slow_handshake": 3}
        assert len(there.connections) == 0
        for client in clients:
            assert await ends(client) == b""
        assert await there.asked(authority.trusting())

    inside(scenario, files)


def test_handshakes_take_no_more_places_than_there_are(authority: Authority, files: TlsFiles) -> None:
    """From one address no more than its share, whose rest is ended at once; others are served meanwhile; a place that is free is given."""

    async def scenario(there: House) -> None:
        clients = [await there.silent(address="127.0.0.2") for _ in range(3)]
        await there.until(lambda: len(there.connections) == 3)
        assert await ends(await there.silent(address="127.0.0.2")) == b""
        assert there.counts("connections_refused") == {"address": 1}
        assert await there.asked(authority.trusting())
        clients.pop().close()
        await there.until(lambda: len(there.connections) == 2)
        clients.append(await there.silent(address="127.0.0.2"))
        await there.until(lambda: len(there.connections) == 3)
        for client in clients:
            client.close()
        await there.until(lambda: not len(there.connections))

    inside(scenario, files, handshake_seconds=20, per_address=3, total=5)


def test_a_connection_in_tls_is_held_to_the_other_limits_too(authority: Authority, files: TlsFiles) -> None:
    """A head that does not come to its end, and an answer that is not read: what waits in TLS and what waits below it both count."""

    async def scenario(there: House) -> None:
        readers = []
        for sent in (b"GET / HT", b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            reader, writer = await asyncio.open_connection("localhost", there.port, ssl=authority.trusting(), limit=1024)
            writer.write(sent)
            readers.append((reader, writer))
        await there.until(lambda: sum(there.counts("connections_dropped").values()) == 2)
        assert there.counts("connections_dropped") == {"slow_request": 1, "unread": 1}
        assert (await readers[0][0].read(100)).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        for _, writer in readers:
            writer.transport.abort()

    inside(scenario, files)


def test_what_waits_to_be_read_is_bounded_in_tls_too(authority: Authority, files: TlsFiles) -> None:
    """An answer that is written at once never reports that it waits; still the clients that have read nothing for longest are dropped."""

    async def scenario(there: House) -> None:
        writers = []
        for number in range(8):
            _, writer = await asyncio.open_connection("localhost", there.port, ssl=authority.trusting(), limit=1024)
            writer.write(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            writers.append(writer)
            await there.until(lambda: len(there.connections) + there.counts("connections_dropped").get("memory", 0) > number)  # noqa: B023

        def unsent() -> int:
            return sum(connection.unsent for connection in there.connections.open)

        # 8 MB each, less what the kernels take.
        await there.until(lambda: there.counts("connections_dropped").get("memory", 0) >= 1 and unsent() < 24_000_000)
        assert await there.asked(authority.trusting())
        for writer in writers:
            writer.transport.abort()

    inside(scenario, files, unread_seconds=20, unsent_bytes=24_000_000)


def test_an_idle_connection_holds_little(files: TlsFiles) -> None:
    """A handshake that waits holds less than 64 KiB of Python's memory; asyncio's own would hold 256."""

    async def scenario(there: House) -> None:
        gc.collect()
        tracemalloc.start()
        try:
            clients = [await there.silent() for _ in range(20)]
            await there.until(lambda: len(there.connections) == 20)
            gc.collect()
            snapshot = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(inclusive=True, filename_pattern="*/asyncio/*")])
        finally:
            tracemalloc.stop()
        for client in clients:
            client.close()
        await there.until(lambda: not len(there.connections))
        assert 1024 < sum(each.size for each in snapshot.traces) / 20 < 64 * 1024

    inside(scenario, files, handshake_seconds=20)


# ---- Certificates of clients -------------------------------------------------------------------------------------------------------------


def test_a_client_is_named_by_its_certificate(authority: Authority, pair: Pair) -> None:
    """URIs, DNS names and mail addresses come before the common name; a name twice is one."""
    files = TlsFiles(certificate=pair.certificate, key=pair.key, client_ca=authority.path)

    async def scenario(there: House) -> None:
        full = authority.client("prometheus", "ops@example.com", "prometheus", "spiffe://example.com/prometheus")
        assert await there.asked(authority.trusting(full)) == {
            "names": ["spiffe://example.com/prometheus", "prometheus", "ops@example.com"],
            "name": "spiffe://example.com/prometheus",
            "secure": True,
        }
        assert (await there.asked(authority.trusting(authority.client("prometheus"))))["names"] == ["prometheus"]

    inside(scenario, files)


def test_a_client_without_a_certificate_that_is_verified_is_not_let_in(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    """None, one of another authority, one for servers and one that has expired: none of them gets an answer."""
    files = TlsFiles(certificate=pair.certificate, key=pair.key, client_ca=authority.path)
    another = Authority(tmp_path, "Another CA")
    yesterday = datetime.now(UTC) - timedelta(days=2)

    async def scenario(there: House) -> None:
        for client in (
            None,
            another.client("prometheus"),
            authority.server("prometheus"),
            authority.client("prometheus", begins=yesterday, lasts=timedelta(days=1)),
        ):
            with pytest.raises((ClientConnectorError, ClientOSError, ServerDisconnectedError)):
                await there.asked(authority.trusting(client))
        assert (await there.asked(authority.trusting(authority.client("prometheus"))))["name"] == "prometheus"

    inside(scenario, files)


def test_where_certificates_are_optional_one_that_is_shown_still_has_to_be_right(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    """A client without one has no name; one of another authority does not even get in, and names itself nothing."""
    files = TlsFiles(certificate=pair.certificate, key=pair.key, client_ca=authority.path, client="optional")

    async def scenario(there: House) -> None:
        assert (await there.asked(authority.trusting()))["names"] == []
        assert (await there.asked(authority.trusting(authority.client("board"))))["names"] == ["board"]
        with pytest.raises((ClientConnectorError, ClientOSError, ServerDisconnectedError)):
            await there.asked(authority.trusting(Authority(tmp_path, "Another CA").client("board")))

    inside(scenario, files)


def test_a_certificate_that_expires_on_an_open_connection_has_no_names_any_more() -> None:
    """The connection was let in while it was valid."""

    class Request:
        class transport:  # noqa: N801 - of a request
            @staticmethod
            def get_extra_info(_: str) -> dict[str, Any]:
                return {"notAfter": "Dec  1 00:00:00 2026 GMT", "subject": ((("commonName", "board"),),)}

    expires = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    assert names_of_certificate(Request(), expires - 1) == ("board",)  # type: ignore[arg-type]
    assert names_of_certificate(Request(), expires) == ()  # type: ignore[arg-type]


# ---- Certificates that change ------------------------------------------------------------------------------------------------------------


def test_a_new_pair_is_taken_up_and_open_connections_go_on(
    authority: Authority, files: TlsFiles, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a restart; a stream that began under the certificate of before is told the rest, and new clients are shown the new one."""
    monkeypatch.setattr(server, "POLL_SECONDS", 0.05)

    async def scenario(there: House) -> None:
        before, expires = await there.shown(), there.gauge("contact_center_tls_certificate_expiry_timestamp_seconds")
        url = f"https://localhost:{there.port}/stream"
        async with ClientSession() as session, session.get(url, ssl=authority.trusting()) as response:
            assert await response.content.read(6) == b"first "
            pair.replace_with(authority.server("localhost", lasts=timedelta(days=60)))
            await there.until(lambda: there.gauge("contact_center_tls_certificate_expiry_timestamp_seconds") != expires)
            assert await there.shown() != before
            assert await there.asked(authority.trusting())
            there.go_on.set()
            assert await response.content.read() == b"second"
        later = there.gauge("contact_center_tls_certificate_expiry_timestamp_seconds") - expires
        assert later == pytest.approx(30 * 86_400, abs=60)

    inside(scenario, files)


def test_a_broken_pair_leaves_the_one_before_and_is_reported(
    authority: Authority, files: TlsFiles, pair: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log, on the health page and as a metric, until the files are right again; nothing of the key is quoted."""
    monkeypatch.setattr(server, "POLL_SECONDS", 0.05)

    async def scenario(there: House) -> None:
        before = await there.shown()
        assert there.connections.status["tls"].startswith("certificate expires 20")
        other = authority.server("localhost")
        pair.key.write_bytes(other.key.read_bytes())
        with caplog.at_level(logging.ERROR):
            await there.until(lambda: there.gauge("contact_center_tls_files_valid") == 0)
        assert await there.shown() == before
        assert await there.asked(authority.trusting())
        assert f"{pair.key}: not the key of {pair.certificate}" in there.connections.status["tls"]
        assert f"{pair.key}: not the key of {pair.certificate}" in caplog.text
        assert other.key.read_text().splitlines()[1] not in caplog.text
        pair.certificate.write_bytes(other.certificate.read_bytes())
        await there.until(lambda: there.gauge("contact_center_tls_files_valid") == 1)
        assert await there.shown() != before
        assert "refused" not in there.connections.status["tls"]

    inside(scenario, files)


def test_a_changed_file_is_taken_up_only_when_it_is_whole(authority: Authority, files: TlsFiles, pair: Pair) -> None:
    """Between two looks that find the same, nothing is judged: a half-written pair raises no alarm."""
    certificates = Certificates(files)
    other = authority.server("localhost", lasts=timedelta(days=60))
    before = certificates.expires
    pair.certificate.write_bytes(other.certificate.read_bytes()[:200])
    certificates.poll()
    pair.certificate.write_bytes(other.certificate.read_bytes())
    certificates.poll()
    pair.key.write_bytes(other.key.read_bytes())
    certificates.poll()
    assert (certificates.valid, certificates.expires) == (True, before)
    certificates.poll()
    assert certificates.valid
    assert certificates.expires > before


def test_a_pair_that_has_expired_does_not_replace_one_that_has_not(authority: Authority, files: TlsFiles, pair: Pair) -> None:
    """Nor one that is not valid yet; at the start an expired one is accepted, and logged."""
    certificates = Certificates(files)
    long_ago, tomorrow = datetime.now(UTC) - timedelta(days=10), datetime.now(UTC) + timedelta(days=1)
    for begins, lasts, what in ((long_ago, timedelta(days=1), "expired"), (tomorrow, timedelta(days=9), "not valid before")):
        pair.replace_with(authority.server("localhost", begins=begins, lasts=lasts))
        certificates.poll()
        certificates.poll()
        assert not certificates.valid
        assert what in certificates.status
    pair.replace_with(authority.server("localhost", begins=long_ago, lasts=timedelta(days=1)))
    assert Certificates(files).status.startswith("certificate expired ")


@pytest.mark.parametrize(
    ("break_it", "sent"),
    [
        (lambda pair, authority: pair.key.unlink(), "{key}: cannot be read: No such file or directory"),
        (lambda pair, authority: pair.certificate.write_text("hello"), "{certificate}: holds no certificate (PEM)"),
        (lambda pair, authority: pair.key.write_bytes(pair.certificate.read_bytes()), "{key}: holds no private key (PEM)"),
        (
            lambda pair, authority: pair.key.write_bytes(authority.server("localhost").key.read_bytes()),
            "{key}: not the key of {certificate}",
        ),
        (
            lambda pair, authority: pair.key.write_bytes(authority.server("localhost", passphrase=b"secret").key.read_bytes()),
            "{key}: the key is encrypted: give one without a passphrase",
        ),
        (
            lambda pair, authority: pair.replace_with(authority.client("localhost")),
            "{certificate}, {key}: cannot be used (unsuitable certificate purpose)",
        ),
        (
            lambda pair, authority: pair.certificate.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "{certificate}, {key}: cannot be used",
        ),
    ],
    ids=["no key", "no certificate", "certificate as key", "another key", "passphrase", "for clients", "rubbish"],
)
def test_files_that_cannot_be_used_are_named(
    authority: Authority, files: TlsFiles, pair: Pair, break_it: Callable[[Pair, Authority], object], sent: str
) -> None:
    """Which file, why, and what to do; never a question on the terminal."""
    break_it(pair, authority)
    with pytest.raises(TlsError) as raised:
        Certificates(files)
    assert str(raised.value).startswith(sent.format(key=pair.key, certificate=pair.certificate))


def test_authorities_of_clients_that_are_none_are_refused(authority: Authority, pair: Pair) -> None:
    """A certificate that may not sign others is no authority: all clients would be refused, or the wrong ones let in."""
    files = TlsFiles(certificate=pair.certificate, key=pair.key, client_ca=authority.client("board").certificate)
    with pytest.raises(TlsError, match="holds no certificate of an authority"):
        Certificates(files)
