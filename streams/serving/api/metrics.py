"""The figures for Prometheus."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

from aiohttp import web

from streams.serving.api.answers import VARY, takes_gzip
from streams.serving.api.serving import SERVING, asker_of
from streams.serving.door import view_of
from streams.serving.exporter import exposition
from streams.serving.problems import ProblemError
from streams.serving.turns import NoTurnError

if TYPE_CHECKING:
    from streams.serving.exporter import FigureCollector

__all__ = ["metrics"]

_GZIP = b"\x1f\x8b"
#: When a rejected client retries.
_RETRY_SECONDS = 5


async def metrics(request: web.Request) -> web.Response:
    """Answer a scrape."""
    serving = request.app[SERVING]
    try:
        # A thousand queues are some hundred thousand samples: too slow for the loop, and tens of megabytes, held once at a time.
        async with serving.scrape_turns.turn(asker_of(request)):
            collector = serving.collector(view_of(request, "figures"))
            body, content_type = await asyncio.to_thread(_scraped, collector, request.headers.get("Accept", ""), packed=takes_gzip(request))
    except NoTurnError as error:
        raise ProblemError(429, "too many scrapes wait", retry_after_seconds=_RETRY_SECONDS) from error
    packed = {"Content-Encoding": "gzip"} if body.startswith(_GZIP) else {}
    return web.Response(body=body, headers={"Content-Type": content_type, "Vary": VARY, **packed})


def _scraped(collector: FigureCollector, accept: str, *, packed: bool) -> tuple[bytes, str]:
    pieces, content_type = exposition(collector, accept)
    if not packed:
        return b"".join(pieces), content_type
    deflate = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    # Family by family: the complete text is never in memory.
    return b"".join([*map(deflate.compress, pieces), deflate.flush()]), content_type
