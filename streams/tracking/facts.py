"""The facts of contact events: one fact of a kind per event, or none."""

from __future__ import annotations

from enum import IntEnum
from sys import intern
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, Union, get_args

from msgspec import Struct

from schemas import structs
from schemas.by_type import own_code
from schemas.limits import TOO_MANY_EVENTS, TOO_MANY_OPEN, TOO_MANY_OUT_OF_ORDER, TOO_MANY_PEOPLE
from schemas.times import seconds_to_ms

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "FACT_OF",
    "NOT_INBOUND",
    "Answered",
    "AnyFact",
    "Arrived",
    "CallbackAttempted",
    "CallbackEnded",
    "CallbackRequested",
    "Categorized",
    "Ended",
    "Escalated",
    "Excluded",
    "Fact",
    "HandedOver",
    "Held",
    "Kind",
    "LeftQueue",
    "Message",
    "Missing",
    "NotOffered",
    "OfferEnded",
    "Queued",
    "Resumed",
    "SelfServiceEnded",
    "SelfServiceStarted",
    "StatusChanged",
    "SurveyAnswered",
    "SurveyInvited",
    "TooManyFactsError",
    "Transferred",
    "WorkEnded",
    "WorkStarted",
    "WrapUpStarted",
    "WrappedUp",
    "bounds_of",
    "fact_of",
    "is_voiding",
    "order_of",
    "precedes",
]  # fmt: skip

NOT_INBOUND = frozenset({"outbound", "internal"})


class TooManyFactsError(Exception):
    """An event beyond a limit of its conversation, agent or source; the message suggests the cause."""

    def __init__(self, of: str, limit: int, reason: str = TOO_MANY_EVENTS) -> None:
        super().__init__(f"{of}: {_TOO_MANY[reason].format(limit)}")
        #: reason as in a dead letter
        self.reason = reason


_TOO_MANY = {
    TOO_MANY_EVENTS: "at most {} events are counted together; is this the id of a single one?",
    TOO_MANY_OUT_OF_ORDER: "its events are so far out of order that {} were recounted; send them in order",
    TOO_MANY_OPEN: "its contacts on this partition have reached the limit of {}; does the sender report their ends?",
    TOO_MANY_PEOPLE: "its agents on this partition have reached the limit of {}; does person_id name people?",
}


class Kind(IntEnum):
    """Kinds of facts; the value is the order among facts of one instant and sequence."""

    CONSULT_ENDED = -4
    #: an event of a consultation between agents
    CONSULT = -3
    SELF_SERVICE_STARTED = -2
    SELF_SERVICE_ENDED = -1
    ARRIVED = 0
    LEFT_QUEUE = 1
    TRANSFERRED = 2
    QUEUED = 3
    OFFER_ENDED = 5
    ANSWERED = 6
    WORK_STARTED = 7
    HELD = 8
    RESUMED = 9
    MESSAGE = 10
    WORK_ENDED = 11
    STATUS_CHANGED = 12
    ENDED = 13
    WRAP_UP_STARTED = 14
    WRAPPED_UP = 15
    EXCLUDED = 16
    ESCALATED = 17
    CALLBACK_REQUESTED = 18
    CALLBACK_ATTEMPTED = 19
    CALLBACK_ENDED = 20
    SURVEY_INVITED = 21
    SURVEY_ANSWERED = 22
    #: no event: missing from a snapshot; its sequence, −1, sorts it before other facts of the instant
    MISSING = 23
    NOT_OFFERED = 40
    CATEGORIZED = 41
    HANDED_OVER = 42
    CONSULT_STARTED = 43


class Fact(Struct, array_like=True, gc=False):
    """Common fields of all kinds; in rows a list that begins with the kind's number.

    ``contact``: the platform's id of the contact, empty if it equals the conversation's. A new field of a kind is the last one and has a
    default, so that older rows can be read.
    """

    kind: ClassVar[int]
    at: int
    sequence: int
    event_id: str
    contact: str | None


class Arrived(Fact, tag=0):
    """``initiated_by`` only where that was not the customer."""

    kind: ClassVar[int] = 0
    channel: str
    direction: str | None = None
    initiated_by: str | None = None
    customer_key: str | None = None
    site: str | None = None


class Consult(Fact, tag=-3):
    """The contact is a consultation between agents: its other events are not the customer's."""

    kind: ClassVar[int] = -3


class SelfServiceStarted(Fact, tag=-2):
    """A session with a bot or a FAQ, as in ``channel``."""

    kind: ClassVar[int] = -2
    channel: str
    category: str | None = None
    site: str | None = None


class SelfServiceEnded(Fact, tag=-1):
    """The end of a session."""

    kind: ClassVar[int] = -1
    outcome: str | None = None
    category: str | None = None


class LeftQueue(Fact, tag=1):
    """The end of a visit without an answer. ``named``: its names select the visit; in older rows they do not."""

    kind: ClassVar[int] = 1
    reason: str
    queue: str | None = None
    wait_ms: int | None = None
    named: bool = True


class Transferred(Fact, tag=2):
    """The contact was transferred."""

    kind: ClassVar[int] = 2
    from_queue: str | None = None
    to_agent: str | None = None
    agent: str | None = None
    agent_stays: bool = False


class Queued(Fact, tag=3):
    """A visit began."""

    kind: ClassVar[int] = 3
    queue: str
    channel: str | None = None
    category: str | None = None


class OfferEnded(Fact, tag=5):
    """An offer to an agent ended without an answer."""

    kind: ClassVar[int] = 5
    queue: str | None = None


class Answered(Fact, tag=6):
    """Agent and customer were connected. ``named`` as in ``LeftQueue``; ``joins``: the agent was consulted before."""

    kind: ClassVar[int] = 6
    agent: str | None = None
    queue: str | None = None
    wait_ms: int | None = None
    hold_known: bool = False
    joins: bool = False
    named: bool = True


class WorkStarted(Fact, tag=7):
    """An agent began to work on it."""

    kind: ClassVar[int] = 7
    agent: str | None = None


class Held(Fact, tag=8):
    """The customer was put on hold."""

    kind: ClassVar[int] = 8
    agent: str | None = None


class Resumed(Fact, tag=9):
    """The customer was taken off hold."""

    kind: ClassVar[int] = 9
    agent: str | None = None
    hold_ms: int | None = None


class Message(Fact, tag=10):
    """A public message of an agent, or of the customer, with whether it contains thanks if known."""

    kind: ClassVar[int] = 10
    agent: str | None = None
    by_customer: bool = False
    thanks: bool | None = None


class WorkEnded(Fact, tag=11):
    """An agent stopped working on it."""

    kind: ClassVar[int] = 11
    agent: str | None = None


class StatusChanged(Fact, tag=12):
    """The status of a ticket changed."""

    kind: ClassVar[int] = 12
    status: str
    waiting_on: str | None = None


class Ended(Fact, tag=13):
    """The conversation, or the named part of it, ended."""

    kind: ClassVar[int] = 13
    by: str | None = None
    agent: str | None = None


class WrapUpStarted(Fact, tag=14):
    """Work after the conversation began."""

    kind: ClassVar[int] = 14
    agent: str | None = None


class WrappedUp(Fact, tag=15):
    """Work after the conversation ended."""

    kind: ClassVar[int] = 15
    agent: str | None = None
    wrap_ms: int | None = None


class Excluded(Fact, tag=16):
    """The conversation is excluded from all figures."""

    kind: ClassVar[int] = 16
    reason: str | None = None
    site: str | None = None


class Escalated(Fact, tag=17):
    """The conversation was escalated to a senior agent."""

    kind: ClassVar[int] = 17


class CallbackRequested(Fact, tag=18):
    """The customer asked to be called back."""

    kind: ClassVar[int] = 18
    due: int | None = None


class CallbackAttempted(Fact, tag=19):
    """The customer was called back, successfully or not."""

    kind: ClassVar[int] = 19
    due: int | None = None
    outcome: str | None = None


class CallbackEnded(Fact, tag=20):
    """No further callback will be attempted."""

    kind: ClassVar[int] = 20
    outcome: str | None = None


class SurveyInvited(Fact, tag=21):
    """The customer was asked for an opinion."""

    kind: ClassVar[int] = 21


class SurveyAnswered(Fact, tag=22):
    """An opinion; its kind and score only where the score can be counted; ``scale`` of satisfaction, where it is not 1-5."""

    kind: ClassVar[int] = 22
    survey: str | None = None
    score: float = 0.0
    scale: str | None = None


class Missing(Fact, tag=23):
    """A snapshot does not list the conversation."""

    kind: ClassVar[int] = 23


class NotOffered(Fact, tag=40):
    """The contact was not offered to any queue."""

    kind: ClassVar[int] = 40
    reason: str
    site: str | None = None


class Categorized(Fact, tag=41):
    """The category of the conversation, or a complaint."""

    kind: ClassVar[int] = 41
    category: str | None = None
    complaint: bool = False


class HandedOver(Fact, tag=42):
    """A bot handed the customer over to an agent."""

    kind: ClassVar[int] = 42


class ConsultStarted(Fact, tag=43):
    """An agent began to consult another while the customer waits."""

    kind: ClassVar[int] = 43
    agent: str | None = None


class ConsultEnded(Fact, tag=-4):
    """A consultation ended; it sorts first in its instant, since the leg may end in it too."""

    kind: ClassVar[int] = -4
    agent: str | None = None


AnyFact: TypeAlias = Union[  # noqa: UP007 - the decoder needs a name at run time that spans lines
    Arrived, SelfServiceStarted, SelfServiceEnded, LeftQueue, Transferred, Queued, OfferEnded, Answered, WorkStarted, Held, Resumed,
    Message, WorkEnded, StatusChanged, Ended, WrapUpStarted, WrappedUp, Excluded, Escalated, CallbackRequested, CallbackAttempted,
    CallbackEnded, SurveyInvited, SurveyAnswered, Missing, NotOffered, Categorized, HandedOver, Consult,
    ConsultStarted, ConsultEnded,
]  # fmt: skip


def order_of(fact: AnyFact) -> tuple[int, int, int, str]:
    """Return the sort key of a fact."""
    return (fact.at, fact.sequence, fact.kind, fact.event_id)


def precedes(fact: AnyFact, other: AnyFact) -> bool:
    """Return whether a fact precedes another."""
    at, other_at = fact.at, other.at
    return at < other_at if at != other_at else order_of(fact) < order_of(other)


def is_voiding(fact: AnyFact) -> bool:
    """Return whether a fact excludes the entire conversation."""
    return type(fact) is Excluded or (type(fact) is Arrived and fact.direction in NOT_INBOUND)


# ---- from events

#: Kind of survey → its usual scale.
_SURVEYS = {"csat": "1-5", "nps": "0-10"}


def fact_of(event: Any) -> AnyFact | None:
    """Return the fact of a decoded contact event, None if it counts nothing."""
    make = FACT_OF.get(type(event))
    return None if make is None else make(event)


def _maker(kind: str) -> Callable[[Any], AnyFact | None]:
    """Return the function that creates facts of events of a kind."""
    make, is_of_leg = _MAKERS[kind], kind in _OF_LEGS

    def fact(event: Any) -> AnyFact | None:
        contact = event.contact_id
        if contact == event.conversation_id:
            contact = ""
        if is_of_leg and event.relation == "consult":
            return None if contact is None else Consult(event.occurred_ms, event.sequence or 0, event.event_id, contact)
        return make(event, event.occurred_ms, event.sequence or 0, event.event_id, contact)

    return fact


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else seconds_to_ms(seconds)


# Instant, sequence, id and contact are separate arguments: a tuple would double the cost.


def _arrived(event: Any, at: int, n: int, i: str, c: str | None) -> Arrived:
    began = None if event.initiated_by == "customer" else event.initiated_by
    return Arrived(at, n, i, c, event.channel, event.direction, began, event.customer_key, event.site)


def _message(event: Any, at: int, n: int, i: str, c: str | None) -> Message | None:
    if event.public is False or event.automatic:
        return None
    if event.author_kind == "agent":
        return Message(at, n, i, c, event.agent)
    return Message(at, n, i, c, None, True, event.thanks) if event.author_kind == "customer" else None  # noqa: FBT003


def _answered(event: Any, at: int, n: int, i: str, c: str | None) -> Answered:
    reports, wait_ms = event.reports, _ms(event.wait_seconds)
    hold_known = reports is not None and "hold" in reports
    return Answered(at, n, i, c, event.agent, event.queue, wait_ms, hold_known, event.relation == "transfer")


def _categorized(event: Any, at: int, n: int, i: str, c: str | None) -> Categorized | None:
    complaint = event.complaint is True
    return Categorized(at, n, i, c, event.category, complaint) if complaint or event.category is not None else None


def _survey(event: Any, at: int, n: int, i: str, c: str | None) -> SurveyAnswered:
    usual = _SURVEYS.get(event.kind)
    scale = usual if event.scale is None else event.scale
    if usual is None or scale is None or (scale != usual and event.kind != "csat"):
        return SurveyAnswered(at, n, i, c)
    lowest, highest = bounds_of(scale)
    if lowest < highest and lowest <= event.score <= highest:
        return SurveyAnswered(at, n, i, c, event.kind, event.score, None if scale == usual else scale)
    return SurveyAnswered(at, n, i, c)


def bounds_of(scale: str) -> tuple[int, int]:
    """Return the lowest and the highest score of a scale as events write it."""
    below, _, highest = scale.rpartition("-")
    return int(below), int(highest)


_MAKERS: dict[str, Callable[[Any, int, int, str, str | None], AnyFact | None]] = {
    "contact.arrived": _arrived,
    "contact.left_queue": lambda e, at, n, i, c: LeftQueue(at, n, i, c, e.reason, e.queue, _ms(e.wait_seconds)),
    "contact.transferred": lambda e, at, n, i, c: Transferred(at, n, i, c, e.from_queue, e.to_agent, e.agent, bool(e.agent_stays)),
    "contact.queued": lambda e, at, n, i, c: Queued(at, n, i, c, intern(e.queue), e.channel, e.category),
    "contact.offer_ended": lambda e, at, n, i, c: OfferEnded(at, n, i, c, e.queue) if e.outcome == "no_answer" else None,
    "contact.answered": _answered,
    "contact.work_started": lambda e, at, n, i, c: WorkStarted(at, n, i, c, e.agent),
    "contact.held": lambda e, at, n, i, c: Held(at, n, i, c, e.agent),
    "contact.resumed": lambda e, at, n, i, c: Resumed(at, n, i, c, e.agent, _ms(e.hold_seconds)),
    "contact.message": _message,
    "contact.work_ended": lambda e, at, n, i, c: WorkEnded(at, n, i, c, e.agent),
    "contact.status_changed": lambda e, at, n, i, c: StatusChanged(at, n, i, c, e.status, e.waiting_on),
    "contact.ended": lambda e, at, n, i, c: Ended(at, n, i, c, e.by, e.agent),
    "contact.wrap_up_started": lambda e, at, n, i, c: WrapUpStarted(at, n, i, c, e.agent),
    "contact.wrapped_up": lambda e, at, n, i, c: WrappedUp(at, n, i, c, e.agent, _ms(e.wrap_up_seconds)),
    "contact.excluded": lambda e, at, n, i, c: Excluded(at, n, i, c, e.reason, e.site),
    "contact.escalated": lambda _, at, n, i, c: Escalated(at, n, i, c),
    "contact.callback_requested": lambda e, at, n, i, c: CallbackRequested(at, n, i, c, e.due_ms),
    "contact.callback_attempted": lambda e, at, n, i, c: CallbackAttempted(at, n, i, c, e.due_ms, e.outcome),
    "contact.callback_ended": lambda e, at, n, i, c: CallbackEnded(at, n, i, c, e.outcome),
    "survey.invited": lambda _, at, n, i, c: SurveyInvited(at, n, i, c),
    "survey.answered": _survey,
    "contact.not_offered": lambda e, at, n, i, c: NotOffered(at, n, i, c, e.reason or "unknown", e.site),
    "contact.categorized": _categorized,
    "contact.consult_started": lambda e, at, n, i, c: ConsultStarted(at, n, i, c, e.agent),
    "contact.consult_ended": lambda e, at, n, i, c: ConsultEnded(at, n, i, c, e.agent),
    "contact.handed_over": lambda _, at, n, i, c: HandedOver(at, n, i, c),
    "self_service.started": lambda e, at, n, i, c: SelfServiceStarted(at, n, i, c, e.kind, e.category, e.site),
    "self_service.ended": lambda e, at, n, i, c: SelfServiceEnded(at, n, i, c, e.outcome, e.category),
}

#: Kinds of events about visits and legs; in a consultation they are not the customer's.
_OF_LEGS = frozenset(
    f"contact.{kind}"
    for kind in (
        *("arrived", "queued", "left_queue", "offer_ended", "answered", "held", "resumed", "transferred"),
        *("work_started", "work_ended", "ended", "wrap_up_started", "wrapped_up"),
    )
)

#: Type of event → function that creates its fact; without types that count nothing.
FACT_OF: dict[type, Callable[[Any], AnyFact | None]] = {
    kind: own_code(_maker(kind.type)) for kind in get_args(structs.ContactEvent) if kind.type in _MAKERS
}
