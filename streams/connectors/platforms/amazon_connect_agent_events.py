"""Amazon Connect's agent events, as Kinesis delivers them: what an agent's desktop shows before and after each change, and each 120 s.

Both snapshots are in the event, so that each is understood by itself. Contacts are known from the moment they ring at an agent: waiting and
abandoned contacts are not seen. Beside contact events (setting `contact_events`) only what those leave out is reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.amazon_connect import AGENTS, ASKED, CHANNELS, CREDENTIALS, QUEUES, STREAM, agent, conversation, queue
from streams.connectors.kit.drafting import draft
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Setting, UnusableError
from streams.connectors.kit.reading import joined_records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from streams.connectors.kit.model import Context, Draft, Record

__all__ = ["CONNECTOR"]

_TALKING: Final = frozenset({"CONNECTED", "CONNECTED_ONHOLD", "PAUSED"})
#: How a ring ended that was not answered.
_NOT_ANSWERED: Final = {"MISSED": "no_answer", "REJECTED": "declined", "ERROR": "withdrawn"}
_PRESENCE: Final = {"OFFLINE": "offline", "ROUTABLE": "available"}


def _kind(record: Record) -> str:
    return Fields(record.content).need("EventType")


def _translate(record: Record, context: Context) -> Iterator[Draft]:
    fields = Fields(record.content, context.zone)
    at, event = fields.need_time("EventTimestamp"), fields.need("EventId")
    after, before = _snapshot(fields, "CurrentAgentSnapshot"), _snapshot(fields, "PreviousAgentSnapshot")
    username = next((name for snapshot in (after, before) if snapshot and (name := snapshot.text("Configuration.Username"))), None)
    # Beside contact events the agent has the name that those give: they have no user names.
    person = agent(context, fields.text("AgentARN"), None if context.settings.get("contact_events") else username)
    if person is None:
        raise UnusableError("missing_field", "AgentARN: required")
    if fields.need("EventType") == "HEART_BEAT":
        yield draft("agent.heartbeat", event, at, person_id=person)
        return
    yield from _states(fields, before, after, at, person)
    current = {contact: _Contact(entry, contact, person, at, context) for contact, entry in _contacts(after).items()}
    previous = {contact: _Contact(entry, contact, person, at, context) for contact, entry in _contacts(before).items()}
    for contact, shown in sorted({**previous, **current}.items()):
        new, old = current.get(contact), previous.get(contact)
        if old is None or new is None or new.state != old.state:
            yield from shown.changed(old, new)


def _snapshot(fields: Fields, name: str) -> Fields | None:
    content = fields.get(name)
    return Fields(content) if isinstance(content, dict) else None


def _contacts(snapshot: Fields | None) -> dict[str, Fields]:
    entries = snapshot.entries("Contacts") if snapshot is not None else []
    return {entry.need("ContactId"): entry for entry in entries}


def _states(fields: Fields, before: Fields | None, after: Fields | None, at: datetime, person: str) -> Iterator[Draft]:
    """Yield presence and activity where they changed."""
    event = fields.need("EventId")
    if fields.need("EventType") == "LOGOUT":
        yield draft("agent.state_changed", f"{event}-presence", at, person_id=person, axis="presence", state="offline")
        return
    if after is None:
        return
    paths = ("AgentStatus.ARN", "AgentStatus.Name", "AgentStatus.StartTimestamp")
    if before is None or any(before.get(path) != after.get(path) for path in paths):
        name = after.need("AgentStatus.Name")
        presence = _PRESENCE.get((after.text("AgentStatus.Type") or name).upper(), name.lower())
        since = after.time("AgentStatus.StartTimestamp") or at
        yield draft("agent.state_changed", f"{event}-presence", since, person_id=person, axis="presence", state=presence, reason=name)
    activity = _activity(after)
    if before is None or activity != _activity(before):
        yield draft("agent.state_changed", f"{event}-activity", at, person_id=person, axis="activity", state=activity)


def _activity(snapshot: Fields) -> str:
    """Return an agent's activity by the contacts of a snapshot."""
    states = {entry.text("State") for entry in snapshot.entries("Contacts")}
    talked = any(entry.get("ConnectedToAgentTimestamp") is not None for entry in snapshot.entries("Contacts"))
    if states & _TALKING:
        return "interacting"
    if "ENDED" in states and talked:
        return "after_contact_work"
    return "ringing" if "CONNECTING" in states else "idle"


class _Contact:
    """A contact as a snapshot shows it."""

    def __init__(self, fields: Fields, contact: str, person: str, at: datetime, context: Context) -> None:
        self._fields = fields
        self._contact, self._person, self._at = contact, person, at
        self._beside = bool(context.settings.get("contact_events"))
        self.state = fields.need("State")
        self.queue = queue(context, fields.text("Queue.ARN"), fields.text("Queue.Name"))
        self.since = fields.time("StateStartTimestamp") or at
        self.answered = fields.time("ConnectedToAgentTimestamp")
        self._common: dict[str, Any] = {"conversation_id": conversation(fields, "InitialContactId", "ContactId"), "contact_id": contact}

    def changed(self, old: _Contact | None, new: _Contact | None) -> Iterator[Draft]:
        """Yield the events of a change from one state to another."""
        before, after = old.state if old is not None else "", new.state if new is not None else ""
        if after == "CONNECTING":
            yield self._draft("contact.agent_offered", self.since, queue=self.queue)
        if before == "CONNECTING" or (before not in _TALKING and after in _NOT_ANSWERED):
            yield from self._offer_ended(old, after)
        if after in _TALKING and before not in _TALKING:
            yield from self._begun()
        if before in _TALKING or after in _TALKING:
            yield from self._held(before, after)
        if before in _TALKING and after not in _TALKING and not self._beside:
            yield self._draft("contact.ended", self.since if after == "ENDED" else self._at)
            if after == "ENDED":
                yield self._draft("contact.wrap_up_started", self.since)
        if before == "ENDED" and not after and self.answered is not None and not self._beside:
            yield self._draft("contact.wrapped_up", self._at)

    def _draft(self, kind: str, at: datetime, **fields: Any) -> Draft:
        event = f"{self._contact}-{self._person}-{kind.partition('.')[2]}-{at.timestamp():.3f}"
        return draft(kind, event, at, **self._common, agent=self._person, **fields)

    def _offer_ended(self, old: _Contact | None, after: str) -> Iterator[Draft]:
        began = old.since if old is not None and old.state == "CONNECTING" else None
        at = self.since if after else self._at
        seconds = (at - began).total_seconds() if began is not None else None
        outcome = "accepted" if after in _TALKING else _NOT_ANSWERED.get(after, "withdrawn")
        yield self._draft(
            "contact.offer_ended", at, queue=self.queue, outcome=outcome, ring_seconds=max(0.0, seconds) if seconds is not None else None
        )

    def _begun(self) -> Iterator[Draft]:
        direct = self._fields.text("InitiationMethod") in {"OUTBOUND", "EXTERNAL_OUTBOUND"}
        channel = CHANNELS.get((self._fields.text("Channel") or "").upper())
        if self._beside or self.answered is None:
            return
        if direct and channel is not None:
            yield self._draft_of_contact("contact.arrived", self.answered, channel=channel, direction="outbound")
        queued = self._fields.time("QueueTimestamp")
        wait = None if queued is None else max(0.0, (self.answered - queued).total_seconds())
        if queued is not None and self.queue is not None:
            yield self._draft_of_contact("contact.queued", queued, queue=self.queue, channel=channel)
        yield self._draft("contact.answered", self.answered, queue=self.queue, wait_seconds=wait, reports=["hold", "wrap_up", "ring"])

    def _draft_of_contact(self, kind: str, at: datetime, **fields: Any) -> Draft:
        return draft(kind, f"{self._contact}-{kind.partition('.')[2]}-{at.timestamp():.3f}", at, **self._common, **fields)

    def _held(self, before: str, after: str) -> Iterator[Draft]:
        if after == "CONNECTED_ONHOLD":
            yield self._draft("contact.held", self.since)
        elif before == "CONNECTED_ONHOLD":
            yield self._draft("contact.resumed", self.since if after else self._at)


CONNECTOR: Final = Connector(
    name="amazon-connect-agent-events",
    title="Amazon Connect agent events",
    family="telephone",
    delivery="live",
    ways=("pull", "file"),
    kinds={
        "LOGIN": "agent.state_changed",
        "LOGOUT": "agent.state_changed: offline",
        "STATE_CHANGE": "agent.state_changed; contact.agent_offered, offer_ended, held, resumed; without contact events also queued, "
        "answered, ended and wrap-up",
        "HEART_BEAT": "agent.heartbeat",
    },
    ignored={},
    read=joined_records,
    kind=_kind,
    translate=_translate,
    reports={
        "arrival": "a contact is known from the moment it rings at an agent",
        "queue": "contacts that leave a queue without an answer are not seen: offered counts answered ones alone, abandoned none",
        "ring": "",
        "hold": "",
        "wrap_up": "",
        "ended_by": "agent events do not report the party that hung up",
        "transfer": "an agent's desktop does not report where a contact is transferred to",
        "agent_state": "",
    },
    nothing_for=("offered", "abandoned", "answer_rate", "abandon_rate", "service_level", "service_level_live", "time_to_abandon"),
    personal=(
        *(
            f"{snapshot}.Configuration.{name}"
            for snapshot in ("CurrentAgentSnapshot", "PreviousAgentSnapshot")
            for name in ("FirstName", "LastName")
        ),
        *(
            f"{snapshot}.Contacts.*.{name}"
            for snapshot in ("CurrentAgentSnapshot", "PreviousAgentSnapshot")
            for name in ("CustomerEndpoint", "Name")
        ),
    ),
    settings=(
        QUEUES,
        AGENTS,
        STREAM,
        *ASKED,
        Setting(
            name="contact_events",
            meaning="Contact events of the same Connect arrive too, as a source joined with this one: they report answers and ends.",
            default=False,
        ),
    ),
    credentials=CREDENTIALS,
    extra="amazon",
    guessed=("`PAUSED` is a task that the agent paused: its time continues",),
)
