"""Export chosen figures as a file."""

from __future__ import annotations

import logging
import os
import tempfile
from contextlib import AsyncExitStack
from difflib import get_close_matches
from functools import partial
from importlib.util import find_spec
from itertools import chain
from typing import IO, TYPE_CHECKING, Final, get_args

from aiohttp import web

from schemas.audit import AuditObject
from schemas.metrics import ScopeKind
from schemas.times import format_ms
from streams.catalogue import KPI_BY_ID, LANGUAGES
from streams.serving.api.answers import VARY, asked_scopes, asked_windows, expect_figures, expect_table
from streams.serving.api.audit import recorded
from streams.serving.api.errors import HEADERS
from streams.serving.api.serving import SERVING, asker_of
from streams.serving.door import LiveView, view_of
from streams.serving.problems import ProblemError, problem
from streams.serving.spreadsheets import TooManyRowsError, write_csv, write_lines, write_workbook
from streams.serving.tables import NOW, Choice, agent_rows, rows
from streams.serving.threads import in_thread
from streams.serving.turns import NoTurnError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.access.views import View
    from streams.serving.tables import Row

__all__ = ["export"]

log = logging.getLogger(__name__)

_MEDIA: Final = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_KINDS: Final = (*get_args(ScopeKind), "agent")
_CHUNK_BYTES: Final = 256 * 1024
#: The time limit of a workbook; a hundred thousand rows take some ten seconds.
_WORKBOOK_SECONDS: Final = 60.0
#: When a rejected client retries.
_RETRY_SECONDS: Final = 10


async def export(request: web.Request) -> web.StreamResponse:
    """Answer with a file of the chosen figures that the view shows; one is written and sent at a time."""
    serving = request.app[SERVING]
    choice, form, mark = _choice(request), _one_of(request.query, "format", tuple(_MEDIA)), _one_of(request.query, "bom", ("false", "true"))
    if form == "xlsx" and find_spec("openpyxl") is None:
        raise ProblemError(404, "workbooks are off here: install contact-streams[xlsx]")
    live = LiveView(request, "export")
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(serving.export_turns.turn(asker_of(request)))
        except NoTurnError as error:
            detail = "other exports take long" if error.late else "too many exports wait"
            return problem(429, detail, retry_after_seconds=_RETRY_SECONDS, waiting=error.ahead)
        # During the wait the client may have disconnected, or its right ended.
        if request.transport is None or request.transport.is_closing():
            return web.Response()
        await live.recheck()
        if live.view is None:
            raise ProblemError(403, "the right 'export' has ended")
        # Without figures an empty file would be wrong.
        expect_figures(serving.figures, live.view)
        if choice.wants_agents and serving.agents is not None:
            expect_table(serving.agents, "figures of single agents")
        file = _temporary(stack)
        chosen = _rows(request, choice, live.view)
        if form == "csv":
            number = await in_thread(partial(write_csv, mark=mark == "true"), chosen, file)
        else:
            lines = _temporary(stack)
            try:
                number = await in_thread(write_lines, chosen, lines)
                await write_workbook(lines, file, _WORKBOOK_SECONDS)
            except TooManyRowsError as error:
                raise ProblemError(400, str(error)) from error
            except TimeoutError as error:
                raise ProblemError(400, "the workbook takes too long: choose windows, scopes or KPIs, or ask for CSV") from error
        if choice.wants_agents:
            await recorded(request, "looked_at_agents")
        await recorded(request, "exported", AuditObject(records=number))
        return await _sent(request, file, form)


def _temporary(stack: AsyncExitStack) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the stack
    stack.callback(file.close)
    return file


def _rows(request: web.Request, choice: Choice, view: View) -> Iterable[Row]:
    """Return the rows of a snapshot of the figures."""
    serving = request.app[SERVING]
    chosen: Iterable[Row] = rows(serving.figures.store.copy(), choice, view)
    if choice.wants_agents and serving.agents is not None:
        people = view_of(request, "people")
        records = [entry.record for entry in serving.agents.entries() if people.shows("agent", entry.record.scope, None)]
        chosen = chain(chosen, agent_rows(records, choice, view))
    return chosen


async def _sent(request: web.Request, file: IO[bytes], form: str) -> web.StreamResponse:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    at = format_ms(int(request.app[SERVING].figures.clock() * 1000))[:19].translate({ord("-"): None, ord(":"): None})
    media = f"{_MEDIA[form]}; charset=utf-8" if form == "csv" else _MEDIA[form]
    headers = {**HEADERS, "Content-Type": media, "Content-Disposition": f'attachment; filename="figures-{at}Z.{form}"', "Vary": VARY}
    response = web.StreamResponse(headers=headers)
    response.content_length = size
    try:
        await response.prepare(request)
        while chunk := await in_thread(file.read, _CHUNK_BYTES):
            await response.write(chunk)
        await response.write_eof()
    except ConnectionError:  # the client has gone
        pass
    except Exception:
        # A file that has begun carries no error: its length shows that it is cut off.
        log.exception("An export ended: internal error.")
        if request.transport is not None:
            request.transport.abort()
    return response


def _choice(request: web.Request) -> Choice:
    query = request.query
    kinds, scopes = frozenset(query.getall("scope_kind", [])), asked_scopes(request, _KINDS)
    if unknown := kinds - {*_KINDS}:
        raise ProblemError(400, f"unknown scope_kind {min(unknown)[:40]!r}: one of {', '.join(_KINDS)}")
    kpis = frozenset(query.getall("kpi", []))
    if others := kpis - KPI_BY_ID.keys():
        name = min(others)[:40]
        near = get_close_matches(name, KPI_BY_ID, n=1)
        raise ProblemError(400, f"unknown kpi {name!r}" + (f": did you mean {near[0]!r}?" if near else "; /api/v1/catalogue has them"))
    return Choice(
        windows=asked_windows(request, besides=NOW) or frozenset(),
        scope_kinds=kinds,
        scopes=scopes,
        channels=frozenset(query.getall("channel", [])),
        kpis=kpis,
        lang="ja" if _one_of(query, "lang", LANGUAGES) == "ja" else "en",
    )


def _one_of(query: Mapping[str, str], name: str, permitted: tuple[str, ...]) -> str:
    """Return the value of a parameter, the first one permitted without it."""
    value = query.get(name, permitted[0])
    if value not in permitted:
        raise ProblemError(400, f"{name} {value[:40]!r}; permitted: {', '.join(permitted)}")
    return value
