"""Alerts, routes and receivers for tests of notification; the receivers of Slack, Teams and LINE are fakes and named so."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from schemas.alerts import AlertRecord
from streams.configuration.alerting import Alerting
from tests.serving.records import alert

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["FakeSystem", "alerting", "cleared", "fired"]


def fired(name: str = "sales", **changes: Any) -> AlertRecord:
    """Return an alert of a queue that fires."""
    return AlertRecord.model_validate_json(alert(f"queue:{name}", **changes)[1])


def cleared(name: str = "sales", **changes: Any) -> AlertRecord:
    """Return the same when it has cleared."""
    return AlertRecord.model_validate_json(alert(f"queue:{name}", state="cleared", **changes)[1])


def alerting(**changes: Any) -> Alerting:
    """Return a configuration: the floor is notified, then the manager after 60 s, then the head after another 120."""
    receivers = {name: {"kind": "webhook", "url_variable": f"{name.upper()}_URL"} for name in ("floor", "manager", "head")}
    escalation = [
        {"escalate_after_seconds": 60, "receivers": ["manager"]},
        {"escalate_after_seconds": 120, "receivers": ["head", "manager"]},
    ]
    routes = [{"receivers": ["floor"], "escalation": escalation}]
    return Alerting.model_validate({"group_seconds": 5, "receivers": receivers, "routes": routes, **changes})


@dataclass
class FakeSystem:
    """A fake system that accepts messages over HTTP; answers with the statuses in order, then 200."""

    answers: list[int] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    port: int = field(default_factory=unused_port)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def keys(self) -> list[str]:
        """The keys of what came, in order."""
        return [headers["Idempotency-Key"] for _, headers, _ in self.requests]

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, dict(request.headers), orjson.loads(await request.read())))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[FakeSystem]:
        """Listen."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        server = TestServer(app, port=self.port)
        await server.start_server(access_log=None)
        try:
            yield self
        finally:
            await server.close()
