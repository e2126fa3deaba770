"""What the audit is told of requests, and what it tells."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import orjson
from aiokafka.errors import KafkaError

from schemas.audit import ACTIONS, NOTHING
from streams.serving.api.answers import answer, instant_ms
from streams.serving.api.serving import SERVING, asker_of
from streams.serving.audit import NotRecordedError
from streams.serving.audit.log import Wanted
from streams.serving.broker import TopicError
from streams.serving.door import principal_of, view_of
from streams.serving.paging import number_of
from streams.serving.problems import ProblemError, problem
from streams.serving.turns import NoTurnError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from schemas.audit import Action, AuditObject

__all__ = ["audit", "recorded"]

log = logging.getLogger(__name__)

_LIMIT, _MAX_LIMIT = 100, 1000
#: One page looks through so many records, some megabytes, whatever is wanted of them.
_LOOKED_THROUGH: Final = 20_000
_SECONDS: Final = 20.0
#: Who is turned away comes back after so long.
_RETRY_SECONDS: Final = 5


async def recorded(request: web.Request, action: Action, about: AuditObject = NOTHING) -> None:
    """Have it on record that what the request asks for is shown; raise ProblemError where it is not: nothing may be shown then."""
    try:
        await request.app[SERVING].audit.recorded(action, principal=principal_of(request), request=request, about=about)
    except NotRecordedError as error:
        detail = "this is shown only if it is on record, and the audit cannot be written to Kafka now"
        raise ProblemError(503, detail, retry_after_seconds=_RETRY_SECONDS) from error


async def audit(request: web.Request) -> web.Response:
    """Answer with a page of records."""
    serving = request.app[SERVING]
    if serving.audit_log is None:
        raise ProblemError(404, "nothing is recorded here: start serve with --access")
    wanted = _wanted(request)
    offset = _number(request.query, "cursor", 0, 10**18, "as in the Link of the page before")
    limit = _number(request.query, "limit", 1, _MAX_LIMIT, f"1 to {_MAX_LIMIT}")
    try:
        async with asyncio.timeout(_SECONDS), serving.audit_turns.turn(asker_of(request)):
            page = await serving.audit_log().page(wanted, offset=offset, limit=limit or _LIMIT, most=_LOOKED_THROUGH)
    except NoTurnError as error:
        return problem(429, "too many read the audit", retry_after_seconds=_RETRY_SECONDS, waiting=error.ahead)
    except (KafkaError, TopicError, OSError, TimeoutError) as error:
        log.warning("The audit could not be read: %r.", error)
        return problem(503, "the audit cannot be read from Kafka now", retry_after_seconds=_RETRY_SECONDS)
    await recorded(request, "audit_read")
    told = [orjson.Fragment(record.model_dump_json(exclude_none=True)) for record in page.records]
    cursor = None if page.next_offset is None else str(page.next_offset)
    return await answer(request, {"records": told, "unreadable": page.unreadable}, cursor=cursor)


def _wanted(request: web.Request) -> Wanted:
    query = request.query
    actions = frozenset(query.getall("action", []))
    if unknown := actions - frozenset(ACTIONS):
        raise ProblemError(400, f"unknown action {min(unknown)[:40]!r}: one of {', '.join(ACTIONS)}")
    view = view_of(request, "audit")
    return Wanted(
        sees=None if view.everything else view.sees,
        since_ms=_instant(query, "since"),
        until_ms=_instant(query, "until"),
        actors=frozenset(query.getall("actor", [])),
        actions=actions,
    )


def _instant(query: Mapping[str, str], name: str) -> int | None:
    return instant_ms(name, query[name]) if name in query else None


def _number(query: Mapping[str, str], name: str, least: int, most: int, permitted: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    number = number_of(text, least, most)
    if number is None:
        raise ProblemError(400, f"{name} {text[:20]!r}; permitted: {permitted}")
    return number
