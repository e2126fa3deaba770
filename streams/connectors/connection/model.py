"""What a held connection is made of: one value of `Connection` stands in each file of ``streams/connectors/live`` that has one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

__all__ = ["MAX_FRAME_BYTES", "Connection", "LinkError", "Open", "RefusedError", "Talk", "Told", "plain"]

#: The most that one event of a platform has; a peer that sends more is none.
MAX_FRAME_BYTES: Final = 256 * 1024


class LinkError(Exception):
    """What listens there does not speak as the platform does; the message says what is wrong, without what was sent."""


class RefusedError(LinkError):
    """The platform does not let this user in: nothing changes until a person changes it."""


@dataclass(frozen=True, slots=True)
class Open:
    """What is open at the platform at a time: source.snapshot."""

    kind: Literal["contacts", "agents"]
    ids: tuple[str, ...]
    at: datetime
    #: The connector writes ``source:`` before these ids.
    is_prefixed: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """Something came over the connection."""

    #: As the connector's ``read`` takes it; empty for a sign of life.
    records: bytes = b""
    snapshots: tuple[Open, ...] = ()
    #: All that was open is told: from now on the source is complete.
    is_complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What ``talk`` is given: a fresh connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    credentials: Mapping[str, str] = field(repr=False)
    settings: Mapping[str, Any]
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How a platform is followed over a connection.

    ``talk`` logs in, has what is open told, and yields whatever comes until the peer ends it. It keeps asking for signs of life, so
    that something comes every few seconds. It raises LinkError, and lets OSError, IncompleteReadError and LimitOverrunError pass.
    """

    #: Of the connector in ``streams/connectors/platforms`` that understands what is told.
    name: str
    talk: Callable[[Talk], AsyncGenerator[Told, None]]
    #: Where the platform listens unless the settings `port` and `tls` say otherwise.
    port: int
    tls_port: int
    #: What keys begin with whose state is told anew with every connection: what is known of them from before is forgotten.
    told_anew: tuple[str, ...] = ()
    #: Without anything told for so long the connection is dead.
    silence_seconds: float = 15.0


def plain(text: str, what: str) -> str:
    """Return a text that may stand in a line of a protocol; raise ValueError for one that would begin another."""
    if not text or not text.isprintable():
        raise ValueError(f"{what}: a text without line ends and control characters")
    return text
