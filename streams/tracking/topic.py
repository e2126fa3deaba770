"""Category and complaint of a conversation, and why it never reached a queue (``docs/counting.md`` sections 12.1 to 12.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.facts import Arrived, precedes
from streams.tracking.per_contact import contact_entries, once
from streams.tracking.state import Topic

if TYPE_CHECKING:
    from streams.tracking.facts import AnyFact, Categorized, Excluded, NotOffered
    from streams.tracking.postings import Postings
    from streams.tracking.rules import Rules
    from streams.tracking.state import State, Where

__all__ = [
    "book_excluded",
    "book_within_day",
    "categorize",
    "category_of",
    "find_place",
    "name_category",
    "not_offer",
    "outside",
]

#: Origins of a category, in order of precedence.
_CATEGORIZED, _QUEUED, _SERVED = "categorized", "queued", "self_service"
_PRECEDENCE = (_CATEGORIZED, _QUEUED, _SERVED)


def category_of(topic: Topic) -> str | None:
    """Return the category of a topic, counted or not."""
    named = topic.named
    for origin in _PRECEDENCE:
        if origin in named:
            return named[origin]
    return None


def _topic_of(s: State) -> Topic:
    if s.topic is None:
        s.topic = Topic()
    return s.topic


def outside(s: State, fact: AnyFact, site: str | None, rules: Rules, channel: str | None = None) -> int:
    """Return the group of a fact without a queue; a channel takes precedence over the conversation's own."""
    if site is None and s.place is not None:
        site = rules.targets.site_of(s.place.place[0])
    if site is None:
        before = (
            earlier.site
            for earlier in reversed(s.facts)
            if isinstance(earlier, Arrived) and earlier.site is not None and precedes(earlier, fact)
        )
        site = next(before, None)
    own = s.channel or (s.place.place[1] if s.place is not None else "voice")
    return rules.targets.outside(site, channel or own)


def not_offer(s: State, fact: NotOffered, rules: Rules, postings: Postings) -> None:
    """Book that a contact was not offered, once a reason."""
    at, name = fact.at, f"not_offered={fact.reason}"
    if once(s, name):
        postings.book(outside(s, fact, fact.site, rules), at, at, ((name, 1),))


def book_excluded(before: State, fact: Excluded, rules: Rules, postings: Postings) -> None:
    """Book an exclusion in the place that the facts before it lead to."""
    at, reason, site = fact.at, fact.reason or "unknown", fact.site
    group = outside(before, fact, site, rules) if before.place is None else before.place.everything
    postings.book(group, at, at, ((f"excluded={reason}", 1),))


def categorize(s: State, fact: Categorized, rules: Rules, postings: Postings) -> None:
    """Apply a category or complaint that an agent or program reports."""
    at, category, complaint = fact.at, fact.category, fact.complaint
    topic = _topic_of(s)
    topic.complaint |= complaint
    if category is not None:
        topic.named[_CATEGORIZED] = category
    find_place(s, topic, at, rules, postings)


def name_category(s: State, at: int, category: str, rules: Rules, postings: Postings, *, served: bool = False) -> None:
    """Apply the category of a queue or a self-service session."""
    topic = _topic_of(s)
    topic.named[_SERVED if served else _QUEUED] = category
    find_place(s, topic, at, rules, postings)


def find_place(s: State, topic: Topic, at: int, rules: Rules, postings: Postings) -> None:
    """Count category and complaint once there is a place, and move sums by category to a new one."""
    if s.place is None:
        return
    category = category_of(topic)
    if category != topic.counted and category is not None:
        before = topic.counted
        if topic.where is None:
            topic.where = contact_entries(s, at), at
        topic.counted = category
        _move(topic.where, "category", before, category, postings)
        if topic.complaint_where is not None and rules.counts_by_category(topic.complaint_where[1]):
            _move(topic.complaint_where, "complaints", before, category, postings)
        if s.messages is not None and s.messages.thanked_where is not None:
            _move(s.messages.thanked_where, "thanked", before, category, postings)
    if topic.complaint and topic.complaint_where is None:
        topic.complaint_where = contact_entries(s, at), at
        topic.dated = s.start is not None
        amounts: list[tuple[str, int]] = [("complaints", 1)]
        if topic.dated:
            amounts.append(("complaints_dated", 1))
        if topic.counted is not None and rules.counts_by_category(at):
            amounts.append((f"complaints={topic.counted}", 1))
        _book(topic.complaint_where, tuple(amounts), postings)
        book_within_day(s, topic, postings)


def book_within_day(s: State, topic: Topic, postings: Postings) -> None:
    """Book whether a complaint was resolved within its day, by the facts so far."""
    within = s.ticket is not None and s.ticket.resolved_in_a_day
    if topic.complaint_where is not None and topic.dated and within != topic.within_day:
        topic.within_day = within
        _book(topic.complaint_where, (("complaints_within_day", 1 if within else -1),), postings)


def _move(where: Where, name: str, before: str | None, category: str, postings: Postings) -> None:
    """Move a count to another category, or from none."""
    taken = () if before is None else ((f"{name}={before}", -1),)
    _book(where, ((f"{name}={category}", 1), *taken), postings)


def _book(where: Where, amounts: tuple[tuple[str, int], ...], postings: Postings) -> None:
    entries, at = where
    for target, offered in entries:
        postings.book(target, at, offered, amounts)
