"""Postings of a conversation that the business began: attempts, reached customers, talk (``docs/counting.md`` section 4.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.facts import Answered, Arrived, Ended, Held, Resumed
from streams.tracking.topic import outside

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.tracking.extra_postings import Amounts
    from streams.tracking.facts import AnyFact
    from streams.tracking.postings import Postings
    from streams.tracking.rules import Rules
    from streams.tracking.state import Outbound, State

__all__ = ["count_outbound", "is_outbound"]


def is_outbound(facts: Iterable[AnyFact]) -> bool:
    """Return whether the business began a conversation with a customer."""
    directions = {fact.direction for fact in facts if isinstance(fact, Arrived)}
    return "outbound" in directions and "internal" not in directions


def count_outbound(s: State, outbound: Outbound, fact: AnyFact, rules: Rules, postings: Postings) -> None:
    """Count the next fact of an outbound conversation."""
    at = fact.at
    if isinstance(fact, Arrived):
        s.channel = fact.channel
        if fact.direction == "outbound" and not outbound.begun:
            outbound.begun = True
            _book(s, fact, fact.site, (("outbound", 1),), rules, postings)
    elif not outbound.begun or outbound.over:
        return
    elif outbound.answered is None:
        if isinstance(fact, Answered):
            outbound.answered = at
            _book(s, fact, None, (("outbound_reached", 1),), rules, postings)
    elif isinstance(fact, Held):
        outbound.held_at = at if outbound.held_at is None else outbound.held_at
    elif isinstance(fact, Resumed | Ended):
        if outbound.held_at is not None:
            outbound.hold_ms += at - outbound.held_at
            outbound.held_at = None
        if isinstance(fact, Ended):
            outbound.over = True
            talk = at - outbound.answered - outbound.hold_ms
            _book(s, fact, None, (("outbound_talk_ms", talk), ("outbound_talk_count", 1)), rules, postings)


def _book(s: State, fact: AnyFact, site: str | None, amounts: Amounts, rules: Rules, postings: Postings) -> None:
    # Versions without counts of uncounted events did not book these either.
    if rules.counts_uncounted(fact.at):
        postings.book(outside(s, fact, site, rules), fact.at, fact.at, amounts)
