"""The application: a route for every endpoint."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from streams.serving.api.alerting import acknowledge, alert_history, end_silence, make_silence, silences
from streams.serving.api.audit import audit
from streams.serving.api.description import docs, openapi_json
from streams.serving.api.detail import customers, earlier, intervals, sources, today
from streams.serving.api.errors import secured
from streams.serving.api.explain import explain
from streams.serving.api.export import export
from streams.serving.api.figures import agents, alerts, boards, catalogue, figures, outlook, queue, targets, trends
from streams.serving.api.floor import abandoned, contacts, contacts_reading, people
from streams.serving.api.health import alive, ready, standing
from streams.serving.api.metrics import metrics
from streams.serving.api.page import page
from streams.serving.api.serving import CUSTOMERS, EARLIER, FEED, OUTLOOK, SERVING, TARGETS, TODAY, TRENDS
from streams.serving.api.spelling import spelled
from streams.serving.api.stream import events
from streams.serving.cached import CachedAnswer
from streams.serving.customers import CACHE_SECONDS as CUSTOMERS_CACHE_SECONDS
from streams.serving.customers import customers_of, shows_window
from streams.serving.door import DOOR, guard
from streams.serving.earlier import Earlier
from streams.serving.endpoints import ENDPOINTS
from streams.serving.events import Feed
from streams.serving.login.handlers import end_session, enter, kiosk, leave, login, redeem, session, sessions
from streams.serving.login.login import LOGIN
from streams.serving.login.provider.handlers import begin, end_sessions, handle_callback
from streams.serving.login.provider.logins import PROVIDER_LOGINS
from streams.serving.outlook import CACHE_SECONDS as OUTLOOK_CACHE_SECONDS
from streams.serving.outlook import outlook_of, shows_outlook
from streams.serving.targets import CACHE_SECONDS as TARGETS_CACHE_SECONDS
from streams.serving.targets import shows_target, targets_of
from streams.serving.today import CACHE_SECONDS as TODAY_CACHE_SECONDS
from streams.serving.today import shows_day, today_of
from streams.serving.trends import CACHE_SECONDS as TRENDS_CACHE_SECONDS
from streams.serving.trends import shows_trend, trends_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from streams.serving.api.serving import Serving

__all__ = ["HANDLERS", "create_app"]

#: The handlers, by the name of the endpoint.
HANDLERS: Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
    "metrics": metrics,
    "figures": figures,
    "queue": queue,
    "alerts": alerts,
    "alert_history": alert_history,
    "acknowledge": acknowledge,
    "silences": silences,
    "make_silence": make_silence,
    "end_silence": end_silence,
    "trends": trends,
    "intervals": intervals,
    "earlier": earlier,
    "today": today,
    "customers": customers,
    "sources": sources,
    "outlook": outlook,
    "targets": targets,
    "boards": boards,
    "catalogue": catalogue,
    "explain": explain,
    "agents": agents,
    "people": people,
    "contacts": contacts,
    "contacts_reading": contacts_reading,
    "abandoned": abandoned,
    "audit": audit,
    "export": export,
    "events": events,
    "openapi": openapi_json,
    "docs": docs,
    "session": session,
    "sessions": sessions,
    "end_session": end_session,
    "login": login,
    "enter": enter,
    "leave": leave,
    "kiosk": kiosk,
    "redeem": redeem,
    "provider_begin": begin,
    "provider_callback": handle_callback,
    "provider_logout": end_sessions,
    "alive": alive,
    "ready": ready,
    "standing": standing,
    "page": page,
    "page_file": page,
}


def create_app(serving: Serving) -> web.Application:
    """Return the application. It feeds event streams from its start to its cleanup, and reads no topic."""
    app = web.Application(middlewares=[secured, guard, spelled])
    app[SERVING] = serving
    if serving.door is not None:
        app[DOOR] = serving.door
    if serving.login is not None:
        app[LOGIN] = serving.login
    if serving.provider_logins is not None:
        app[PROVIDER_LOGINS] = serving.provider_logins
    served = serving.figures
    app[TRENDS] = CachedAnswer(served, trends_of, TRENDS_CACHE_SECONDS, "trends", shows_trend)
    app[TARGETS] = CachedAnswer(served, lambda store: targets_of(store, served.kpi_targets), TARGETS_CACHE_SECONDS, "targets", shows_target)
    app[TODAY] = CachedAnswer(
        served,
        lambda store: today_of(store, serving.configuration, served.targets, served.kpi_targets),
        TODAY_CACHE_SECONDS,
        "days",
        shows_day,
    )
    app[CUSTOMERS] = CachedAnswer(served, customers_of, CUSTOMERS_CACHE_SECONDS, "windows", shows_window)
    app[EARLIER] = Earlier(served)
    app[OUTLOOK] = CachedAnswer(
        served, lambda store: outlook_of(store, serving.configuration, served.targets), OUTLOOK_CACHE_SECONDS, "outlook", shows_outlook
    )
    app.cleanup_ctx.append(_feeding)
    app.on_shutdown.append(_end_streams)
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET":
            app.router.add_get(endpoint.path, HANDLERS[endpoint.name], name=endpoint.name, allow_head=endpoint.head)
        else:
            app.router.add_route(endpoint.method, endpoint.path, HANDLERS[endpoint.name], name=endpoint.name)
    return app


async def _feeding(app: web.Application) -> AsyncIterator[None]:
    serving = app[SERVING]
    feed = app[FEED] = Feed(serving.figures)
    task = asyncio.create_task(feed.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for reader in (serving.people, serving.call_backs):
        for reading in () if reader is None else reader.readings:
            await reading.close()


async def _end_streams(app: web.Application) -> None:
    app[FEED].close()
