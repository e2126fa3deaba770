"""Errors over HTTP: problem details (RFC 9457), with the older member ``error`` beside."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PROBLEM_MEDIA", "ProblemError", "problem"]

PROBLEM_MEDIA = "application/problem+json"


class ProblemError(Exception):
    """A handler cannot continue; the client gets the status, the detail, Retry-After and further members of the problem."""

    def __init__(self, status: int, detail: str, *, retry_after_seconds: int | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.more = more


def problem(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, retry_after_seconds: int | None = None, **more: object
) -> web.Response:
    """Return an answer that states the problem and the remedy; ``more`` are further members of the problem.

    The detail must reveal nothing hidden from the principal: what is hidden is answered as if it did not exist.
    """
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, "error": detail, **more}
    response = web.Response(body=orjson.dumps(body), content_type=PROBLEM_MEDIA, status=status, headers=headers)
    if retry_after_seconds is not None:
        response.headers["Retry-After"] = str(retry_after_seconds)
    return response
