"""Oracle B2C Service: incidents by the Connect REST API, one by one or as rows of ROQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.accounts import URL
from streams.connectors.kit.desk import (
    about,
    arrival,
    assigned,
    channel_of,
    channels_setting,
    in_ms,
    moved,
    queue_of,
    queues_setting,
    stamp,
)
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Compared, Connector, Context, Draft, Record, Seen, Setting, UnusableError
from streams.connectors.kit.reading import json_records, written

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONNECTOR"]

#: Type of status: whatever statuses a site has, each is of one of these.
_UNRESOLVED, _SOLVED, _WAITING = "1", "2", "3"
_MEANINGS: Final = {_UNRESOLVED: "open", _WAITING: "waiting_on_customer"}
#: Type of entry in a thread → who wrote; others are machines.
_ENTRIES: Final = {"1": "note", "2": "agent", "3": "customer", "4": "customer"}


def _read(body: bytes, origin: str) -> Iterator[Record]:
    """Yield incidents: those of a table that ROQL answers with, of a list, or one."""
    for record in json_records(body, origin):
        items = record.content.get("items")
        if not isinstance(items, list):
            yield record
            continue
        number = 0
        for item in items:
            if not isinstance(item, dict):
                raise UnusableError("not_an_object", "items: a list of objects")
            for content in _rows(item) if "columnNames" in item else [item]:
                yield Record(content, written(content), origin, number)
                number += 1


def _rows(table: dict[str, Any]) -> Iterator[dict[str, Any]]:
    names, rows = table.get("columnNames"), table.get("rows")
    if not isinstance(names, list) or not isinstance(rows, list):
        raise UnusableError("wrong_type", "items: columnNames and rows")
    for row in rows:
        if not isinstance(row, list) or len(row) != len(names):
            raise UnusableError("wrong_type", "rows: as many values as columnNames")
        content: dict[str, Any] = {}
        for name, value in zip(names, row, strict=True):
            at, steps = content, str(name).split(".")
            for step in steps[:-1]:
                inner = at.setdefault(step, {})
                if not isinstance(inner, dict):
                    raise UnusableError("wrong_type", "columnNames: a column is both a value and a part of others")
                at = inner
            at[steps[-1]] = value
        yield content


def _kind(record: Record) -> str:
    if "createdTime" in record.content and "id" in record.content:
        return "incident"
    raise UnusableError("unknown_kind", "no incident: ROQL has to ask for id, createdTime and updatedTime")


def _key(record: Record) -> str:
    return Fields(record.content).need("id")


def _id(fields: Fields, path: str) -> str | None:
    """Return the id of what REST tells with its name, and ROQL alone."""
    return fields.text(f"{path}.id" if isinstance(fields.get(path), dict) else path)


def _compare(record: Record, seen: Seen | None, context: Context) -> Compared:
    fields = Fields(record.content)
    incident = fields.need("id")
    updated = fields.time("updatedTime") or fields.need_time("createdTime")
    queue, status = _id(fields, "queue"), _id(fields, "statusWithType.statusType")
    before: Seen = seen or {"first_queue": queue, "queue": queue, "status": None, "agent": None, "score": None, "updated": 0}
    events = [*_times(incident, fields, context, before["first_queue"])]
    if in_ms(updated) > before["updated"]:
        events += _differences(incident, fields, before, context)
        before = {
            **before,
            "queue": queue,
            "status": status,
            "agent": _id(fields, "assignedTo.account"),
            "score": _score(fields),
            "updated": in_ms(updated),
        }
    return Compared(events, before)


def _times(incident: str, fields: Fields, context: Context, first_queue: str | None) -> Iterator[Draft]:
    channel = channel_of(context, _id(fields, "channel"), {})
    key = context.customer(_id(fields, "primaryContact"))
    made = fields.need_time("createdTime")
    yield from arrival(incident, made, channel=channel, queue=queue_of(context, first_queue), customer_key=key)
    solved, closed = fields.time("initialSolutionTime"), fields.time("closedTime")
    if solved is not None:
        yield about(incident, "contact.status_changed", f"resolved-{stamp(solved)}", solved, status="resolved")
    # Solved again after a reopening; where that was not seen, it counts nothing.
    if closed is not None and closed != solved:
        yield about(incident, "contact.status_changed", f"resolved-{stamp(closed)}", closed, status="resolved")
    for entry in fields.entries("threads.items"):
        yield from _entry(incident, entry)


def _entry(incident: str, entry: Fields) -> Iterator[Draft]:
    by = _ENTRIES.get(_id(entry, "entryType") or "", "system")
    yield about(
        incident,
        "contact.message",
        f"thread-{entry.need('id')}",
        entry.need_time("createdTime"),
        author_kind="agent" if by == "note" else by,
        agent=_id(entry, "account") if by in {"agent", "note"} else None,
        public=by != "note",
        automatic=by == "system",
    )


def _score(fields: Fields) -> float | None:
    return fields.number("lastSurveyScore")


def _differences(incident: str, fields: Fields, before: Seen, context: Context) -> Iterator[Draft]:
    """Yield what changed since the incident was seen; when it did is not told, but not after its last update."""
    at = fields.time("updatedTime") or fields.need_time("createdTime")
    queue, status, agent = _id(fields, "queue"), _id(fields, "statusWithType.statusType"), _id(fields, "assignedTo.account")
    if queue != before["queue"]:
        channel = channel_of(context, _id(fields, "channel"), {})
        yield from moved(incident, at, context, group=queue, previous=before["queue"], channel=channel)
    if agent != before["agent"]:
        yield assigned(incident, at, agent)
    if before["status"] is not None and status != before["status"] and status in _MEANINGS:
        meaning = "reopened" if before["status"] == _SOLVED else _MEANINGS[status]
        yield about(incident, "contact.status_changed", f"{meaning}-{stamp(at)}", at, status=meaning)
    score = _score(fields)
    if score is not None and score != before["score"]:
        scale = str(context.settings.get("survey_scale") or "1-5")
        yield about(incident, "survey.answered", "survey", at, kind="csat", score=score, scale=scale, revision=in_ms(at))


CONNECTOR = Connector(
    name="oracle-b2c-service",
    title="Oracle B2C Service",
    family="desk",
    delivery="journal",
    ways=("pull", "file"),
    kinds={"incident": "contact.arrived, contact.queued, contact.status_changed, contact.assigned, contact.transferred, survey.answered"},
    ignored={},
    read=_read,
    kind=_kind,
    compare=_compare,
    key=_key,
    remembered_days=120,
    reports={
        "arrival": "",
        "queue": "",
        "transfer": "",
        "agent_state": "the API does not tell it",
        "first_response": "an incident has no time of the first reply; only with its threads is it known",
        "resolution": "",
        "csat": "",
    },
    personal=(
        "subject",
        "primaryContact",
        "otherContacts",
        "customFields",
        "organization",
        "banner.text",
        "lookupName",
        "assignedTo.account.lookupName",
        "fileAttachments",
        "threads.items.*.text",
        "threads.items.*.contact",
        "threads.items.*.mailHeader",
        "threads.items.*.account.lookupName",
    ),
    settings=(
        Setting(name="site", meaning="The site's, of SITE.custhelp.com; needed to ask it"),
        URL,
        Setting(name="threads", meaning="Whether each incident is asked for with its threads, which have the replies", default=False),
        queues_setting("a queue"),
        channels_setting({}),
        Setting(name="survey_scale", meaning="Lowest and highest score of the survey that sets `lastSurveyScore`", default="1-5"),
    ),
    credentials=(
        Setting(name="user", meaning="Name of an account with the permission Public API: Account Authentication", required=True),
        Setting(name="password", meaning="Its password", required=True),
    ),
    guessed=(
        "The types of status: 1 unresolved, 2 solved, 3 waiting.",
        "The types of entry of a thread: 1 a private note, 2 staff, 3 and 4 the customer; others count as a machine's.",
        "When a survey was answered, a queue changed, an incident was reopened: at its last update.",
    ),
)
