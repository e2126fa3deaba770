"""An agent's share of a conversation: its end, its wrap-up, and where both are booked (``docs/counting.md`` section 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.base import REPLY_CHANNELS

if TYPE_CHECKING:
    from streams.tracking.conversation import Conversation
    from streams.tracking.ledger import Ledger
    from streams.tracking.scopes import QueueTargets

__all__ = ["Leg", "book_apart", "book_leg", "end_leg", "entry_in", "leg_of"]


class Leg:
    """An agent's share of a conversation."""

    __slots__ = (
        "agent", "channel", "ended", "held_at", "hold_known", "hold_ms", "offered", "people", "started", "talk_ms", "targets", "wrap_at",
    )  # fmt: skip

    def __init__(
        self, agent: str | None, channel: str, started: int, offered: int | None, targets: QueueTargets, people: int, *, hold_known: bool
    ) -> None:
        self.agent = agent
        #: the group in which the agent's contacts count
        self.people = people
        self.channel = channel
        self.started = started
        self.offered = offered
        self.targets = targets
        self.hold_known = hold_known
        self.hold_ms = 0
        self.held_at: int | None = None
        self.talk_ms: int | None = None
        self.ended = started
        self.wrap_at: int | None = None

    def wrapping(self, at: int) -> Leg:
        """Return the ended leg with its wrap-up begun: what has ended is never changed in place."""
        leg = Leg(self.agent, self.channel, self.started, self.offered, self.targets, self.people, hold_known=self.hold_known)
        leg.hold_ms, leg.held_at, leg.talk_ms, leg.ended = self.hold_ms, self.held_at, self.talk_ms, self.ended
        leg.wrap_at = at
        return leg


def end_leg(c: Conversation, at: int, ledger: Ledger, *, lost: bool = False) -> None:
    """End the active leg, if there is one, and book what of it is known; of a lost one no more than the touch time."""
    leg = c.leg
    if leg is None:
        return
    c.leg = None
    leg.ended = at
    if leg.channel in REPLY_CHANNELS:
        leg.hold_known = False
        leg.hold_ms = 0
        leg.talk_ms, c.touch_ms = c.touch_ms, None
    elif lost:
        leg.hold_known = False
    else:
        if leg.held_at is not None:
            leg.hold_ms += at - leg.held_at
            leg.held_at = None
        leg.talk_ms = at - leg.started - leg.hold_ms
    if c.legs is None:
        c.legs = []
    c.legs.append(leg)
    counts, sums = ["handled"], []
    if leg.talk_ms is not None:
        counts.append("talk_count")
        sums.append(("talk_ms", leg.talk_ms))
        if leg.channel in REPLY_CHANNELS:
            # Handling is touch time: it is known now, and wrap-up will add nothing.
            counts.append("handle_count")
            sums.append(("handle_ms", leg.talk_ms))
    if leg.hold_known:
        counts.append("hold_count")
        sums.append(("hold_ms", leg.hold_ms))
        if leg.hold_ms > 0:
            counts.append("held_count")
    book_leg(c, leg, at, counts, sums, ledger)
    ledger.count(leg.people, at, "handled")


def leg_of(c: Conversation, agent: str | None) -> Leg | None:
    """Return the leg that a wrap-up of this agent belongs to: the latest one whose wrap-up has not ended."""
    legs = c.legs or []
    if c.leg is not None:
        legs = [*legs, c.leg]
    return next((leg for leg in reversed(legs) if agent is None or leg.agent in (None, agent)), None)


def book_leg(c: Conversation, leg: Leg, at: int, counts: list[str], sums: list[tuple[str, int]], ledger: Ledger) -> None:
    """Book a leg in its queue, and in the larger scopes with the counts only where none was booked before."""
    every = (*((name, 1) for name in counts), *sums)
    targets, offered, counted = leg.targets, leg.offered, c.counted
    if counted is None:
        counted = c.counted = set()
    if offered is not None and not c.apart and _is_single(c, targets, offered) and counted.isdisjoint(counts):
        ledger.book(targets.everything, at, offered, every)
        counted.update(counts)
        return
    c.apart = True
    ledger.book(targets.queue, at, at if offered is None else offered, every)
    once = counted.intersection(counts)
    for scope in targets.larger:
        new = [name for name in counts if (scope, name) not in counted and not (name in once and _in_single(c, scope))]
        counted.update((scope, name) for name in new)
        ledger.book(scope, at, entry_in(c, scope, at), (*((name, 1) for name in new), *sums))


def book_apart(
    c: Conversation, targets: QueueTargets, offered: int | None, at: int, amounts: tuple[tuple[str, int], ...], ledger: Ledger
) -> None:
    """Book in a queue and its larger scopes, by offer under each one's own entry."""
    ledger.book(targets.queue, at, at if offered is None else offered, amounts)
    for scope in targets.larger:
        ledger.book(scope, at, entry_in(c, scope, at), amounts)


def _is_single(c: Conversation, targets: QueueTargets, offered: int) -> bool:
    return c.single is not None and offered == c.single.entered and targets is c.single_targets


def _in_single(c: Conversation, scope: int) -> bool:
    """Say whether the first visit's larger scopes include this one."""
    return c.single_targets is not None and scope in c.single_targets.larger


def entry_in(c: Conversation, scope: int, at: int) -> int:
    """Return the entry that a contribution to a larger scope is booked under by offer."""
    if c.episodes is not None:
        episode = c.episodes.get(scope)
        return episode.entered if episode is not None else at
    return c.single.entered if c.single is not None and _in_single(c, scope) else at
