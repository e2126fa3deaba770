"""The events as msgspec Structs, for speed; written by `python -m schemas.generate` from the models: change those.

Times are whole milliseconds since the epoch and carry the suffix `_ms`. Texts are checked further in `schemas.decoding`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    Ms: TypeAlias = int
else:
    Ms = str  # The wire has text; `schemas.decoding` replaces it by milliseconds before it returns the event.

__all__ = [
    "AgentEvent",
    "AgentHeartbeat",
    "AgentSkillsChanged",
    "AgentStateChanged",
    "Channel",
    "ContactAgentOffered",
    "ContactAnswered",
    "ContactArrived",
    "ContactAssigned",
    "ContactCallbackAttempted",
    "ContactCallbackEnded",
    "ContactCallbackRequested",
    "ContactCategorized",
    "ContactConsultEnded",
    "ContactConsultStarted",
    "ContactEnded",
    "ContactEscalated",
    "ContactEvent",
    "ContactExcluded",
    "ContactHandedOver",
    "ContactHeld",
    "ContactLeftQueue",
    "ContactMessage",
    "ContactNotOffered",
    "ContactOfferEnded",
    "ContactQueued",
    "ContactResumed",
    "ContactStatusChanged",
    "ContactTransferred",
    "ContactWithdrawn",
    "ContactWorkEnded",
    "ContactWorkStarted",
    "ContactWrapUpStarted",
    "ContactWrappedUp",
    "CustomerActivated",
    "CustomerChurned",
    "CustomerEvent",
    "CustomerLinked",
    "Event",
    "ForecastSet",
    "OrderCancelled",
    "OrderPlaced",
    "SchedulePlanned",
    "SelfServiceEnded",
    "SelfServiceStarted",
    "SourceHeartbeat",
    "SourceSnapshot",
    "SurveyAnswered",
    "SurveyInvited",
]

Channel: TypeAlias = Literal[
    "voice",
    "mail",
    "web_form",
    "chat",
    "social",
    "video",
    "ticket",
    "sms",
    "callback",
    "survey",
    "faq",
    "bot",
]


class Event(msgspec.Struct, kw_only=True, gc=False, tag_field="type"):
    """What every event carries."""

    type: ClassVar[str]
    further_times: ClassVar[tuple[str, ...]] = ()
    event_id: Annotated[str, Meta(min_length=1, max_length=200)]
    occurred_ms: Ms = msgspec.field(name="occurred_at")
    received_ms: Ms = msgspec.field(name="received_at")
    source: Annotated[str, Meta(min_length=1, max_length=100)]
    site: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    sequence: Annotated[int, Meta(ge=0, le=9007199254740991)] | None = None
    revision: Annotated[int, Meta(ge=0, le=9007199254740991)] | None = None
    schema_version: Annotated[int, Meta(ge=1, le=1000000)] = 1


class ContactArrived(Event, kw_only=True, tag="contact.arrived"):
    """A contact reached the system, before any queue."""

    type: ClassVar[Literal["contact.arrived"]] = "contact.arrived"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    channel: Channel
    direction: Literal["inbound", "outbound", "internal"] | None = None
    entry_point: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    language: Annotated[str, Meta(min_length=2, max_length=35)] | None = None
    customer_key: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    initiated_by: Literal["customer", "agent", "system"] | None = None


class ContactNotOffered(Event, kw_only=True, tag="contact.not_offered"):
    """A contact ended before it reached a queue."""

    type: ClassVar[Literal["contact.not_offered"]] = "contact.not_offered"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    reason: Literal["busy", "full", "closed", "menu_ended", "blocked"] | None = None


class ContactExcluded(Event, kw_only=True, tag="contact.excluded"):
    """A contact that no figure may count."""

    type: ClassVar[Literal["contact.excluded"]] = "contact.excluded"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    reason: Literal["spam", "test", "duplicate", "merged", "no_reply_needed"]


class ContactQueued(Event, kw_only=True, tag="contact.queued"):
    """A contact began to wait in a queue: a visit begins."""

    type: ClassVar[Literal["contact.queued"]] = "contact.queued"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    queue: Annotated[str, Meta(min_length=1, max_length=200)]
    channel: Channel | None = None
    priority: Annotated[int, Meta(ge=-1000000, le=1000000)] | None = None
    skills: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(max_length=500)] | None = None
    category: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class ContactAgentOffered(Event, kw_only=True, tag="contact.agent_offered"):
    """A contact began to ring at an agent."""

    type: ClassVar[Literal["contact.agent_offered"]] = "contact.agent_offered"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    agent: Annotated[str, Meta(min_length=1, max_length=200)]
    queue: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    ring_seconds: Annotated[float, Meta(ge=0, le=315576000.0)] | None = None


class ContactOfferEnded(Event, kw_only=True, tag="contact.offer_ended"):
    """An offer to an agent ended."""

    type: ClassVar[Literal["contact.offer_ended"]] = "contact.offer_ended"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    agent: Annotated[str, Meta(min_length=1, max_length=200)]
    outcome: Literal["accepted", "declined", "no_answer", "withdrawn"]
    queue: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    ring_seconds: Annotated[float, Meta(ge=0, le=315576000.0)] | None = None


class ContactAssigned(Event, kw_only=True, tag="contact.assigned"):
    """A contact was given to an agent or a team; with neither, it was taken from both."""

    type: ClassVar[Literal["contact.assigned"]] = "contact.assigned"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    agent: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    team: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class ContactAnswered(Event, kw_only=True, tag="contact.answered"):
    """An agent and the customer were connected."""

    type: ClassVar[Literal["contact.answered"]] = "contact.answered"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    agent: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    queue: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    wait_seconds: Annotated[float, Meta(ge=0, le=315576000.0)] | None = None
    reports: Annotated[tuple[Literal["hold", "wrap_up", "ring"], ...], Meta(max_length=3)] | None = None


class ContactHeld(Event, kw_only=True, tag="contact.held"):
    """The customer was put on hold."""

    type: ClassVar[Literal["contact.held"]] = "contact.held"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    agent: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class ContactResumed(Event, kw_only=True, tag="contact.resumed"):
    """The customer was taken off hold."""

    type: ClassVar[Literal["contact.resumed"]] = "contact.resumed"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    agent: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    hold_seconds: Annotated[float, Meta(ge=0, le=315576000.0)] | None = None


class ContactConsultStarted(Event, kw_only=True, tag="contact.consult_started"):
    """An agent began to consult another party while the customer waits."""

    type: ClassVar[Literal["contact.consult_started"]] = "contact.consult_started"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    agent: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    with_whom: Annotated[str, Meta(min_length=1, max_length=200)] | None = msgspec.field(default=None, name="with")


class ContactConsultEnded(Event, kw_only=True, tag="contact.consult_ended"):
    """A consultation ended."""

    type: ClassVar[Literal["contact.consult_ended"]] = "contact.consult_ended"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    agent: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    with_whom: Annotated[str, Meta(min_length=1, max_length=200)] | None = msgspec.field(default=None, name="with")


class ContactTransferred(Event, kw_only=True, tag="contact.transferred"):
    """A contact was passed on."""

    type: ClassVar[Literal["contact.transferred"]] = "contact.transferred"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    kind: Literal["blind", "attended", "queue"] | None = None
    from_queue: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    to_queue: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    to_agent: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    agent: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    agent_stays: bool | None = None


class ContactLeftQueue(Event, kw_only=True, tag="contact.left_queue"):
    """A contact stopped waiting in a queue without an answer from it: a visit ends."""

    type: ClassVar[Literal["contact.left_queue"]] = "contact.left_queue"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    reason: Literal["abandoned", "timeout", "overflow", "voicemail", "keypress", "empty", "callback", "withdrawn", "transfer"]
    queue: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    wait_seconds: Annotated[float, Meta(ge=0, le=315576000.0)] | None = None


class ContactCallbackRequested(Event, kw_only=True, tag="contact.callback_requested"):
    """The customer asked to be called back."""

    type: ClassVar[Literal["contact.callback_requested"]] = "contact.callback_requested"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    due_ms: Ms | None = msgspec.field(default=None, name="due")
    further_times: ClassVar[tuple[str, ...]] = ("due_ms",)


class ContactCallbackAttempted(Event, kw_only=True, tag="contact.callback_attempted"):
    """The customer was called back, successfully or not."""

    type: ClassVar[Literal["contact.callback_attempted"]] = "contact.callback_attempted"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    due_ms: Ms | None = msgspec.field(default=None, name="due")
    outcome: Literal["reached", "no_answer", "cancelled", "expired"] | None = None
    further_times: ClassVar[tuple[str, ...]] = ("due_ms",)


class ContactCallbackEnded(Event, kw_only=True, tag="contact.callback_ended"):
    """No further callback will be attempted."""

    type: ClassVar[Literal["contact.callback_ended"]] = "contact.callback_ended"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    outcome: Literal["reached", "no_answer", "cancelled", "expired"]


class ContactMessage(Event, kw_only=True, tag="contact.message"):
    """A message was written in the conversation."""

    type: ClassVar[Literal["contact.message"]] = "contact.message"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    author_kind: Literal["customer", "agent", "bot", "system"]
    agent: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    public: bool | None = None
    automatic: bool | None = None
    thanks: bool | None = None


class ContactWorkStarted(Event, kw_only=True, tag="contact.work_started"):
    """An agent began to work on a mail, ticket or chat."""

    type: ClassVar[Literal["contact.work_started"]] = "contact.work_started"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    agent: Annotated[str, Meta(min_length=1, max_length=200)]


class ContactWorkEnded(Event, kw_only=True, tag="contact.work_ended"):
    """An agent stopped working on a mail, ticket or chat."""

    type: ClassVar[Literal["contact.work_ended"]] = "contact.work_ended"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    agent: Annotated[str, Meta(min_length=1, max_length=200)]


class ContactWrapUpStarted(Event, kw_only=True, tag="contact.wrap_up_started"):
    """Work after the conversation began."""

    type: ClassVar[Literal["contact.wrap_up_started"]] = "contact.wrap_up_started"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    agent: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class ContactWrappedUp(Event, kw_only=True, tag="contact.wrapped_up"):
    """Work after the conversation ended."""

    type: ClassVar[Literal["contact.wrapped_up"]] = "contact.wrapped_up"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    agent: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    wrap_up_seconds: Annotated[float, Meta(ge=0, le=315576000.0)] | None = None


class ContactStatusChanged(Event, kw_only=True, tag="contact.status_changed"):
    """A ticket, mail or case took another status."""

    type: ClassVar[Literal["contact.status_changed"]] = "contact.status_changed"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    status: Literal["new", "open", "waiting_on_customer", "on_hold", "resolved", "closed", "reopened"]
    waiting_on: Literal["customer", "agent", "third_party"] | None = None


class ContactEscalated(Event, kw_only=True, tag="contact.escalated"):
    """A contact was handed to a more able or more senior agent."""

    type: ClassVar[Literal["contact.escalated"]] = "contact.escalated"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    kind: Literal["functional", "hierarchical"] | None = None
    to: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class ContactEnded(Event, kw_only=True, tag="contact.ended"):
    """The conversation with the customer ended, or only the named agent's share of it."""

    type: ClassVar[Literal["contact.ended"]] = "contact.ended"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    by: Literal["customer", "agent", "system"] | None = None
    reason: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    agent: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class ContactCategorized(Event, kw_only=True, tag="contact.categorized"):
    """A user or a program classified the contact."""

    type: ClassVar[Literal["contact.categorized"]] = "contact.categorized"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    category: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    complaint: bool | None = None


class ContactHandedOver(Event, kw_only=True, tag="contact.handed_over"):
    """A bot handed the customer over to agents."""

    type: ClassVar[Literal["contact.handed_over"]] = "contact.handed_over"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    bot: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    queue: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class ContactWithdrawn(Event, kw_only=True, tag="contact.withdrawn"):
    """The event of this `event_id` did not happen: its source withdraws it, with a higher `revision`."""

    type: ClassVar[Literal["contact.withdrawn"]] = "contact.withdrawn"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None


class SelfServiceStarted(Event, kw_only=True, tag="self_service.started"):
    """A customer began to look for an answer without an agent."""

    type: ClassVar[Literal["self_service.started"]] = "self_service.started"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    kind: Literal["faq", "bot"]
    category: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class SelfServiceEnded(Event, kw_only=True, tag="self_service.ended"):
    """A customer stopped looking for an answer without an agent."""

    type: ClassVar[Literal["self_service.ended"]] = "self_service.ended"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    kind: Literal["faq", "bot"] | None = None
    category: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    outcome: Literal["confirmed_solved", "left", "handed_over"] | None = None


class SurveyInvited(Event, kw_only=True, tag="survey.invited"):
    """A customer was asked for an opinion."""

    type: ClassVar[Literal["survey.invited"]] = "survey.invited"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    kind: Literal["csat", "nps", "ces"]
    scale: Annotated[str, Meta(min_length=3, max_length=8, pattern=r"^-?[0-9]{1,3}-[0-9]{1,3}$")] | None = None


class SurveyAnswered(Event, kw_only=True, tag="survey.answered"):
    """A customer gave an opinion."""

    type: ClassVar[Literal["survey.answered"]] = "survey.answered"
    conversation_id: Annotated[str, Meta(min_length=1, max_length=200)]
    contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    related_contact_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    kind: Literal["csat", "nps", "ces"]
    score: Annotated[float, Meta(ge=-999, le=999)]
    scale: Annotated[str, Meta(min_length=3, max_length=8, pattern=r"^-?[0-9]{1,3}-[0-9]{1,3}$")] | None = None


class SourceHeartbeat(Event, kw_only=True, tag="source.heartbeat"):
    """A source is alive and has reported everything up to a time; published to every partition of the topics of events."""

    type: ClassVar[Literal["source.heartbeat"]] = "source.heartbeat"
    complete_through_ms: Ms = msgspec.field(name="complete_through")
    ended: bool = False
    instance: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    further_times: ClassVar[tuple[str, ...]] = ("complete_through_ms",)


class SourceSnapshot(Event, kw_only=True, tag="source.snapshot"):
    """What is open at a source now; open items not listed are closed as lost. Goes to every partition of the topics of events."""

    type: ClassVar[Literal["source.snapshot"]] = "source.snapshot"
    kind: Literal["contacts", "agents"]
    open_ids: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(max_length=50000)]


class AgentStateChanged(Event, kw_only=True, tag="agent.state_changed"):
    """An agent entered another state on one axis."""

    type: ClassVar[Literal["agent.state_changed"]] = "agent.state_changed"
    person_id: Annotated[str, Meta(min_length=1, max_length=200)]
    axis: Literal["presence", "routing", "activity"]
    state: Annotated[str, Meta(min_length=1, max_length=100)]
    reason: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    channel: Channel | None = None
    capacity: Annotated[int, Meta(ge=0, le=1000000000)] | None = None
    in_use: Annotated[int, Meta(ge=0, le=1000000000)] | None = None
    team: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class AgentSkillsChanged(Event, kw_only=True, tag="agent.skills_changed"):
    """The queues or skills of an agent changed; each list is complete and replaces the last."""

    type: ClassVar[Literal["agent.skills_changed"]] = "agent.skills_changed"
    person_id: Annotated[str, Meta(min_length=1, max_length=200)]
    queues: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(max_length=500)] | None = None
    skills: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(max_length=500)] | None = None
    team: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class AgentHeartbeat(Event, kw_only=True, tag="agent.heartbeat"):
    """The platform still reports this agent; nothing changed."""

    type: ClassVar[Literal["agent.heartbeat"]] = "agent.heartbeat"
    person_id: Annotated[str, Meta(min_length=1, max_length=200)]


class SchedulePlanned(Event, kw_only=True, tag="schedule.planned"):
    """An agent is planned to do something from `start` to `end`."""

    type: ClassVar[Literal["schedule.planned"]] = "schedule.planned"
    person_id: Annotated[str, Meta(min_length=1, max_length=200)]
    activity: Annotated[str, Meta(min_length=1, max_length=100)]
    start_ms: Ms = msgspec.field(name="start")
    end_ms: Ms = msgspec.field(name="end")
    further_times: ClassVar[tuple[str, ...]] = ("start_ms", "end_ms")


class OrderPlaced(Event, kw_only=True, tag="order.placed"):
    """A customer ordered something."""

    type: ClassVar[Literal["order.placed"]] = "order.placed"
    customer_key: Annotated[str, Meta(min_length=1, max_length=200)]
    order_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    value: Annotated[float, Meta(ge=0, le=1000000000000000.0)] | None = None
    currency: Annotated[str, Meta(min_length=3, max_length=3, pattern=r"^[A-Z]{3}$")] | None = None


class OrderCancelled(Event, kw_only=True, tag="order.cancelled"):
    """A customer cancelled an order."""

    type: ClassVar[Literal["order.cancelled"]] = "order.cancelled"
    customer_key: Annotated[str, Meta(min_length=1, max_length=200)]
    order_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    value: Annotated[float, Meta(ge=0, le=1000000000000000.0)] | None = None
    currency: Annotated[str, Meta(min_length=3, max_length=3, pattern=r"^[A-Z]{3}$")] | None = None


class CustomerActivated(Event, kw_only=True, tag="customer.activated"):
    """A person became a customer."""

    type: ClassVar[Literal["customer.activated"]] = "customer.activated"
    customer_key: Annotated[str, Meta(min_length=1, max_length=200)]


class CustomerChurned(Event, kw_only=True, tag="customer.churned"):
    """A person stopped being a customer."""

    type: ClassVar[Literal["customer.churned"]] = "customer.churned"
    customer_key: Annotated[str, Meta(min_length=1, max_length=200)]


class CustomerLinked(Event, kw_only=True, tag="customer.linked"):
    """Two keys belong to one customer."""

    type: ClassVar[Literal["customer.linked"]] = "customer.linked"
    customer_key: Annotated[str, Meta(min_length=1, max_length=200)]
    linked_key: Annotated[str, Meta(min_length=1, max_length=200)]


class ForecastSet(Event, kw_only=True, tag="forecast.set"):
    """What is expected of a queue in one interval; published keyed by `queue`."""

    type: ClassVar[Literal["forecast.set"]] = "forecast.set"
    queue: Annotated[str, Meta(min_length=1, max_length=200)]
    channel: Channel | None = None
    interval_start_ms: Ms = msgspec.field(name="interval_start")
    interval_seconds: Annotated[float, Meta(ge=0, le=315576000.0)]
    volume: Annotated[float, Meta(ge=0, le=1000000000000000.0)] | None = None
    handle_seconds: Annotated[float, Meta(ge=0, le=315576000.0)] | None = None
    staff: Annotated[float, Meta(ge=0, le=1000000000000000.0)] | None = None
    further_times: ClassVar[tuple[str, ...]] = ("interval_start_ms",)


ContactEvent: TypeAlias = (
    ContactArrived
    | ContactNotOffered
    | ContactExcluded
    | ContactQueued
    | ContactAgentOffered
    | ContactOfferEnded
    | ContactAssigned
    | ContactAnswered
    | ContactHeld
    | ContactResumed
    | ContactConsultStarted
    | ContactConsultEnded
    | ContactTransferred
    | ContactLeftQueue
    | ContactCallbackRequested
    | ContactCallbackAttempted
    | ContactCallbackEnded
    | ContactMessage
    | ContactWorkStarted
    | ContactWorkEnded
    | ContactWrapUpStarted
    | ContactWrappedUp
    | ContactStatusChanged
    | ContactEscalated
    | ContactEnded
    | ContactCategorized
    | ContactHandedOver
    | ContactWithdrawn
    | SelfServiceStarted
    | SelfServiceEnded
    | SurveyInvited
    | SurveyAnswered
    | SourceHeartbeat
    | SourceSnapshot
)
"""What a record of contact-events holds."""

AgentEvent: TypeAlias = AgentStateChanged | AgentSkillsChanged | AgentHeartbeat | SchedulePlanned | SourceHeartbeat | SourceSnapshot
"""What a record of agent-events holds."""

CustomerEvent: TypeAlias = (
    OrderPlaced | OrderCancelled | CustomerActivated | CustomerChurned | CustomerLinked | ForecastSet | SourceHeartbeat | SourceSnapshot
)
"""What a record of customer-events holds."""
