"""What belongs to a conversation as a whole: where it is booked, and by what clock (``docs/counting.md`` sections 4.2 and 15.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.facts import HandedOver
from streams.tracking.legs import entry_in

if TYPE_CHECKING:
    from streams.tracking.postings import Postings
    from streams.tracking.rules import Rules
    from streams.tracking.state import State

__all__ = ["book_per_contact", "contact_entries", "elapsed_ms", "handed_over_before", "once", "without_bot"]


def book_per_contact(s: State, at: int, amounts: tuple[tuple[str, int], ...], postings: Postings) -> bool:
    """Book in the place of the conversation, by offer under its last visit there; say whether it has a place."""
    where = contact_entries(s, at)
    for target, offered in where:
        postings.book(target, at, offered, amounts)
    return bool(where)


def once(s: State, name: str) -> bool:
    """Say whether this is the first time in the conversation, of what is named as the field that is booked then."""
    if s.counted is None:
        s.counted = set()
    elif name in s.counted:
        return False
    s.counted.add(name)
    return True


def contact_entries(s: State, at: int) -> tuple[tuple[int, int], ...]:
    """Return the targets of the place, each with the entry that it is booked under by offer; nothing without a place."""
    targets = s.place
    if targets is None:
        return ()
    visit = s.last_visit
    here = visit is not None and visit.targets is targets
    if visit is not None and here and s.single is not None:
        return ((targets.everything, visit.entered),)
    return (
        (targets.queue, visit.entered if visit is not None and here else at),
        *((scope, entry_in(s, scope, at)) for scope in targets.larger),
    )


def elapsed_ms(s: State, since: int, at: int, rules: Rules) -> int:
    """Return how long it took from an instant to another, on the clock of the queue of the conversation's place."""
    hours = None if s.place is None else rules.business.get(s.place.place[0])
    return max(0, at - since) if hours is None else hours.open_ms(since, at)


def handed_over_before(s: State, at: int) -> int | None:
    """Return when a bot handed the customer over for the last time before an instant."""
    # Facts that come later are among these when the conversation is recomputed.
    return max((fact.at for fact in s.facts if fact.kind == HandedOver.kind and fact.at < at), default=None)


def without_bot(s: State, since: int, at: int) -> int:
    """Return from when a time runs that ends now: not before the last handover by a bot, if the definition leaves the bot's time out."""
    if s.place is None or not s.place.leaves_out_bot(at):
        return since
    handed = handed_over_before(s, at)
    return since if handed is None else max(since, handed)
