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
    """The TLS protocol of asyncio, which counts a connection before its handshake.

    ``loop.create_server(ssl=...)`` reports a connection only after its handshake: a client that never ends one would not be counted.
    """

    #: Two records. Each open connection holds a buffer of this size; a thousand of asyncio's own 256 KiB are 256 MiB.
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
        """Begin the handshake, or abort the connection where there are too many: without a handshake it cannot be answered."""
        if self._connection.arrived(transport):
            super().connection_made(transport)
        else:
            cast("asyncio.Transport", transport).abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Release the connection, also one that never completed its handshake."""
        self._connection.left()
        super().connection_lost(exc)
