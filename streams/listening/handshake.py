"""TLS between the network and a connection, within the limits of connections from the first byte on."""

from __future__ import annotations

import asyncio
import math
from asyncio.sslproto import SSLProtocol
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    import ssl

    from streams.listening.connections import Connection

__all__ = ["TlsProtocol"]

#: How long a client may take to confirm that a connection ends.
_SHUTDOWN_SECONDS: Final = 3


class TlsProtocol(SSLProtocol):
    """What asyncio itself puts before the protocol of a server with TLS; a client takes its place before the handshake, not after.

    ``loop.create_server(ssl=...)`` makes a connection known only once its handshake is over: who never ends one would be counted nowhere.
    """

    #: As much as two records. Each connection holds so much for as long as it is open; of asyncio's own 256 KiB a thousand are 256 MiB.
    max_size = 32 * 1024

    def __init__(self, connection: Connection, context: ssl.SSLContext, handshake_seconds: float) -> None:
        super().__init__(
            asyncio.get_running_loop(),
            connection,
            context,
            cast("asyncio.Future[None]", None),  # nothing waits for its end
            server_side=True,
            # The limits of connections end it before.
            ssl_handshake_timeout=math.ceil(2 * handshake_seconds),
            ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        self._connection = connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, or end the connection where there is no room: without a handshake nothing can be said."""
        if self._connection.arrived(transport):
            super().connection_made(transport)
        else:
            cast("asyncio.Transport", transport).abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Make room, also for one that never came through its handshake."""
        self._connection.left()
        super().connection_lost(exc)
