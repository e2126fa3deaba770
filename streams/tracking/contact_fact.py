"""The customer fact of a conversation (``docs/counting.md`` section 16.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.customer_facts import ContactFact
from streams.tracking.topic import category_of

if TYPE_CHECKING:
    from streams.tracking.state import State

__all__ = ["contact_fact"]


def contact_fact(state: State) -> ContactFact | None:
    """Return the customer fact of a conversation; None if it is no contact of a known customer."""
    customer, place, start = state.customer, state.place, state.start
    if customer is None or place is None or start is None or state.void:
        return None
    ticket = state.ticket
    resolved, first_contact = (False, False) if ticket is None else (ticket.resolution_booked, ticket.undoable)
    category = None if state.topic is None else category_of(state.topic)
    return ContactFact(customer, start, *place.place, category, resolved, first_contact)
