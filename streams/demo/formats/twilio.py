"""Twilio TaskRouter's event callbacks, one form each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import orjson

from streams.demo.formats.calls import Writer, uuid_of

if TYPE_CHECKING:
    from streams.demo.formats.calls import Call, Leg

__all__ = ["TwilioCallbacks"]

_OFFER_ENDED: Final = {"no_answer": "reservation.timeout", "declined": "reservation.rejected", "withdrawn": "reservation.canceled"}
_CANCELED: Final = {"abandoned": "hangup", "timeout": "Task TTL Exceeded"}


class TwilioCallbacks(Writer):
    """A call is a task from the moment it is queued; each offer is a reservation."""

    @staticmethod
    def conversation_of(conversation: str) -> str:
        """See Writer."""
        return _sid("WT", conversation)

    def messages(self, call: Call, kind: str, event: dict[str, Any], at_ms: int) -> list[bytes]:
        """See Writer."""
        match kind:
            case "queued":
                return self._queued(call, at_ms)
            case "agent_offered":
                return [_sent(call, "reservation.created", at_ms, _worker(call.leg, event["agent"]))]
            case "offer_ended" if event["outcome"] != "accepted":
                return [_sent(call, _OFFER_ENDED[event["outcome"]], at_ms, _worker(call.leg, event["agent"]))]
            case "answered":
                taken = _sent(call, "reservation.accepted", at_ms, _worker(call.leg, event["agent"]))
                moved = len(call.legs) > 1 and call.legs[-2].answered_ms is not None
                return [taken, _sent(call, "task.transfer-completed", at_ms, {})] if moved else [taken]
            case "left_queue" if event["reason"] != "overflow":
                return [_sent(call, "task.canceled", at_ms, {"TaskCanceledReason": _CANCELED.get(event["reason"], event["reason"])})]
            case "ended" if call.legs and call.leg.agent is not None:
                return [_sent(call, "reservation.wrapup", at_ms, _worker(call.leg)), _sent(call, "task.wrapup", at_ms, {})]
            case "wrapped_up":
                leg = call.leg_of(event.get("agent"))
                done = _sent(call, "reservation.completed", at_ms, _worker(leg), leg)
                return [done, _sent(call, "task.completed", at_ms, {}, leg)] if leg is call.leg else [done]
            case _:
                return []

    def _queued(self, call: Call, at_ms: int) -> list[bytes]:
        if call.transferred:
            before = call.legs[-2]
            return [
                _sent(call, "task.transfer-initiated", at_ms, {"TaskTransferMode": "COLD"}),
                _sent(call, "reservation.wrapup", at_ms, _worker(before), before),
            ]
        entered = _sent(call, "task-queue.entered", at_ms, {})
        if len(call.legs) > 1:
            return [_sent(call, "task-queue.timeout", at_ms, {}, call.legs[-2]), entered]
        return [_sent(call, "task.created", at_ms, {}), entered]


def _sid(kind: str, *parts: object) -> str:
    return kind + uuid_of(kind, *parts).replace("-", "")


def _worker(leg: Leg, agent: str | None = None) -> dict[str, Any]:
    name = agent or leg.agent
    return {"WorkerSid": _sid("WK", name), "WorkerName": name, "offer": leg.offers}


def _status(kind: str, call: Call, leg: Leg) -> str:
    if leg is not call.leg and leg.answered_ms is not None:
        # The task is already with another agent.
        return "assigned"
    match kind:
        case "reservation.created":
            return "reserved"
        case "reservation.wrapup" | "task.wrapup":
            return "wrapping"
        case "reservation.completed" | "task.completed":
            return "completed"
        case "task.canceled":
            return "canceled"
        case _:
            return "pending" if leg.answered_ms is None else "assigned"


def _sent(call: Call, kind: str, at_ms: int, more: dict[str, Any], leg: Leg | None = None) -> bytes:
    leg = leg or call.leg
    task, offer = TwilioCallbacks.conversation_of(call.conversation), more.pop("offer", None)
    call.events += 1
    fields: dict[str, Any] = {
        "Sid": _sid("EV", call.conversation, call.events),
        "EventType": kind,
        "EventDescription": kind,
        "AccountSid": _sid("AC", "demo"),
        "WorkspaceSid": _sid("WS", "demo"),
        "WorkspaceName": "demo",
        "ResourceType": kind.partition(".")[0],
        "ResourceSid": task,
        "Timestamp": at_ms // 1000,
        "TimestampMs": at_ms,
        "TaskSid": task,
        "TaskAge": max(0, at_ms - call.legs[0].queued_ms) // 1000,
        "TaskPriority": 0,
        "TaskAssignmentStatus": _status(kind, call, leg),
        "TaskAttributes": orjson.dumps({} if call.number_of_customer is None else {"from": call.number_of_customer}).decode(),
        "TaskChannelUniqueName": "voice",
        "TaskQueueSid": _sid("WQ", leg.queue),
        "TaskQueueName": leg.queue,
        "WorkflowSid": _sid("WW", "demo"),
        "WorkflowName": "demo",
        **more,
    }
    if offer is not None:
        fields["ReservationSid"] = fields["ResourceSid"] = _sid("WR", call.conversation, leg.number, offer)
    return urlencode(fields).encode()
