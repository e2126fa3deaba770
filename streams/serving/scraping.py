"""Who may read ``/metrics`` of a process that shows no figures: gateway, worker and connectors, which have no door of their own."""

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

_OFF: Final = "/metrics is for this machine: start with --access FILE for others, or with --insecure for all"


class Scraping:
    """Looks at each request for ``/metrics``.

    With an access file it takes a token or a client certificate of an account that sees all figures; else this machine is answered, and
    with ``insecure`` all are. The file is looked at when somebody asks: no task has to run.
    """

    def __init__(self, access: WatchedAccess | None = None, *, insecure: bool = False) -> None:
        self._access = access
        self._insecure = insecure
        self._door = None if access is None else Door(access, identifiers=(ClientCertificates(access, time.time),))
        self._looked = time.monotonic()

    async def refusal(self, request: web.Request) -> web.Response | None:
        """Return what turns a request away; None if it is answered."""
        if self._access is None or self._door is None:
            return None if self._insecure or is_loopback(request.remote or "") else problem(403, _OFF)
        # A changed file is taken up at the second look that finds it.
        if time.monotonic() - self._looked > POLL_SECONDS:
            self._looked = time.monotonic()
            await asyncio.to_thread(self._access.poll, now_ms())
        principal = await self._door.identify(request)
        if principal is None:
            return not_proven(offered="Authorization" in request.headers)
        everywhere = principal.may("figures") and self._door.view(principal, "figures").scopes is None
        return None if everywhere else problem(403, "this takes the right 'figures' everywhere")
