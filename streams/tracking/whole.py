"""What belongs to a conversation as a whole: where it is booked, and by what clock (``docs/counting.md`` sections 4.2 and 15.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.legs import entry_in

if TYPE_CHECKING:
    from streams.tracking.conversation import Conversation, Rules
    from streams.tracking.ledger import Ledger

__all__ = ["book_whole", "elapsed_ms", "where_of_whole"]


def book_whole(c: Conversation, at: int, amounts: tuple[tuple[str, int], ...], rules: Rules, ledger: Ledger) -> bool:
    """Book in the place of the conversation, by offer under its last visit there; say whether it has a place."""
    where = where_of_whole(c, at, rules)
    for target, offered in where:
        ledger.book(target, at, offered, amounts)
    return bool(where)


def where_of_whole(c: Conversation, at: int, rules: Rules) -> tuple[tuple[int, int], ...]:
    """Return the targets of the place, each with the entry that it is booked under by offer; nothing without a place."""
    place = c.last
    if place is None:
        return ()
    targets = rules.targets.of_queue(*place)
    here = place == (c.visit_queue, c.visit_channel)
    if here and c.single is not None:
        return ((targets.everything, c.entered),)
    return ((targets.queue, c.entered if here else at), *((scope, entry_in(c, scope, at)) for scope in targets.larger))


def elapsed_ms(c: Conversation, since: int, at: int, rules: Rules) -> int:
    """Return how long it took from an instant to another, on the clock of the queue of the conversation's place."""
    hours = None if c.last is None else rules.business.get(c.last[0])
    return max(0, at - since) if hours is None else hours.open_ms(since, at)
