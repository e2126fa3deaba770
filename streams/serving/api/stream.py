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

__all__ = ["events", "send_events"]

#: When a rejected client retries.
_RETRY_SECONDS = 5

log = logging.getLogger(__name__)


async def events(request: web.Request) -> web.StreamResponse:
    """Send the client all figures, and then changes, until it disconnects."""
    serving, feed = request.app[SERVING], request.app[FEED]
    windows = asked_windows(request)
    whose = asker_of(request)
    exhausted = serving.clients.lacks(whose)
    if exhausted is not None:
        error = "too many event streams of yours" if exhausted == "own" else "too many event streams"
        return problem(429 if exhausted == "own" else 503, error, retry_after_seconds=_RETRY_SECONDS)
    stream = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    transport = request.transport
    if transport is None:  # the client has disconnected
        return stream
    serving.clients.add(transport, whose)
    try:
        await stream.prepare(request)
        await send_events(request, stream, feed, windows, serving)
    except ConnectionError:
        pass
    except Exception:
        log.exception("An event stream ended: internal error.")
        transport.abort()
    finally:
        serving.clients.discard(transport)
    return stream


async def send_events(
    request: web.Request, stream: web.StreamResponse, feed: Feed, windows: frozenset[str] | None, serving: Serving
) -> None:
    """Write events until the feed, the client or its right ends; limits of the server drop a client that does not read."""
    # A returning client gets everything again, whatever its Last-Event-ID: ids are of this process.
    await stream.write(b"retry: 2000\n\n")
    live = LiveView(request)
    since: int | None = None
    alerts_since: int | None = None
    tick = -1
    now = asyncio.get_running_loop().time
    sent_at, has_unsent = 0.0, False
    while not feed.closed:
        patience = max(0.0, QUIET_SECONDS - now() + sent_at) if has_unsent else serving.heartbeat_seconds
        ticked = await feed.next_tick(tick, min(patience, serving.heartbeat_seconds))
        if await live.recheck():
            # Another view: what was sent is no base for changes.
            since = alerts_since = None
            ticked = True
        if live.view is None:
            return
        if not ticked and not has_unsent:
            sent_at = now()
            await stream.write(b"event: alive\ndata: {}\n\n")
            continue
        tick = feed.tick
        since, event = feed.message(since, windows, live.view, silent_seconds=now() - sent_at)
        alerts_since, alerts = feed.alerts(alerts_since, live.view)
        has_unsent = not event
        if event or alerts:
            sent_at = now()
            await stream.write(event + alerts)
