"""The event stream."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiohttp import web

from streams.serving.api.answers import asked_windows
from streams.serving.api.errors import HEADERS
from streams.serving.api.serving import FEED, SERVING
from streams.serving.problems import problem

if TYPE_CHECKING:
    from streams.serving.api.serving import Serving
    from streams.serving.events import Feed

__all__ = ["events"]

#: Who finds no room comes back after so long.
_RETRY_SECONDS = 5

log = logging.getLogger(__name__)


async def events(request: web.Request) -> web.StreamResponse:
    """Tell the client everything, and then what changes, until it goes."""
    serving, feed = request.app[SERVING], request.app[FEED]
    windows = asked_windows(request)
    whose = serving.whose(request)
    lacking = serving.clients.lacks(whose)
    if lacking is not None:
        error = "too many event streams from this address" if lacking == "own" else "too many event streams"
        return problem(429 if lacking == "own" else 503, error, retry_after_seconds=_RETRY_SECONDS)
    stream = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
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
