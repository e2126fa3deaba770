"""An agent's share of a conversation: its end, its wrap-up, and where both are booked (``docs/counting.md`` section 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.base import REPLY_CHANNELS
from streams.tracking.state import wrapping

if TYPE_CHECKING:
    from streams.tracking.ledger import Ledger
    from streams.tracking.scopes import QueueTargets
    from streams.tracking.state import Leg, State

__all__ = ["begin_wrap_up", "book_apart", "book_leg", "end_leg", "entry_in", "leg_of"]


def end_leg(s: State, at: int, ledger: Ledger, *, lost: bool = False) -> None:
    """End the active leg, if there is one, and book what of it is known; of a lost one no more than the touch time."""
    leg = s.leg
    if leg is None:
        return
    s.leg = None
    leg.ended = at
    if leg.channel in REPLY_CHANNELS:
        leg.hold_known = False
        leg.hold_ms = 0
        leg.talk_ms, s.touch_ms = s.touch_ms, None
    elif lost:
        leg.hold_known = False
    else:
        if leg.held_at is not None:
            leg.hold_ms += at - leg.held_at
            leg.held_at = None
        leg.talk_ms = at - leg.started - leg.hold_ms
    if s.ended_legs is None:
        s.ended_legs = []
    s.ended_legs.append(leg)
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
    book_leg(s, leg, at, counts, sums, ledger)
    ledger.count(leg.people, at, "handled")


def begin_wrap_up(s: State, leg: Leg, at: int) -> None:
    """Note when the wrap-up of an ended leg began, unless it has."""
    if leg.wrap_at is None and s.ended_legs is not None:
        s.ended_legs[s.ended_legs.index(leg)] = wrapping(leg, at)


def leg_of(s: State, agent: str | None) -> Leg | None:
    """Return the leg that a wrap-up of this agent belongs to: the latest one whose wrap-up has not ended."""
    legs = s.ended_legs or []
    if s.leg is not None:
        legs = [*legs, s.leg]
    return next((leg for leg in reversed(legs) if agent is None or leg.agent in (None, agent)), None)


def book_leg(s: State, leg: Leg, at: int, counts: list[str], sums: list[tuple[str, int]], ledger: Ledger) -> None:
    """Book a leg in its queue, and in the larger scopes with the counts only where none was booked before."""
    every = (*((name, 1) for name in counts), *sums)
    targets, offered, counted = leg.targets, leg.offered, s.counted
    if counted is None:
        counted = s.counted = set()
    if offered is not None and not s.apart and _is_single(s, targets, offered) and counted.isdisjoint(counts):
        ledger.book(targets.everything, at, offered, every)
        counted.update(counts)
        return
    s.apart = True
    ledger.book(targets.queue, at, at if offered is None else offered, every)
    once = counted.intersection(counts)
    for scope in targets.larger:
        new = [name for name in counts if (scope, name) not in counted and not (name in once and _in_single(s, scope))]
        counted.update((scope, name) for name in new)
        ledger.book(scope, at, entry_in(s, scope, at), (*((name, 1) for name in new), *sums))


def book_apart(s: State, targets: QueueTargets, offered: int | None, at: int, amounts: tuple[tuple[str, int], ...], ledger: Ledger) -> None:
    """Book in a queue and its larger scopes, by offer under each one's own entry."""
    ledger.book(targets.queue, at, at if offered is None else offered, amounts)
    for scope in targets.larger:
        ledger.book(scope, at, entry_in(s, scope, at), amounts)


def _is_single(s: State, targets: QueueTargets, offered: int) -> bool:
    return s.single is not None and offered == s.single.entered and targets is s.first_targets


def _in_single(s: State, scope: int) -> bool:
    """Say whether the first visit's larger scopes include this one."""
    return s.first_targets is not None and scope in s.first_targets.larger


def entry_in(s: State, scope: int, at: int) -> int:
    """Return the entry that a contribution to a larger scope is booked under by offer."""
    if s.episodes is not None:
        episode = s.episodes.get(scope)
        return episode.entered if episode is not None else at
    return s.single.entered if s.single is not None and _in_single(s, scope) else at
