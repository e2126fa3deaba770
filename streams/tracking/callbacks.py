"""Callbacks of a conversation, and the customer's wait for them (``docs/counting.md`` sections 4.2 and 11.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.facts import Answered, LeftQueue, Queued
from streams.tracking.per_contact import book_per_contact
from streams.tracking.ticket import ticket_of

if TYPE_CHECKING:
    from streams.tracking.facts import CallbackAttempted, CallbackEnded, CallbackRequested
    from streams.tracking.postings import Postings
    from streams.tracking.state import State

__all__ = ["attempt_callback", "end_callback", "request_callback"]


def request_callback(s: State, fact: CallbackRequested, postings: Postings) -> None:
    """Book a callback, unless one is pending."""
    ticket = ticket_of(s)
    if not ticket.callback:
        ticket.callback, ticket.due = True, fact.due
        served = s.legs_begun > 0 or ticket.reached
        entered = None if served else _first_entry(s)
        ticket.asked = fact.at if entered is None else entered
        book_per_contact(s, fact.at, (("callbacks_requested", 1),), postings)


def attempt_callback(s: State, fact: CallbackAttempted, postings: Postings) -> None:
    """Apply an attempt: it may postpone or end the callback."""
    ticket, due, outcome = ticket_of(s), fact.due, fact.outcome
    if due is not None:
        ticket.due = due
    if outcome in {"reached", "cancelled", "expired"}:
        end_callback(s, fact, postings)


def end_callback(s: State, fact: CallbackAttempted | CallbackEnded, postings: Postings) -> None:
    """End a callback; book it and its wait if the customer was reached."""
    ticket = ticket_of(s)
    if ticket.callback and fact.outcome == "reached":
        ticket.reached = True
        book_per_contact(s, fact.at, (("callbacks_reached", 1), ("callback_wait_ms", fact.at - ticket.asked)), postings)
    ticket.callback = False


def _first_entry(s: State) -> int | None:
    """Return when the first visit began, None before there is one.

    A search costs less memory than a field in each waiting conversation.
    """
    if s.single is not None:
        return s.single.entered
    if s.episodes is None:
        return None
    for fact in s.facts:
        if isinstance(fact, Queued):
            return fact.at
        if isinstance(fact, LeftQueue | Answered) and fact.queue is not None and fact.wait_ms is not None:
            return fact.at - fact.wait_ms
    return None
