"""What the API says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.serving.api.answers import answer
from streams.serving.openapi import openapi

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["openapi_json"]


async def openapi_json(request: web.Request) -> web.Response:
    """Answer with the document of OpenAPI."""
    return await answer(request, openapi())
