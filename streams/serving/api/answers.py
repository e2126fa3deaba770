"""Common parts of answers: JSON, compression, ETag, pages, and parameters that several endpoints take."""

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

#: When a client retries while topics are being read.
_UNREAD_RETRY_SECONDS: Final = 2
#: Smaller answers gain nothing from compression.
_COMPRESS_FROM_BYTES = 2048
#: An answer depends on the requesting account.
VARY = "Accept, Accept-Encoding, Authorization, Cookie"
#: The fields of a header that change with every request, in their order there.
_MOMENT = ("server_time", "age_seconds")
_MOMENT_SET = frozenset(_MOMENT)


def json_answer(document: object, *, status: int = 200) -> web.Response:
    """Return a short JSON answer without an ETag."""
    return web.Response(body=orjson.dumps(document), content_type="application/json", status=status)


async def answer(request: web.Request, document: Mapping[str, Any], *, cursor: str | None = None) -> web.Response:
    """Return a document that may be long: compressed where the client accepts it, and 304 if the client has it (ETag).

    ``cursor`` is that of the next page, if there is one.
    """
    body = orjson.dumps(document)
    packed = takes_gzip(request) and len(body) >= _COMPRESS_FROM_BYTES
    moment = orjson.dumps({name: document[name] for name in _MOMENT})[1:-1] if document.keys() >= _MOMENT_SET else b""
    if len(body) < _COMPRESS_FROM_BYTES:
        tag, sent = _tag_of(body, moment), body
    else:
        tag, sent = await asyncio.to_thread(_tagged, body, moment, packed=packed)
    headers = {"Vary": VARY, "ETag": f'W/"{tag}"'}
    if cursor is not None:
        # The query alone, so that a path prefix of a proxy stays.
        headers["Link"] = f'<?{request.url.update_query(cursor=cursor).raw_query_string}>; rel="next"'
    if any(known.value in {tag, "*"} for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=sent, content_type="application/json", headers=headers)


def expect_figures(figures: Figures, view: View) -> None:
    """Raise ProblemError while the topics of figures have not been read."""
    if figures.readers.ready:
        return
    reading = figures.reading
    progress = None if reading is None else reading.document(unrestricted=view.scopes is None)
    if progress is not None:
        share = "" if reading is None or progress["share"] is None else f", {reading.percent} % so far"
        detail = f"serve is still reading {progress['topic']}{share}: figures are not known yet"
    elif figures.readers.missing:
        detail = "no worker has created the topics of figures yet: figures are not known"
    else:
        detail = "figures have not been read from Kafka yet"
    raise ProblemError(503, detail, retry_after_seconds=_UNREAD_RETRY_SECONDS, figures_reading=progress)


def expect_table(table: Latest[Any], what: str) -> None:
    """Raise ProblemError while a topic has not been read; ``what`` names its content."""
    if not table.known:
        raise ProblemError(503, f"{what} have not been read from Kafka yet", retry_after_seconds=_UNREAD_RETRY_SECONDS)


def _tagged(body: bytes, moment: bytes, *, packed: bool) -> tuple[str, bytes]:
    return _tag_of(body, moment), gzip.compress(body, 1) if packed else body


def _tag_of(body: bytes, moment: bytes) -> str:
    """Return the tag of the content without its moment: the age of figures changes with every request, the figures do not."""
    return hashlib.blake2b(body.replace(moment, b"", 1) if moment else body, digest_size=16).hexdigest()


def takes_gzip(request: web.Request) -> bool:
    """Return whether the client accepts gzip."""
    return "gzip" in request.headers.get("Accept-Encoding", "").lower()


def asked_windows(request: web.Request, besides: str | None = None) -> frozenset[str] | None:
    """Return the windows named by the query, None for all; ``besides`` is one more permitted name."""
    names = request.query.getall("window", [])
    try:
        for name in names:
            if name != besides:
                kind_of_window(name)
    except ValueError as error:
        raise ProblemError(400, str(error)) from error
    return frozenset(names) or None


def asked_scopes(request: web.Request, kinds: Collection[str]) -> frozenset[str]:
    """Return the scopes named by the query as ``KIND:NAME``, empty for all; raise ProblemError for an unknown kind."""
    scopes = frozenset(request.query.getall("scope", []))
    if wrong := [scope for scope in scopes if scope.partition(":")[0] not in kinds or not scope.partition(":")[2]]:
        raise ProblemError(400, f"scope {min(wrong)[:40]!r}: KIND:NAME, such as queue:sales, of the kinds {', '.join(kinds)}")
    return scopes


def instant_ms(name: str, text: str) -> int:
    """Return the instant of a parameter, in milliseconds since the epoch."""
    try:
        return parse_time_ms(text)
    except TimeFormatError as error:
        raise ProblemError(400, f"{name}: an RFC 3339 time with an offset, such as 2026-03-29T12:00:00Z") from error


def asked_paging(request: web.Request) -> Paging:
    """Return the requested page."""
    try:
        return Paging.of_query(request.query)
    except ValueError as error:
        raise ProblemError(400, str(error)) from error
