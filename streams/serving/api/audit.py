"""Record requests in the audit, and answer with its records."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import orjson
from aiokafka.errors import KafkaError

from schemas.audit import ACTIONS, NOTHING
from streams.access.views import TOTAL, area_of, scopes_of
from streams.serving.api.answers import answer, instant_ms
from streams.serving.api.serving import SERVING, asker_of
from streams.serving.audit import NotRecordedError
from streams.serving.audit.log import Wanted
from streams.serving.broker import TopicError
from streams.serving.door import DOOR, principal_of, view_of
from streams.serving.paging import number_of
from streams.serving.problems import ProblemError, problem
from streams.serving.turns import NoTurnError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from schemas.audit import Action, AuditObject, AuditRecord
    from streams.access.views import Places, View

__all__ = ["audit", "recorded"]

log = logging.getLogger(__name__)

_LIMIT, _MAX_LIMIT = 100, 1000
#: The most records read for one page, some megabytes.
_MOST_READ: Final = 20_000
_SECONDS: Final = 20.0
#: When a rejected client retries.
_RETRY_SECONDS: Final = 5


async def recorded(request: web.Request, action: Action, about: AuditObject = NOTHING) -> None:
    """Record that the answer of a request is shown; raise ProblemError where it is not recorded: nothing may be shown then."""
    try:
        await request.app[SERVING].audit.recorded(action, principal=principal_of(request), request=request, about=about)
    except NotRecordedError as error:
        detail = "this is shown only once it is recorded, and the audit cannot be written to Kafka now"
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
            page = await serving.audit_log().page(wanted, offset=offset, limit=limit or _LIMIT, most=_MOST_READ)
    except NoTurnError as error:
        return problem(429, "too many requests read the audit", retry_after_seconds=_RETRY_SECONDS, waiting=error.ahead)
    except (KafkaError, TopicError, OSError, TimeoutError) as error:
        log.warning("The audit could not be read: %r.", error)
        return problem(503, "the audit cannot be read from Kafka now", retry_after_seconds=_RETRY_SECONDS)
    await recorded(request, "audit_read")
    # An auditor of a part does not see an account's other places.
    hidden = None if wanted.sees is None else {"places"}
    records = [orjson.Fragment(record.model_dump_json(exclude_none=True, exclude=hidden)) for record in page.records]
    cursor = None if page.next_offset is None else str(page.next_offset)
    return await answer(request, {"records": records, "unreadable": page.unreadable}, cursor=cursor)


def _wanted(request: web.Request) -> Wanted:
    query = request.query
    actions = frozenset(query.getall("action", []))
    if unknown := actions - frozenset(ACTIONS):
        raise ProblemError(400, f"unknown action {min(unknown)[:40]!r}: one of {', '.join(ACTIONS)}")
    view, door = view_of(request, "audit"), request.app.get(DOOR)
    sees = None
    if view.scopes is not None and door is not None:
        sees = _ViewFilter(view, door.places, frozenset(request.app[SERVING].figures.header(view)["sources"])).sees
    return Wanted(
        sees=sees,
        since_ms=_instant(query, "since"),
        until_ms=_instant(query, "until"),
        actors=frozenset(query.getall("actor", [])),
        actions=actions,
    )


class _ViewFilter:
    """Filters the records of a part of the center: those about its scopes, and those of accounts that see any of these."""

    def __init__(self, view: View, places: Places, sources: frozenset[str]) -> None:
        self._view, self._places, self._sources = view, places, sources
        self._of: dict[tuple[str, ...] | None, bool] = {None: False, (TOTAL,): True}

    def sees(self, record: AuditRecord) -> bool:
        """Return whether a record belongs to the part."""
        about = record.about
        if about.scope_kind is not None:
            return self._view.sees(about.scope_kind, about.scope or "")
        if about.source is not None:
            return about.source in self._sources
        if about.silence_id is not None:  # a silence without a scope applies everywhere
            return False
        # A changed file concerns all places.
        return about.file is not None or self._are_seen(record.places)

    def _are_seen(self, named: tuple[str, ...] | None) -> bool:
        is_seen = self._of.get(named)
        if is_seen is None:
            area = area_of(named or ())
            scopes = frozenset[str]() if area.everywhere else scopes_of((area,), self._places)
            is_seen = self._of[named] = scopes is not None and not scopes.isdisjoint(self._view.scopes or ())
        return is_seen


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
