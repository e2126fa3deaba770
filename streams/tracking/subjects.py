"""What a conversation is about, and why it never came to a queue (``docs/counting.md`` sections 12.1 to 12.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.facts import Kind
from streams.tracking.whole import where_of_whole

if TYPE_CHECKING:
    from streams.tracking.conversation import Conversation, Rules
    from streams.tracking.facts import Fact
    from streams.tracking.ledger import Ledger

__all__ = [
    "Subject",
    "book_excluded",
    "categorize",
    "find_place",
    "name_category",
    "not_offer",
    "outside",
    "settle_day",
]

#: Who names a category, the one that goes before the others first.
_SPOKEN, _QUEUED, _SERVED = "categorized", "queued", "self_service"
_FIRST_OF = (_SPOKEN, _QUEUED, _SERVED)

#: Targets, each with the entry that it is booked under by offer, and the instant of it all.
_Where = tuple[tuple[tuple[int, int], ...], int]


class Subject:
    """What a conversation is about; most are never told."""

    __slots__ = ("complaint", "complaint_where", "counted", "dated", "kept_out", "named", "where", "within_day")

    def __init__(self) -> None:
        self.named: dict[str, str] = {}  # who says so → category
        self.counted: str | None = None  # the category it counts under
        self.where: _Where | None = None
        self.complaint = False
        self.complaint_where: _Where | None = None
        self.dated = False
        self.within_day = False
        self.kept_out: set[str] | None = None  # reasons counted

    @property
    def category(self) -> str | None:
        """The category it has, whether or not it counts anywhere yet."""
        return next((self.named[who] for who in _FIRST_OF if who in self.named), None)


def _subject_of(c: Conversation) -> Subject:
    if c.subject is None:
        c.subject = Subject()
    return c.subject


def outside(c: Conversation, fact: Fact, site: str | None, rules: Rules, channel: str | None = None) -> int:
    """Return the group of what a fact says without a queue; a channel goes before the conversation's own."""
    if site is None and c.last is not None:
        site = rules.targets.site_of(c.last[0])
    if site is None:
        site = next((each[7] for each in reversed(c.facts) if each[2] == Kind.ARRIVED and each[7] is not None and each < fact), None)
    own = c.channel or (c.last[1] if c.last is not None else "voice")
    return rules.targets.outside(site, channel or own)


def not_offer(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Book that a contact was kept out, once a reason."""
    at, reason, site = fact[0], fact[4], fact[5]
    subject = _subject_of(c)
    if subject.kept_out is None:
        subject.kept_out = set()
    if reason not in subject.kept_out:
        subject.kept_out.add(reason)
        ledger.book(outside(c, fact, site, rules), at, at, ((f"not_offered={reason}", 1),))


def book_excluded(before: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Book an exclusion where the facts before it have led to."""
    at, reason, site = fact[0], fact[4] or "unknown", fact[5]
    group = outside(before, fact, site, rules) if before.last is None else rules.targets.of_queue(*before.last).everything
    ledger.book(group, at, at, ((f"excluded={reason}", 1),))


def categorize(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Take an agent's or a program's word of what it is about."""
    at, category, complaint = fact[0], fact[4], fact[5]
    subject = _subject_of(c)
    subject.complaint |= complaint
    if category is not None:
        subject.named[_SPOKEN] = category
    find_place(c, subject, at, rules, ledger)


def name_category(c: Conversation, at: int, category: str, rules: Rules, ledger: Ledger, *, served: bool = False) -> None:
    """Take the word of a queue, or of a self-service session, for what it is about."""
    subject = _subject_of(c)
    subject.named[_SERVED if served else _QUEUED] = category
    find_place(c, subject, at, rules, ledger)


def find_place(c: Conversation, subject: Subject, at: int, rules: Rules, ledger: Ledger) -> None:
    """Count category and complaint once there is a place for them, and move the category where it is another one now."""
    if c.last is None:
        return
    category = next((subject.named[who] for who in _FIRST_OF if who in subject.named), None)
    if category != subject.counted and category is not None:
        if subject.where is None:
            subject.where = where_of_whole(c, at, rules), at
        else:
            _book(subject.where, ((f"category={subject.counted}", -1),), ledger)
        subject.counted = category
        _book(subject.where, ((f"category={category}", 1),), ledger)
    if subject.complaint and subject.complaint_where is None:
        subject.complaint_where = where_of_whole(c, at, rules), at
        subject.dated = c.start is not None
        _book(subject.complaint_where, (("complaints", 1), *((("complaints_dated", 1),) if subject.dated else ())), ledger)
        settle_day(c, subject, ledger)


def settle_day(c: Conversation, subject: Subject, ledger: Ledger) -> None:
    """Book whether a complaint was resolved within its day, as far as is known."""
    within = c.matter is not None and c.matter.resolved_in_a_day
    if subject.complaint_where is not None and subject.dated and within != subject.within_day:
        subject.within_day = within
        _book(subject.complaint_where, (("complaints_within_day", 1 if within else -1),), ledger)


def _book(where: _Where, amounts: tuple[tuple[str, int], ...], ledger: Ledger) -> None:
    entries, at = where
    for target, offered in entries:
        ledger.book(target, at, offered, amounts)
