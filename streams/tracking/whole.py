"""What belongs to a conversation as a whole: where it is booked, and by what clock (``docs/counting.md`` sections 4.2 and 15.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.legs import book_apart

if TYPE_CHECKING:
    from streams.tracking.conversation import Conversation, Rules
    from streams.tracking.ledger import Ledger

__all__ = ["book_whole", "elapsed_ms"]


def book_whole(c: Conversation, at: int, amounts: tuple[tuple[str, int], ...], rules: Rules, ledger: Ledger) -> bool:
    """Book in the place of the conversation, by offer under its last visit there; say whether it has a place."""
    place = c.last
    if place is None:
        return False
    targets = rules.targets.of_queue(*place)
    here = place == (c.visit_queue, c.visit_channel)
    if here and c.single is not None:
        ledger.book(targets.everything, at, c.entered, amounts)
    else:
        book_apart(c, targets, c.entered if here else None, at, amounts, ledger)
    return True


def elapsed_ms(c: Conversation, since: int, at: int, rules: Rules) -> int:
    """Return how long it took from an instant to another, on the clock of the queue of the conversation's place."""
    hours = None if c.last is None else rules.business.get(c.last[0])
    return max(0, at - since) if hours is None else hours.open_ms(since, at)
