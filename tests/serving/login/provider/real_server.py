"""A server of the small center with logins of a real provider, by the clock of the machine."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp.test_utils import TestServer

from streams.configuration import Configuration
from streams.configuration.access import AccessFile
from streams.serving.api import create_app
from streams.serving.door import Door
from streams.serving.login.login import Login
from streams.serving.login.provider.logins import ProviderLogins
from tests.serving.login.desk import RecordingAudit, access_of
from tests.serving.records import Backend, small_center
from tests.support.keycloak import SECRET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["RealServer", "real_server"]

CONFIGURATION = Configuration.model_validate(
    {
        "sites": {"tokyo": {"zone": "Asia/Tokyo"}, "osaka": {"zone": "Asia/Tokyo"}},
        "queues": {"sales": {"channel": "voice", "site": "tokyo"}, "claims": {"channel": "mail", "site": "osaka"}},
        "teams": {"north": {"site": "osaka"}},
    }
)


@dataclass
class RealServer:
    """What a test holds of it; ``running`` is its access file."""

    running: AccessFile

    def __post_init__(self) -> None:
        self.audit = RecordingAudit()
        self.login = Login(self, secure=False)


@contextlib.asynccontextmanager
async def real_server(port: int, **access: Any) -> AsyncIterator[RealServer]:
    """Run one on a port of 127.0.0.1 for the length of a block."""
    server = RealServer(access_of(**access))
    login, audit = server.login, server.audit
    logins = ProviderLogins(login, client_secret=SECRET, audit=audit)
    door = Door(server, configuration=lambda: CONFIGURATION, identifiers=(*login.identifiers, logins), audit=audit, login="/login")
    serving = Backend.fed(small_center()).serving(door=door, login=login, provider_logins=logins)
    tasks = [asyncio.create_task(login.tend()), asyncio.create_task(logins.run())]
    try:
        async with TestServer(create_app(serving), host="127.0.0.1", port=port):
            yield server
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
