"""Which conversations need not stay in memory as they are, and what is kept of them: rows, as a restart reads them."""

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
    """Yield those without which at most half as many are left: what is over, the oldest first; what is open only beyond ``most``."""
    over: list[tuple[int, str, Conversation]] = []
    still_open: list[tuple[int, str, Conversation]] = []
    for each in conversations:
        (over if is_over(each) else still_open).append((each.state.last_ms, each.name, each))
    over.sort()
    del over[max(0, len(conversations) - most // 2) :]
    beyond = len(conversations) - len(over) - most
    if beyond > 0:
        still_open.sort()
        over += still_open[:beyond]
    for _, _, each in over:
        yield each


def is_over(c: Conversation) -> bool:
    """Say whether nothing of a conversation goes on or is still to come."""
    state = c.state
    if c.noted_waiting is not None or c.noted_active is not None or c.noted_open is not None or state.ended_legs:
        return False
    return state.bot_sessions is None or state.bot_sessions.open is None


def frozen_rows(c: Conversation, rules: Rules, number: int, kept_until: Callable[[str, int], int]) -> Unread | None:
    """Return what is kept of a conversation that is folded and noted; None if its rows would not say all that is to be known of it.

    ``kept_until``: of a name, and when it was over, when it is forgotten.
    """
    if c.fresh is not None or c.timer is None or c.source is None:
        return None
    # Who reads its rows takes it that customers were told of it as it is.
    if (c.published_fact is not None or c.state.customer is not None) and c.published_fact != contact_fact(c.state):
        return None
    head = head_of(c, rules, number)
    rows = None if head is None else rows_of(c, head)
    if head is None or rows is None:
        return None
    due_ms = kept_until(c.name, head.last_ms) if head.lost_from_ms is None else head.lost_from_ms
    return Unread(tuple(map(encode, rows)), head.events, due_ms, head.lost_from_ms, head.last_ms, head.has_customer)
