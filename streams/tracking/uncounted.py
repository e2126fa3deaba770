"""Events that counted nothing, by reason (``docs/counting.md`` section 12.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.topic import outside

if TYPE_CHECKING:
    from streams.tracking.facts import AnyFact
    from streams.tracking.postings import Postings
    from streams.tracking.rules import Rules
    from streams.tracking.state import State

__all__ = ["NO_BEGIN", "NO_LEG", "NO_QUEUE", "NO_VISIT", "TOO_MANY", "count_uncounted", "count_without_place"]

#: An end without a known begin.
NO_BEGIN = "no_begin"
#: No open visit that its names fit.
NO_VISIT = "no_visit"
#: No leg that its names fit.
NO_LEG = "no_leg"
#: No queue in which it could count.
NO_QUEUE = "no_queue"
#: The limit of open visits or active legs is reached.
TOO_MANY = "too_many_open"


def count_uncounted(s: State, fact: AnyFact, reason: str, rules: Rules, postings: Postings) -> None:
    """Book that an event counted nothing: where the conversation is, else in its site and the total."""
    if not rules.counts_uncounted(fact.at):
        return
    group = outside(s, fact, None, rules) if s.place is None else s.place.everything
    postings.book(group, fact.at, fact.at, ((f"uncounted={reason}", 1),))


def count_without_place(s: State, fact: AnyFact, rules: Rules, postings: Postings) -> None:
    """Book an event that counts per contact as uncounted, if the conversation has no place or never began."""
    if s.place is None:
        count_uncounted(s, fact, NO_BEGIN if s.channel is None else NO_QUEUE, rules, postings)
