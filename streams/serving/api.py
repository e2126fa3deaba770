"""The HTTP side of serving: metrics, figures as JSON, the event stream, health and the page."""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import orjson
from aiohttp import web
from aiokafka.errors import KafkaError

from schemas.alerts import AlertRecord
from streams.catalogue import AGENT_STATES, KPIS, WORDS, described, kind_of_window
from streams.configuration.file import ConfigurationFile
from streams.explaining import QuestionError
from streams.listening import Connections, client_of
from streams.serving.agents import Agents
from streams.serving.broker import TopicError
from streams.serving.clients import Clients
from streams.serving.deliveries import Deliveries
from streams.serving.events import Feed
from streams.serving.explainer import Explainer, asked_of
from streams.serving.exporter import DEFAULT_WINDOWS, FigureCollector, exposition
from streams.serving.figures import AHEAD_SECONDS, STALE_AFTER_SECONDS, Figures
from streams.serving.kept import Kept
from streams.serving.targets import KEPT_SECONDS as TARGETS_KEPT_SECONDS
from streams.serving.targets import targets_of
from streams.serving.trends import KEPT_SECONDS as TRENDS_KEPT_SECONDS
from streams.serving.trends import trends_of
from streams.serving.turns import NoTurnError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Coroutine

__all__ = ["Serving", "create_app"]

log = logging.getLogger(__name__)

#: Nothing may be loaded from elsewhere, nothing inline, nobody may frame the page.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: The files of the page and their types.
_PAGE = {
    "index.html": "text/html",
    "alerts.css": "text/css",
    "alerts.js": "text/javascript",
    "names.js": "text/javascript",
    "narrow.css": "text/css",
    "options.js": "text/javascript",
    "paging.js": "text/javascript",
    "rows.js": "text/javascript",
    "tables.js": "text/javascript",
    "targets.css": "text/css",
    "targets.js": "text/javascript",
    "text.js": "text/javascript",
    "trends.js": "text/javascript",
    "wall.css": "text/css",
    "wallboard.css": "text/css",
    "wallboard.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_STATES = frozenset(get_args(AlertRecord.model_fields["state"].annotation))
#: Smaller answers gain nothing from compression.
_COMPRESS_FROM_BYTES = 2048
_GZIP = b"\x1f\x8b"
_VARY = "Accept, Accept-Encoding"
#: How often it is looked whether who asked is still there.
_LOOK_SECONDS = 0.5
#: Who is turned away with a question comes back after so long, and again as long for each that waits.
_EXPLAIN_RETRY_SECONDS = 2

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Serving:
    """What the application serves, and its limits."""

    figures: Figures
    #: The windows that ``/metrics`` exports, named as in metric records.
    windows: tuple[str, ...] = DEFAULT_WINDOWS
    #: An event of no content after this long without news: proxies close what is silent, and the page takes silence for a cut.
    heartbeat_seconds: float = 2.0
    #: The connections of open event streams, and how many there may be.
    clients: Clients = field(default_factory=Clients)
    #: Whose a request is, where clients share something out among them: by default the address that it comes from.
    whose: Callable[[web.Request], str] = field(default=lambda request: client_of(request.remote or ""))
    #: What became of the alerts that this process delivers; None where it delivers none.
    deliveries: Deliveries | None = None
    #: The configuration file, where there is one.
    file: ConfigurationFile | None = None
    #: Says which contacts are behind a figure; None where that is off.
    explainer: Explainer | None = None
    #: Figures of single people; None where they are not served.
    agents: Agents | None = None
    #: The connections of the server, where it counts them.
    connections: Connections | None = None

    @property
    def configured(self) -> dict[str, str]:
        """What health pages say of the configuration."""
        return {} if self.file is None else {"configuration": self.file.standing}

    @property
    def collector(self) -> FigureCollector:
        """The metrics at this moment, safe to read in another thread."""
        figures = self.figures
        return FigureCollector(
            figures.store.copy(),
            figures.standing,
            windows=self.windows,
            version=_version(),
            clients=len(self.clients),
            recovering=len(figures.recovering),
            standing_still=figures.standing_still,
            targets=figures.targets,
            kpi_targets=figures.kpi_targets,
            alerts=figures.alerts.copy(),
            delivered=None if self.deliveries is None else self.deliveries.at(figures.clock()),
            file=self.file,
            connections=() if self.connections is None else tuple(self.connections.collect()),
        )


_SERVING = web.AppKey("serving", Serving)
_FEED = web.AppKey("feed", Feed)
_TRENDS = web.AppKey("trends", Kept)
_TARGETS = web.AppKey("targets", Kept)
_SCRAPING = web.AppKey("scraping", asyncio.Lock)


def create_app(serving: Serving) -> web.Application:
    """Return the application; it feeds event streams from its start to its cleanup, and reads no topic by itself."""
    app = web.Application(middlewares=[_secured])
    app[_SERVING] = serving
    figures = serving.figures
    app[_TRENDS] = Kept(figures, trends_of, TRENDS_KEPT_SECONDS)
    app[_TARGETS] = Kept(figures, lambda store: targets_of(store, figures.kpi_targets), TARGETS_KEPT_SECONDS)
    app[_SCRAPING] = asyncio.Lock()
    app.cleanup_ctx.append(_feeding)
    app.on_shutdown.append(_end_streams)
    app.router.add_get("/metrics", _metrics)
    app.router.add_get("/api/v1/figures", _figures)
    app.router.add_get("/api/v1/queues/{queue:.+}", _queue)
    app.router.add_get("/api/v1/alerts", _alerts)
    app.router.add_get("/api/v1/trends", _trends)
    app.router.add_get("/api/v1/targets", _targets)
    app.router.add_get("/api/v1/catalogue", _catalogue)
    app.router.add_get("/api/v1/explain", _explain)
    app.router.add_get("/api/v1/agents", _agents)
    app.router.add_get("/api/v1/events", _events, allow_head=False)
    app.router.add_get("/healthz", _alive)
    app.router.add_get("/readyz", _ready)
    app.router.add_get("/", _page)
    app.router.add_get(f"/{{file:{'|'.join(re.escape(name) for name in _PAGE if name != 'index.html')}}}", _page)
    return app


@web.middleware
async def _secured(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = _json({"error": error.reason}, status=error.status)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
    except Exception:
        log.exception("%s %s failed.", request.method, request.path)
        response = _json({"error": "internal error"}, status=500)
    if not response.prepared:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
    return response


async def _feeding(app: web.Application) -> AsyncIterator[None]:
    feed = app[_FEED] = Feed(app[_SERVING].figures)
    task = asyncio.create_task(feed.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _end_streams(app: web.Application) -> None:
    app[_FEED].close()


async def _metrics(request: web.Request) -> web.Response:
    collector = request.app[_SERVING].collector
    # A thousand queues are some hundred thousand samples: too long for the loop, and tens of megabytes, which are there once at a time.
    async with request.app[_SCRAPING]:
        body, content_type = await asyncio.to_thread(_scraped, collector, request.headers.get("Accept", ""), packed=_takes_gzip(request))
    packed = {"Content-Encoding": "gzip"} if body.startswith(_GZIP) else {}
    return web.Response(body=body, headers={"Content-Type": content_type, "Vary": _VARY, **packed})


def _scraped(collector: FigureCollector, accept: str, *, packed: bool) -> tuple[bytes, str]:
    pieces, content_type = exposition(collector, accept)
    if not packed:
        return b"".join(pieces), content_type
    deflate = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    # Family by family: the text as a whole is never there.
    return b"".join([*map(deflate.compress, pieces), deflate.flush()]), content_type


async def _figures(request: web.Request) -> web.Response:
    return await _compressed(request, _json(request.app[_SERVING].figures.everything(_asked_windows(request))))


async def _queue(request: web.Request) -> web.Response:
    found = request.app[_SERVING].figures.queue(request.match_info["queue"])
    if found is None:
        return _json({"error": "no record names this queue"}, status=404)
    return _json(found)


async def _alerts(request: web.Request) -> web.Response:
    states = frozenset(request.query.getall("state", []))
    if unknown := states - _STATES:
        raise web.HTTPBadRequest(reason=f"unknown state {min(unknown)!r}: one of {', '.join(sorted(_STATES))}")
    return await _compressed(request, _json(request.app[_SERVING].figures.alerts_in(states or None)))


async def _trends(request: web.Request) -> web.Response:
    return await _compressed(request, _json(await request.app[_TRENDS].answer()))


async def _targets(request: web.Request) -> web.Response:
    return await _compressed(request, _json(await request.app[_TARGETS].answer()))


async def _catalogue(request: web.Request) -> web.Response:
    return await _compressed(request, _json(_catalogue_document()))


async def _agents(request: web.Request) -> web.Response:
    serving = request.app[_SERVING]
    if serving.agents is None:
        return _json({"error": "figures of single people are off here: start serve with --agents"}, status=404)
    people = frozenset(request.query.getall("agent", [])) or None
    chosen = serving.agents.chosen(_asked_windows(request), people)
    return await _compressed(request, _json({**serving.figures.header(), "agents": chosen}))


async def _explain(request: web.Request) -> web.Response:
    serving = request.app[_SERVING]
    if serving.explainer is None:
        return _json({"error": "explain is off here: start serve with --explain"}, status=404)
    try:
        lang, limit, asked = asked_of(request.query)
        document = await _while_connected(
            request,
            serving.explainer.document(serving.figures.window_records, asker=serving.whose(request), lang=lang, limit=limit, asked=asked),
        )
    except QuestionError as error:
        return _json({"error": str(error)}, status=400)
    except NoTurnError as error:
        whose = "of yours" if error.own else "of all"
        response = _json({"error": f"too many questions {whose} wait for an answer", "waiting": error.ahead}, status=429)
        response.headers["Retry-After"] = str(_EXPLAIN_RETRY_SECONDS * (1 + error.ahead))
        return response
    except (KafkaError, TopicError, OSError, TimeoutError) as error:
        log.warning("Events could not be read: %r.", error)
        return _json({"error": "events cannot be read from Kafka now"}, status=503)
    return await _compressed(request, _json(document))


async def _while_connected(request: web.Request, answer: Coroutine[Any, Any, _T]) -> _T:
    """Return the answer; give it up, and raise ConnectionResetError, when the client has gone."""
    answering = asyncio.ensure_future(answer)
    try:
        while not (await asyncio.wait({answering}, timeout=_LOOK_SECONDS))[0]:
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError
        return answering.result()
    finally:
        answering.cancel()


async def _alive(request: web.Request) -> web.Response:
    return _json({"status": "ok", **request.app[_SERVING].configured})


async def _ready(request: web.Request) -> web.Response:
    serving = request.app[_SERVING]
    figures = serving.figures
    ready = figures.standing.ready
    state = {
        "status": "ready" if ready else "reading",
        "connected": figures.standing.connected,
        "stale": figures.stale,
        **serving.configured,
    }
    return _json(state, status=200 if ready else 503)


async def _page(request: web.Request) -> web.Response:
    name = request.match_info.get("file", "index.html")
    body = files("streams.serving").joinpath("page", name).read_bytes()
    return web.Response(body=body, content_type=_PAGE[name], charset="utf-8", headers={"Cache-Control": "no-cache"})


async def _events(request: web.Request) -> web.StreamResponse:
    serving, feed = request.app[_SERVING], request.app[_FEED]
    windows = _asked_windows(request)
    whose = serving.whose(request)
    lacking = serving.clients.lacks(whose)
    if lacking is not None:
        error = "too many event streams from this address" if lacking == "own" else "too many event streams"
        response = _json({"error": error}, status=429 if lacking == "own" else 503)
        response.headers["Retry-After"] = "5"
        return response
    stream = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    transport = request.transport
    if transport is None:  # gone before it was answered
        return stream
    serving.clients.add(transport, whose)
    try:
        await stream.prepare(request)
        await _tell(stream, feed, windows, serving)
    except ConnectionError:
        pass
    except Exception:
        log.exception("An event stream ended: internal error.")
        transport.abort()
    finally:
        serving.clients.discard(transport)
    return stream


async def _tell(stream: web.StreamResponse, feed: Feed, windows: frozenset[str] | None, serving: Serving) -> None:
    """Write events until the feed or the client ends; a client that takes nothing any more is dropped by the server's limits."""
    # Whatever Last-Event-ID a returning client names, it gets everything anew: ids are of this process.
    await stream.write(b"retry: 2000\n\n")
    since: int | None = None
    alerts_since: int | None = None
    tick = -1
    while not feed.closed:
        if await feed.next_tick(tick, serving.heartbeat_seconds):
            tick = feed.tick
            since, event = feed.message(since, windows)
            await stream.write(event)
            alerts_since, event = feed.alerts(alerts_since)
            if event:
                await stream.write(event)
        else:
            await stream.write(b"event: alive\ndata: {}\n\n")


def _asked_windows(request: web.Request) -> frozenset[str] | None:
    """Return the windows named by the query, None for all of them."""
    names = request.query.getall("window", [])
    try:
        for name in names:
            kind_of_window(name)
    except ValueError as error:
        raise web.HTTPBadRequest(reason=str(error)) from error
    return frozenset(names) or None


def _catalogue_document() -> dict[str, Any]:
    return {
        "kpis": [described(kpi) for kpi in KPIS],
        "agent_states": AGENT_STATES,
        "words": WORDS,
        "stale_after_seconds": STALE_AFTER_SECONDS,
        "ahead_seconds": AHEAD_SECONDS,
    }


def _json(document: object, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json", status=status)


async def _compressed(request: web.Request, response: web.Response) -> web.Response:
    body = response.body
    if _takes_gzip(request) and isinstance(body, bytes) and len(body) >= _COMPRESS_FROM_BYTES:
        response.body = await asyncio.to_thread(gzip.compress, body, 1)
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = _VARY
    return response


def _takes_gzip(request: web.Request) -> bool:
    return "gzip" in request.headers.get("Accept-Encoding", "").lower()


def _version() -> str:
    try:
        return version("contact-streams")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
