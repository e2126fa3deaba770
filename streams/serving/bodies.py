"""Bodies of requests: read within limits, and checked as JSON."""

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
    """Return the body as ``model``; with ``may_lack``, a missing body reads as an empty object. Raise ProblemError if it is invalid."""
    text = await read_body(request)
    if not text and may_lack:
        text = b"{}"
    # A page of another site needs a preflight to send this type.
    elif request.content_type != "application/json":
        raise ProblemError(415, "send application/json")
    try:
        return model.model_validate(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise ProblemError(400, "the body is not JSON") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise ProblemError(400, f"{where}: {first['msg']}") from error


async def read_body(request: web.Request) -> bytes:
    """Return the body; raise ProblemError if it is too long or arrives too slowly."""
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
