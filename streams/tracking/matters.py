"""What belongs to a conversation as a whole: first response, resolution, callbacks, surveys (``docs/counting.md`` section 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.base import REPLY_CHANNELS
from streams.tracking.legs import book_apart

if TYPE_CHECKING:
    from streams.tracking.conversation import Conversation, Rules
    from streams.tracking.facts import Fact
    from streams.tracking.ledger import Ledger
    from streams.tracking.scopes import QueueTargets

__all__ = [
    "DONE",
    "Matter",
    "attempt_callback",
    "backlog_of",
    "change_status",
    "elapsed_ms",
    "end_callback",
    "escalate",
    "invite",
    "request_callback",
    "respond",
    "response_start",
    "take_opinion",
]

#: Statuses of a matter that is settled, and those that say it is being worked on.
DONE = frozenset({"resolved", "closed"})
_OPEN = frozenset({"open", "new", "reopened"})
_TOP_SCORE, _PROMOTER, _DETRACTOR = 4, 9, 6


class Matter:
    """What statuses and callbacks have made of a conversation; a call that is answered and ended has none."""

    __slots__ = ("callback", "due", "resolved", "resolved_before", "status", "undoable", "waiting_on")

    def __init__(self) -> None:
        self.status: str | None = None
        self.waiting_on: str | None = None
        self.resolved = False
        self.resolved_before = False
        self.undoable = False  # counted as resolved at first contact, and not reopened since
        self.callback = False  # pending
        self.due: int | None = None


def _matter_of(c: Conversation) -> Matter:
    if c.matter is None:
        c.matter = Matter()
    return c.matter


def _book(c: Conversation, at: int, amounts: tuple[tuple[str, int], ...], rules: Rules, ledger: Ledger) -> bool:
    """Book in the place of the conversation, by offer under its last visit there; say whether it has a place."""
    place = c.last
    if place is None:
        return False
    targets = rules.targets.of_queue(*place)
    here = place == (c.visit_queue, c.visit_channel)
    if here and c.single is not None:
        ledger.book(targets.everything, at, c.entered, amounts)
    else:
        book_apart(c, targets, c.entered if here else None, at, amounts, ledger)
    return True


def elapsed_ms(c: Conversation, since: int, at: int, rules: Rules) -> int:
    """Return how long it took from an instant to another, on the clock of the queue of the conversation's place."""
    hours = None if c.last is None else rules.business.get(c.last[0])
    return max(0, at - since) if hours is None else hours.open_ms(since, at)


def respond(c: Conversation, at: int, rules: Rules, ledger: Ledger) -> None:
    """Book the first response, unless the conversation has no place yet; without a start it says nothing, and no later one does."""
    if c.last is None:
        return
    c.responded = True
    if c.start is not None:
        since = response_start(c, at, rules.targets.of_queue(*c.last))
        _book(c, at, (("first_response_ms", elapsed_ms(c, since, at, rules)), ("first_response_count", 1)), rules, ledger)


def response_start(c: Conversation, at: int, targets: QueueTargets) -> int:
    """Return from when a first response at an instant runs; the conversation has a start."""
    started = c.start if c.start is not None else at
    return c.entered if c.visit_queue and targets.responds_from_entry(at) else started


def change_status(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Note the status, and book what it resolves or reopens."""
    at, status = fact[0], fact[4]
    matter = _matter_of(c)
    matter.status, matter.waiting_on = status, fact[5]
    if not matter.resolved and status in DONE:
        matter.resolved = True
        _resolve(c, matter, at, rules, ledger)
    elif matter.resolved and status in _OPEN:
        matter.resolved = False
        undone = (("first_contact_undone", 1),) if matter.undoable else ()
        matter.undoable = False
        _book(c, at, (("reopened", 1), *undone), rules, ledger)


def _resolve(c: Conversation, matter: Matter, at: int, rules: Rules, ledger: Ledger) -> None:
    amounts = [("resolved", 1)]
    first_contact = False
    if not matter.resolved_before:
        matter.resolved_before = True
        amounts.append(("first_resolved", 1))
        if c.start is not None:
            amounts += (("resolution_ms", elapsed_ms(c, c.start, at, rules)), ("resolution_count", 1))
        first_contact = not c.passed_on and c.episodes is None  # episodes are told apart from the second visit on
        if first_contact:
            amounts.append(("first_contact_resolved", 1))
    matter.undoable |= _book(c, at, tuple(amounts), rules, ledger) and first_contact


def escalate(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Book an escalation."""
    c.passed_on = True
    _book(c, fact[0], (("escalations", 1),), rules, ledger)


def request_callback(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Book a callback, unless one is pending."""
    matter = _matter_of(c)
    if not matter.callback:
        matter.callback, matter.due = True, fact[4]
        _book(c, fact[0], (("callbacks_requested", 1),), rules, ledger)


def attempt_callback(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Take note of an attempt: it may put the callback off, or end it."""
    matter, due, outcome = _matter_of(c), fact[4], fact[5]
    if due is not None:
        matter.due = due
    if outcome in {"reached", "cancelled", "expired"}:
        end_callback(c, fact, rules, ledger)


def end_callback(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """End a callback, and book it if the customer was reached."""
    matter = _matter_of(c)
    if matter.callback and fact[5] == "reached":
        _book(c, fact[0], (("callbacks_reached", 1),), rules, ledger)
    matter.callback = False


def invite(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Book that the customer was asked for an opinion."""
    _book(c, fact[0], (("surveys_invited", 1),), rules, ledger)


def take_opinion(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Book an opinion, and its score if that is on a scale that counts."""
    kind, score = fact[4], fact[5]
    amounts = [("surveys_answered", 1)]
    if kind == "csat":
        amounts += (("csat_count", 1), ("csat_milli", round(score * 1000)), ("csat_top", int(score >= _TOP_SCORE)))
        amounts += rules.needs.tops(score)
    elif kind == "nps":
        amounts += (("nps_count", 1), ("nps_promoters", int(score >= _PROMOTER)), ("nps_detractors", int(score <= _DETRACTOR)))
    _book(c, fact[0], tuple(amounts), rules, ledger)


def backlog_of(c: Conversation) -> str | None:
    """Return the state in which the conversation is in the backlog, None if it is not."""
    if c.last is None or c.last[1] not in REPLY_CHANNELS:
        return None
    status, waiting_on = None, None
    if c.matter is not None:
        if c.matter.resolved:
            return None
        status, waiting_on = c.matter.status, c.matter.waiting_on
    for state, holds in (
        ("on_hold", status == "on_hold"),
        ("waiting_on_customer", status == "waiting_on_customer" or waiting_on == "customer"),
        ("untouched", c.visit is not None and not c.had_leg),
        ("in_progress", c.visit is not None or c.leg is not None or status in _OPEN),
    ):
        if holds:
            return state
    return None
