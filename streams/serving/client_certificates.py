"""Programs that authenticate with a client certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.access.principals import Identity
from streams.listening.tls import names_of_certificate

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from streams.serving.door import Running

__all__ = ["ClientCertificates"]


class ClientCertificates:
    """The ``certificates`` of the access file, as an ``Identifier`` of the door.

    Args:
        access: the access file that is in force.
        clock: seconds since the epoch.
    """

    def __init__(self, access: Running, clock: Callable[[], float]) -> None:
        self._access = access
        self._clock = clock

    async def identify(self, request: web.Request) -> Identity | None:
        """Return the first name of the connection's certificate that the access file lists."""
        listed = self._access.running.certificates
        name = next((name for name in names_of_certificate(request, self._clock()) if name in listed), None)
        return None if name is None else Identity("certificate", name)
