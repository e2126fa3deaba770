"""FreeSWITCH's event socket (ESL), inbound: log in, subscribe, list everything that is open, then follow.

Own code: the one maintained library (``genesis``) depends on a web server, a Redis client and OpenTelemetry exporters; the protocol
is headers and a length.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from streams.connectors.connection.model import MAX_FRAME_BYTES, Connection, LinkError, Open, Received, RefusedError, plain

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from streams.connectors.connection.model import Talk

__all__ = ["CONNECTION"]

_SIGN_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 10.0
_MAX_HEADERS: Final = 100
#: Queues whose members are requested, and rows of an answer, at most.
_MAX_QUEUES, _MAX_ROWS = 1_000, 50_000
#: Members of these are with an agent or wait; others are gone.
_OPEN: Final = frozenset({"Waiting", "Trying", "Answered"})


class _Session:
    """One connection."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        #: Events that arrived while an answer was awaited, in their order.
        self.meanwhile: list[bytes] = []

    async def frame(self) -> tuple[dict[str, str], bytes]:
        """Return the headers and the body of the next frame."""
        headers: dict[str, str] = {}
        while True:
            line = (await self._talk.reader.readuntil(b"\n")).strip()
            if line:
                name, _, value = line.decode("utf-8", "replace").partition(":")
                headers[name.strip().lower()] = value.strip()
                if len(headers) > _MAX_HEADERS:
                    raise LinkError(f"a frame of more than {_MAX_HEADERS} headers: no event socket")
            elif headers:
                break
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_FRAME_BYTES * 16:
            raise LinkError("a frame with an impossible length: no event socket")
        return headers, await self._talk.reader.readexactly(int(length))

    async def event(self) -> bytes | None:
        """Return the next event, None for another frame; raise ConnectionResetError when FreeSWITCH closes the socket."""
        headers, body = await self.frame()
        kind = headers.get("content-type", "")
        if kind == "text/disconnect-notice":
            raise ConnectionResetError("FreeSWITCH ended the connection")
        return body if kind in {"text/event-plain", "text/event-json"} else None

    async def command(self, text: str, kind: str = "command/reply") -> tuple[str, str]:
        """Send a command; return its reply and the body of it."""
        self._talk.writer.write(f"{text}\n\n".encode())
        async with asyncio.timeout(_ANSWER_SECONDS):
            while True:
                headers, body = await self.frame()
                content_type = headers.get("content-type", "")
                if content_type == kind:
                    return headers.get("reply-text", ""), body.decode("utf-8", "replace")
                if content_type == "text/disconnect-notice":
                    raise ConnectionResetError("FreeSWITCH ended the connection")
                if content_type.startswith("text/event-"):
                    self.meanwhile.append(body)
                elif content_type == "text/rude-rejection":
                    raise RefusedError("this address is not in the socket's access list")

    async def table(self, arguments: str) -> list[dict[str, str]]:
        """Return the rows that callcenter_config answers: columns separated by |, a row of names first, +OK last."""
        _, body = await self.command(f"api callcenter_config {arguments}", "api/response")
        lines = [line for line in body.splitlines() if line.strip()]
        if not lines or lines[0].startswith("-"):
            return []
        names = lines[0].split("|")
        rows = (line.split("|") for line in lines[1 : _MAX_ROWS + 1] if not line.startswith(("+OK", "-")))
        return [dict(zip(names, row, strict=False)) for row in rows]

    def sign(self) -> None:
        """Request a heartbeat."""
        self._talk.writer.write(b"api uptime\n\n")


def _block(at_us: int, action: str, **headers: str) -> bytes:
    """Return a listed item as the event that reported it."""
    lines = {"Event-Subclass": "callcenter::info", "Event-Date-Timestamp": str(at_us), "CC-Action": action}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    return "\n".join(f"{name}: {quote(value)}" for name, value in lines.items()).encode()


def _agents(rows: list[dict[str, str]], at_us: int) -> Iterator[bytes]:
    for row in rows:
        if row.get("name"):
            yield _block(at_us, "agent-status-change", CC_Agent=row["name"], CC_Agent_Status=row.get("status") or "Logged Out")
            yield _block(at_us, "agent-state-change", CC_Agent=row["name"], CC_Agent_State=row.get("state") or "Idle")


def _members(queue: str, rows: list[dict[str, str]]) -> Iterator[tuple[str, bytes]]:
    """Yield the id of each waiting or connected member, and the event that reported the member's entry."""
    for row in rows:
        joined = row.get("joined_epoch", "")
        if row.get("state") in _OPEN and row.get("uuid") and row.get("session_uuid") and joined.isdecimal():
            number = row.get("cid_number", "")
            yield row["uuid"], _block(
                int(joined) * 1_000_000, "member-queue-start", CC_Queue=queue,
                CC_Member_UUID=row["uuid"], CC_Member_Session_UUID=row["session_uuid"], CC_Member_CID_Number=number,
            )  # fmt: skip


async def talk(talk: Talk) -> AsyncGenerator[Received, None]:
    """Follow the event socket; see Connection."""
    session = _Session(talk)
    async with asyncio.timeout(_ANSWER_SECONDS):
        headers, _ = await session.frame()
    if headers.get("content-type") == "text/rude-rejection":
        raise RefusedError("this address is not in the socket's access list")
    if headers.get("content-type") != "auth/request":
        raise LinkError("no event socket of FreeSWITCH listens there")
    reply, _ = await session.command(f"auth {plain(talk.credentials['secret'], 'credentials.secret')}")
    if not reply.startswith("+OK"):
        raise RefusedError("the password is not that of event_socket.conf.xml")
    reply, _ = await session.command("event plain CUSTOM callcenter::info")
    if not reply.startswith("+OK"):
        raise LinkError("FreeSWITCH refuses to subscribe to callcenter::info: load mod_callcenter")
    now = talk.now()
    at_us = round(now.timestamp() * 1_000_000)
    agents = await session.table("agent list")
    records = list(_agents(agents, at_us))
    ids: list[str] = []
    for queue in (await session.table("queue list"))[:_MAX_QUEUES]:
        name = queue.get("name", "")
        if not name or not name.isprintable() or " " in name:
            continue
        for member, record in _members(name, await session.table(f"queue list members {name}")):
            ids.append(member)
            records.append(record)
    names = tuple(dict.fromkeys(row["name"] for row in agents if row.get("name")))
    snapshots = (Open("contacts", tuple(dict.fromkeys(ids)), now), Open("agents", names, now))
    yield Received(b"\n\n".join([*records, *session.meanwhile]), snapshots, is_complete=True)
    poll = asyncio.create_task(_signs(session, talk.writer))
    try:
        while True:
            yield Received(await session.event() or b"")
    finally:
        poll.cancel()


async def _signs(session: _Session, writer: asyncio.StreamWriter) -> None:
    while True:
        await asyncio.sleep(_SIGN_SECONDS)
        session.sign()
        await writer.drain()


CONNECTION: Final = Connection(name="freeswitch-callcenter", talk=talk, port=8021, tls_port=8021)
