"""Whether the process runs, and whether it has figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.serving.api.answers import json_answer
from streams.serving.api.serving import SERVING

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["alive", "ready"]


async def alive(request: web.Request) -> web.Response:
    """Say that the process runs."""
    return json_answer({"status": "ok", **request.app[SERVING].configured})


async def ready(request: web.Request) -> web.Response:
    """Say whether figures have been read."""
    serving = request.app[SERVING]
    figures = serving.figures
    is_ready = figures.standing.ready
    state = {
        "status": "ready" if is_ready else "reading",
        "connected": figures.standing.connected,
        "stale": figures.stale,
        **serving.configured,
    }
    return json_answer(state, status=200 if is_ready else 503)
