"""The answers of the gateway: JSON with a reason for programs and a detail for operators."""

from __future__ import annotations

from typing import Final

import orjson
from aiohttp import web

__all__ = ["MAX_REQUEST_BYTES", "json_answer", "problem", "too_large"]

#: The largest request body, in bytes.
MAX_REQUEST_BYTES: Final = 1024 * 1024


def json_answer(data: object, status: int) -> web.Response:
    """Return an answer in JSON."""
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")


def problem(status: int, reason: str, detail: str, *, retry_after: int | None = None, authenticate: bool = False) -> web.Response:
    """Return the answer to a request of which nothing is accepted."""
    response = json_answer({"accepted": 0, "reason": reason, "detail": detail}, status)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if authenticate:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def too_large() -> web.Response:
    """Return the answer to a request that is too large."""
    return problem(413, "too_large", f"a request has at most {MAX_REQUEST_BYTES} bytes")
