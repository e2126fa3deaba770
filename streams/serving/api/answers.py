"""What answers have in common: JSON, compression, and parameters that several endpoints take."""

from __future__ import annotations

import asyncio
import gzip

import orjson
from aiohttp import web

from streams.catalogue import kind_of_window

__all__ = ["VARY", "asked_windows", "compressed", "json_answer", "takes_gzip"]

#: Smaller answers gain nothing from compression.
_COMPRESS_FROM_BYTES = 2048
VARY = "Accept, Accept-Encoding"


def json_answer(document: object, *, status: int = 200) -> web.Response:
    """Return an answer of JSON."""
    return web.Response(body=orjson.dumps(document), content_type="application/json", status=status)


async def compressed(request: web.Request, response: web.Response) -> web.Response:
    """Return the answer, packed where that is worth it and the client can unpack it."""
    body = response.body
    if takes_gzip(request) and isinstance(body, bytes) and len(body) >= _COMPRESS_FROM_BYTES:
        response.body = await asyncio.to_thread(gzip.compress, body, 1)
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = VARY
    return response


def takes_gzip(request: web.Request) -> bool:
    """Say whether the client can unpack gzip."""
    return "gzip" in request.headers.get("Accept-Encoding", "").lower()


def asked_windows(request: web.Request) -> frozenset[str] | None:
    """Return the windows named by the query, None for all of them."""
    names = request.query.getall("window", [])
    try:
        for name in names:
            kind_of_window(name)
    except ValueError as error:
        raise web.HTTPBadRequest(reason=str(error)) from error
    return frozenset(names) or None
