"""Connections that are held: open contacts are published first, the connection comes back, nothing is lost while Kafka is away.

FreeSWITCH is in no Debian: `FakeFreeSwitch` is a fake of its event socket, written from the documentation of mod_event_socket.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import orjson
import pytest

from streams.cli import main
from streams.connectors.connection.model import Connection, Received
from streams.connectors.connection.runner import Address, ConnectionSettings, Runner
from streams.connectors.kit.model import Context
from streams.connectors.live import connection_of
from streams.connectors.platforms import connector
from streams.connectors.publishing import MemoryPublisher
from tests.support.platforms import fixture

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from streams.connectors.connection.model import Talk

PASSWORD = "clue-con-for-tests"


def now() -> datetime:
    """Return the time of the wall."""
    return datetime.now(UTC)


async def until(holds: Callable[[], object], seconds: float = 10) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for is on the other side of a socket
            await asyncio.sleep(0.01)


class Listening:
    """A server of one test: ``serve`` talks to each who connects."""

    def __init__(self, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
        self.serve = serve
        self.writers: list[asyncio.StreamWriter] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._taken, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()

    def hang_up(self) -> None:
        """End every connection."""
        for writer in self.writers:
            writer.close()
        self.writers.clear()

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await self.serve(reader, writer)


class FakeFreeSwitch(Listening):
    """Follows the protocol of mod_event_socket: frames of headers, with a body where they have its length."""

    def __init__(self) -> None:
        super().__init__(self._talk)
        self.tables = {
            "agent list": "name|status|state\nann@default|Available|Waiting\nbo@default|On Break|Waiting\n+OK\n",
            "queue list": "name|strategy\nsupport@default|ring-all\n+OK\n",
            "queue list members support@default": (
                "queue|uuid|session_uuid|cid_number|joined_epoch|state\n"
                "support@default|m-1|s-1|5550171|1770282000|Waiting\nsupport@default|m-0|s-0|5550172|1770281000|Abandoned\n+OK\n"
            ),
        }

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Content-Type: auth/request\n\n")
        while True:
            command = (await reader.readuntil(b"\n\n")).decode().strip()
            if command.startswith("api callcenter_config "):
                # An event comes in between, as it may.
                self.event(writer, "agent-state-change", CC_Agent="bo@default", CC_Agent_State="Receiving")
                body = self.tables.get(command.removeprefix("api callcenter_config "), "-ERR no such queue\n")
                writer.write(f"Content-Type: api/response\nContent-Length: {len(body)}\n\n{body}".encode())
            elif command == "api uptime":
                writer.write(b"Content-Type: api/response\nContent-Length: 2\n\n7\n")
            elif command.startswith("auth ") and command != f"auth {PASSWORD}":
                writer.write(b"Content-Type: command/reply\nReply-Text: -ERR invalid\n\n")
            else:
                writer.write(b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n")

    def event(self, writer: asyncio.StreamWriter, action: str, **headers: str) -> None:
        """Send an event."""
        lines = {"Event-Name": "CUSTOM", "Event-Subclass": "callcenter::info", "CC-Action": action}
        lines |= {
            "Event-Date-Timestamp": str(round(now().timestamp() * 1e6)),
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        body = "".join(f"{name}: {quote(text)}\n" for name, text in lines.items()) + "\n"
        writer.write(f"Content-Length: {len(body)}\nContent-Type: text/event-plain\n\n{body}".encode())


class Followed:
    """A connection that is followed into a Kafka of lists."""

    def __init__(
        self, connection: Connection, port: int, name: str = "freeswitch-callcenter", *, max_waiting: int = 200_000, **credentials: str
    ) -> None:
        platform = connector(name)
        self.publisher = MemoryPublisher(now=now, partitions=1)
        context = Context(source="pbx", settings={each.name: each.default for each in platform.settings})
        address = Address(host="127.0.0.1", port=port, credentials=credentials)
        link = ConnectionSettings(first_pause_seconds=0.02, longest_pause_seconds=0.05, heartbeat_seconds=0.05, max_waiting=max_waiting)
        self.runner = Runner(connection, platform, context, address, self.publisher, now=now, settings=link)
        self._stop = asyncio.Event()
        self._task: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.runner.run(self._stop))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        assert self._task is not None
        await self._task

    def published(self, topic: str = "contact-events.v1") -> list[dict[str, Any]]:
        """Return the events of a topic, without heartbeats."""
        found = [orjson.loads(each.value) for each in self.publisher.records.get(f"contactcenter.{topic}", [])]
        return [each for each in found if each["type"] != "source.heartbeat"]

    @property
    def beats(self) -> int:
        """Return how many heartbeats there are."""
        return sum(b"source.heartbeat" in each.value for each in self.publisher.records.get("contactcenter.contact-events.v1", []))


def freeswitch() -> Connection:
    """Return how FreeSWITCH is followed."""
    found = connection_of("freeswitch-callcenter")
    assert found is not None
    return found


class TestFreeSwitch:
    """Its event socket."""

    def test_follows(self) -> None:
        """What is open first, under the ids that it has anyway, then what happens; again after the connection broke."""

        async def live() -> Followed:
            async with FakeFreeSwitch() as fake, Followed(freeswitch(), fake.port, secret=PASSWORD) as followed:
                await until(lambda: followed.beats)
                member = {"CC_Queue": "support@default", "CC_Member_UUID": "m-1", "CC_Member_Session_UUID": "s-1"}
                fake.event(fake.writers[-1], "bridge-agent-start", CC_Agent="ann@default", **member)
                await until(lambda: any(each["type"] == "contact.answered" for each in followed.published()))
                fake.hang_up()
                await until(lambda: followed.runner.summary.pages == 2)
                await until(lambda: sum(each["type"] == "source.snapshot" for each in followed.published()) == 4)
            return followed

        followed = asyncio.run(live())
        published = followed.published()
        queued = [each for each in published if each["type"] == "contact.queued"]
        assert {(each["contact_id"], each["occurred_at"], each["conversation_id"]) for each in queued} == {
            ("m-1", "2026-02-05T09:00:00.000Z", "pbx:s-1")
        }
        assert len({each["event_id"] for each in queued}) == 1
        assert [each["open_ids"] for each in published if each.get("kind") == "contacts"] == [["m-1"]] * 2
        states = [(each["person_id"], each["axis"], each["state"]) for each in followed.published("agent-events.v1") if "axis" in each]
        assert {
            ("ann@default", "presence", "available"),
            ("bo@default", "presence", "on_break"),
            ("bo@default", "activity", "ringing"),
        } <= {*states}
        assert followed.runner.summary.failures == 1

    def test_a_wrong_password(self) -> None:
        """The operator has to act; nothing is published, not even a heartbeat."""

        async def live() -> Followed:
            async with FakeFreeSwitch() as fake, Followed(freeswitch(), fake.port, secret="another") as followed:
                await until(lambda: followed.runner.summary.failures >= 2)
                assert followed.runner.status.trouble == "refused"
            return followed

        assert asyncio.run(live()).publisher.records == {}

    @pytest.mark.parametrize(
        "message",
        [
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"Content-Type: auth/request\nContent-Length: 99999999999\n\n",
            b"x: y\n" * 2_000,
            b"\xff" * 600_000,
            b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n",
        ],
    )
    @pytest.mark.parametrize("name", ["freeswitch-callcenter", "asterisk-ami"])
    def test_another_server_or_a_hostile_one(self, name: str, message: bytes) -> None:
        """The connection is closed and tried again; nothing of the peer is published."""

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(message)
            await writer.drain()
            writer.close()

        async def live() -> Followed:
            connection = connection_of(name)
            assert connection is not None
            async with Listening(serve) as server, Followed(connection, server.port, name, user="u", secret=PASSWORD) as followed:
                await until(lambda: followed.runner.summary.failures >= 2)
            return followed

        followed = asyncio.run(live())
        assert followed.runner.status.trouble in {"malformed", "refused", "unreachable", "unavailable"}
        assert followed.publisher.records == {}


class TestRunner:
    """What holds for every connection."""

    def test_silence(self) -> None:
        """A connection over which nothing arrives is dead, whatever TCP reports; until then it is complete to its last heartbeat."""

        async def talk(_: Talk) -> AsyncGenerator[Received, None]:
            yield Received(is_complete=True)
            await asyncio.sleep(60)

        async def live() -> Followed:
            async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
                await reader.read()

            connection = Connection(name="freeswitch-callcenter", talk=talk, port=1, tls_port=1, silence_seconds=0.2)
            async with Listening(serve) as server, Followed(connection, server.port) as followed:
                await until(lambda: followed.runner.summary.pages >= 2)
                assert followed.runner.summary.failures >= 1
            return followed

        assert asyncio.run(live()).beats

    def test_repeats_of_a_new_connection(self) -> None:
        """Who was taken out of a queue while there was no connection is in it no more."""
        connections: list[int] = []

        def member(queue: str, paused: int) -> bytes:
            lines = [f"Timestamp: {now().timestamp():.6f}", f"Queue: {queue}", "Name: Ann", f"Paused: {paused}", "Status: 1"]
            return "\n".join(["Event: QueueMember", *lines]).encode()

        async def talk(_: Talk) -> AsyncGenerator[Received, None]:
            connections.append(1)
            queues = {"sales": 0, "support": 1} if len(connections) == 1 else {"support": 1}
            yield Received(b"\n\n".join(member(queue, paused) for queue, paused in queues.items()), is_complete=True)
            await asyncio.sleep(0.05 if len(connections) == 1 else 60)

        async def live() -> Followed:
            async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
                await reader.read()

            ami = connection_of("asterisk-ami")
            assert ami is not None
            connection = replace(ami, talk=talk)
            async with Listening(serve) as server, Followed(connection, server.port, "asterisk-ami") as followed:
                await until(lambda: followed.runner.summary.pages == 2)
            return followed

        published = asyncio.run(live()).published("agent-events.v1")
        assert [each["state"] for each in published if each["axis"] == "presence"] == ["available", "paused"]

    def test_kafka_away(self) -> None:
        """Events of this time wait, in their order, and no heartbeat overtakes them."""

        async def talk(_: Talk) -> AsyncGenerator[Received, None]:
            yield Received(is_complete=True)
            for number in range(30):
                at = round(now().timestamp() * 1e6)
                lines = ["Event-Subclass: callcenter::info", "CC-Action: agent-status-change", f"CC-Agent: agent-{number}"]
                yield Received("\n".join([*lines, "CC-Agent-Status: Available", f"Event-Date-Timestamp: {at}"]).encode())
                await asyncio.sleep(0.01)
            await asyncio.sleep(60)

        async def live() -> Followed:
            async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
                await reader.read()

            connection = Connection(name="freeswitch-callcenter", talk=talk, port=1, tls_port=1)
            async with Listening(serve) as server, Followed(connection, server.port) as followed:
                followed.publisher.down = True
                await until(lambda: followed.runner.summary.events == 30)
                assert followed.published("agent-events.v1") == []
                assert followed.runner.status.trouble == "kafka"
                followed.publisher.down = False
                await until(lambda: len(followed.published("agent-events.v1")) == 30)
                await until(lambda: followed.runner.status.trouble is None)
            return followed

        people = [each["person_id"] for each in asyncio.run(live()).published("agent-events.v1")]
        assert people == [f"agent-{number}" for number in range(30)]


def test_records_of_3cx_over_its_socket() -> None:
    """Lines as 3CX sends them, one in two pieces."""
    lines = fixture("3cx-cdr", "calls.txt").splitlines(keepends=True)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(lines[0] + lines[1][:40])
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(lines[1][40:])
        await reader.read()

    async def live() -> Followed:
        connection = connection_of("3cx-cdr")
        assert connection is not None
        async with Listening(serve) as server, Followed(connection, server.port, "3cx-cdr") as followed:
            await until(lambda: followed.runner.summary.records == 2)
        return followed

    published = [(each["type"], each["conversation_id"]) for each in asyncio.run(live()).published()]
    assert published.count(("contact.queued", "pbx:9001")) == published.count(("contact.left_queue", "pbx:9002")) == 1


@pytest.mark.parametrize(
    ("settings", "credentials", "options", "message"),
    [
        ("", "{user: {env: AMI_USER}, secret: {env: AMI_SECRET}}", ["--once"], "leave out --once"),
        ("", "{user: {env: AMI_USER}}", [], "secret: required to connect to Asterisk AMI"),
        ("port: 70000", "{user: {env: AMI_USER}, secret: {env: AMI_SECRET}}", [], "settings.port"),
        ("tls: true, tls_ca: /nowhere", "{user: {env: AMI_USER}, secret: {env: AMI_SECRET}}", [], "settings.tls_ca"),
    ],
)
def test_a_connectors_file_that_cannot_be_used(
    settings: str,
    credentials: str,
    options: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command reports what is wrong and where, before it connects to anything."""
    monkeypatch.setenv("AMI_USER", "contact-streams")
    monkeypatch.setenv("AMI_SECRET", "for-tests-only")
    file = tmp_path / "connectors.yaml"
    file.write_text(
        f"connectors:\n  pbx:\n    connector: asterisk-ami\n    settings: {{{settings}}}\n    credentials: {credentials}\n",
        encoding="utf-8",
    )

    assert main(["connector", "run", "pbx", "--connectors", str(file), *options]) == 2
    found = capsys.readouterr().err
    assert message in found
    assert "for-tests-only" not in found


def test_more_than_may_wait_for_kafka() -> None:
    """The connection is closed until Kafka has the pending events, and opened again then: memory is bounded."""
    connections: list[int] = []

    async def talk(_: Talk) -> AsyncGenerator[Received, None]:
        connections.append(1)
        yield Received(is_complete=True)
        for number in range(100):
            at = round(now().timestamp() * 1e6)
            lines = ["Event-Subclass: callcenter::info", "CC-Action: agent-status-change", f"CC-Agent: agent-{number}"]
            yield Received("\n".join([*lines, "CC-Agent-Status: Available", f"Event-Date-Timestamp: {at}"]).encode())
        await asyncio.sleep(60)

    async def live() -> Followed:
        async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.read()

        connection = Connection(name="freeswitch-callcenter", talk=talk, port=1, tls_port=1)
        async with Listening(serve) as server:
            followed = Followed(connection, server.port, max_waiting=20)
            followed.publisher.down = True
            async with followed:
                await until(lambda: followed.runner.status.trouble == "kafka" and followed.runner.summary.failures == 1)
                await asyncio.sleep(0.3)
                assert len(connections) == 1
                followed.publisher.down = False
                await until(lambda: len(connections) > 1)
                await until(lambda: len(followed.published("agent-events.v1")) > 20)
        return followed

    followed = asyncio.run(live())
    assert len({each["person_id"] for each in followed.published("agent-events.v1")}) > 10
