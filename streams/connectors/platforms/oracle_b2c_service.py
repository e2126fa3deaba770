"""Oracle B2C Service: incidents by the Connect REST API, one by one or as rows of ROQL."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime
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
    from collections.abc import Iterator, Mapping

__all__ = ["CONNECTOR"]

#: Type of status: whatever statuses a site has, each is of one of these.
_UNRESOLVED, _SOLVED, _WAITING = "1", "2", "3"
#: The most states of an incident that are stored: one that is reported later than those counts for its times alone.
_MOST_STATES: Final = 50
_MEANINGS: Final = {_UNRESOLVED: "open", _WAITING: "waiting_on_customer"}
#: Type of entry in a thread → its author; others are machines.
_ENTRIES: Final = {"1": "note", "2": "agent", "3": "customer", "4": "customer"}


def _read(body: bytes, origin: str) -> Iterator[Record]:
    """Yield incidents: the rows of a table by ROQL, the entries of a list, or one."""
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
    """Return an id, which REST sends with a name and ROQL without."""
    return fields.text(f"{path}.id" if isinstance(fields.get(path), dict) else path)


def _compare(record: Record, seen: Seen | None, context: Context) -> Compared:
    fields = Fields(record.content)
    incident = fields.need("id")
    updated = in_ms(fields.time("updatedTime") or fields.need_time("createdTime"))
    state: dict[str, Any] = {
        "updated": updated,
        "queue": _id(fields, "queue"),
        "status": _id(fields, "statusWithType.statusType"),
        "agent": _id(fields, "assignedTo.account"),
        "score": _score(fields),
    }
    states = _states(seen)
    index = bisect_left([past["updated"] for past in states], updated)
    after = states[index] if index < len(states) else None
    is_new = (after is None or after["updated"] != updated) and (index > 0 or len(states) < _MOST_STATES)
    if not is_new and seen is not None:
        return Compared([*_times(incident, fields, context, seen["first_queue"])], seen)
    before = states[index - 1] if index > 0 else None
    states.insert(index, state)
    first_queue = state["queue"] if seen is None or before is None else seen["first_queue"]
    # A state that arrives out of order corrects the events of its neighbours, each time with a higher revision.
    corrected = (seen or {}).get("corrected", 0) + (after is not None)
    events = [*_times(incident, fields, context, first_queue, corrected if before is None and corrected else None)]
    channel = channel_of(context, _id(fields, "channel"), {})
    changes = [*_differences(incident, before, state, channel, context)]
    if after is not None:
        replaced = [*_differences(incident, before, after, channel, context)]
        changes += _differences(incident, state, after, channel, context)
        ids, replaced_ids = {event["event_id"] for event in changes}, {event["event_id"] for event in replaced}
        changes = [{**event, "revision": event.get("revision", corrected)} for event in changes if event["event_id"] not in replaced_ids]
        prefix = len(f"{incident}-")
        changes += [
            about(incident, "contact.withdrawn", event["event_id"][prefix:], event["occurred_at"], revision=corrected)
            for event in replaced
            if event["event_id"] not in ids
        ]
    return Compared([*events, *changes], {"first_queue": first_queue, "states": states[-_MOST_STATES:], "corrected": corrected})


def _states(seen: Seen | None) -> list[dict[str, Any]]:
    """Return the states that were seen, the oldest first; an older version of this program stored the last one alone."""
    if seen is None:
        return []
    if "states" in seen:
        return [*seen["states"]]
    return [{name: seen[name] for name in ("updated", "queue", "status", "agent", "score")}]


def _times(incident: str, fields: Fields, context: Context, first_queue: str | None, revision: int | None = None) -> Iterator[Draft]:
    channel = channel_of(context, _id(fields, "channel"), {})
    key = context.customer(_id(fields, "primaryContact"))
    created = fields.need_time("createdTime")
    for event in arrival(incident, created, channel=channel, queue=queue_of(context, first_queue), customer_key=key):
        yield event if revision is None else {**event, "revision": revision}
    solved, closed = fields.time("initialSolutionTime"), fields.time("closedTime")
    if solved is not None:
        yield about(incident, "contact.status_changed", f"resolved-{stamp(solved)}", solved, status="resolved")
    # Solved again after a reopening; without that it counts nothing.
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


def _differences(
    incident: str, before: Mapping[str, Any] | None, state: Mapping[str, Any], channel: str, context: Context
) -> Iterator[Draft]:
    """Yield the changes between two states; their times are not reported, but are not after the update of the second."""
    at = datetime.fromtimestamp(state["updated"] / 1000, UTC)
    queue, status, agent, score = (state[name] for name in ("queue", "status", "agent", "score"))
    if before is not None and queue != before["queue"]:
        yield from moved(incident, at, context, group=queue, previous=before["queue"], channel=channel)
    if agent != (None if before is None else before["agent"]):
        yield assigned(incident, at, agent)
    if before is not None and before["status"] not in {None, status} and status in _MEANINGS:
        meaning = "reopened" if before["status"] == _SOLVED else _MEANINGS[status]
        yield about(incident, "contact.status_changed", f"{meaning}-{stamp(at)}", at, status=meaning)
    if score is not None and (before is None or score != before["score"]):
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
        "agent_state": "the API does not report it",
        "first_response": "an incident has no time of the first reply; only its threads have it",
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
        Setting(name="site", meaning="The site's, of SITE.custhelp.com; needed to poll it"),
        URL,
        Setting(name="threads", meaning="Whether each incident is polled with its threads, which have the replies", default=False),
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
        "The types of entry of a thread: 1 a private note, 2 an agent, 3 and 4 the customer; others count as a machine's.",
        "When a survey was answered, a queue changed, an incident was reopened: at its last update.",
    ),
)
