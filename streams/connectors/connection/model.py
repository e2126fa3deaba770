"""The definition of a held connection: each file of ``streams/connectors/live`` that uses one has a `Connection`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

__all__ = ["MAX_FRAME_BYTES", "Connection", "LinkError", "Open", "Received", "RefusedError", "Talk", "plain"]

#: The largest event of a platform, in bytes; a peer that sends more is no such platform.
MAX_FRAME_BYTES: Final = 256 * 1024


class LinkError(Exception):
    """The peer does not follow the platform's protocol; the message states what is wrong, without what was sent."""


class RefusedError(LinkError):
    """The platform refuses this user, until an operator changes that."""


@dataclass(frozen=True, slots=True)
class Open:
    """What is open at the platform at an instant: source.snapshot."""

    kind: Literal["contacts", "agents"]
    ids: tuple[str, ...]
    at: datetime
    #: The connector writes ``source:`` before these ids.
    is_prefixed: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """What arrived over the connection."""

    #: As the connector's ``read`` takes it; empty for a heartbeat.
    records: bytes = b""
    snapshots: tuple[Open, ...] = ()
    #: All that was open is reported: from now on the source is complete.
    is_complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What ``talk`` is given: a new connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    credentials: Mapping[str, str] = field(repr=False)
    settings: Mapping[str, Any]
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How a platform is followed over a connection.

    ``talk`` logs in, requests what is open, and yields what arrives until the peer closes. It requests heartbeats, so that something
    arrives every few seconds. It raises LinkError, and lets OSError, IncompleteReadError and LimitOverrunError pass.
    """

    #: Of the connector in ``streams/connectors/platforms`` that translates the records.
    name: str
    talk: Callable[[Talk], AsyncGenerator[Received, None]]
    #: Where the platform listens unless the settings `port` and `tls` override it.
    port: int
    tls_port: int
    #: Prefixes of keys whose state each new connection reports again: their state of before is dropped.
    reset_prefixes: tuple[str, ...] = ()
    #: A connection that is silent for longer is dead.
    silence_seconds: float = 15.0


def plain(text: str, what: str) -> str:
    """Return a text that fits in a line of a protocol; raise ValueError for one that would begin another line."""
    if not text or not text.isprintable():
        raise ValueError(f"{what}: a text without line ends and control characters")
    return text
