"""Postings per contact: their targets and their clock (``docs/counting.md`` sections 4.2 and 15.2)."""

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
    """Book in the place of the conversation, by offer under its last visit there; return whether it has a place."""
    entries = contact_entries(s, at)
    for target, offered in entries:
        postings.book(target, at, offered, amounts)
    return bool(entries)


def once(s: State, name: str) -> bool:
    """Return whether a field is booked for the first time in the conversation, and record it."""
    if s.counted is None:
        s.counted = set()
    elif name in s.counted:
        return False
    s.counted.add(name)
    return True


def contact_entries(s: State, at: int) -> tuple[tuple[int, int], ...]:
    """Return the targets of the place, each with its entry by offer; nothing without a place."""
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
    """Return the time between two instants, on the clock of the queue of the conversation's place."""
    hours = None if s.place is None else rules.business.get(s.place.place[0])
    return max(0, at - since) if hours is None else hours.open_ms(since, at)


def handed_over_before(s: State, at: int) -> int | None:
    """Return the last handover by a bot before an instant."""
    # When a conversation is recomputed, the facts include later ones.
    return max((fact.at for fact in s.facts if fact.kind == HandedOver.kind and fact.at < at), default=None)


def without_bot(s: State, since: int, at: int) -> int:
    """Return the start of a time that ends now: the last handover by a bot, if the definition leaves out the bot's time."""
    if s.place is None or not s.place.leaves_out_bot(at):
        return since
    handed = handed_over_before(s, at)
    return since if handed is None else max(since, handed)
