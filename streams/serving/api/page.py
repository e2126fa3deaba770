"""The files of the page."""

from __future__ import annotations

from importlib.resources import files

from aiohttp import web

from streams.serving.page_files import PAGE_FILES

__all__ = ["page"]


async def page(request: web.Request) -> web.Response:
    """Answer with a file of the page."""
    name = request.match_info.get("file", "index.html")
    body = files("streams.serving").joinpath("page", name).read_bytes()
    return web.Response(body=body, content_type=PAGE_FILES[name], charset="utf-8", headers={"Cache-Control": "no-cache"})
