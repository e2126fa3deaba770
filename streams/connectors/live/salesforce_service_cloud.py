"""Poll Salesforce Service Cloud by SOQL for cases, their history, mails and comments, and for Omni-Channel work and presence.

Rows become the change events that Salesforce publishes of them, so that both ways are translated by the same rules.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from streams.connectors.kit.desk import in_ms
from streams.connectors.kit.reading import written
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Page, PollContext, Pull, text_of, time_of, utc_second
from streams.connectors.pull.overlap import MAX_SEEN, fresh, listed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping

__all__ = ["PULL"]

_QUERY: Final = "/services/data/v61.0/query"
_PAGE: Final = 2_000
#: Of one request: an address holds no more ids.
_MOST_IDS: Final = 200
#: A transaction may be seen this late; so each poll overlaps the last one by as much.
_OVERLAP: Final = timedelta(minutes=2)
#: Ids of owners of a case: users and queues. The history of an owner has rows of names too.
_OWNER: Final = re.compile(r"(?:005|00G)[A-Za-z0-9]{12,15}")
_ID: Final = re.compile(r"[A-Za-z0-9]{15,18}")

_Row = dict[str, Any]


class _Object(NamedTuple):
    """An object to poll: the fields of rows that are new or changed by the time in ``by``."""

    name: str
    fields: tuple[str, ...]
    by: str = "SystemModstamp"
    where: str = ""


_CASES: Final = _Object(
    "Case", ("CreatedDate", "Origin", "Status", "IsClosed", "IsEscalated", "OwnerId", "ContactId", "SuppliedEmail"), by="CreatedDate"
)
_HISTORY: Final = _Object(
    "CaseHistory",
    ("CaseId", "Case.Origin", "Field", "OldValue", "NewValue", "CreatedDate"),
    by="CreatedDate",
    where=" AND Field IN ('Owner', 'Status', 'IsEscalated')",
)
_OTHERS: Final = (
    # A draft is no mail yet.
    _Object("EmailMessage", ("ParentId", "Incoming", "MessageDate", "CreatedById", "SystemModstamp"), where=" AND Status != '5'"),
    _Object("CaseComment", ("ParentId", "IsPublished", "CreatedDate", "CreatedById", "SystemModstamp")),
)
_OMNI: Final = (
    _Object(
        "AgentWork",
        (
            *("WorkItemId", "UserId", "OriginalQueueId", "Status", "CreatedDate", "RequestDateTime", "AssignedDateTime", "AcceptDateTime"),
            *("DeclineDateTime", "CloseDateTime", "SystemModstamp"),
        ),
    ),
    _Object("UserServicePresence", ("UserId", "ServicePresenceStatusId", "StatusStartDate", "StatusEndDate", "SystemModstamp")),
)


def _base(settings: Mapping[str, Any]) -> str:
    return str(settings["url"]) if settings.get("url") else f"https://{text_of(settings, 'domain')}.my.salesforce.com"


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    began = poll.now()
    form = {name: text_of(poll.settings, name) for name in ("client_id", "client_secret")}
    answer = await poll.client.post("/services/oauth2/token", form={"grant_type": "client_credentials", **form})
    soql = _Soql(poll, str(answer.object()["access_token"]))
    closed = {row["ApiName"] for row in await soql.rows("SELECT ApiName FROM CaseStatus WHERE IsClosed = true")}
    cursor: dict[str, Any] = dict(poll.cursor)

    async def created(rows: list[_Row]) -> list[_Row]:
        return [_created(row, first, closed) for row, first in await _with_first(soql, rows)]

    async def moved(rows: list[_Row]) -> list[_Row]:
        return [change for row in rows for change in _moved(row, closed)]

    async def unchanged(rows: list[_Row]) -> list[_Row]:
        return [_change(row["attributes"]["type"], row["Id"], row["SystemModstamp"], row, "CREATE") for row in rows]

    omni = _OMNI if poll.settings.get("omni_channel") is not False else ()
    for table, translated in ((_CASES, created), (_HISTORY, moved), *((other, unchanged) for other in (*_OTHERS, *omni))):
        async for rows, state in _changed(poll, soql, table, cursor.get(table.name) or {}):
            cursor = {**cursor, table.name: state}
            changes = await translated(rows)
            yield Page(written(changes) if changes else b"", cursor)
    yield Page(b"", cursor, began - _OVERLAP)


class _Soql:
    """The queries of one poll."""

    def __init__(self, poll: PollContext, token: str) -> None:
        self._client = poll.client
        self._headers = {"Authorization": f"Bearer {token}"}

    async def rows(self, query: str) -> list[_Row]:
        """Return all rows of an answer, the pages that it names included."""
        answer = (await self._client.get(_QUERY, params={"q": query}, headers=self._headers)).object()
        rows = listed(answer, "records")
        while answer.get("done") is False:
            answer = (await self._client.get(str(answer["nextRecordsUrl"]), headers=self._headers)).object()
            rows += listed(answer, "records")
        return rows


async def _changed(
    poll: PollContext, soql: _Soql, table: _Object, state: Mapping[str, Any]
) -> AsyncGenerator[tuple[list[_Row], dict[str, Any]], None]:
    """Yield the new rows of an object, page by page; the next poll begins a little before the last row."""
    since = time_of(state, "since") or poll.since
    floor = min(poll.now() - _OVERLAP, time_of(state, "floor") or poll.now())
    seen: list[str] = list(state.get("told") or ())
    remembered: list[str] = []
    offset = 0
    while True:
        rows = await soql.rows(
            f"SELECT Id, {', '.join(table.fields)} FROM {table.name} "  # noqa: S608 - of this file
            f"WHERE {table.by} >= {utc_second(since)}{table.where} ORDER BY {table.by}, Id LIMIT {_PAGE} OFFSET {offset}"
        )
        new, again = fresh(rows, seen)
        seen, remembered = [*seen, *again][-MAX_SEEN:], [*remembered, *again][-MAX_SEEN:]
        last = max((datetime.fromisoformat(str(row[table.by])) for row in rows), default=since)
        if len(rows) < _PAGE:
            # The overlap is for late transactions; without rows it does not go back further.
            since = max(poll.since, min(last - _OVERLAP, floor)) if rows or offset else since
            yield new, {"since": since.isoformat(), "told": remembered}
            return
        if utc_second(last) > utc_second(since):
            since, offset = last, 0
        elif offset < _PAGE:
            offset += len(rows)
        else:
            raise PollError("refused", f"has more than {2 * _PAGE} rows of {table.name} of one second, and does not return them")
        yield new, {"since": since.isoformat(), "told": seen, "floor": floor.isoformat()}


async def _with_first(soql: _Soql, cases: list[_Row]) -> list[tuple[_Row, dict[str, Any]]]:
    """Return cases with their first owner and status: the old values of the oldest change of each."""
    first: dict[str, dict[str, Any]] = {}
    ids = [str(case["Id"]) for case in cases if _ID.fullmatch(str(case["Id"]))]
    for begin in range(0, len(ids), _MOST_IDS):
        among = ", ".join(f"'{case_id}'" for case_id in ids[begin : begin + _MOST_IDS])
        for row in await soql.rows(
            f"SELECT Id, {', '.join(_HISTORY.fields)} FROM CaseHistory WHERE CaseId IN ({among}){_HISTORY.where} "  # noqa: S608 - ids
            "ORDER BY CreatedDate, Id"
        ):
            if _is_change(row):
                first.setdefault(row["CaseId"], {}).setdefault(row["Field"], row["OldValue"])
    return [(case, first.get(case["Id"], {})) for case in cases]


def _is_change(row: _Row) -> bool:
    return row["Field"] != "Owner" or all(value is None or _OWNER.fullmatch(str(value)) for value in (row["OldValue"], row["NewValue"]))


def _created(case: _Row, first: Mapping[str, Any], closed: set[str]) -> _Row:
    status = first.get("Status") or case["Status"]
    escalated = first["IsEscalated"] in {True, "true"} if "IsEscalated" in first else case["IsEscalated"]
    at_first = {
        "OwnerId": first.get("Owner") or case["OwnerId"],
        "Status": status,
        "IsClosed": status in closed,
        "IsEscalated": escalated,
    }
    return _change("Case", case["Id"], case["CreatedDate"], {**case, **at_first}, "CREATE")


def _moved(row: _Row, closed: set[str]) -> Iterator[_Row]:
    if not _is_change(row):
        return
    payload: dict[str, Any] = {"Origin": (row.get("Case") or {}).get("Origin")}
    match row["Field"]:
        case "Owner":
            payload |= {"OwnerId": row["NewValue"], "PreviousOwnerId": row["OldValue"]}
        case "Status":
            payload |= {"Status": row["NewValue"], "IsClosed": row["NewValue"] in closed}
        case _:
            payload |= {"IsEscalated": row["NewValue"] in {True, "true"}}
    yield _change("Case", row["CaseId"], row["CreatedDate"], payload, "UPDATE", row["Id"])


def _change(entity: str, number: str, at: str, fields: _Row, kind: str, change: str = "") -> _Row:
    """Return the change event of a row."""
    header = {
        "entityName": entity,
        "recordIds": [number],
        "changeType": kind,
        "commitTimestamp": in_ms(datetime.fromisoformat(at)),
        "transactionKey": change or number,
    }
    return {"payload": {**{name: value for name, value in fields.items() if name != "attributes"}, "ChangeEventHeader": header}}


PULL = Pull(name="salesforce-service-cloud", fetch=_fetch, base=_base)
