"""Visits to queues and episodes in the larger scopes: entered, answered, left (``docs/counting.md`` section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.legs import end_leg

if TYPE_CHECKING:
    from streams.tracking.conversation import Conversation, Rules
    from streams.tracking.ledger import Ledger
    from streams.tracking.scopes import QueueTargets

__all__ = ["Episode", "answer_visit", "channel_in", "enter", "leave"]

#: State of an episode, and the field that counts it.
ANSWERED = "answered"


class Episode:
    """A conversation's stay in one larger scope."""

    __slots__ = ("entered", "left_at", "left_reason", "state")

    def __init__(self, entered: int) -> None:
        self.entered = entered
        self.state = "waiting"
        self.left_at = 0
        self.left_reason = ""

    def copy(self) -> Episode:
        """Return an episode in the same state."""
        other = Episode(self.entered)
        other.state, other.left_at, other.left_reason = self.state, self.left_at, self.left_reason
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
            ledger.book(scope, episode.left_at, episode.entered, ((episode.left_reason, -1),))
            episode.state = "waiting"
        elif episode is None or episode.state != "waiting":
            episodes[scope] = Episode(entered)
            ledger.book(scope, at, entered, (("offered", 1),))


def answer_visit(c: Conversation, at: int, entered: int, rules: Rules, ledger: Ledger) -> None:
    """Book the open visit, entered at ``entered``, as answered; the caller closes it."""
    targets = rules.targets.of_queue(c.visit_queue, c.visit_channel)
    wait = at - entered
    amounts: tuple[tuple[str, int], ...] = ((ANSWERED, 1), ("answered_wait_ms", wait), (rules.waits.answered(wait), 1))
    if c.single is not None:
        if not c.responded and c.start is not None:
            # Mostly it is the first response as well, with the same place and entry: booked together at half the cost.
            c.responded = True
            hours = rules.business.get(c.visit_queue)
            took = max(0, at - c.start) if hours is None else hours.open_ms(c.start, at)
            amounts = (*amounts, ("first_response_ms", took), ("first_response_count", 1))
        ledger.book(targets.everything, at, entered, amounts)
        c.single.state = ANSWERED
        return
    ledger.book(targets.queue, at, entered, amounts)
    for scope in targets.larger:
        episode = (c.episodes or {})[scope]
        if episode.state == "waiting":
            wait = at - episode.entered
            ledger.book(scope, at, episode.entered, ((ANSWERED, 1), ("answered_wait_ms", wait), (rules.waits.answered(wait), 1)))
            episode.state = ANSWERED


def leave(c: Conversation, at: int, reason: str, rules: Rules, ledger: Ledger) -> None:
    """Close the open visit and book it as abandoned or as a flow-out of a reason."""
    targets = rules.targets.of_queue(c.visit_queue, c.visit_channel)
    entered, c.visit = (c.visit if c.visit is not None else at), None
    abandoned = reason == "abandoned"
    state, field = ("abandoned", "abandoned") if abandoned else ("left", f"flow_out_{reason}")

    def amounts(since: int) -> tuple[tuple[str, int], ...]:
        if abandoned:
            return (("abandoned", 1), ("abandoned_wait_ms", at - since), (rules.waits.abandoned(at - since), 1))
        return ((field, 1),)

    if c.single is not None:
        ledger.book(targets.everything, at, entered, amounts(entered))
        c.single.state, c.single.left_at, c.single.left_reason = state, at, field
        return
    ledger.book(targets.queue, at, entered, amounts(entered))
    for scope in targets.larger:
        episode = (c.episodes or {})[scope]
        if episode.state == "waiting":
            ledger.book(scope, at, episode.entered, amounts(episode.entered))
            episode.state, episode.left_at, episode.left_reason = state, at, field
        elif abandoned:
            ledger.book(scope, at, episode.entered, (("abandoned_after_answer", 1),))
