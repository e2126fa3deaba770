"""The description of the API."""

from __future__ import annotations

from aiohttp import web

from streams.serving.api.answers import answer
from streams.serving.docs_page import docs_page
from streams.serving.login.texts import language_of
from streams.serving.openapi import openapi

__all__ = ["docs", "openapi_json"]


async def openapi_json(request: web.Request) -> web.Response:
    """Answer with the OpenAPI document."""
    return await answer(request, openapi())


async def docs(request: web.Request) -> web.Response:
    """Answer with the page that documents the API."""
    language = language_of(request.query.get("lang"), request.headers.get("Accept-Language", ""))
    return web.Response(text=docs_page(language), content_type="text/html", headers={"Vary": "Accept-Language"})
