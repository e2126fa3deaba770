"""Health of the process, and whether it has figures."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from streams.access.views import NOTHING
from streams.serving.api.answers import json_answer
from streams.serving.api.serving import SERVING
from streams.serving.door import view_of
from streams.serving.status import status_document

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["alive", "ready", "standing"]


async def alive(request: web.Request) -> web.Response:
    """Answer that the process runs."""
    return json_answer({"status": "ok", **request.app[SERVING].configured})


async def ready(request: web.Request) -> web.Response:
    """Answer whether figures have been read."""
    serving = request.app[SERVING]
    figures = serving.figures
    is_ready = figures.readers.ready
    # Without names of sources and scopes: this needs no right.
    status = status_document(figures.seen(NOTHING, serving.refused_since_ms), ZoneInfo(figures.zone), None)
    state = {
        "status": "ready" if is_ready else "reading",
        "connected": figures.readers.connected,
        "stale": figures.stale,
        "code": status["code"],
        "since": status["since"],
        **serving.configured,
    }
    return json_answer(state, status=200 if is_ready else 503)


async def standing(request: web.Request) -> web.Response:
    """Answer with the most important problem, if any, in one sentence."""
    serving = request.app[SERVING]
    figures = serving.figures
    seen = figures.seen(view_of(request, "figures"), serving.refused_since_ms)
    return json_answer(status_document(seen, ZoneInfo(figures.zone), figures.on_call))
