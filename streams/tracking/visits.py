"""Visits to queues and episodes in the larger scopes: entered, answered, left (``docs/counting.md`` section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.legs import end_leg
from streams.tracking.matters import response_start
from streams.tracking.needs import judged
from streams.tracking.self_service import turn_to_people
from streams.tracking.subjects import find_place
from streams.tracking.words import book_texts

if TYPE_CHECKING:
    from streams.tracking.conversation import Conversation, Rules
    from streams.tracking.ledger import Ledger
    from streams.tracking.needs import Amounts
    from streams.tracking.scopes import QueueTargets

__all__ = ["Episode", "answer_visit", "channel_in", "enter", "leave"]

#: State of an episode, and the field that counts it.
ANSWERED = "answered"


class Episode:
    """A conversation's stay in one larger scope."""

    __slots__ = ("entered", "left", "left_at", "state")

    def __init__(self, entered: int) -> None:
        self.entered = entered
        self.state = "waiting"
        self.left_at = 0
        self.left: Amounts = ()  # what its leaving has booked

    def copy(self) -> Episode:
        """Return an episode in the same state."""
        other = Episode(self.entered)
        other.state, other.left_at, other.left = self.state, self.left_at, self.left
        return other


def channel_in(c: Conversation, queue: str, rules: Rules) -> str:
    """Return the channel of a contribution to a queue it has no open visit in."""
    last = c.last
    if last is not None and last[0] == queue:
        return last[1]
    return c.channel or rules.targets.channel_of(queue) or "voice"


def enter(c: Conversation, entered: int, queue: str, channel: str | None, at: int, rules: Rules, ledger: Ledger) -> None:
    """Begin a visit; ``at`` is the instant its offer is booked at."""
    if c.visit is not None:
        if queue == c.visit_queue:
            return
        leave(c, at, "overflow", rules, ledger)
    if c.leg is not None:
        end_leg(c, at, ledger)
    channel = channel or c.channel or rules.targets.channel_of(queue) or "voice"
    targets = rules.targets.of_queue(queue, channel)
    if c.single is None and c.episodes is None:
        c.single, c.single_targets = Episode(entered), targets
        ledger.book(targets.everything, at, entered, (("offered", 1),))
    else:
        _tell_apart(c)
        ledger.book(targets.queue, at, entered, (("offered", 1),))
        _enter_larger(c, targets, entered, at, rules, ledger)
    if c.had_leg:
        ledger.book(targets.queue, at, entered, (("transfers_in", 1),))
    c.visit = c.entered = entered
    c.visit_queue, c.visit_channel = queue, channel
    c.last = targets.place
    if c.start is None:
        c.start = entered
    if c.words is not None:
        book_texts(c, c.words, at, rules, ledger)
    if c.service is not None:
        turn_to_people(c.service, at, ledger)
    if c.subject is not None:
        find_place(c, c.subject, at, rules, ledger)


def _tell_apart(c: Conversation) -> None:
    """Give every larger scope an episode of its own: the second visit may enter other ones than the first."""
    if c.single is not None and c.single_targets is not None:
        c.episodes = {scope: c.single.copy() for scope in c.single_targets.larger}
        c.single = None


def _enter_larger(c: Conversation, targets: QueueTargets, entered: int, at: int, rules: Rules, ledger: Ledger) -> None:
    episodes = c.episodes if c.episodes is not None else {}
    for scope in targets.larger:
        episode = episodes.get(scope)
        if episode is not None and episode.state == ANSWERED:
            ledger.book(scope, at, episode.entered, (("transfers_in", 1),))
        elif episode is not None and episode.state == "left" and entered - episode.left_at <= rules.rejoin_ms:
            ledger.book(scope, episode.left_at, episode.entered, tuple((field, -amount) for field, amount in episode.left))
            episode.state = "waiting"
        elif episode is None or episode.state != "waiting":
            episodes[scope] = Episode(entered)
            ledger.book(scope, at, entered, (("offered", 1),))


def answer_visit(c: Conversation, at: int, entered: int, rules: Rules, ledger: Ledger) -> None:
    """Book the open visit, entered at ``entered``, as answered; the caller closes it."""
    targets = rules.targets.of_queue(c.visit_queue, c.visit_channel)
    wait = at - entered
    amounts: Amounts = ((ANSWERED, 1), ("answered_wait_ms", wait), (rules.waits.answered(wait), 1))
    if c.single is not None:
        if targets.judged is not None:
            ledger.book(targets.beyond, at, entered, judged(targets.judged, amounts))
        if not c.responded and c.start is not None:
            # Mostly it is the first response as well, with the same place and entry: booked together at half the cost.
            c.responded = True
            since = c.start if targets.response is None else response_start(c, at, targets)
            hours = rules.business.get(c.visit_queue)
            took = max(0, at - since) if hours is None else hours.open_ms(since, at)
            amounts = (*amounts, ("first_response_ms", took), ("first_response_count", 1))
        ledger.book(targets.everything, at, entered, amounts)
        c.single.state = ANSWERED
        return
    ledger.book(targets.queue, at, entered, amounts)
    for scope in targets.larger:
        episode = (c.episodes or {})[scope]
        if episode.state == "waiting":
            wait = at - episode.entered
            amounts = ((ANSWERED, 1), ("answered_wait_ms", wait), (rules.waits.answered(wait), 1))
            ledger.book(scope, at, episode.entered, _with_judged(targets, amounts))
            episode.state = ANSWERED


def _with_judged(targets: QueueTargets, amounts: Amounts) -> Amounts:
    """Return what a larger scope books of a queue's contact."""
    return amounts if targets.judged is None else (*amounts, *judged(targets.judged, amounts))


def leave(c: Conversation, at: int, reason: str, rules: Rules, ledger: Ledger) -> None:
    """Close the open visit and book it as abandoned or as a flow-out of a reason."""
    targets = rules.targets.of_queue(c.visit_queue, c.visit_channel)
    entered, c.visit = (c.visit if c.visit is not None else at), None
    abandoned = reason == "abandoned"
    state = "abandoned" if abandoned else "left"

    def amounts(since: int) -> Amounts:
        if abandoned:
            came = since if c.start is None else min(since, c.start)
            return rules.needs.abandoned(at - since, at - came, rules.waits)
        return rules.needs.left(reason, at - since, rules.waits)

    if c.single is not None:
        booked = amounts(entered)
        ledger.book(targets.everything, at, entered, booked)
        if targets.judged is not None:
            ledger.book(targets.beyond, at, entered, judged(targets.judged, booked))
        c.single.state, c.single.left_at, c.single.left = state, at, _with_judged(targets, booked)
        return
    ledger.book(targets.queue, at, entered, amounts(entered))
    for scope in targets.larger:
        episode = (c.episodes or {})[scope]
        if episode.state == "waiting":
            booked = _with_judged(targets, amounts(episode.entered))
            ledger.book(scope, at, episode.entered, booked)
            episode.state, episode.left_at, episode.left = state, at, booked
        elif abandoned:
            ledger.book(scope, at, episode.entered, (("abandoned_after_answer", 1),))
