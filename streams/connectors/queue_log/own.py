"""Events of lines whose meaning a site, or a phone system built on Asterisk, defines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.agent import AgentStateChanged
from schemas.contact import (
    ContactAnswered,
    ContactCallbackRequested,
    ContactEnded,
    ContactLeftQueue,
    ContactNotOffered,
    ContactOfferEnded,
    ContactQueued,
    ContactTransferred,
    ContactWrappedUp,
    ContactWrapUpStarted,
)
from streams.connectors.queue_log.fields import NO_CALL, BadLineError, Fields, seconds

if TYPE_CHECKING:
    from schemas.base import Event
    from streams.connectors.queue_log.calls import OpenCalls
    from streams.connectors.queue_log.kinds import Meaning

__all__ = ["own_events"]

#: Meanings that end the call in its queue: a later line is no part of it.
_CLOSING: Final = frozenset({"left_queue", "not_offered", "ended", "transferred"})


def own_events(meaning: Meaning, fields: Fields, common: dict[str, Any], calls: OpenCalls) -> list[Event]:
    """Return the events of a line with a meaning of its own; record in ``calls`` what it did to a call.

    Raises:
        BadLineError: the line lacks what its meaning needs.
    """
    if meaning.becomes == "presence":
        if fields.member is None:
            raise BadLineError("no_member", f"{fields.kind} without a member")
        return [AgentStateChanged.model_validate(common | {"person_id": fields.member, "axis": "presence", "state": meaning.argument})]
    call = fields.call
    if call in NO_CALL and meaning.becomes in {"wrapped_up", "wrap_up_started"} and fields.member is not None:
        # A line after a call names its agent alone.
        call = calls.latest_of(fields.member) or ""
    if call in NO_CALL:
        raise BadLineError("no_call", f"{fields.kind} without the id of a call")
    conversation = f"{common['source']}:{call}"
    event = _event(meaning, fields, common | {"conversation_id": conversation, "contact_id": conversation})
    if meaning.becomes == "queued":
        calls.record_queued(call, fields.queue, fields.at_ms)
    elif meaning.becomes == "answered":
        calls.record_answered(call, fields.queue, fields.member, fields.at_ms)
    elif meaning.becomes in _CLOSING:
        calls.close(call)
    return [event]


def _event(meaning: Meaning, fields: Fields, common: dict[str, Any]) -> Event:
    argument = meaning.argument
    match meaning.becomes:
        case "queued":
            if fields.queue is None:
                raise BadLineError("no_queue", f"{fields.kind} without a queue")
            return ContactQueued.model_validate(common | {"queue": fields.queue, "channel": "voice"})
        case "answered":
            return ContactAnswered.model_validate(common | {"queue": fields.queue, "agent": fields.member})
        case "left_queue":
            return ContactLeftQueue.model_validate(common | {"queue": fields.queue, "reason": argument})
        case "not_offered":
            return ContactNotOffered.model_validate(common | {"reason": argument})
        case "ended":
            return ContactEnded.model_validate(common | {"by": argument})
        case "transferred":
            return ContactTransferred.model_validate(common | {"kind": argument, "from_queue": fields.queue})
        case "callback_requested":
            return ContactCallbackRequested.model_validate(common)
        case "wrap_up_started":
            return ContactWrapUpStarted.model_validate(common | {"agent": fields.member})
        case "wrapped_up":
            wrap_up = seconds(fields.parameters, 0, "wrap-up time")
            return ContactWrappedUp.model_validate(common | {"agent": fields.member, "wrap_up_seconds": wrap_up})
        case _:
            if fields.member is None:
                raise BadLineError("no_member", f"{fields.kind} without a member")
            return ContactOfferEnded.model_validate(common | {"agent": fields.member, "outcome": argument, "queue": fields.queue})
