"""What answers have in common: JSON, compression, ETag, pages, and parameters that several endpoints take."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from schemas.times import TimeFormatError, parse_time_ms
from streams.catalogue import kind_of_window
from streams.serving.paging import Paging
from streams.serving.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from streams.access.views import View
    from streams.serving.figures import Figures
    from streams.serving.latest import Latest

__all__ = [
    "VARY",
    "answer",
    "asked_paging",
    "asked_scopes",
    "asked_windows",
    "expect_figures",
    "expect_table",
    "instant_ms",
    "json_answer",
    "takes_gzip",
]

#: Who asks for what has not been read yet comes back after so long.
_UNREAD_RETRY_SECONDS: Final = 2
#: Smaller answers gain nothing from compression.
_COMPRESS_FROM_BYTES = 2048
#: Who asks decides what is in an answer.
VARY = "Accept, Accept-Encoding, Authorization, Cookie"
#: What of a header changes with every look, in the order in which it stands there.
_MOMENT = ("server_time", "age_seconds")
_MOMENT_SET = frozenset(_MOMENT)


def json_answer(document: object, *, status: int = 200) -> web.Response:
    """Return an answer of JSON that is short and never the same twice."""
    return web.Response(body=orjson.dumps(document), content_type="application/json", status=status)


async def answer(request: web.Request, document: Mapping[str, Any], *, cursor: str | None = None) -> web.Response:
    """Return a document that may be long: packed where the client can unpack it, and not at all if the client has it (ETag).

    ``cursor`` is that of the next page, if there is one.
    """
    body = orjson.dumps(document)
    packed = takes_gzip(request) and len(body) >= _COMPRESS_FROM_BYTES
    moment = orjson.dumps({name: document[name] for name in _MOMENT})[1:-1] if document.keys() >= _MOMENT_SET else b""
    if len(body) < _COMPRESS_FROM_BYTES:
        tag, sent = _tag_of(body, moment), body
    else:
        tag, sent = await asyncio.to_thread(_made, body, moment, packed=packed)
    headers = {"Vary": VARY, "ETag": f'W/"{tag}"'}
    if cursor is not None:
        # Of the query alone: whatever prefix a proxy puts before the path stays.
        headers["Link"] = f'<?{request.url.update_query(cursor=cursor).raw_query_string}>; rel="next"'
    if any(known.value in {tag, "*"} for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=sent, content_type="application/json", headers=headers)


def expect_figures(figures: Figures, view: View) -> None:
    """Raise ProblemError while the topics of figures have not been read: until then it is not known what there is."""
    if figures.readers.ready:
        return
    reading = figures.reading
    told = None if reading is None else reading.document(unrestricted=view.scopes is None)
    if told is not None:
        share = "" if reading is None or told["share"] is None else f", {reading.percent} % by now"
        said = f"serve is still reading {told['topic']}{share}: what there is is not known yet"
    elif figures.readers.missing:
        said = "no worker has made the topics of figures yet: what there is is not known"
    else:
        said = "figures have not been read from Kafka yet: what there is is not known"
    raise ProblemError(503, said, retry_after_seconds=_UNREAD_RETRY_SECONDS, figures_reading=told)


def expect_table(table: Latest[Any], what: str) -> None:
    """Raise ProblemError while a topic has not been read; ``what`` is in it."""
    if not table.known:
        raise ProblemError(503, f"{what} have not been read from Kafka yet", retry_after_seconds=_UNREAD_RETRY_SECONDS)


def _made(body: bytes, moment: bytes, *, packed: bool) -> tuple[str, bytes]:
    return _tag_of(body, moment), gzip.compress(body, 1) if packed else body


def _tag_of(body: bytes, moment: bytes) -> str:
    """Return what names the content, whose moment of asking left out: the age of figures changes with every look, they do not."""
    return hashlib.blake2b(body.replace(moment, b"", 1) if moment else body, digest_size=16).hexdigest()


def takes_gzip(request: web.Request) -> bool:
    """Say whether the client can unpack gzip."""
    return "gzip" in request.headers.get("Accept-Encoding", "").lower()


def asked_windows(request: web.Request, besides: str | None = None) -> frozenset[str] | None:
    """Return the windows named by the query, None for all of them; one name is permitted besides."""
    names = request.query.getall("window", [])
    try:
        for name in names:
            if name != besides:
                kind_of_window(name)
    except ValueError as error:
        raise ProblemError(400, str(error)) from error
    return frozenset(names) or None


def asked_scopes(request: web.Request, kinds: Collection[str]) -> frozenset[str]:
    """Return the scopes named by the query as ``KIND:NAME``, none for all of them; raise ProblemError for one of no such kind."""
    scopes = frozenset(request.query.getall("scope", []))
    if wrong := [scope for scope in scopes if scope.partition(":")[0] not in kinds or not scope.partition(":")[2]]:
        raise ProblemError(400, f"scope {min(wrong)[:40]!r}: KIND:NAME, such as queue:sales, of the kinds {', '.join(kinds)}")
    return scopes


def instant_ms(name: str, text: str) -> int:
    """Return an instant that a client sent under a name, in milliseconds since the epoch."""
    try:
        return parse_time_ms(text)
    except TimeFormatError as error:
        raise ProblemError(400, f"{name}: an RFC 3339 time with an offset, such as 2026-03-29T12:00:00Z") from error


def asked_paging(request: web.Request) -> Paging:
    """Return which page is asked for."""
    try:
        return Paging.of_query(request.query)
    except ValueError as error:
        raise ProblemError(400, str(error)) from error
