"""The event stream."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiohttp import web

from streams.serving.api.answers import asked_windows
from streams.serving.api.errors import HEADERS
from streams.serving.api.serving import FEED, SERVING, asker_of
from streams.serving.door import LiveView
from streams.serving.events import QUIET_SECONDS
from streams.serving.problems import problem

if TYPE_CHECKING:
    from streams.serving.api.serving import Serving
    from streams.serving.events import Feed

__all__ = ["events", "tell"]

#: Who finds no room comes back after so long.
_RETRY_SECONDS = 5

log = logging.getLogger(__name__)


async def events(request: web.Request) -> web.StreamResponse:
    """Tell the client everything, and then what changes, until it goes."""
    serving, feed = request.app[SERVING], request.app[FEED]
    windows = asked_windows(request)
    whose = asker_of(request)
    lacking = serving.clients.lacks(whose)
    if lacking is not None:
        error = "too many event streams of yours" if lacking == "own" else "too many event streams"
        return problem(429 if lacking == "own" else 503, error, retry_after_seconds=_RETRY_SECONDS)
    stream = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    transport = request.transport
    if transport is None:  # gone before it was answered
        return stream
    serving.clients.add(transport, whose)
    try:
        await stream.prepare(request)
        await tell(request, stream, feed, windows, serving)
    except ConnectionError:
        pass
    except Exception:
        log.exception("An event stream ended: internal error.")
        transport.abort()
    finally:
        serving.clients.discard(transport)
    return stream


async def tell(request: web.Request, stream: web.StreamResponse, feed: Feed, windows: frozenset[str] | None, serving: Serving) -> None:
    """Write events until the feed, the client or its right ends; one that takes nothing any more is dropped by the server's limits."""
    # Whatever Last-Event-ID a returning client names, it gets everything anew: ids are of this process.
    await stream.write(b"retry: 2000\n\n")
    sight = LiveView(request)
    since: int | None = None
    alerts_since: int | None = None
    tick = -1
    now = asyncio.get_running_loop().time
    told_at, owed = 0.0, False
    while not feed.closed:
        patience = max(0.0, QUIET_SECONDS - now() + told_at) if owed else serving.heartbeat_seconds
        ticked = await feed.next_tick(tick, min(patience, serving.heartbeat_seconds))
        if await sight.look():
            # Another view: what was told is no base for what is to be told.
            since = alerts_since = None
            ticked = True
        if sight.view is None:
            return
        if not ticked and not owed:
            told_at = now()
            await stream.write(b"event: alive\ndata: {}\n\n")
            continue
        tick = feed.tick
        since, event = feed.message(since, windows, sight.view, silent_seconds=now() - told_at)
        alerts_since, alerts = feed.alerts(alerts_since, sight.view)
        owed = not event
        if event or alerts:
            told_at = now()
            await stream.write(event + alerts)
