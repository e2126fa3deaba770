"""The figures for Prometheus."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

from aiohttp import web

from streams.serving.api.answers import VARY, takes_gzip
from streams.serving.api.serving import SCRAPING, SERVING
from streams.serving.door import view_of
from streams.serving.exporter import exposition

if TYPE_CHECKING:
    from streams.serving.exporter import FigureCollector

__all__ = ["metrics"]

_GZIP = b"\x1f\x8b"


async def metrics(request: web.Request) -> web.Response:
    """Answer a scrape."""
    collector = request.app[SERVING].collector(view_of(request, "figures"))
    # A thousand queues are some hundred thousand samples: too long for the loop, and tens of megabytes, which are there once at a time.
    async with request.app[SCRAPING]:
        body, content_type = await asyncio.to_thread(_scraped, collector, request.headers.get("Accept", ""), packed=takes_gzip(request))
    packed = {"Content-Encoding": "gzip"} if body.startswith(_GZIP) else {}
    return web.Response(body=body, headers={"Content-Type": content_type, "Vary": VARY, **packed})


def _scraped(collector: FigureCollector, accept: str, *, packed: bool) -> tuple[bytes, str]:
    pieces, content_type = exposition(collector, accept)
    if not packed:
        return b"".join(pieces), content_type
    deflate = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    # Family by family: the text as a whole is never there.
    return b"".join([*map(deflate.compress, pieces), deflate.flush()]), content_type
