"""Loss of silent conversations: when, and what it ends (``docs/counting.md`` section 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.backlog import backlog_of, place_or_unassigned, reply_due
from streams.tracking.bot_sessions import stop_session
from streams.tracking.legs import active_legs, end_leg
from streams.tracking.messages import close_messages
from streams.tracking.visits import leave, open_visits

if TYPE_CHECKING:
    from streams.tracking.postings import Postings
    from streams.tracking.rules import Rules
    from streams.tracking.state import State

__all__ = ["lose", "lost_from"]

#: Limit of a callback's due time: one in another century must not retain a conversation.
_DUE_AHEAD_MS = 30 * 86_400_000


def lost_from(s: State, rules: Rules) -> int | None:
    """Return when an open conversation is lost without further facts, None if it is closed."""
    if s.ticket is None and s.place is not None and (s.visit is not None or s.leg is not None):
        return s.last_ms + rules.lost_after_ms[s.place.place[1]]  # shortcut for the usual case
    due = _contact_lost_from(s, rules)
    if due is None and s.bot_sessions is not None and s.bot_sessions.open is not None:
        return s.last_ms + rules.lost_after_ms[s.bot_sessions.open.channel]
    return due


def _contact_lost_from(s: State, rules: Rules) -> int | None:
    place = place_or_unassigned(s)
    if place is None:
        return None
    ticket = s.ticket
    callback = ticket is not None and ticket.callback and s.place is not None
    if s.visit is None and s.leg is None and not callback and backlog_of(s) is None and reply_due(s, rules) is None:
        return None
    due = s.last_ms + rules.lost_after_ms[place[1]]
    if ticket is not None and callback:
        planned = s.last_ms if ticket.due is None else max(s.last_ms, min(ticket.due, s.last_ms + _DUE_AHEAD_MS))
        due = max(due, planned + rules.lost_after_ms["callback"])
    return due


def lose(s: State, at: int, rules: Rules, postings: Postings) -> None:
    """End everything open, without unreported talk times and resolutions."""
    if s.bot_sessions is not None:
        only_session = _contact_lost_from(s, rules) is None
        stop_session(s.bot_sessions, at, "left", postings)
        if only_session:
            s.last_ms = s.lost_at = at
            return
    place = place_or_unassigned(s)
    if place is not None:
        # It counts at the loss by offer too: the interval of its entry may have been evicted long ago.
        postings.book(rules.targets.of_queue(*place).everything, at, at, (("lost_contacts", 1),))
    for visit in open_visits(s):
        leave(s, visit, at, "lost", rules, postings)
    for leg in active_legs(s):
        end_leg(s, leg, at, postings, lost=True)
    s.ended_legs = None
    if s.work is not None:
        s.work.since = {}
    if s.ticket is not None:
        s.ticket.callback = False
        s.ticket.status = s.ticket.waiting_on = None
    if s.messages is not None:
        close_messages(s.messages)
    s.last_ms = s.lost_at = at
