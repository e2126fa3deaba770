"""What counting keeps of a contact event: one fact, or nothing."""

from __future__ import annotations

from enum import IntEnum
from sys import intern
from typing import TYPE_CHECKING, Any

from schemas.limits import TOO_MANY_EVENTS, TOO_MANY_OPEN, TOO_MANY_OUT_OF_ORDER, TOO_MANY_PEOPLE
from schemas.times import seconds_to_ms

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CUSTOMER", "FACT_PARTS", "Fact", "Kind", "TooManyFactsError", "fact_of"]

#: Who wrote a message, in the details of its fact; none: an agent.
CUSTOMER = "customer"


class TooManyFactsError(Exception):
    """An event of a conversation or person of which as much is known as may be; the message says what may be wrong."""

    def __init__(self, of: str, limit: int, reason: str = TOO_MANY_EVENTS) -> None:
        super().__init__(f"{of}: {_TOO_MANY[reason].format(limit)}")
        #: why, as a dead letter has it
        self.reason = reason


_TOO_MANY = {
    TOO_MANY_EVENTS: "at most {} events are counted together; is this the id of a single one?",
    TOO_MANY_OUT_OF_ORDER: "its events come so far out of order that {} had to be counted again; send them as they occur",
    TOO_MANY_OPEN: "so much is kept of its contacts on this partition (at most {}), open or over for a short time only; do they ever end?",
    TOO_MANY_PEOPLE: "so much is kept of its people on this partition (at most {}); does person_id name people?",
}


class Kind(IntEnum):
    """Kinds of facts; the value is the order among facts of one instant and sequence."""

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
    #: no event: missing from a snapshot of its source; its sequence, −1, puts it before all else of the instant
    MISSING = 23
    NOT_OFFERED = 40
    CATEGORIZED = 41
    HANDED_OVER = 42


#: (occurred_ms, sequence, kind, event_id, then up to four details of the kind); facts sort by the first four.
Fact = tuple[int, int, int, str, Any, Any, Any, Any]

#: So many parts each fact has, in a row too.
FACT_PARTS = 8

#: Kind of survey → the lowest and the highest score that counts, and the scale as it is written.
_SURVEYS = {"csat": (1, 5, "1-5"), "nps": (0, 10, "0-10")}


def fact_of(event: Any) -> Fact | None:
    """Return the fact of a decoded contact event, None if the kind or its details count nothing."""
    make = _DETAILS.get(event.type)
    if make is None:
        return None
    kind, details = make
    found = details(event)
    if found is None:
        return None
    return (event.occurred_ms, event.sequence or 0, kind, event.event_id, *found)


_Details = tuple[Any, Any, Any, Any]


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else seconds_to_ms(seconds)


def _agent(event: Any) -> _Details:
    return (event.agent, None, None, None)


def _none(_event: Any) -> _Details:
    return (None, None, None, None)


def _arrived(event: Any) -> _Details:
    """Keep the site, who began it only where that was not the customer, and with it who the customer is, if that is known."""
    began = None if event.initiated_by == "customer" else event.initiated_by
    known = began if event.customer_key is None else (began, event.customer_key)
    return (event.channel, event.direction, known, event.site)


def _message(event: Any) -> _Details | None:
    """Keep what people wrote to each other: an agent's public words, and the customer's with what is known of thanks in them."""
    if event.public is False or event.automatic:
        return None
    if event.author_kind == "agent":
        return (event.agent, None, None, None)
    return (None, CUSTOMER, event.thanks, None) if event.author_kind == CUSTOMER else None


def _answered(event: Any) -> _Details:
    reports = event.reports
    return (event.agent, event.queue, _ms(event.wait_seconds), reports is not None and "hold" in reports)


def _categorized(event: Any) -> _Details | None:
    complaint = event.complaint is True
    return (event.category, complaint, None, None) if complaint or event.category is not None else None


def _survey(event: Any) -> _Details:
    """Keep kind and score where the score can be counted."""
    lowest, highest, scale = _SURVEYS.get(event.kind, (0, -1, ""))
    if event.scale in (None, scale) and lowest <= event.score <= highest:
        return (event.kind, event.score, None, None)
    return (None, None, None, None)


_DETAILS: dict[str, tuple[int, Callable[[Any], _Details | None]]] = {
    "contact.arrived": (int(Kind.ARRIVED), _arrived),
    "contact.left_queue": (int(Kind.LEFT_QUEUE), lambda e: (e.reason, e.queue, _ms(e.wait_seconds), None)),
    "contact.transferred": (int(Kind.TRANSFERRED), _none),
    "contact.queued": (int(Kind.QUEUED), lambda e: (intern(e.queue), e.channel, e.category, None)),
    "contact.offer_ended": (int(Kind.OFFER_ENDED), lambda e: (e.outcome, e.queue, None, None) if e.outcome == "no_answer" else None),
    "contact.answered": (int(Kind.ANSWERED), _answered),
    "contact.work_started": (int(Kind.WORK_STARTED), _agent),
    "contact.held": (int(Kind.HELD), _none),
    "contact.resumed": (int(Kind.RESUMED), _none),
    "contact.message": (int(Kind.MESSAGE), _message),
    "contact.work_ended": (int(Kind.WORK_ENDED), _agent),
    "contact.status_changed": (int(Kind.STATUS_CHANGED), lambda e: (e.status, e.waiting_on, None, None)),
    "contact.ended": (int(Kind.ENDED), lambda e: (e.by, None, None, None)),
    "contact.wrap_up_started": (int(Kind.WRAP_UP_STARTED), _agent),
    "contact.wrapped_up": (int(Kind.WRAPPED_UP), lambda e: (e.agent, _ms(e.wrap_up_seconds), None, None)),
    "contact.excluded": (int(Kind.EXCLUDED), lambda e: (e.reason, e.site, None, None)),
    "contact.escalated": (int(Kind.ESCALATED), _none),
    "contact.callback_requested": (int(Kind.CALLBACK_REQUESTED), lambda e: (e.due_ms, None, None, None)),
    "contact.callback_attempted": (int(Kind.CALLBACK_ATTEMPTED), lambda e: (e.due_ms, e.outcome, None, None)),
    "contact.callback_ended": (int(Kind.CALLBACK_ENDED), lambda e: (None, e.outcome, None, None)),
    "survey.invited": (int(Kind.SURVEY_INVITED), _none),
    "survey.answered": (int(Kind.SURVEY_ANSWERED), _survey),
    "contact.not_offered": (int(Kind.NOT_OFFERED), lambda e: (e.reason or "unknown", e.site, None, None)),
    "contact.categorized": (int(Kind.CATEGORIZED), _categorized),
    "contact.handed_over": (int(Kind.HANDED_OVER), _none),
    "self_service.started": (int(Kind.SELF_SERVICE_STARTED), lambda e: (e.kind, e.category, e.site, None)),
    "self_service.ended": (int(Kind.SELF_SERVICE_ENDED), lambda e: (e.outcome, e.category, None, None)),
}
