"""The unions of events of each topic, and reading and writing records with the models: complete, not fast (`decoding` is)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic_core import from_json

from schemas.agent import AgentHeartbeat, AgentSkillsChanged, AgentStateChanged, SchedulePlanned
from schemas.contact import (
    ContactAgentOffered,
    ContactAnswered,
    ContactArrived,
    ContactAssigned,
    ContactCallbackAttempted,
    ContactCallbackEnded,
    ContactCallbackRequested,
    ContactCategorized,
    ContactConsultEnded,
    ContactConsultStarted,
    ContactEnded,
    ContactEscalated,
    ContactExcluded,
    ContactHandedOver,
    ContactHeld,
    ContactLeftQueue,
    ContactMessage,
    ContactNotOffered,
    ContactOfferEnded,
    ContactQueued,
    ContactResumed,
    ContactStatusChanged,
    ContactTransferred,
    ContactWithdrawn,
    ContactWorkEnded,
    ContactWorkStarted,
    ContactWrappedUp,
    ContactWrapUpStarted,
    SelfServiceEnded,
    SelfServiceStarted,
    SurveyAnswered,
    SurveyInvited,
)
from schemas.other import (
    CustomerActivated,
    CustomerChurned,
    CustomerLinked,
    ForecastSet,
    OrderCancelled,
    OrderPlaced,
    SourceHeartbeat,
    SourceSnapshot,
)

if TYPE_CHECKING:
    from schemas.base import Event

__all__ = [
    "AGENT_KINDS",
    "CONTACT_KINDS",
    "CUSTOMER_KINDS",
    "AgentEvent",
    "ContactEvent",
    "CustomerEvent",
    "encode",
    "parse_agent_event",
    "parse_contact_event",
    "parse_customer_event",
]

ContactEvent = Annotated[
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
    | SourceSnapshot,
    Field(discriminator="type"),
]
"""What a record of contact-events holds."""

AgentEvent = Annotated[
    AgentStateChanged | AgentSkillsChanged | AgentHeartbeat | SchedulePlanned | SourceHeartbeat | SourceSnapshot,
    Field(discriminator="type"),
]
"""What a record of agent-events holds."""

CustomerEvent = Annotated[
    OrderPlaced | OrderCancelled | CustomerActivated | CustomerChurned | CustomerLinked | ForecastSet | SourceHeartbeat | SourceSnapshot,
    Field(discriminator="type"),
]
"""What a record of customer-events holds: orders, customers, and forecasts (keyed by queue)."""

_ON_FIRST_USE = ConfigDict(defer_build=True)
_CONTACT: TypeAdapter[ContactEvent] = TypeAdapter(ContactEvent, config=_ON_FIRST_USE)
_AGENT: TypeAdapter[AgentEvent] = TypeAdapter(AgentEvent, config=_ON_FIRST_USE)
_CUSTOMER: TypeAdapter[CustomerEvent] = TypeAdapter(CustomerEvent, config=_ON_FIRST_USE)


def _kinds(union: object) -> tuple[type[Event], ...]:
    members: tuple[type[Event], ...] = union.__origin__.__args__  # type: ignore[attr-defined]
    return members


#: The models of each union, in the order of the documentation.
CONTACT_KINDS = _kinds(ContactEvent)
AGENT_KINDS = _kinds(AgentEvent)
CUSTOMER_KINDS = _kinds(CustomerEvent)


def encode(event: Event) -> bytes:
    """Return the record value of an event: compact JSON, absent fields left out, times in UTC milliseconds."""
    return event.model_dump_json(exclude_none=True).encode()


def _strict(value: bytes) -> bytes:
    """Return `value` if it is JSON by the standard: NaN and infinities are refused even in ignored fields."""
    from_json(value, allow_inf_nan=False)
    return value


def parse_contact_event(value: bytes) -> ContactEvent:
    """Return the model of a contact-events record; raise pydantic's ValidationError, or ValueError if it is no JSON."""
    return _CONTACT.validate_json(_strict(value))


def parse_agent_event(value: bytes) -> AgentEvent:
    """Return the model of an agent-events record; raise pydantic's ValidationError, or ValueError if it is no JSON."""
    return _AGENT.validate_json(_strict(value))


def parse_customer_event(value: bytes) -> CustomerEvent:
    """Return the model of a customer-events record; raise pydantic's ValidationError, or ValueError if it is no JSON."""
    return _CUSTOMER.validate_json(_strict(value))
