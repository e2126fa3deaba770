"""What happens to a contact: one model a kind, published keyed by `conversation_id`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import MAX_LIST, Channel, Event, Id, Label, Language, Name, Seconds, Time, hold
from schemas.limits import far_fetched_due
from schemas.times import to_ms

__all__ = [
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
    "ContactExcluded",
    "ContactHandedOver",
    "ContactHeld",
    "ContactLeftQueue",
    "ContactMessage",
    "ContactModel",
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
    "SelfServiceEnded",
    "SelfServiceStarted",
    "SurveyAnswered",
    "SurveyInvited",
]


class ContactModel(Event):
    """What every contact event carries beside the common fields."""

    conversation_id: Id
    """One customer's issue: all legs of a call, its transfers and callbacks; a ticket through its reopenings. The same id of another
    source is another issue, unless the configuration joins the two (`joined_sources`)."""
    contact_id: Id | None = None
    """The platform's id of one leg, segment or ticket."""
    related_contact_id: Id | None = None
    """The contact this one comes from."""
    relation: Literal["transfer", "callback", "consult", "reopen"] | None = None
    """How it comes from the related contact. An agent who consults another in a separate contact reports `consult` on its events, and
    `transfer` on the answer with which the other agent takes over the customer."""


class ContactArrived(ContactModel):
    """A contact reached the system, before any queue."""

    type: Literal["contact.arrived"] = "contact.arrived"
    channel: Channel
    """How the customer made contact."""
    direction: Literal["inbound", "outbound", "internal"] | None = None
    """Who reached out; absent means inbound."""
    entry_point: Name | None = None
    """The number, address or page it came in by."""
    language: Language | None = None
    """The customer's language as a BCP 47 tag."""
    customer_key: Id | None = None
    """Keyed and versioned hash of the customer's identity; absent when withheld."""
    initiated_by: Literal["customer", "agent", "system"] | None = None
    """Who began it."""


class ContactNotOffered(ContactModel):
    """A contact ended before it reached a queue."""

    type: Literal["contact.not_offered"] = "contact.not_offered"
    reason: Literal["busy", "full", "closed", "menu_ended", "blocked"] | None = None
    """Why it did not reach a queue."""


class ContactExcluded(ContactModel):
    """A contact that no figure may count."""

    type: Literal["contact.excluded"] = "contact.excluded"
    reason: Literal["spam", "test", "duplicate", "merged", "no_reply_needed"]
    """Why it does not count."""


class ContactQueued(ContactModel):
    """A contact began to wait in a queue: a visit begins."""

    type: Literal["contact.queued"] = "contact.queued"
    queue: Name
    """The queue it waits in."""
    channel: Channel | None = None
    """The channel, from platforms that report no arrival."""
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None
    """Its rank in the queue, by the platform's own scale."""
    skills: Annotated[tuple[Label, ...], Field(max_length=MAX_LIST)] | None = None
    """The skills it asks for."""
    category: Name | None = None
    """What it is about, as chosen in a menu or form."""


class ContactAgentOffered(ContactModel):
    """A contact began to ring at an agent."""

    type: Literal["contact.agent_offered"] = "contact.agent_offered"
    agent: Id
    """The agent it is offered to."""
    queue: Name | None = None
    """The queue it is offered from."""
    ring_seconds: Seconds | None = None
    """How long it rang, from platforms that report the offer afterwards."""


class ContactOfferEnded(ContactModel):
    """An offer to an agent ended."""

    type: Literal["contact.offer_ended"] = "contact.offer_ended"
    agent: Id
    """The agent it was offered to."""
    outcome: Literal["accepted", "declined", "no_answer", "withdrawn"]
    """How the offer ended."""
    queue: Name | None = None
    """The queue it was offered from."""
    ring_seconds: Seconds | None = None
    """How long it rang."""


class ContactAssigned(ContactModel):
    """A contact was given to an agent or a team; with neither, it was taken from both."""

    type: Literal["contact.assigned"] = "contact.assigned"
    agent: Id | None = None
    """The agent who owns it now."""
    team: Name | None = None
    """The team that owns it now."""


class ContactAnswered(ContactModel):
    """An agent and the customer were connected."""

    type: Literal["contact.answered"] = "contact.answered"
    agent: Id | None = None
    """The agent who answered."""
    queue: Name | None = None
    """The queue it was answered from."""
    wait_seconds: Seconds | None = None
    """How long it waited in the queue, from platforms that report the wait with the answer."""
    reports: Annotated[tuple[Literal["hold", "wrap_up", "ring"], ...], Field(max_length=3)] | None = None
    """The parts of this leg that the source promises to report; parts not promised stay unknown."""


class ContactHeld(ContactModel):
    """The customer was put on hold."""

    type: Literal["contact.held"] = "contact.held"
    agent: Id | None = None
    """The agent who put the customer on hold."""


class ContactResumed(ContactModel):
    """The customer was taken off hold."""

    type: Literal["contact.resumed"] = "contact.resumed"
    agent: Id | None = None
    """The agent who came back."""
    hold_seconds: Seconds | None = None
    """How long the customer was on hold, from platforms that report it afterwards; then `contact.held` is not needed."""


class ContactConsultStarted(ContactModel):
    """An agent began to consult another party while the customer waits."""

    type: Literal["contact.consult_started"] = "contact.consult_started"
    agent: Id | None = None
    """The agent who asks."""
    with_whom: Id | None = Field(default=None, alias="with")
    """The agent, queue or keyed outside party asked; named `with` on the wire."""


class ContactConsultEnded(ContactModel):
    """A consultation ended."""

    type: Literal["contact.consult_ended"] = "contact.consult_ended"
    agent: Id | None = None
    """The agent who asked."""
    with_whom: Id | None = Field(default=None, alias="with")
    """The agent, queue or keyed outside party asked; named `with` on the wire."""


class ContactTransferred(ContactModel):
    """A contact was passed on."""

    type: Literal["contact.transferred"] = "contact.transferred"
    kind: Literal["blind", "attended", "queue"] | None = None
    """How it was passed on."""
    from_queue: Name | None = None
    """The queue it left."""
    to_queue: Name | None = None
    """The queue it goes to."""
    to_agent: Id | None = None
    """The agent it goes to."""
    agent: Id | None = None
    """The agent who passed it on."""
    agent_stays: bool | None = None
    """Whether the agent's share continues until another event ends it, as when another agent is asked to join first."""


class ContactLeftQueue(ContactModel):
    """A contact stopped waiting in a queue without an answer from it: a visit ends."""

    type: Literal["contact.left_queue"] = "contact.left_queue"
    reason: Literal[
        "abandoned",
        "timeout",
        "overflow",
        "voicemail",
        "keypress",
        "empty",
        "callback",
        "withdrawn",
        "transfer",
    ]
    """Why it left."""
    queue: Name | None = None
    """The queue it left."""
    wait_seconds: Seconds | None = None
    """How long it waited there."""


class ContactCallbackRequested(ContactModel):
    """The customer asked to be called back."""

    type: Literal["contact.callback_requested"] = "contact.callback_requested"
    due: Time | None = None
    """When the callback is due: at most 400 days after `occurred_at`."""

    @model_validator(mode="after")
    def _is_near(self) -> Self:
        hold(far_fetched_due(to_ms(self.occurred_at), None if self.due is None else to_ms(self.due)))
        return self


class ContactCallbackAttempted(ContactModel):
    """The customer was called back, successfully or not."""

    type: Literal["contact.callback_attempted"] = "contact.callback_attempted"
    due: Time | None = None
    """When the next attempt is due: at most 400 days after `occurred_at`."""
    outcome: Literal["reached", "no_answer", "cancelled", "expired"] | None = None
    """How the attempt ended."""

    @model_validator(mode="after")
    def _is_near(self) -> Self:
        hold(far_fetched_due(to_ms(self.occurred_at), None if self.due is None else to_ms(self.due)))
        return self


class ContactCallbackEnded(ContactModel):
    """No further callback will be attempted."""

    type: Literal["contact.callback_ended"] = "contact.callback_ended"
    outcome: Literal["reached", "no_answer", "cancelled", "expired"]
    """How the callback ended."""


class ContactMessage(ContactModel):
    """A message was written in the conversation."""

    type: Literal["contact.message"] = "contact.message"
    author_kind: Literal["customer", "agent", "bot", "system"]
    """Who wrote it."""
    agent: Id | None = None
    """The agent who wrote it, where one did."""
    public: bool | None = None
    """Whether the customer can see it."""
    automatic: bool | None = None
    """Whether a machine wrote it: an out-of-office reply, a receipt."""
    thanks: bool | None = None
    """Whether the customer's own words in it give thanks."""


class ContactWorkStarted(ContactModel):
    """An agent began to work on a mail, ticket or chat."""

    type: Literal["contact.work_started"] = "contact.work_started"
    agent: Id
    """The agent at work."""


class ContactWorkEnded(ContactModel):
    """An agent stopped working on a mail, ticket or chat."""

    type: Literal["contact.work_ended"] = "contact.work_ended"
    agent: Id
    """The agent who was at work."""


class ContactWrapUpStarted(ContactModel):
    """Work after the conversation began."""

    type: Literal["contact.wrap_up_started"] = "contact.wrap_up_started"
    agent: Id | None = None
    """The agent at work."""


class ContactWrappedUp(ContactModel):
    """Work after the conversation ended."""

    type: Literal["contact.wrapped_up"] = "contact.wrapped_up"
    agent: Id | None = None
    """The agent who was at work."""
    wrap_up_seconds: Seconds | None = None
    """How long it took, from platforms that report it afterwards."""


class ContactStatusChanged(ContactModel):
    """A ticket, mail or case took another status."""

    type: Literal["contact.status_changed"] = "contact.status_changed"
    status: Literal["new", "open", "waiting_on_customer", "on_hold", "resolved", "closed", "reopened"]
    """The status it has now."""
    waiting_on: Literal["customer", "agent", "third_party"] | None = None
    """Whose turn it is."""


class ContactEscalated(ContactModel):
    """A contact was handed to a more able or more senior agent."""

    type: Literal["contact.escalated"] = "contact.escalated"
    kind: Literal["functional", "hierarchical"] | None = None
    """To other skills (functional) or up the line (hierarchical)."""
    to: Name | None = None
    """The agent, team or queue it goes to."""


class ContactEnded(ContactModel):
    """The conversation with the customer ended, or only the named agent's share of it."""

    type: Literal["contact.ended"] = "contact.ended"
    by: Literal["customer", "agent", "system"] | None = None
    """Who ended it."""
    reason: Label | None = None
    """Why, in the platform's own term."""
    agent: Id | None = None
    """The agent whose share alone ended, where the customer continues with others."""


class ContactCategorized(ContactModel):
    """A user or a program classified the contact."""

    type: Literal["contact.categorized"] = "contact.categorized"
    category: Name | None = None
    """What it is about."""
    complaint: bool | None = None
    """Whether it is a complaint."""


class ContactHandedOver(ContactModel):
    """A bot handed the customer over to agents."""

    type: Literal["contact.handed_over"] = "contact.handed_over"
    bot: Name | None = None
    """The bot that handed the customer over."""
    queue: Name | None = None
    """The queue it goes to."""


class ContactWithdrawn(ContactModel):
    """The event of this `event_id` did not happen: its source withdraws it, with a higher `revision`."""

    type: Literal["contact.withdrawn"] = "contact.withdrawn"


class SelfServiceStarted(ContactModel):
    """A customer began to look for an answer without an agent."""

    type: Literal["self_service.started"] = "self_service.started"
    kind: Literal["faq", "bot"]
    """Where."""
    category: Name | None = None
    """What it is about."""


class SelfServiceEnded(ContactModel):
    """A customer stopped looking for an answer without an agent."""

    type: Literal["self_service.ended"] = "self_service.ended"
    kind: Literal["faq", "bot"] | None = None
    """Where."""
    category: Name | None = None
    """What it was about."""
    outcome: Literal["confirmed_solved", "left", "handed_over"] | None = None
    """How it ended."""


Scale = Annotated[str, Field(min_length=3, max_length=8, pattern=r"^-?[0-9]{1,3}-[0-9]{1,3}$")]
"""The lowest and the highest possible score: 1-5, 0-10, -103-103; 0-1 for bad and good."""


class SurveyInvited(ContactModel):
    """A customer was asked for an opinion."""

    type: Literal["survey.invited"] = "survey.invited"
    kind: Literal["csat", "nps", "ces"]
    """What is asked: satisfaction, recommendation or effort."""
    scale: Scale | None = None
    """The lowest and the highest possible score, such as 1-5."""


class SurveyAnswered(ContactModel):
    """A customer gave an opinion."""

    type: Literal["survey.answered"] = "survey.answered"
    kind: Literal["csat", "nps", "ces"]
    """What was asked: satisfaction, recommendation or effort."""
    score: Annotated[float, Field(ge=-999, le=999)]
    """The score given."""
    scale: Scale | None = None
    """The lowest and the highest possible score, such as 1-5."""
