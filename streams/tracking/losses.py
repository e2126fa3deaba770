"""Conversations of which nothing more is heard: when they are lost, and what that ends (``docs/counting.md`` section 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.backlog import backlog_of, reply_due, standing_place
from streams.tracking.legs import end_leg
from streams.tracking.self_service import stop_session
from streams.tracking.visits import leave

if TYPE_CHECKING:
    from streams.tracking.conversation import Conversation, Rules
    from streams.tracking.ledger import Ledger

__all__ = ["lose", "lost_from"]

#: A callback's due time is believed this far ahead; a due time in another century must not keep anything.
_DUE_AHEAD_MS = 30 * 86_400_000


def lost_from(c: Conversation, rules: Rules) -> int | None:
    """Return the instant at which an open conversation is lost if nothing more is known of it, None if it is closed."""
    due = _contact_lost_from(c, rules)
    if due is None and c.service is not None and c.service.channel is not None:
        return c.last_ms + rules.lost_after_ms[c.service.channel]
    return due


def _contact_lost_from(c: Conversation, rules: Rules) -> int | None:
    place = standing_place(c)
    if place is None:
        return None
    matter = c.matter
    callback = matter is not None and matter.callback and c.last is not None
    if c.visit is None and c.leg is None and not callback and backlog_of(c) is None and reply_due(c, rules) is None:
        return None
    due = c.last_ms + rules.lost_after_ms[place[1]]
    if matter is not None and callback:
        planned = c.last_ms if matter.due is None else max(c.last_ms, min(matter.due, c.last_ms + _DUE_AHEAD_MS))
        due = max(due, planned + rules.lost_after_ms["callback"])
    return due


def lose(c: Conversation, at: int, rules: Rules, ledger: Ledger) -> None:
    """End all that is open, without inventing what nobody reported: how long it was talked, and whether it was settled."""
    if c.service is not None:
        only_session = _contact_lost_from(c, rules) is None
        stop_session(c.service, at, "left", ledger)
        if only_session:
            c.last_ms = c.lost_at = at
            return
    place = standing_place(c)
    if place is not None:
        # By offer too it counts when it was lost: the interval of its entry may have been given up long ago.
        ledger.book(rules.targets.of_queue(*place).everything, at, at, (("lost_contacts", 1),))
    if c.visit is not None:
        leave(c, at, "lost", rules, ledger)
    if c.leg is not None:
        end_leg(c, at, ledger, lost=True)
    c.legs = c.working = None
    if c.matter is not None:
        c.matter.callback = False
        c.matter.status = c.matter.waiting_on = None
    if c.words is not None:
        c.words.settle()
    c.last_ms = c.lost_at = at
