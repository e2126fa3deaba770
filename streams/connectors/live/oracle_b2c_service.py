"""Poll Oracle B2C Service by ROQL for incidents in the order of their last updates; for their threads one by one, where configured."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import written
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Page, PollContext, Pull, basic, text_of, time_of, utc_second
from streams.connectors.pull.overlap import MAX_SEEN, fresh

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

__all__ = ["PULL"]

#: An update may be found this late; so each poll overlaps the last one by as much.
_OVERLAP: Final = timedelta(minutes=2)
_ROWS, _ROWS_WITH_THREADS = 1_000, 50
_COLUMNS: Final = ", ".join(
    (
        *("id", "createdTime", "updatedTime", "closedTime", "initialSolutionTime", "queue", "channel"),
        *("assignedTo.account", "statusWithType.statusType", "lastSurveyScore"),
    )
)


def _headers(settings: Mapping[str, Any]) -> Mapping[str, str]:
    user = basic(text_of(settings, "user"), text_of(settings, "password"))
    # Without it times are in the site's zone; Oracle requires a context of every request.
    return {**user, "OSvC-CREST-Time-UTC": "yes", "OSvC-CREST-Application-Context": "Contact Streams reads incidents"}


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    # The next poll begins here at the latest: by the begin of this one, in an earlier process too.
    floor = min(poll.now() - _OVERLAP, time_of(poll.cursor, "floor") or poll.now())
    threads = poll.settings.get("threads") is True
    limit = _ROWS_WITH_THREADS if threads else _ROWS
    since = time_of(poll.cursor, "since") or poll.since
    seen: list[str] = list(poll.cursor.get("told") or ())
    remembered: list[str] = []
    offset = 0
    while True:
        which = f"where updatedTime >= '{utc_second(since)}' order by updatedTime, id limit {limit} offset {offset}"
        content = await _answer(poll, "queryResults", {"query": f"select {_COLUMNS} from incidents {which}"})  # noqa: S608 - times and numbers
        rows = _rows(content)
        new, again = fresh(rows, seen)
        seen, remembered = [*seen, *again][-MAX_SEEN:], [*remembered, *again][-MAX_SEEN:]
        if threads:
            new = [await _answer(poll, f"incidents/{int(row['id'])}", {"expand": "threads"}) for row in new]
        records = written({"items": new if threads else [_nested(row) for row in new]}) if new else b""
        last = max((datetime.fromisoformat(str(row["updatedTime"])) for row in rows), default=since)
        if len(rows) < limit:
            # The overlap is for late updates; without rows it does not go back further.
            since = max(poll.since, min(last - _OVERLAP, floor)) if rows or offset else since
            yield Page(records, {"since": since.isoformat(), "told": remembered}, floor)
            return
        # What is updated meanwhile moves to the end: the next request begins with the last row answered.
        since, offset = (last, 0) if last > since else (since, offset + len(rows))
        yield Page(records, {"since": since.isoformat(), "told": seen, "floor": floor.isoformat()})


async def _answer(poll: PollContext, path: str, params: Mapping[str, str]) -> dict[str, Any]:
    return (await poll.client.get(f"/services/rest/connect/v1.4/{path}", params=params)).object()


def _rows(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the table by the names of its columns."""
    items = content["items"]
    if not isinstance(items, list) or len(items) != 1:
        raise PollError("malformed", "answered without one table")
    names, rows = items[0]["columnNames"], items[0]["rows"]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _nested(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as an incident: ``assignedTo.account`` becomes a field of ``assignedTo``."""
    incident: dict[str, Any] = {}
    for name, value in row.items():
        outer, dot, inner = name.partition(".")
        if dot:
            incident.setdefault(outer, {})[inner] = value
        else:
            incident[name] = value
    return incident


PULL = Pull(
    name="oracle-b2c-service",
    fetch=_fetch,
    base=lambda settings: str(settings["url"]) if settings.get("url") else f"https://{text_of(settings, 'site')}.custhelp.com",
    headers=_headers,
)
