"""Intervals of one queue, all queues in one interval, the day so far, customers, and the state of sources."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from streams.serving.api.answers import answer, expect_figures, instant_ms
from streams.serving.api.serving import CUSTOMERS, EARLIER, SERVING, TODAY
from streams.serving.door import view_of
from streams.serving.figures import NO_QUEUE
from streams.serving.intervals import held_of, intervals_of
from streams.serving.problems import ProblemError
from streams.serving.source_health import health_of

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["customers", "earlier", "intervals", "sources", "today"]


async def intervals(request: web.Request) -> web.Response:
    """Answer with the intervals of one queue."""
    queue = request.query.get("queue", "")
    if not queue:
        raise ProblemError(400, "queue: the name of a queue")
    serving, view = request.app[SERVING], view_of(request, "figures")
    figures, configuration = serving.figures, serving.configuration
    expect_figures(figures, view)
    settings = configuration.queues.get(queue)
    if not view.sees("queue", queue):
        raise ProblemError(404, NO_QUEUE)
    header, store, target = figures.header(view), figures.store.copy(), figures.targets.get(queue)

    def document() -> dict[str, Any] | None:
        held = held_of(store, queue, None if settings is None else settings.site, view)
        return None if held is None else intervals_of(held, configuration, target)

    # Scanning all records and decoding some hundreds takes too long for the loop.
    found = await asyncio.to_thread(document)
    if found is None:
        raise ProblemError(404, NO_QUEUE)
    return await answer(request, {**header, **found})


async def earlier(request: web.Request) -> web.Response:
    """Answer with all queues in one interval."""
    text = request.query.get("at")
    at_ms = None if text is None else instant_ms("at", text)
    return await answer(request, await request.app[EARLIER].answer(at_ms, view_of(request, "figures")))


async def today(request: web.Request) -> web.Response:
    """Answer with the day so far."""
    return await answer(request, await request.app[TODAY].answer(view_of(request, "figures")))


async def customers(request: web.Request) -> web.Response:
    """Answer with the ratings and repeat contacts of customers."""
    return await answer(request, await request.app[CUSTOMERS].answer(view_of(request, "figures")))


async def sources(request: web.Request) -> web.Response:
    """Answer with the state of sources; counts of dead letters only for an unrestricted view."""
    serving, view = request.app[SERVING], view_of(request, "figures")
    figures = serving.figures
    header, now_ms = figures.header(view), int(figures.clock() * 1000)
    counts = None if serving.dead_letters is None or view.scopes is not None else serving.dead_letters.at(now_ms)
    dead = None if counts is None else {name: each._asdict() for name, each in sorted(counts.items())}
    health = health_of(header["sources"], figures.feeding(view), now_ms, ZoneInfo(figures.zone))
    return await answer(request, {**header, **health, "dead_letters": dead})
