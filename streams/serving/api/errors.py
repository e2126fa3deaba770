"""Set security headers on every answer, and send every error as problem details."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from streams.serving.content_policy import content_policy
from streams.serving.problems import ProblemError, problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

__all__ = ["HEADERS", "secured"]

log = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": content_policy(),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: Details of the router's own errors.
_DETAILS: Mapping[int, str] = {404: "nothing is at this address", 405: "this address does not accept this method"}
#: Headers of errors that clients need.
_PASSED_ON = frozenset({"Allow", "Retry-After", "WWW-Authenticate"})


@web.middleware
async def secured(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Turn errors into problem details, and set the security headers of every answer."""
    response: web.StreamResponse
    try:
        response = await handler(request)
    except web.HTTPException as error:
        status = HTTPStatus(error.status)
        if error.status < HTTPStatus.BAD_REQUEST:
            _lock(error)
            raise
        detail = _DETAILS.get(status, error.reason) if error.reason == status.phrase else error.reason
        response = problem(status, detail, headers={name: value for name, value in error.headers.items() if name in _PASSED_ON})
    except ProblemError as error:
        response = problem(error.status, str(error), retry_after_seconds=error.retry_after_seconds, **error.more)
    except Exception:
        log.exception("%s %s failed.", request.method, request.path)
        response = problem(500, "internal error")
    if not response.prepared:
        _lock(response)
    return response


def _lock(response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
