"""Translate Twilio TaskRouter's events in their three forms (callback, Event Streams, REST); pure.

A task is one conversation. Each of its stays in a queue is a contact of its own: a warm transfer leaves the first agent with the customer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from streams.connectors.kit.drafting import draft
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Setting, UnusableError
from streams.connectors.kit.reading import json_or_form_records, list_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from streams.connectors.kit.model import Context, Draft, Part, Record

__all__ = ["CREDENTIALS", "GUESSED", "IGNORED", "KINDS", "PERSONAL", "REPORTS", "SETTINGS", "kind", "read", "translate"]

_CHANNELS: Final = {"voice": "voice", "chat": "chat", "sms": "sms", "video": "video", "email": "mail", "callback": "callback"}
_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OFFERS: Final = {"rejected": "declined", "timeout": "no_answer", "canceled": "withdrawn", "rescinded": "withdrawn", "failed": "withdrawn"}
#: Task status while no agent is with the customer.
_WAITING: Final = frozenset({"pending", "reserved"})

#: Yields the events of a form a line, of CloudEvents, or of answers of the REST API.
read: Final = json_or_form_records(list_records("events"))


def _fields(record: Record) -> Fields:
    """Return an event's fields by their names in lower case, as Event Streams and the REST API write them."""
    content: dict[str, Any] = record.content
    if "specversion" in content:
        payload = Fields(content).need_object("data.payload")
        return Fields(
            {"event_type": payload.get("eventtype") or str(content.get("type", "")).removeprefix("com.twilio.taskrouter.")} | payload
        )
    if "event_data" in content:
        data = Fields(content).need_object("event_data")
        return Fields(data | {name: value for name, value in content.items() if name != "event_data"})
    return Fields({_WORD.sub("_", name).lower(): value for name, value in content.items()})


def kind(record: Record) -> str:
    """Return the type of an event, such as ``reservation.accepted``."""
    return _fields(record).need("event_type")


def translate(record: Record, context: Context) -> Iterator[Draft]:
    """Yield the canonical events of an event."""
    fields = _fields(record)
    name = fields.need("event_type")
    at = next((at for path in ("timestamp_ms", "event_date_ms", "timestamp", "event_date") if (at := fields.time(path)) is not None), None)
    if at is None:
        raise UnusableError("missing_field", "Timestamp: required")
    yield from _KINDS[name](_Event(fields, name, at, context))


class _Event:
    def __init__(self, fields: Fields, name: str, at: datetime, context: Context) -> None:
        self._fields, self._name, self._at, self._context = fields, name, at, context
        # Older callbacks have no id of their own.
        self._id = fields.text("sid") or f"{fields.text('resource_sid') or fields.need('task_sid')}-{name}-{at.timestamp():.3f}"
        self._queue = fields.text("task_queue_name") or fields.text("task_queue_sid")
        self._worker = fields.text("worker_name") or fields.text("worker_sid")
        self._status = fields.text("task_assignment_status") or ""

    def _draft(self, kind: str, /, **values: Any) -> Draft:
        event = f"{self._id}-{kind.partition('.')[2]}"
        return draft(kind, event, self._at, conversation_id=self._fields.need("task_sid"), **values)

    def _contact(self) -> str:
        return f"{self._fields.need('task_sid')}-{self._fields.text('task_queue_sid') or self._need(self._queue, 'TaskQueueName')}"

    def _need(self, value: str | None, name: str) -> str:
        if value is None:
            raise UnusableError("missing_field", f"{name}: required")
        return value

    def _channel(self) -> str | None:
        return _CHANNELS.get((self._fields.text("task_channel_unique_name") or "").lower())

    def created(self) -> Iterator[Draft]:
        channel = self._channel()
        if channel is None:
            return
        attributes = self._attributes()
        outbound = attributes.get("direction") == "outbound"
        customer = attributes.get("to" if outbound else "from") or attributes.get("customerAddress")
        key = self._context.customer(customer if isinstance(customer, str) else None)
        yield self._draft("contact.arrived", channel=channel, direction="outbound" if outbound else "inbound", customer_key=key)

    def _attributes(self) -> dict[str, Any]:
        """Return a task's attributes: JSON of the customer's own flow, which may be anything."""
        text = self._fields.get("task_attributes")
        try:
            attributes = orjson.loads(text) if isinstance(text, str) else text
        except orjson.JSONDecodeError:
            return {}
        return attributes if isinstance(attributes, dict) else {}

    def queued(self) -> Iterator[Draft]:
        queue = self._need(self._queue, "TaskQueueName")
        yield self._draft("contact.queued", queue=queue, channel=self._channel(), contact_id=self._contact())

    def left_by_timeout(self) -> Iterator[Draft]:
        yield self._draft("contact.left_queue", queue=self._need(self._queue, "TaskQueueName"), reason="timeout")

    def canceled(self) -> Iterator[Draft]:
        reason = (self._fields.text("task_canceled_reason") or self._fields.text("reason") or "").lower()
        gave_up = "hangup" in reason or "hang up" in reason or "customer" in reason
        out_of_time = "ttl" in reason or "timeout" in reason
        yield self._draft(
            "contact.left_queue", queue=self._queue, reason="abandoned" if gave_up else "timeout" if out_of_time else "withdrawn"
        )

    def deleted(self) -> Iterator[Draft]:
        if self._status in _WAITING:
            yield self._draft("contact.left_queue", queue=self._queue, reason="withdrawn")

    def transfer_ended(self) -> Iterator[Draft]:
        yield self._draft("contact.left_queue", queue=self._need(self._queue, "TaskQueueName"), reason="withdrawn")

    def offered(self) -> Iterator[Draft]:
        yield self._draft("contact.agent_offered", agent=self._need(self._worker, "WorkerName"), queue=self._queue)

    def offer_ended(self) -> Iterator[Draft]:
        outcome = _OFFERS[self._name.partition(".")[2]]
        yield self._draft("contact.offer_ended", agent=self._need(self._worker, "WorkerName"), queue=self._queue, outcome=outcome)

    def answered(self) -> Iterator[Draft]:
        agent = self._need(self._worker, "WorkerName")
        yield self._draft("contact.offer_ended", agent=agent, queue=self._queue, outcome="accepted")
        yield self._draft("contact.answered", agent=agent, queue=self._queue, reports=["wrap_up", "ring"])

    def wrapping(self) -> Iterator[Draft]:
        """Yield the end of an agent's part. The task is wrapping too unless it continues with another agent."""
        agent = self._need(self._worker, "WorkerName")
        if self._status in {"assigned", "reserved", "pending"}:
            yield self._draft("contact.transferred", from_queue=self._queue, agent=agent)
        else:
            yield self._draft("contact.ended", agent=agent)
        yield self._draft("contact.wrap_up_started", agent=agent)

    def completed(self) -> Iterator[Draft]:
        yield self._draft("contact.wrapped_up", agent=self._need(self._worker, "WorkerName"))

    def activity(self) -> Iterator[Draft]:
        agent, state = self._need(self._worker, "WorkerName"), self._fields.need("worker_activity_name")
        yield draft(
            "agent.state_changed", f"{self._id}-presence", self._at, person_id=agent, axis="presence", state=state.lower(), reason=state
        )


_KINDS: Final[dict[str, Callable[[_Event], Iterator[Draft]]]] = {
    "task.created": _Event.created,
    "task-queue.entered": _Event.queued,
    "task-queue.timeout": _Event.left_by_timeout,
    "task.canceled": _Event.canceled,
    "task.deleted": _Event.deleted,
    "task.transfer-initiated": _Event.queued,
    "task.transfer-canceled": _Event.transfer_ended,
    "task.transfer-failed": _Event.transfer_ended,
    "reservation.created": _Event.offered,
    "reservation.accepted": _Event.answered,
    **{f"reservation.{name}": _Event.offer_ended for name in _OFFERS},
    "reservation.wrapup": _Event.wrapping,
    "reservation.completed": _Event.completed,
    "worker.activity.update": _Event.activity,
}

KINDS: Final = {
    "task.created": "contact.arrived",
    "task-queue.entered": "contact.queued",
    "task-queue.timeout": "contact.left_queue: timeout",
    "task.canceled": "contact.left_queue: abandoned, timeout or withdrawn, by its reason",
    "task.deleted": "contact.left_queue: withdrawn, while no agent is with the customer",
    "task.transfer-initiated": "contact.queued in the target queue",
    "task.transfer-canceled": "contact.left_queue: withdrawn",
    "task.transfer-failed": "contact.left_queue: withdrawn",
    "reservation.created": "contact.agent_offered",
    "reservation.accepted": "contact.answered",
    "reservation.rejected": "contact.offer_ended: declined",
    "reservation.timeout": "contact.offer_ended: no_answer",
    "reservation.canceled": "contact.offer_ended: withdrawn",
    "reservation.rescinded": "contact.offer_ended: withdrawn",
    "reservation.failed": "contact.offer_ended: withdrawn",
    "reservation.wrapup": "contact.ended of the agent's part, or contact.transferred where the task continues; contact.wrap_up_started",
    "reservation.completed": "contact.wrapped_up",
    "worker.activity.update": "agent.state_changed: presence",
}

_CONFIGURED: Final = "a change of the configuration"
_REPORTED: Final = "its reservations report it"
IGNORED: Final = {
    **{
        f"{what}.{how}": _CONFIGURED
        for what in ("activity", "task-channel", "workflow", "workspace")
        for how in ("created", "updated", "deleted")
    },
    **{f"task-queue.{how}": _CONFIGURED for how in ("created", "deleted", "expression.updated")},
    **{f"worker.{how}": _CONFIGURED for how in ("created", "deleted", "attributes.update", "capacity.update")},
    **{f"workflow.{how}": "a step of a workflow; queues report the waits" for how in ("entered", "target-matched", "timeout", "skipped")},
    "worker.channel.availability.update": "which channels a worker takes; worker.activity.update reports the presence",
    "task.updated": "attributes or priority of a task, which no figure needs",
    "task.wrapup": _REPORTED,
    "task.completed": _REPORTED,
    "task.system-deleted": "the platform deletes an old task",
    "task.transfer-attempt-failed": "one of several attempts; task.transfer-failed reports the last",
    "task.transfer-completed": _REPORTED,
    "task-queue.moved": "task-queue.entered reports the target queue",
}

REPORTS: Final[dict[Part, str]] = {
    "arrival": "a task is created when the flow hands the contact over: steps before, such as a menu, are not seen",
    "queue": "",
    "ring": "",
    "hold": "conference events report hold, which TaskRouter does not send",
    "wrap_up": "",
    "ended_by": "TaskRouter does not report who hung up",
    "transfer": "",
    "agent_state": "",
}

PERSONAL: Final = tuple(
    f"{prefix}{name}"
    for prefix, names in {
        "": ("TaskAttributes", "WorkerAttributes"),
        "event_data.": ("task_attributes", "worker_attributes"),
        "data.payload.": ("task_attributes", "worker_attributes"),
    }.items()
    for name in names
)

SETTINGS: Final = (
    Setting(name="workspace", meaning="Id of the workspace (WS…); needed to poll it"),
    Setting(name="url", meaning="Address of the API", default="https://taskrouter.twilio.com"),
)
CREDENTIALS: Final = (
    Setting(name="account_sid", meaning="Id of the account, or of an API key", required=True),
    Setting(name="auth_token", meaning="Its token, or the secret of the API key", required=True),
)

GUESSED: Final = (
    "the order of a transfer's events, and that `task.transfer-initiated` names the target queue",
    "that a reservation which wraps up while its task is `assigned` passed the customer on",
    "the reason of a canceled task is the flow's own text: with `hangup` or `customer` in it the customer gave up",
)
