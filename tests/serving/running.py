"""A server of a full center that runs, with a door: tokens of one who may do everything, and of one who sees a site alone."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from streams.configuration import Configuration
from streams.listening import ConnectionLimits, Connections, HttpServer
from streams.listening.tokens import TOKEN_FORM, hash_of
from streams.serving.api import create_app
from streams.serving.audit.log import AuditLog
from streams.serving.door import Door
from streams.serving.event_log import EventLog, Limits
from streams.serving.explainer import Explainer
from tests.serving.test_door import Held
from tests.serving.test_openapi import full

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.serving.api import Serving

__all__ = ["ALL", "FEW", "guarded", "serving"]

#: Nothing listens there: what reads Kafka has it answer 503.
NO_KAFKA: Final = "127.0.0.1:9"
ALL, FEW = (TOKEN_FORM + letter * 43 for letter in "ab")


def guarded(**changes: Any) -> tuple[Serving, Held]:
    """Return the center, and its access file."""
    configuration = Configuration.model_validate(
        {
            "sites": {"tokyo": {"zone": "Asia/Tokyo"}},
            "queues": {"sales": {"channel": "voice", "site": "tokyo"}, "claims": {"channel": "mail"}},
        }
    )
    access = Held(
        tokens={
            "all": {"hashes": [hash_of(ALL)], "roles": [{"role": role} for role in ("supervisor", "auditor", "operator")]},
            "few": {"hashes": [hash_of(FEW)], "roles": [{"role": "viewer", "sites": ["tokyo"]}]},
        }
    )
    made = full(
        door=Door(access, configuration=lambda: configuration),
        explainer=Explainer(EventLog(NO_KAFKA, "none"), lambda: configuration, Limits(megabytes=1, seconds=2)),
        audit_log=lambda: AuditLog(NO_KAFKA, "none"),
        **changes,
    )
    return made, access


@contextmanager
def serving(**changes: Any) -> Iterator[str]:
    """Run it in a thread of its own; yield its address."""
    loop = asyncio.new_event_loop()
    served, _ = guarded(**changes)

    async def start() -> tuple[HttpServer, str]:
        server = HttpServer(create_app(served), Connections(ConnectionLimits()), shutdown_timeout=0.5)
        return server, await server.start("127.0.0.1", 0)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = None
    try:
        server, address = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        yield address
    finally:
        if server is not None:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
