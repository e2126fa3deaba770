"""Visits to queues and episodes in the larger scopes: entered, answered, left (``docs/counting.md`` section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.bot_sessions import turn_to_agent
from streams.tracking.extra_postings import judged
from streams.tracking.legs import active_legs, end_leg, fits, is_full
from streams.tracking.messages import book_texts
from streams.tracking.state import Episode, Visit
from streams.tracking.ticket import response_start
from streams.tracking.topic import find_place

if TYPE_CHECKING:
    from streams.tracking.extra_postings import Amounts
    from streams.tracking.postings import Postings
    from streams.tracking.rules import Rules
    from streams.tracking.scopes import QueueTargets
    from streams.tracking.state import State

__all__ = ["answer_visit", "channel_in", "enter", "find_visit", "leave", "open_visits"]

#: State of an episode, and the field that counts it.
ANSWERED = "answered"


def channel_in(s: State, queue: str, rules: Rules) -> str:
    """Return the channel of a posting to a queue without an open visit."""
    place = s.place
    if place is not None and place.place[0] == queue:
        return place.place[1]
    return s.channel or rules.targets.channel_of(queue) or "voice"


def open_visits(s: State) -> list[Visit]:
    """Return the open visits in the order they were opened."""
    if s.visit is None:
        return []
    return [s.visit] if s.more_visits is None else [*s.more_visits, s.visit]


def find_visit(s: State, contact: str | None, queue: str | None) -> Visit | None:
    """Return the last opened visit that fits these names."""
    for visit in reversed(open_visits(s)):
        if fits(contact, visit.contact) and fits(queue, visit.targets.place[0]):
            return visit
    return None


def _close(s: State, visit: Visit) -> None:
    if visit is s.visit:
        s.visit = None if s.more_visits is None else s.more_visits.pop()
    elif s.more_visits is not None:
        s.more_visits.remove(visit)
    if not s.more_visits:
        s.more_visits = None


def enter(s: State, entered: int, queue: str, channel: str | None, contact: str | None, at: int, rules: Rules, postings: Postings) -> bool:
    """Begin a visit whose offer is booked at ``at``; other open visits and legs of the contact end.

    Return False and begin none if the limit of open visits is reached.
    """
    if s.visit is not None:
        if find_visit(s, contact, queue) is not None:
            return True
        for visit in open_visits(s):
            if fits(contact, visit.contact):
                leave(s, visit, at, "overflow", rules, postings)
    if s.leg is not None:
        for leg in active_legs(s):
            if fits(contact, leg.contact):
                end_leg(s, leg, at, postings, moved_on=True)
    if s.visit is not None and is_full(open_visits(s), at, rules):
        return False
    channel = channel or s.channel or rules.targets.channel_of(queue) or "voice"
    targets = rules.targets.of_queue(queue, channel)
    entry = Visit(entered, contact, targets)
    if s.single is None and s.episodes is None:
        s.single, s.first_targets = entry, targets
        postings.book(targets.everything, at, entered, (("offered", 1),))
    else:
        _split_episodes(s)
        postings.book(targets.queue, at, entered, (("offered", 1),))
        _enter_larger(s, targets, entered, at, rules, postings)
    if s.legs_begun:
        postings.book(targets.queue, at, entered, (("transfers_in", 1),))
    if s.visit is not None:
        s.more_visits = open_visits(s)
    s.visit = s.last_visit = entry
    s.place = targets
    if s.start is None:
        s.start = entered
    if s.messages is not None:
        book_texts(s, s.messages, at, rules, postings)
    if s.bot_sessions is not None:
        turn_to_agent(s.bot_sessions, at, postings)
    if s.topic is not None:
        find_place(s, s.topic, at, rules, postings)
    return True


def _split_episodes(s: State) -> None:
    """Create an episode for each larger scope: the second visit may enter other scopes than the first."""
    single = s.single
    if single is not None and s.first_targets is not None:
        known = Episode(single.entered) if isinstance(single, Visit) else single
        s.episodes = {scope: Episode(known.entered, known.state, known.left_at, known.left) for scope in s.first_targets.larger}
        s.single = None


def _enter_larger(s: State, targets: QueueTargets, entered: int, at: int, rules: Rules, postings: Postings) -> None:
    episodes = s.episodes if s.episodes is not None else {}
    for scope in targets.larger:
        episode = episodes.get(scope)
        if episode is not None and episode.state == ANSWERED:
            postings.book(scope, at, episode.entered, (("transfers_in", 1),))
        elif episode is not None and episode.state == "left" and entered - episode.left_at <= rules.rejoin_ms:
            postings.book(scope, episode.left_at, episode.entered, tuple((field, -amount) for field, amount in episode.left))
            episode.state = "waiting"
        elif episode is None or episode.state != "waiting":
            episodes[scope] = Episode(entered)
            postings.book(scope, at, entered, (("offered", 1),))


def answer_visit(s: State, visit: Visit, at: int, rules: Rules, postings: Postings) -> None:
    """Close an open visit and book it as answered."""
    _close(s, visit)
    targets, entered = visit.targets, visit.entered
    wait = at - entered
    amounts: Amounts = ((ANSWERED, 1), ("answered_wait_ms", wait), (rules.waits.answered(wait), 1))
    if s.single is not None:
        if targets.judged is not None:
            postings.book(targets.beyond, at, entered, judged(targets.judged, amounts))
        if not s.responded and s.start is not None and (s.messages is None or not s.messages.seen):
            # Usually it is the first response too, with the same place and entry: one booking halves the cost.
            s.responded = True
            since = s.start if targets.response is None else response_start(s, at, targets)
            hours = rules.business.get(targets.place[0])
            took = max(0, at - since) if hours is None else hours.open_ms(since, at)
            amounts = (*amounts, ("first_response_ms", took), ("first_response_count", 1))
        postings.book(targets.everything, at, entered, amounts)
        s.single = Episode(entered, ANSWERED)
        return
    postings.book(targets.queue, at, entered, amounts)
    for scope in targets.larger:
        episode = (s.episodes or {})[scope]
        if episode.state == "waiting":
            wait = at - episode.entered
            amounts = ((ANSWERED, 1), ("answered_wait_ms", wait), (rules.waits.answered(wait), 1))
            postings.book(scope, at, episode.entered, _with_judged(targets, amounts))
            episode.state = ANSWERED


def _with_judged(targets: QueueTargets, amounts: Amounts) -> Amounts:
    """Return the amounts of a queue's contact in a larger scope."""
    return amounts if targets.judged is None else (*amounts, *judged(targets.judged, amounts))


def _exit(s: State, reason: str, since: int, at: int, rules: Rules) -> Amounts:
    """Return the amounts of leaving, for a wait that began at ``since``."""
    if reason == "abandoned":
        arrived = since if s.start is None else min(since, s.start)
        return rules.extra.abandoned(at - since, at - arrived, rules.waits)
    return rules.extra.left(reason, at - since, rules.waits)


def leave(s: State, visit: Visit, at: int, reason: str, rules: Rules, postings: Postings) -> None:
    """Close an open visit and book it as an abandon or a flow-out; a larger scope with another open visit keeps waiting."""
    _close(s, visit)
    targets, entered = visit.targets, visit.entered
    abandoned = reason == "abandoned"
    state = "abandoned" if abandoned else "left"
    booked = _exit(s, reason, entered, at, rules)
    if s.single is not None:
        postings.book(targets.everything, at, entered, booked)
        if targets.judged is not None:
            postings.book(targets.beyond, at, entered, judged(targets.judged, booked))
        s.single = Episode(entered, state, at, _with_judged(targets, booked))
        return
    postings.book(targets.queue, at, entered, booked)
    for scope in targets.larger:
        episode = (s.episodes or {})[scope]
        if episode.state == "waiting":
            if s.visit is not None and any(scope in other.targets.larger for other in open_visits(s)):
                continue
            booked = _with_judged(targets, _exit(s, reason, episode.entered, at, rules))
            postings.book(scope, at, episode.entered, booked)
            episode.state, episode.left_at, episode.left = state, at, booked
        elif abandoned:
            postings.book(scope, at, episode.entered, (("abandoned_after_answer", 1),))
