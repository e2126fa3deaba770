"""The state of a call at a telephone platform, from its canonical events; and the base of writers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

__all__ = ["Call", "Leg", "Writer", "ms_of", "number_of", "uuid_of"]


@dataclass(slots=True)
class Leg:
    """A stay in a queue, and the agent's part after it."""

    number: int
    queue: str
    queued_ms: int
    agent: str | None = None
    offered_ms: int = 0
    answered_ms: int | None = None
    ended_ms: int | None = None
    held_ms: int = 0
    held_since_ms: int | None = None
    offers: int = 0


@dataclass(slots=True)
class Call:
    """One call: its arrival, its legs in order, and whether its agent has just transferred it."""

    conversation: str
    number: int
    arrived_ms: int
    entry_point: str
    #: The number of the customer who calls, None where it is withheld.
    number_of_customer: str | None = None
    legs: list[Leg] = field(default_factory=list)
    transferred: bool = False
    events: int = 0

    @property
    def leg(self) -> Leg:
        """The last leg."""
        return self.legs[-1]

    def leg_of(self, agent: str | None) -> Leg:
        """Return the last leg that this agent answered."""
        return next(leg for leg in reversed(self.legs) if leg.agent == agent and leg.answered_ms is not None)


class Writer:
    """Turns the events of calls, in order, into a platform's messages; other events have none."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}
        self._number = 0

    def write(self, event: dict[str, Any]) -> list[bytes]:
        """Return the platform's messages of an event, each a separate delivery (of a log: a line)."""
        kind: str = event["type"]
        if not kind.startswith("contact."):
            return []
        conversation, at_ms = event["conversation_id"], ms_of(event["occurred_at"])
        if kind == "contact.arrived":
            self._number += 1
            key = event.get("customer_key")
            number = None if key is None else number_of(key)
            self._calls[conversation] = Call(conversation, self._number, at_ms, event.get("entry_point", ""), number)
        call = self._calls.get(conversation)
        if call is None:
            return []
        _follow(call, kind, event, at_ms)
        sent = self.messages(call, kind.removeprefix("contact."), event, at_ms)
        if kind == "contact.transferred":
            call.transferred = True
        elif kind == "contact.queued":
            call.transferred = False
        return sent

    @staticmethod
    def conversation_of(conversation: str) -> str:
        """Return the platform's id of a call."""
        return conversation

    def messages(self, call: Call, kind: str, event: dict[str, Any], at_ms: int) -> list[bytes]:
        """Return the platform's messages of a call's event, which ``call`` already includes."""
        raise NotImplementedError


def _follow(call: Call, kind: str, event: dict[str, Any], at_ms: int) -> None:
    match kind:
        case "contact.queued":
            call.legs.append(Leg(len(call.legs) + 1, event["queue"], at_ms))
        case "contact.agent_offered":
            call.leg.offers += 1
            call.leg.offered_ms = at_ms
        case "contact.answered":
            call.leg.agent, call.leg.answered_ms = event["agent"], at_ms
        case "contact.held":
            call.leg.held_since_ms = at_ms
        case "contact.resumed":
            since, call.leg.held_since_ms = call.leg.held_since_ms, None
            call.leg.held_ms += 0 if since is None else at_ms - since
        case "contact.ended" | "contact.transferred":
            if call.legs and call.leg.ended_ms is None:
                call.leg.ended_ms = at_ms


def ms_of(text: str) -> int:
    """Return the time of an event in milliseconds."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def number_of(customer: str) -> str:
    """Return the telephone number of a simulated customer, from an unassigned block of Japan."""
    return f"+8199{int.from_bytes(blake2b(customer.encode(), digest_size=6).digest()) % 10**8:08d}"


def uuid_of(*parts: object) -> str:
    """Return a UUID, the same for the same parts."""
    return str(UUID(bytes=blake2b("\0".join(map(str, parts)).encode(), digest_size=16).digest(), version=4))
