"""3CX as a server of its call data records (passive socket): connect and read lines. It sends nothing else, and no sign of life."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from streams.connectors.connection.model import Connection, Received

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from streams.connectors.connection.model import Talk

__all__ = ["CONNECTION"]

#: An open connection counts as alive this often.
_HEARTBEAT_SECONDS: Final = 5.0


async def talk(talk: Talk) -> AsyncGenerator[Received, None]:
    """Follow the socket; see Connection."""
    yield Received(is_complete=True)
    while True:
        try:
            async with asyncio.timeout(_HEARTBEAT_SECONDS):
                line = await talk.reader.readuntil(b"\n")
        except TimeoutError:
            yield Received()
        else:
            yield Received(line)


CONNECTION: Final = Connection(name="3cx-cdr", talk=talk, port=5015, tls_port=5015)
