"""Amazon Connect's contact events, as EventBridge delivers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from streams.demo.formats.calls import Writer, uuid_of
from streams.demo.simulator.emission import time_text

if TYPE_CHECKING:
    from streams.demo.formats.calls import Call, Leg

__all__ = ["AmazonContactEvents"]

_INSTANCE: Final = "arn:aws:connect:ap-northeast-1:123456789012:instance/5d1f0f3e-0000-4000-8000-000000000001"


class AmazonContactEvents(Writer):
    """A contact is one leg, beginning with its queueing: a transfer begins another, which names the previous one."""

    @staticmethod
    def conversation_of(conversation: str) -> str:
        """See Writer."""
        return uuid_of("contact", conversation, 1)

    def messages(self, call: Call, kind: str, event: dict[str, Any], at_ms: int) -> list[bytes]:
        """See Writer."""
        match kind:
            case "arrived":
                return [_sent("INITIATED", call, None, at_ms)]
            case "queued":
                return _queued(call, at_ms)
            case "answered":
                return [_sent("CONNECTED_TO_AGENT", call, call.leg, at_ms)]
            case "not_offered" if event["reason"] != "menu_ended":
                return [_sent("DISCONNECTED", call, None, at_ms), _sent("COMPLETED", call, None, at_ms)]
            case "ended":
                leg = call.legs[-1] if call.legs else None
                disconnected = [_sent("DISCONNECTED", call, leg, at_ms)]
                # An unanswered call has no wrap-up.
                return disconnected if leg is not None and leg.agent is not None else [*disconnected, _sent("COMPLETED", call, leg, at_ms)]
            case "wrapped_up":
                return [_sent("COMPLETED", call, call.leg_of(event.get("agent")), at_ms)]
            case _:
                return []


def _queued(call: Call, at_ms: int) -> list[bytes]:
    if not call.transferred:
        return [_sent("QUEUED", call, call.leg, at_ms)]
    return [
        _sent("INITIATED", call, call.leg, at_ms, queued=False),
        _sent("QUEUED", call, call.leg, at_ms),
        _sent("DISCONNECTED", call, call.legs[-2], at_ms),
    ]


def _contact(call: Call, leg: Leg | None) -> tuple[str, int, str | None]:
    """Return the id of a leg's contact, its begin, and the previous contact."""
    begun, before, part = call.arrived_ms, None, 1
    for following in call.legs[1 : leg.number if leg is not None else 1]:
        previous = call.legs[following.number - 2]
        # After an overflow to another queue it is the same contact.
        if previous.answered_ms is not None:
            begun, before, part = following.queued_ms, uuid_of("contact", call.conversation, part), following.number
    return uuid_of("contact", call.conversation, part), begun, before


def _sent(kind: str, call: Call, leg: Leg | None, at_ms: int, *, queued: bool = True) -> bytes:
    contact, begun, before = _contact(call, leg)
    detail: dict[str, Any] = {
        "eventType": kind,
        "contactId": contact,
        "channel": "VOICE",
        "instanceArn": _INSTANCE,
        "initiationMethod": "INBOUND" if before is None else "TRANSFER",
        "initiationTimestamp": time_text(begun),
    }
    if before is not None:
        detail |= {"initialContactId": uuid_of("contact", call.conversation, 1), "previousContactId": before}
    if leg is not None and queued:
        queue = {"queueArn": f"{_INSTANCE}/queue/{leg.queue}", "queueType": "STANDARD", "enqueueTimestamp": time_text(leg.queued_ms)}
        detail["queueInfo"] = queue
    if leg is not None and leg.answered_ms is not None:
        agent: dict[str, Any] = {"agentArn": f"{_INSTANCE}/agent/{leg.agent}", "connectedToAgentTimestamp": time_text(leg.answered_ms)}
        if kind == "COMPLETED" and leg.ended_ms is not None:
            agent |= {
                "afterContactWorkStartTimestamp": time_text(leg.ended_ms),
                "afterContactWorkEndTimestamp": time_text(at_ms),
                "afterContactWorkDuration": (at_ms - leg.ended_ms) // 1000,
            }
        detail["agentInfo"] = agent
    if kind in {"DISCONNECTED", "COMPLETED"}:
        detail["disconnectTimestamp"] = time_text(at_ms if leg is None or leg.ended_ms is None else leg.ended_ms)
    call.events += 1
    return orjson.dumps(
        {
            "version": "0",
            "id": uuid_of("event", call.conversation, call.events),
            "detail-type": "Amazon Connect Contact Event",
            "source": "aws.connect",
            "account": "123456789012",
            "time": f"{time_text(at_ms)[:19]}Z",
            "region": "ap-northeast-1",
            "resources": [f"{_INSTANCE}/contact/{contact}", _INSTANCE],
            "detail": detail,
        }
    )
