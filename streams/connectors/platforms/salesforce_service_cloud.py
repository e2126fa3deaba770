"""Salesforce Service Cloud: change events (Change Data Capture) of cases, their mails and comments, Omni-Channel work and presence."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.accounts import URL
from streams.connectors.kit.desk import about, arrival, channel_of, channels_setting, in_ms, moved, queue_of, queues_setting
from streams.connectors.kit.drafting import draft
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Compared, Connector, Context, Draft, Record, Seen, Setting, UnusableError
from streams.connectors.kit.reading import json_records, written

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONNECTOR"]

_HEADER: Final = "payload.ChangeEventHeader"
#: ``Origin`` of a case → channel.
_CHANNELS: Final = {"Email": "mail", "Web": "web_form", "Twitter": "social", "Facebook": "social", "SMS": "sms"}
#: ``Status`` of a case as a new org has them.
_STATUSES: Final = {
    "New": "new",
    "Working": "open",
    "Escalated": "open",
    "On Hold": "on_hold",
    "Waiting on Customer": "waiting_on_customer",
}
_CLOSED: Final = "Closed"
#: What an id begins with, by type of record. A case is answered by a reply, live work by the agent who accepts it.
_CASE, _USER, _QUEUE = "500", "005", "00G"
_LIVE: Final = {"570": "chat", "0Mw": "social", "0LQ": "voice"}
_DECLINED: Final = {"Declined": "declined", "DeclinedOnPushTimeout": "no_answer"}


def _read(body: bytes, origin: str) -> Iterator[Record]:
    """Yield a record for each id of a change, with the fields that are used: an org has fields of its own, and any may be personal."""
    number = 0
    for record in json_records(body, origin):
        payload = record.content.get("payload")
        header = payload.get("ChangeEventHeader") if isinstance(payload, dict) else None
        if not isinstance(payload, dict) or not isinstance(header, dict):
            content: dict[str, Any] = {"payload": None if payload is None else {}}
            yield Record(content, written(content), origin, number)
            number += 1
            continue
        content_fields = {name: payload[name] for name in _READ if name in payload}
        ids = header.get("recordIds")
        # A change that many records share arrives as one event.
        for record_id in ids if isinstance(ids, list) and ids else [None]:
            own_header = {**{name: header[name] for name in _HEADERS if name in header}, "recordIds": [record_id]}
            content = {"payload": {**content_fields, "ChangeEventHeader": own_header}}
            yield Record(content, written(content), origin, number)
            number += 1


def _kind(record: Record) -> str:
    fields = Fields(record.content)
    if fields.get("payload") is None:
        raise UnusableError("unknown_kind", "no payload: neither a change event nor a platform event")
    entity = fields.text(f"{_HEADER}.entityName")
    if entity is None:
        return "platform events"
    change = fields.need(f"{_HEADER}.changeType")
    if change.startswith("GAP_"):
        return "gaps"
    return "deletions" if change in {"DELETE", "UNDELETE"} else entity if entity in _ENTITIES else "other objects"


def _key(record: Record) -> str:
    fields = Fields(record.content)
    return f"{fields.need(f'{_HEADER}.entityName')}:{fields.need(f'{_HEADER}.recordIds.0')}"


def _compare(record: Record, seen: Seen | None, context: Context) -> Compared:
    fields = Fields(record.content)
    entity, number = fields.need(f"{_HEADER}.entityName"), fields.need(f"{_HEADER}.recordIds.0")
    committed = in_ms(fields.need_time(f"{_HEADER}.commitTimestamp"))
    # A change has the fields that changed: the latest value of each counts, in whatever order changes arrive.
    known: dict[str, list[Any]] = {**((seen or {}).get("fields") or {})}
    payload = fields.need_object("payload")
    for name in _ENTITIES[entity][1]:
        if payload.get(name) is not None and committed >= known.get(name, [None, 0])[1]:
            known[name] = [payload[name], committed]
    latest = Fields({name: value for name, (value, _) in known.items()})
    return Compared([*_ENTITIES[entity][0](number, fields, latest, seen, context)], {"fields": known})


def _at(fields: Fields) -> Any:
    return fields.need_time(f"{_HEADER}.commitTimestamp")


def _change_id(fields: Fields) -> str:
    return f"{fields.need(f'{_HEADER}.transactionKey')}-{fields.text(f'{_HEADER}.sequenceNumber') or 0}"


# ---- Cases ------------------------------------------------------------------------------------------------------------------------


def _case(case: str, fields: Fields, latest: Fields, seen: Seen | None, context: Context) -> Iterator[Draft]:
    at, change_id = _at(fields), _change_id(fields)
    created = fields.need(f"{_HEADER}.changeType") == "CREATE"
    channel = channel_of(context, latest.text("Origin"), _CHANNELS)
    owner = fields.text("payload.OwnerId")
    queue = owner if (owner or "").startswith(_QUEUE) else None
    if created:
        created_at = fields.time("payload.CreatedDate") or at
        key = context.customer(fields.text("payload.ContactId") or fields.text("payload.SuppliedEmail"))
        yield from arrival(case, created_at, channel=channel, queue=queue_of(context, queue), customer_key=key)
    elif queue is not None:
        before = fields.text("payload.PreviousOwnerId") or ((seen or {}).get("fields") or {}).get("OwnerId", [None])[0]
        previous_queue = before if isinstance(before, str) and before.startswith(_QUEUE) else None
        yield from moved(case, at, context, group=queue, previous=previous_queue, channel=channel)
    if (owner or "").startswith(_USER):
        yield about(case, "contact.assigned", f"{change_id}-assigned", at, agent=owner)
    status = fields.text("payload.Status")
    if status is not None and not (created and status == "New"):
        yield about(case, "contact.status_changed", f"{change_id}-status", at, status=_meaning(status, fields, context))
    if fields.true("payload.IsEscalated"):
        yield about(case, "contact.escalated", f"{change_id}-escalated", at)


def _meaning(status: str, fields: Fields, context: Context) -> str:
    configured = context.settings.get("statuses") or {}
    meaning = configured.get(status) if isinstance(configured, dict) else None
    if meaning is None:
        meaning = "resolved" if fields.true("payload.IsClosed") or status == _CLOSED else _STATUSES.get(status)
    if meaning is None:
        raise UnusableError("bad_setting", "statuses: the status of a case is not among them")
    return str(meaning)


def _mail(_: str, fields: Fields, latest: Fields, __: Seen | None, context: Context) -> Iterator[Draft]:
    case = latest.text("ParentId")
    if fields.need(f"{_HEADER}.changeType") != "CREATE" or case is None:
        return
    by, author = "customer" if latest.true("Incoming") else "agent", latest.text("CreatedById")
    if by == "agent" and author in {str(user) for user in context.settings.get("automated_users") or ()}:
        by = "system"
    yield about(
        case,
        "contact.message",
        f"mail-{fields.need(f'{_HEADER}.recordIds.0')}",
        latest.time("MessageDate") or _at(fields),
        author_kind=by,
        agent=author if by == "agent" else None,
        public=True,
        automatic=by == "system",
    )


def _comment(_: str, fields: Fields, latest: Fields, __: Seen | None, ___: Context) -> Iterator[Draft]:
    case = latest.text("ParentId")
    if fields.need(f"{_HEADER}.changeType") != "CREATE" or case is None:
        return
    event_name, at = f"comment-{fields.need(f'{_HEADER}.recordIds.0')}", latest.time("CreatedDate") or _at(fields)
    public, agent = latest.true("IsPublished") is True, latest.text("CreatedById")
    yield about(case, "contact.message", event_name, at, author_kind="agent", agent=agent, public=public)


# ---- Omni-Channel ------------------------------------------------------------------------------------------------------------------


def _work(work: str, _: Fields, latest: Fields, __: Seen | None, context: Context) -> Iterator[Draft]:
    """Yield the events of a piece of work so far, one for each of its times; the same time gives the same event."""
    item, agent = latest.text("WorkItemId"), latest.text("UserId")
    if item is None or agent is None:
        return
    live = _LIVE.get(item[:3])
    queue = None if latest.text("OriginalQueueId") is None else queue_of(context, latest.text("OriginalQueueId"))
    requested, assigned = latest.time("RequestDateTime"), latest.time("AssignedDateTime") or latest.time("CreatedDate")
    accepted, declined, closed = (latest.time(f"{name}DateTime") for name in ("Accept", "Decline", "Close"))
    if live is not None and requested is not None and queue is not None:
        yield about(item, "contact.arrived", "arrived", requested, channel=live)
        yield about(item, "contact.queued", "queued", requested, channel=live, queue=queue)
    if assigned is not None:
        yield about(item, "contact.agent_offered", f"{work}-offered", assigned, agent=agent, queue=queue)
    if declined is not None:
        outcome = _DECLINED.get(latest.text("Status") or "", "declined")
        yield about(item, "contact.offer_ended", f"{work}-declined", declined, agent=agent, queue=queue, outcome=outcome)
    if accepted is not None:
        kind = "contact.work_started" if live is None else "contact.answered"
        queue_field = {} if live is None else {"queue": queue}
        yield about(item, kind, f"{work}-accepted", accepted, agent=agent, **queue_field)
    if closed is not None and accepted is not None:
        if live is None:
            yield about(item, "contact.work_ended", f"{work}-closed", closed, agent=agent)
        else:
            yield about(item, "contact.ended", f"{work}-closed", closed, agent=agent)


def _presence(number: str, _: Fields, latest: Fields, __: Seen | None, context: Context) -> Iterator[Draft]:
    person, status = latest.text("UserId"), latest.text("ServicePresenceStatusId")
    began, ended = latest.time("StatusStartDate"), latest.time("StatusEndDate")
    if person is None:
        return
    names = context.settings.get("presence_statuses") or {}
    common: dict[str, Any] = {"person_id": person, "axis": "presence"}
    if began is not None and status is not None:
        state = str(names.get(status, status)) if isinstance(names, dict) else status
        # A status that begins in the instant in which another ends comes after it.
        yield draft("agent.state_changed", f"{number}-began", began, **common, state=state, sequence=1)
    if ended is not None:
        yield draft("agent.state_changed", f"{number}-ended", ended, **common, state="offline", sequence=0)


#: (id of the record, its change, its latest fields, its stored state, the context) → its events.
Translation = Callable[[str, Fields, Fields, "Seen | None", Context], "Iterator[Draft]"]

#: Object → its translation, and the fields of a record that are stored.
_ENTITIES: Final[dict[str, tuple[Translation, tuple[str, ...]]]] = {
    "Case": (_case, ("OwnerId", "Origin")),
    "EmailMessage": (_mail, ("ParentId", "Incoming", "MessageDate", "CreatedById")),
    "CaseComment": (_comment, ("ParentId", "IsPublished", "CreatedDate", "CreatedById")),
    "AgentWork": (
        _work,
        (
            "WorkItemId",
            "UserId",
            "OriginalQueueId",
            "Status",
            "CreatedDate",
            "RequestDateTime",
            "AssignedDateTime",
            "AcceptDateTime",
            "DeclineDateTime",
            "CloseDateTime",
        ),
    ),
    "UserServicePresence": (_presence, ("UserId", "ServicePresenceStatusId", "StatusStartDate", "StatusEndDate")),
}

_HEADERS: Final = ("entityName", "changeType", "commitTimestamp", "transactionKey", "sequenceNumber")
_READ: Final = tuple(
    sorted(
        {"Status", "IsClosed", "IsEscalated", "ContactId", "SuppliedEmail", "PreviousOwnerId"}.union(
            *(names for _, names in _ENTITIES.values())
        )
    )
)

CONNECTOR = Connector(
    name="salesforce-service-cloud",
    title="Salesforce Service Cloud",
    family="desk",
    delivery="journal",
    ways=("pull", "file"),
    kinds={
        "Case": "contact.arrived, contact.queued, contact.status_changed, contact.assigned, contact.transferred, contact.escalated",
        "EmailMessage": "contact.message",
        "CaseComment": "contact.message",
        "AgentWork": "contact.agent_offered, .offer_ended; of a case contact.work_started, .work_ended, else .answered, .ended",
        "UserServicePresence": "agent.state_changed",
    },
    ignored={
        "other objects": "it is about no contact and no agent's state",
        "platform events": "events of your own: send relevant ones as canonical events",
        "gaps": "a change whose fields Salesforce did not send: read the record by its API",
        "deletions": "events counted before stay counted",
    },
    read=_read,
    kind=_kind,
    compare=_compare,
    key=_key,
    remembered_days=60,
    reports={
        "arrival": "",
        "queue": "",
        "ring": "",
        "transfer": "",
        "agent_state": "",
        "first_response": "",
        "resolution": "",
        "csat": "surveys are objects of your own",
    },
    personal=("payload.ContactId", "payload.SuppliedEmail"),
    settings=(
        queues_setting("a queue (00G…)"),
        channels_setting(_CHANNELS),
        Setting(name="statuses", meaning="Status of a case → new, open, waiting_on_customer, on_hold, resolved or closed", default={}),
        Setting(name="domain", meaning="The org's, of DOMAIN.my.salesforce.com; needed to poll it"),
        URL,
        Setting(name="omni_channel", meaning="Whether Agent Work and User Service Presence are polled", default=True),
        Setting(name="automated_users", meaning="Ids of the users that receipts and other automatic mails are sent by", default=[]),
        Setting(name="presence_statuses", meaning="Id of a presence status → its name, such as `available`", default={}),
    ),
    credentials=(
        Setting(name="client_id", meaning="Consumer key of a connected app with the client credentials flow", required=True),
        Setting(name="client_secret", meaning="Its consumer secret", required=True),
    ),
    guessed=(
        "That a change event names fields as queries do: the one sample found is of another object.",
        "That the history of an owner has a row with names and one with ids.",
        "That AgentWork and UserServicePresence are published as change events in your edition.",
    ),
)
