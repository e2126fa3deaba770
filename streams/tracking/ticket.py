"""Figures per contact: first response, resolution, surveys (``docs/counting.md`` section 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.base import REPLY_CHANNELS
from streams.catalogue.fields import CSAT_SCALE
from streams.tracking.facts import bounds_of
from streams.tracking.legs import counted_of
from streams.tracking.messages import await_reply, channel_of, count_exchanges
from streams.tracking.names import OTHER
from streams.tracking.per_contact import book_per_contact, elapsed_ms, handed_over_before, without_bot
from streams.tracking.state import PASSED_ON, Ticket
from streams.tracking.topic import book_within_day
from streams.windows.slices import DAY_MS

if TYPE_CHECKING:
    from streams.tracking.facts import Escalated, StatusChanged, SurveyAnswered, SurveyInvited
    from streams.tracking.postings import Postings
    from streams.tracking.rules import Rules
    from streams.tracking.scopes import QueueTargets
    from streams.tracking.state import State

__all__ = [
    "DONE",
    "OPEN",
    "change_status",
    "escalate",
    "invite",
    "respond",
    "response_start",
    "take_opinion",
    "ticket_of",
]

#: Statuses of a resolved ticket, and of one in work.
DONE = frozenset({"resolved", "closed"})
OPEN = frozenset({"open", "new", "reopened"})
_TOP_SCORE, _PROMOTER, _DETRACTOR = 4, 9, 6
#: Scales whose answers count separately; the others count together.
_SCALES = frozenset(("0-1", "1-2", "1-3", "0-4", "1-4", "0-5", "1-6", "1-7", "0-10", "1-10", "0-100", "1-100", "-100-100", "-103-103"))


def ticket_of(s: State) -> Ticket:
    """Return the conversation's ticket; create it if needed."""
    if s.ticket is None:
        s.ticket = Ticket()
    return s.ticket


def respond(s: State, at: int, rules: Rules, postings: Postings) -> None:
    """Book the first response once the conversation has a place; without a start nothing is booked, now or later."""
    if s.place is None:
        return
    s.responded = True
    if s.start is not None:
        since = response_start(s, at, s.place)
        book_per_contact(s, at, (("first_response_ms", elapsed_ms(s, since, at, rules)), ("first_response_count", 1)), postings)


def response_start(s: State, at: int, targets: QueueTargets) -> int:
    """Return the start of a first response at an instant; the conversation has a start."""
    begin = targets.responds_from(at)
    if begin == "queued" and s.last_visit is not None:
        return s.last_visit.entered
    started = s.start if s.start is not None else at
    if begin == "handed_over":
        handed = handed_over_before(s, at)
        return started if handed is None else handed
    return started


def change_status(s: State, fact: StatusChanged, rules: Rules, postings: Postings) -> None:
    """Record the status, and book a resolution or reopening."""
    at, status = fact.at, fact.status
    ticket = ticket_of(s)
    ticket.status, ticket.waiting_on = status, fact.waiting_on
    if s.messages is not None and (status == "waiting_on_customer" or fact.waiting_on == "customer"):
        s.messages.waits = None
    if not ticket.resolved and status in DONE:
        ticket.resolved = True
        _resolve(s, ticket, at, rules, postings)
    elif ticket.resolved and status in OPEN:
        ticket.resolved = False
        undone = (("first_contact_undone", 1),) if ticket.undoable else ()
        ticket.undoable = False
        book_per_contact(s, at, (("reopened", 1), *undone), postings)
        if fact.waiting_on != "customer" and channel_of(s) in REPLY_CHANNELS:
            await_reply(s, at)
    if s.start is None or at - s.start <= DAY_MS:
        ticket.resolved_in_a_day = ticket.resolved
        if s.topic is not None:
            book_within_day(s, s.topic, postings)


def _resolve(s: State, ticket: Ticket, at: int, rules: Rules, postings: Postings) -> None:
    amounts = [("resolved", 1), *count_exchanges(s)]
    first_contact = False
    if not ticket.resolved_before:
        ticket.resolved_before = True
        amounts.append(("first_resolved", 1))
        if s.start is not None:
            since = without_bot(s, s.start, at)
            amounts += (("resolution_ms", elapsed_ms(s, since, at, rules)), ("resolution_count", 1))
        first_contact = PASSED_ON not in (s.counted or ()) and s.episodes is None  # there are episodes from the second visit on
        if first_contact:
            amounts.append(("first_contact_resolved", 1))
    booked = book_per_contact(s, at, tuple(amounts), postings)
    ticket.resolution_booked |= booked
    ticket.undoable |= booked and first_contact


def escalate(s: State, fact: Escalated, postings: Postings) -> None:
    """Book an escalation."""
    counted_of(s).add(PASSED_ON)
    book_per_contact(s, fact.at, (("escalations", 1),), postings)


def invite(s: State, fact: SurveyInvited, postings: Postings) -> None:
    """Book a survey invitation."""
    book_per_contact(s, fact.at, (("surveys_invited", 1),), postings)


def take_opinion(s: State, fact: SurveyAnswered, rules: Rules, postings: Postings) -> None:
    """Book a survey answer, and its score if its scale counts."""
    kind, score = fact.survey, fact.score
    amounts = [("surveys_answered", 1)]
    if kind == "csat" and fact.scale is not None:
        lowest, highest = bounds_of(fact.scale)
        above, width = score - lowest, highest - lowest
        of_five = 1 + 4 * above / width
        label = fact.scale if fact.scale in _SCALES else OTHER
        amounts += (("csat_count", 1), ("csat_good_or_bad", 1) if width == 1 else ("csat_milli", 1000 + round(4000 * above / width)))
        amounts += (("csat_top", int(of_five >= _TOP_SCORE)), (CSAT_SCALE.name(label=label), 1))
        amounts += rules.extra.tops(of_five)
    elif kind == "csat":
        amounts += (("csat_count", 1), ("csat_milli", round(score * 1000)), ("csat_top", int(score >= _TOP_SCORE)))
        amounts += rules.extra.tops(score)
    elif kind == "nps":
        amounts += (("nps_count", 1), ("nps_promoters", int(score >= _PROMOTER)), ("nps_detractors", int(score <= _DETRACTOR)))
    book_per_contact(s, fact.at, tuple(amounts), postings)
