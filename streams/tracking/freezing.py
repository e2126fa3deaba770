"""Selection of conversations to store as rows instead of objects, as a restart reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.json import encode

from streams.tracking.contact_fact import contact_fact
from streams.tracking.rows import rows_of
from streams.tracking.unread import Unread, head_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from streams.tracking.rules import Rules
    from streams.tracking.state import Conversation

__all__ = ["frozen_rows", "is_over", "long_idle"]


def long_idle(conversations: Collection[Conversation], most: int) -> Iterator[Conversation]:
    """Yield conversations until at most half of ``most`` are left: closed ones, oldest first; open ones only beyond ``most``."""
    over: list[tuple[int, str, Conversation]] = []
    still_open: list[tuple[int, str, Conversation]] = []
    for conversation in conversations:
        (over if is_over(conversation) else still_open).append((conversation.state.last_ms, conversation.name, conversation))
    over.sort()
    del over[max(0, len(conversations) - most // 2) :]
    beyond = len(conversations) - len(over) - most
    if beyond > 0:
        still_open.sort()
        over += still_open[:beyond]
    for _, _, conversation in over:
        yield conversation


def is_over(c: Conversation) -> bool:
    """Return whether a conversation is closed: nothing of it is open or expected."""
    state = c.state
    if c.noted_waiting is not None or c.noted_active is not None or c.noted_open is not None or state.ended_legs:
        return False
    return state.bot_sessions is None or state.bot_sessions.open is None


def frozen_rows(c: Conversation, rules: Rules, number: int, kept_until: Callable[[str, int], int]) -> Unread | None:
    """Return the rows of a folded conversation; None if they would not hold its entire state.

    ``kept_until``: returns, by name and instant of its close, when a conversation is evicted.
    """
    if c.fresh is not None or c.timer is None or c.source is None:
        return None
    # Reading the rows assumes that its current customer fact is published.
    if (c.published_fact is not None or c.state.customer is not None) and c.published_fact != contact_fact(c.state):
        return None
    head = head_of(c, rules, number)
    rows = None if head is None else rows_of(c, head)
    if head is None or rows is None:
        return None
    due_ms = kept_until(c.name, head.last_ms) if head.lost_from_ms is None else head.lost_from_ms
    return Unread(tuple(map(encode, rows)), head.events, due_ms, head.lost_from_ms, head.last_ms, head.has_customer)
