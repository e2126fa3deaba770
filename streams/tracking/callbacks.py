"""Callbacks of a conversation, and how long the customer waited for one (``docs/counting.md`` sections 4.2 and 11.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.facts import Kind
from streams.tracking.matters import matter_of
from streams.tracking.whole import book_whole

if TYPE_CHECKING:
    from streams.tracking.conversation import Conversation, Rules
    from streams.tracking.facts import Fact
    from streams.tracking.ledger import Ledger

__all__ = ["attempt_callback", "end_callback", "request_callback"]


def request_callback(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Book a callback, unless one is pending."""
    matter = matter_of(c)
    if not matter.callback:
        matter.callback, matter.due = True, fact[4]
        served = c.had_leg or matter.reached
        entered = None if served else _first_entry(c)
        matter.asked = fact[0] if entered is None else entered
        book_whole(c, fact[0], (("callbacks_requested", 1),), rules, ledger)


def attempt_callback(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Take note of an attempt: it may put the callback off, or end it."""
    matter, due, outcome = matter_of(c), fact[4], fact[5]
    if due is not None:
        matter.due = due
    if outcome in {"reached", "cancelled", "expired"}:
        end_callback(c, fact, rules, ledger)


def end_callback(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """End a callback, and book it and its wait if the customer was reached."""
    matter = matter_of(c)
    if matter.callback and fact[5] == "reached":
        matter.reached = True
        book_whole(c, fact[0], (("callbacks_reached", 1), ("callback_wait_ms", fact[0] - matter.asked)), rules, ledger)
    matter.callback = False


def _first_entry(c: Conversation) -> int | None:
    """Return when the first visit began, None before there is one.

    It is looked up, and not kept: a conversation that waits is to cost no more for it.
    """
    if c.single is not None:
        return c.single.entered
    if c.episodes is None:
        return None
    for fact in c.facts:
        if fact[2] == Kind.QUEUED:
            return fact[0]
        if fact[2] in {Kind.LEFT_QUEUE, Kind.ANSWERED} and fact[5] is not None and fact[6] is not None:
            at: int = fact[0] - fact[6]
            return at
    return None
