"""Genesys Cloud's detail events, as EventBridge delivers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from streams.demo.formats.calls import Writer, uuid_of
from streams.demo.simulator.emission import time_text

if TYPE_CHECKING:
    from streams.demo.formats.calls import Call, Leg

__all__ = ["GenesysDetailEvents"]

_LEFT: Final = {"abandoned": ("ABANDON", "PEER"), "timeout": ("FLOW_OUT", "SYSTEM"), "overflow": ("FLOW_OUT", "TRANSFER")}
_OFFER_ENDED: Final = {"no_answer": "TIMEOUT", "declined": "CLIENT", "withdrawn": "PEER"}


class GenesysDetailEvents(Writer):
    """A call is a conversation; the customer, each stay in a queue and each offered agent are its participants."""

    @staticmethod
    def conversation_of(conversation: str) -> str:
        """See Writer."""
        return uuid_of("conversation", conversation)

    def messages(self, call: Call, kind: str, event: dict[str, Any], at_ms: int) -> list[bytes]:
        """See Writer."""
        match kind:
            case "arrived":
                ani = {} if call.number_of_customer is None else {"ani": f"tel:{call.number_of_customer}"}
                return [_sent(call, "customer.start", at_ms, "customer", ani | {"dnis": f"tel:{call.entry_point}"})]
            case "queued":
                return self._queued(call, at_ms)
            case "agent_offered":
                return [_sent(call, "user.start", at_ms, _user(call.leg), {"userId": event["agent"], "queueId": call.leg.queue})]
            case "offer_ended" if event["outcome"] != "accepted":
                body = {"userId": event["agent"], "queueId": call.leg.queue, "alertingDurationMs": at_ms - call.leg.offered_ms}
                return [_sent(call, "user.end", at_ms, _user(call.leg), body | {"disconnectType": _OFFER_ENDED[event["outcome"]]})]
            case "answered":
                return [self._left(call, "ANSWERED", "TRANSFER", at_ms, {"answeredUserId": event["agent"]})]
            case "left_queue":
                # A customer who requests a callback leaves by the flow of the queue.
                outcome, how = _LEFT.get(event["reason"], ("FLOW_OUT", "TRANSFER"))
                return [self._left(call, outcome, how, at_ms, {})]
            case "not_offered" if event["reason"] != "menu_ended":
                return [_sent(call, "customer.end", at_ms, "customer", {"disconnectType": "SYSTEM"})]
            case "ended":
                how = "ENDPOINT" if event.get("by") == "customer" else "PEER"
                talked = [] if not call.legs or call.leg.answered_ms is None else [_talked(call, call.leg, at_ms, by_agent=how == "PEER")]
                return [*talked, _sent(call, "customer.end", at_ms, "customer", {"disconnectType": how})]
            case "wrapped_up":
                leg = call.leg_of(event.get("agent"))
                took = at_ms - (leg.ended_ms or at_ms)
                body = {"userId": leg.agent, "queueId": leg.queue, "wrapupCode": "w-1", "wrapupNotes": "", "wrapupDurationMs": took}
                return [_sent(call, "acw", at_ms, _user(leg), body)]
            case _:
                return []

    def _queued(self, call: Call, at_ms: int) -> list[bytes]:
        begun = _sent(call, "acd.start", at_ms, _stay(call.leg), {"queueId": call.leg.queue, "routingPriority": 0})
        return [begun, _talked(call, call.legs[-2], at_ms, how="TRANSFER")] if call.transferred else [begun]

    def _left(self, call: Call, outcome: str, how: str, at_ms: int, more: dict[str, Any]) -> bytes:
        leg = call.leg
        body = {"queueId": leg.queue, "acdOutcome": outcome, "connectedDurationMs": at_ms - leg.queued_ms, "disconnectType": how}
        return _sent(call, "acd.end", at_ms, _stay(leg), body | more)


def _stay(leg: Leg) -> str:
    return f"acd {leg.number}"


def _user(leg: Leg) -> str:
    return f"user {leg.number} {leg.offers}"


def _talked(call: Call, leg: Leg, at_ms: int, *, by_agent: bool = False, how: str = "") -> bytes:
    answered = leg.answered_ms or at_ms
    body = {
        "userId": leg.agent,
        "queueId": leg.queue,
        "alertingDurationMs": answered - leg.offered_ms,
        "interactingDurationMs": at_ms - answered - leg.held_ms,
        "heldDurationMs": leg.held_ms,
        "disconnectType": how or ("CLIENT" if by_agent else "PEER"),
    }
    return _sent(call, "user.end", at_ms, _user(leg), body)


def _sent(call: Call, kind: str, at_ms: int, participant: str, body: dict[str, Any]) -> bytes:
    conversation = GenesysDetailEvents.conversation_of(call.conversation)
    call.events += 1
    return orjson.dumps(
        {
            "version": "0",
            "id": uuid_of("event", call.conversation, call.events),
            "detail-type": f"v2.detail.events.conversation.{{id}}.{kind}",
            "source": "aws.partner/genesys.com/cloud/5d1f0f3e-0000-4000-8000-000000000002/bus",
            "account": "123456789012",
            "time": f"{time_text(at_ms)[:19]}Z",
            "region": "eu-central-1",
            "resources": [],
            "detail": {
                "topicName": f"v2.detail.events.conversation.{conversation}.{kind}",
                "version": "2",
                "eventBody": {
                    "eventTime": at_ms,
                    "conversationId": conversation,
                    "participantId": uuid_of("participant", call.conversation, participant),
                    "sessionId": uuid_of("session", call.conversation, participant),
                    "mediaType": "VOICE",
                    "provider": "Edge",
                    "direction": "INBOUND",
                    **body,
                },
                "metadata": {"CorrelationId": uuid_of("correlation", call.conversation, call.events)},
                "timestamp": time_text(at_ms),
            },
        }
    )
