"""Access to ``/metrics`` of processes without figures: gateway, worker and connectors, which have no door."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from streams.listening.addresses import is_loopback
from streams.serving.client_certificates import ClientCertificates
from streams.serving.door import Door, not_proven
from streams.serving.problems import problem
from streams.serving.reload import POLL_SECONDS, now_ms

if TYPE_CHECKING:
    from aiohttp import web

    from streams.serving.door import WatchedAccess

__all__ = ["Scraping"]

_OFF: Final = "/metrics is for this machine only: start with --access FILE for accounts, or with --insecure for all"


class Scraping:
    """Checks each request for ``/metrics``.

    With an access file it permits accounts that see all figures, by token or client certificate; without one, this machine, or with
    ``insecure`` all clients. The file is polled on requests, without a task.
    """

    def __init__(self, access: WatchedAccess | None = None, *, insecure: bool = False) -> None:
        self._access = access
        self._insecure = insecure
        self._door = None if access is None else Door(access, identifiers=(ClientCertificates(access, time.time),))
        self._polled = time.monotonic()

    async def refusal(self, request: web.Request) -> web.Response | None:
        """Return the refusal of a request; None if it is permitted."""
        if self._access is None or self._door is None:
            return None if self._insecure or is_loopback(request.remote or "") else problem(403, _OFF)
        # A change is loaded at the second poll that finds it.
        if time.monotonic() - self._polled > POLL_SECONDS:
            self._polled = time.monotonic()
            await asyncio.to_thread(self._access.poll, now_ms())
        principal = await self._door.identify(request)
        if principal is None:
            return not_proven(offered="Authorization" in request.headers)
        everywhere = principal.may("figures") and self._door.view(principal, "figures").scopes is None
        return None if everywhere else problem(403, "this requires the right 'figures' everywhere")
