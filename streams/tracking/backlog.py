"""Pending work of a conversation: its place, backlog state and reply due (``docs/counting.md`` sections 4.2, 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.base import REPLY_CHANNELS
from streams.tracking.ticket import OPEN

if TYPE_CHECKING:
    from streams.tracking.rules import Rules
    from streams.tracking.state import State

__all__ = ["UNASSIGNED", "backlog_of", "place_or_unassigned", "reply_due"]

#: Queue name of written contacts without a queue.
UNASSIGNED = "(unassigned)"


def place_or_unassigned(s: State) -> tuple[str, str] | None:
    """Return the place of a conversation, else that of written contacts without a queue."""
    if s.place is not None:
        return s.place.place
    return (UNASSIGNED, s.channel) if s.channel in REPLY_CHANNELS and s.messages is not None else None


def backlog_of(s: State) -> str | None:
    """Return the backlog state of a conversation, None if it is not in the backlog."""
    place, ticket = place_or_unassigned(s), s.ticket
    if place is None or place[1] not in REPLY_CHANNELS or (ticket is not None and ticket.resolved):
        return None
    status, waiting_on = (None, None) if ticket is None else (ticket.status, ticket.waiting_on)
    if status == "on_hold":
        return "on_hold"
    if status == "waiting_on_customer" or waiting_on == "customer":
        return "waiting_on_customer"
    if s.place is not None:
        untouched, is_in_progress = s.visit is not None and not s.legs_begun, s.visit is not None or s.leg is not None
    else:
        is_in_progress = s.messages is not None and not s.messages.is_closed
        untouched = is_in_progress and not s.legs_begun and s.messages is not None and not s.messages.replied and status in {None, "new"}
    if untouched:
        return "untouched"
    return "in_progress" if is_in_progress or status in OPEN else None


def reply_due(s: State, rules: Rules) -> int | None:
    """Return when a reply is due, None if none is."""
    messages = s.messages
    if messages is None or messages.waits is None or (s.ticket is not None and s.ticket.resolved):
        return None
    place = place_or_unassigned(s)
    if place is None:
        return None
    target_ms = rules.targets.of_queue(*place).reply_ms(messages.waits)
    return None if target_ms is None else messages.waits + target_ms
