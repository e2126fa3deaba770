"""Reasons why facts of a conversation count nothing, by recounting with the same steps; rarely needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.catalogue.fields import UNCOUNTED, parse
from streams.tracking.facts import Excluded, Kind
from streams.tracking.fold import is_consult, is_ours, step, unfolded
from streams.tracking.postings import Postings

if TYPE_CHECKING:
    from streams.tracking.facts import AnyFact
    from streams.tracking.rules import Rules
    from streams.tracking.state import State

__all__ = ["CONSULTATION", "EXCLUDED", "NOT_INBOUND", "reasons_of"]

#: The conversation is excluded.
EXCLUDED = "excluded"
#: The conversation is internal, or excluded and begun by the business.
NOT_INBOUND = "not_inbound"
#: It is of a consultation between agents.
CONSULTATION = "consultation"


def reasons_of(name: str, facts: list[AnyFact], rules: Rules) -> dict[str, str]:
    """Return event id → reason, of a conversation's ordered facts that count nothing."""
    state, reasons = unfolded(name, facts), dict[str, str]()
    of_conversation = None if state.void is not True else NOT_INBOUND if is_ours(facts) else EXCLUDED
    for fact in facts:
        reason = of_conversation
        if of_conversation is None:
            reason = CONSULTATION if _is_of_consultation(state, fact) else None
            postings = Postings()
            step(state, fact, rules, postings)
            reason = reason or _booked(postings)
        elif of_conversation == EXCLUDED and isinstance(fact, Excluded):
            reason = None
        if reason is not None:
            reasons[fact.event_id] = reason
    return reasons


def _is_of_consultation(state: State, fact: AnyFact) -> bool:
    return fact.kind == Kind.CONSULT or (state.consults is not None and is_consult(set(state.consults.contacts), fact))


def _booked(postings: Postings) -> str | None:
    """Return the booked reason, if there is one."""
    for counts in postings.by_outcome.values():
        for name in counts:
            name_parts = parse(name)
            if name_parts is not None and name_parts.field is UNCOUNTED:
                return name_parts.label
    return None
