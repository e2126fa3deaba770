"""What clients send: read within limits, and JSON checked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from streams.serving.problems import ProblemError

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["body_of", "read_body"]

_LONGEST_BYTES: Final = 16 * 1024
_SECONDS: Final = 10.0

_M = TypeVar("_M", bound=BaseModel)


async def body_of(request: web.Request, model: type[_M], *, may_lack: bool = False) -> _M:
    """Return what was sent; without a body an empty object, if it ``may_lack``. Raise ProblemError that says what is wrong."""
    text = await read_body(request)
    if not text and may_lack:
        text = b"{}"
    # Other sites' pages cannot send this type without asking first.
    elif request.content_type != "application/json":
        raise ProblemError(415, "send application/json")
    try:
        return model.model_validate(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise ProblemError(400, "the body is no JSON") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise ProblemError(400, f"{where}: {first['msg']}") from error


async def read_body(request: web.Request) -> bytes:
    """Return the body; raise ProblemError for one that is too long or comes too slowly."""
    body = b""
    try:
        async with asyncio.timeout(_SECONDS):
            while part := await request.content.readany():
                body += part
                if len(body) > _LONGEST_BYTES:
                    raise ProblemError(413, f"the body has more than {_LONGEST_BYTES} bytes")
    except TimeoutError as error:
        raise ProblemError(408, f"the body was not complete after {_SECONDS:g} s") from error
    return body
