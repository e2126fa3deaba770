"""Reject misspelled parameters: a misspelled ``window`` must not return all windows."""

from __future__ import annotations

from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING

from aiohttp import web

from streams.serving.endpoints import ENDPOINT_BY_NAME
from streams.serving.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["spelled"]

#: Unknown names checked, characters of each, and the similarity of a misspelled one.
_MOST_CHECKED, _LENGTH, _SIMILARITY = 20, 40, 0.75


@web.middleware
async def spelled(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Reject a parameter whose name is nearly one of the endpoint's, and a repeated one; ignore other unknown ones."""
    endpoint = ENDPOINT_BY_NAME.get(request.match_info.route.name or "")
    if endpoint is not None and endpoint.parameters and request.query_string:
        known = {parameter.name for parameter in endpoint.parameters}
        for name in islice((name for name in request.query if name not in known), _MOST_CHECKED):
            if near := get_close_matches(name[:_LENGTH].casefold(), known, n=1, cutoff=_SIMILARITY):
                raise ProblemError(400, f"unknown parameter {name[:_LENGTH]!r}: did you mean {near[0]!r}?")
        for parameter in endpoint.parameters:
            if not parameter.many and endpoint.documented and len(request.query.getall(parameter.name, ())) > 1:
                raise ProblemError(400, f"{parameter.name}: given more than once; permitted: once")
    return await handler(request)
