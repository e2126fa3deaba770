"""Asterisk's manager interface over TCP or TLS: log in, list everything that is open, then follow.

Own code: of the maintained libraries ``astami`` reads answers alone and drops events, and ``pystrix`` is threaded; the others have had
no release for years. The protocol is lines of ``Name: value``.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

from streams.connectors.connection.model import Connection, LinkError, Open, Received, RefusedError, plain

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from streams.connectors.connection.model import Talk

__all__ = ["CONNECTION"]

_PING_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 10.0
_MAX_HEADERS: Final = 500
#: The most channels and members that are read from an answer.
_MAX_OPEN: Final = 50_000


async def _block(reader: asyncio.StreamReader) -> bytes:
    """Return the lines of the next block; raise EOFError at the end."""
    lines: list[bytes] = []
    while True:
        line = await reader.readuntil(b"\n")
        if line.strip():
            lines.append(line.rstrip(b"\r\n"))
            if len(lines) > _MAX_HEADERS:
                raise LinkError(f"a block of more than {_MAX_HEADERS} lines: no manager interface")
        elif lines:
            return b"\n".join(lines)


def _header(block: bytes, name: bytes) -> str:
    """Return a header of a block, empty if it has none."""
    for line in block.split(b"\n"):
        key, colon, value = line.partition(b":")
        if colon and key.strip() == name:
            return value.strip().decode("utf-8", "replace")
    return ""


class _Session:
    """One connection."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        #: Events that arrived while an answer was awaited, in their order.
        self.meanwhile: list[bytes] = []

    def send(self, **headers: str) -> None:
        self._talk.writer.write("".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + b"\r\n")

    async def answer(self, action: str) -> bytes:
        """Return the response to an action."""
        async with asyncio.timeout(_ANSWER_SECONDS):
            while True:
                block = await self.next()
                if _header(block, b"ActionID") == action and _header(block, b"Response"):
                    return block
                self.meanwhile.append(block)

    async def listed(self, action: str, end: str) -> list[bytes]:
        """Return the events that an action answers with."""
        events: list[bytes] = []
        async with asyncio.timeout(_ANSWER_SECONDS * 3):
            while True:
                block = await self.next()
                if _header(block, b"ActionID") != action:
                    self.meanwhile.append(block)
                elif _header(block, b"Event") == end:
                    return events
                elif _header(block, b"Response") not in {"", "Success"}:
                    # Without permission for it, or without a queue.
                    return events
                elif _header(block, b"Event") and len(events) < _MAX_OPEN:
                    events.append(block)

    async def next(self) -> bytes:
        """Return the next block, with the time of its arrival where Asterisk sends none."""
        block = await _block(self._talk.reader)
        if _header(block, b"Event") and not _header(block, b"Timestamp"):
            block += f"\nTimestamp: {self._talk.now().timestamp():.6f}".encode()
        return block


async def _log_in(talk: Talk, session: _Session) -> None:
    async with asyncio.timeout(_ANSWER_SECONDS):
        banner = await talk.reader.readuntil(b"\n")
    if not banner.startswith(b"Asterisk Call Manager"):
        raise LinkError("no manager interface of Asterisk listens there")
    session.send(Action="Challenge", ActionID="challenge", AuthType="MD5")
    challenge = _header(await session.answer("challenge"), b"Challenge")
    if not challenge:
        raise LinkError("Asterisk gave no challenge to log in with")
    key = hashlib.md5((challenge + talk.credentials["secret"]).encode(), usedforsecurity=False).hexdigest()
    session.send(
        Action="Login", ActionID="login", AuthType="MD5", Username=plain(talk.credentials["user"], "credentials.user"), Key=key, Events="on"
    )
    answer = await session.answer("login")
    if _header(answer, b"Response") != "Success":
        raise RefusedError("user, secret or address is not permitted by manager.conf")


async def talk(talk: Talk) -> AsyncGenerator[Received, None]:
    """Follow the manager interface; see Connection."""
    session = _Session(talk)
    await _log_in(talk, session)
    session.send(Action="QueueStatus", ActionID="queues")
    queues = await session.listed("queues", "QueueStatusComplete")
    requested_at = talk.now()
    session.send(Action="CoreShowChannels", ActionID="channels")
    channels = await session.listed("channels", "CoreShowChannelsComplete")
    # Events that arrived meanwhile are newer than the lists, and agree with them about callers in both.
    records = [*queues, *session.meanwhile]
    calls = tuple(dict.fromkeys(filter(None, (_header(channel, b"Uniqueid") for channel in channels))))
    snapshots = [Open("contacts", calls, requested_at, is_prefixed=True)]
    if not talk.settings.get("beside_queue_log"):
        agents = (_header(event, b"Name") or _header(event, b"Location") for event in queues if _header(event, b"Event") == "QueueMember")
        snapshots.append(Open("agents", tuple(dict.fromkeys(filter(None, agents))), requested_at))
    session.meanwhile = []
    yield Received(b"\n\n".join(records), tuple(snapshots), is_complete=True)
    pinging = asyncio.create_task(_ping(session, talk.writer))
    try:
        while True:
            yield Received(await session.next())
    finally:
        pinging.cancel()


async def _ping(session: _Session, writer: asyncio.StreamWriter) -> None:
    while True:
        await asyncio.sleep(_PING_SECONDS)
        session.send(Action="Ping", ActionID="ping")
        await writer.drain()


CONNECTION: Final = Connection(name="asterisk-ami", talk=talk, port=5038, tls_port=5039, reset_prefixes=("member:",))
