"""What belongs to a conversation as a whole: first response, resolution, surveys (``docs/counting.md`` section 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.base import REPLY_CHANNELS
from streams.tracking.facts import Kind
from streams.tracking.subjects import settle_day
from streams.tracking.whole import book_whole, elapsed_ms
from streams.tracking.words import channel_of, count_exchanges, hear
from streams.windows.slices import DAY_MS

if TYPE_CHECKING:
    from streams.tracking.conversation import Conversation, Rules
    from streams.tracking.facts import Fact
    from streams.tracking.ledger import Ledger
    from streams.tracking.scopes import QueueTargets

__all__ = [
    "DONE",
    "OPEN",
    "Matter",
    "change_status",
    "escalate",
    "invite",
    "matter_of",
    "respond",
    "response_start",
    "take_opinion",
]

#: Statuses of a matter that is settled, and those that say it is being worked on.
DONE = frozenset({"resolved", "closed"})
OPEN = frozenset({"open", "new", "reopened"})
_TOP_SCORE, _PROMOTER, _DETRACTOR = 4, 9, 6


class Matter:
    """What statuses and callbacks have made of a conversation; a call that is answered and ended has none."""

    __slots__ = (
        "asked", "callback", "due", "reached", "resolved", "resolved_before", "resolved_in_a_day", "settled", "status",
        "undoable", "waiting_on",
    )  # fmt: skip

    def __init__(self) -> None:
        self.status: str | None = None
        self.waiting_on: str | None = None
        self.resolved = False
        self.resolved_before = False
        self.resolved_in_a_day = False  # at the end of the day that began with the conversation, as far as is known
        self.settled = False  # counted as resolved for the first time
        self.undoable = False  # counted as resolved at first contact, and not reopened since
        self.callback = False  # pending
        self.asked = 0  # since when who is to be called back has been waiting
        self.due: int | None = None
        self.reached = False  # by any callback


def matter_of(c: Conversation) -> Matter:
    """Return the conversation's matter, from now on there is one."""
    if c.matter is None:
        c.matter = Matter()
    return c.matter


def respond(c: Conversation, at: int, rules: Rules, ledger: Ledger) -> None:
    """Book the first response, unless the conversation has no place yet; without a start it says nothing, and no later one does."""
    if c.last is None:
        return
    c.responded = True
    if c.start is not None:
        since = response_start(c, at, rules.targets.of_queue(*c.last))
        book_whole(c, at, (("first_response_ms", elapsed_ms(c, since, at, rules)), ("first_response_count", 1)), rules, ledger)


def response_start(c: Conversation, at: int, targets: QueueTargets) -> int:
    """Return from when a first response at an instant runs; the conversation has a start."""
    begin = targets.responds_from(at)
    if begin == "queued" and c.visit_queue:
        return c.entered
    started = c.start if c.start is not None else at
    if begin == "handed_over":
        # Facts that come later are among these when the conversation is counted anew.
        return max((fact[0] for fact in c.facts if fact[2] == Kind.HANDED_OVER and fact[0] < at), default=started)
    return started


def change_status(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Note the status, and book what it resolves or reopens."""
    at, status = fact[0], fact[4]
    matter = matter_of(c)
    matter.status, matter.waiting_on = status, fact[5]
    if c.words is not None and (status == "waiting_on_customer" or fact[5] == "customer"):
        c.words.waits = None
    if not matter.resolved and status in DONE:
        matter.resolved = True
        _resolve(c, matter, at, rules, ledger)
    elif matter.resolved and status in OPEN:
        matter.resolved = False
        undone = (("first_contact_undone", 1),) if matter.undoable else ()
        matter.undoable = False
        book_whole(c, at, (("reopened", 1), *undone), rules, ledger)
        if fact[5] != "customer" and channel_of(c) in REPLY_CHANNELS:
            hear(c, at)
    if c.start is None or at - c.start <= DAY_MS:
        matter.resolved_in_a_day = matter.resolved
        if c.subject is not None:
            settle_day(c, c.subject, ledger)


def _resolve(c: Conversation, matter: Matter, at: int, rules: Rules, ledger: Ledger) -> None:
    amounts = [("resolved", 1), *count_exchanges(c)]
    first_contact = False
    if not matter.resolved_before:
        matter.resolved_before = True
        amounts.append(("first_resolved", 1))
        if c.start is not None:
            amounts += (("resolution_ms", elapsed_ms(c, c.start, at, rules)), ("resolution_count", 1))
        first_contact = not c.passed_on and c.episodes is None  # episodes are told apart from the second visit on
        if first_contact:
            amounts.append(("first_contact_resolved", 1))
    booked = book_whole(c, at, tuple(amounts), rules, ledger)
    matter.settled |= booked
    matter.undoable |= booked and first_contact


def escalate(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Book an escalation."""
    c.passed_on = True
    book_whole(c, fact[0], (("escalations", 1),), rules, ledger)


def invite(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Book that the customer was asked for an opinion."""
    book_whole(c, fact[0], (("surveys_invited", 1),), rules, ledger)


def take_opinion(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Book an opinion, and its score if that is on a scale that counts."""
    kind, score = fact[4], fact[5]
    amounts = [("surveys_answered", 1)]
    if kind == "csat":
        amounts += (("csat_count", 1), ("csat_milli", round(score * 1000)), ("csat_top", int(score >= _TOP_SCORE)))
        amounts += rules.needs.tops(score)
    elif kind == "nps":
        amounts += (("nps_count", 1), ("nps_promoters", int(score >= _PROMOTER)), ("nps_detractors", int(score <= _DETRACTOR)))
    book_whole(c, fact[0], tuple(amounts), rules, ledger)
