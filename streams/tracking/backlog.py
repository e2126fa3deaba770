"""What of a conversation waits for somebody: state in the backlog, reply due, where it stands (``docs/counting.md`` sections 4.2, 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.base import REPLY_CHANNELS
from streams.tracking.matters import OPEN

if TYPE_CHECKING:
    from streams.tracking.conversation import Conversation, Rules

__all__ = ["UNASSIGNED", "backlog_of", "reply_due", "standing_place"]

#: The queue that written contacts of no queue stand in.
UNASSIGNED = "(unassigned)"


def standing_place(c: Conversation) -> tuple[str, str] | None:
    """Return the queue and channel that a conversation stands in: its place, else that of written contacts of no queue."""
    if c.last is not None:
        return c.last
    return (UNASSIGNED, c.channel) if c.channel in REPLY_CHANNELS and c.words is not None else None


def backlog_of(c: Conversation) -> str | None:
    """Return the state in which the conversation is in the backlog, None if it is not."""
    place, matter = standing_place(c), c.matter
    if place is None or place[1] not in REPLY_CHANNELS or (matter is not None and matter.resolved):
        return None
    status, waiting_on = (None, None) if matter is None else (matter.status, matter.waiting_on)
    if status == "on_hold":
        return "on_hold"
    if status == "waiting_on_customer" or waiting_on == "customer":
        return "waiting_on_customer"
    if c.last is not None:
        untouched, going_on = c.visit is not None and not c.had_leg, c.visit is not None or c.leg is not None
    else:
        going_on = c.words is not None and not c.words.settled
        untouched = going_on and not c.had_leg and c.words is not None and not c.words.replied and status in {None, "new"}
    if untouched:
        return "untouched"
    return "in_progress" if going_on or status in OPEN else None


def reply_due(c: Conversation, rules: Rules) -> int | None:
    """Return by when the customer is to have a reply, None if no reply is due."""
    words = c.words
    if words is None or words.waits is None or (c.matter is not None and c.matter.resolved):
        return None
    place = standing_place(c)
    if place is None:
        return None
    target_ms = rules.targets.of_queue(*place).reply_ms(words.waits)
    return None if target_ms is None else words.waits + target_ms
