"""Every answer is locked down, and every error told as JSON."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiohttp import web

from streams.serving.api.answers import json_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["HEADERS", "secured"]

log = logging.getLogger(__name__)

#: Nothing may be loaded from elsewhere, nothing inline, nobody may frame the page.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@web.middleware
async def secured(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Tell errors, and put on every answer what a browser may do with it."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = json_answer({"error": error.reason}, status=error.status)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
    except Exception:
        log.exception("%s %s failed.", request.method, request.path)
        response = json_answer({"error": "internal error"}, status=500)
    if not response.prepared:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
    return response
