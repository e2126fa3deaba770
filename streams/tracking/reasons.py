"""Why facts of a conversation count nothing, each by itself: asked for seldom, and counted again with the steps that counted them."""

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
#: It is of a contact in which one agent asks another.
CONSULTATION = "consultation"


def reasons_of(name: str, facts: list[AnyFact], rules: Rules) -> dict[str, str]:
    """Return event id → why it counts nothing, of those of a conversation's ordered facts that do."""
    state, found = unfolded(name, facts), dict[str, str]()
    whole = None if state.void is not True else NOT_INBOUND if is_ours(facts) else EXCLUDED
    for fact in facts:
        reason = whole
        if whole is None:
            reason = CONSULTATION if _is_of_consultation(state, fact) else None
            postings = Postings()
            step(state, fact, rules, postings)
            reason = reason or _booked(postings)
        elif whole == EXCLUDED and isinstance(fact, Excluded):
            reason = None
        if reason is not None:
            found[fact.event_id] = reason
    return found


def _is_of_consultation(state: State, fact: AnyFact) -> bool:
    return fact.kind == Kind.CONSULT or (state.consults is not None and is_consult(set(state.consults.contacts), fact))


def _booked(postings: Postings) -> str | None:
    """Return the reason that is booked here, if one is."""
    for counts in postings.by_outcome.values():
        for name in counts:
            told = parse(name)
            if told is not None and told.field is UNCOUNTED:
                return told.label
    return None
