"""An agent's share of a conversation: its end, its wrap-up and their postings (``docs/counting.md`` section 4.1)."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

from schemas.base import REPLY_CHANNELS
from schemas.limits import MAX_OPEN
from streams.tracking.state import SEPARATE, Consults, changed_leg

if TYPE_CHECKING:
    from collections.abc import Sized

    from streams.tracking.postings import Postings
    from streams.tracking.rules import Rules
    from streams.tracking.scopes import QueueTargets
    from streams.tracking.state import Leg, State

__all__ = [
    "active_legs",
    "begin_wrap_up",
    "book_consult",
    "book_leg",
    "book_separately",
    "consults_of",
    "counted_of",
    "end_leg",
    "entry_in",
    "find_leg",
    "fits",
    "is_full",
    "leg_to_wrap_up",
    "take_transfer",
]


def fits(name: str | None, known: str | None) -> bool:
    """Return whether two names are equal, or one of them is unknown."""
    return name is None or known is None or name == known


def is_full(opened: Sized, at: int, rules: Rules) -> bool:
    """Return whether open visits or active legs have reached their limit; older versions had none."""
    return len(opened) >= MAX_OPEN and rules.counts_uncounted(at)


def active_legs(s: State) -> list[Leg]:
    """Return the active legs in the order they began."""
    if s.leg is None:
        return []
    return [s.leg] if s.more_legs is None else [*s.more_legs, s.leg]


def find_leg(s: State, contact: str | None, agent: str | None, queue: str | None = None, other_than: str | None = None) -> Leg | None:
    """Return the last begun active leg that fits these names and is not of the agent ``other_than``."""
    return _last_of(active_legs(s), contact, agent, queue, other_than)


def _last_of(legs: list[Leg], contact: str | None, agent: str | None, queue: str | None, other_than: str | None) -> Leg | None:
    for leg in reversed(legs):
        fitting = fits(contact, leg.contact) and fits(agent, leg.agent) and fits(queue, leg.targets.place[0])
        if fitting and (other_than is None or leg.agent != other_than):
            return leg
    return None


def end_leg(s: State, leg: Leg, at: int, postings: Postings, *, lost: bool = False, moved_on: bool = False) -> None:
    """End an active leg and book its known parts; of a lost one only the touch time."""
    if leg is s.leg:
        s.leg = None if s.more_legs is None else s.more_legs.pop()
    elif s.more_legs is not None:
        s.more_legs.remove(leg)
    if not s.more_legs:
        s.more_legs = None
    leg.ended, leg.moved_on = at, moved_on
    if leg.channel in REPLY_CHANNELS:
        leg.hold_known = False
        leg.hold_ms = 0
        if s.work is not None:
            leg.talk_ms, s.work.touch_ms = s.work.touch_ms, None
    elif lost:
        leg.hold_known = False
    else:
        if leg.held_at is not None:
            leg.hold_ms += at - leg.held_at
            leg.held_at = None
        leg.talk_ms = at - leg.started - leg.hold_ms
    ended = s.ended_legs
    if ended is None:
        s.ended_legs = [leg]
    elif not ended or ended[-1].number < leg.number:
        ended.append(leg)
    else:
        insort(ended, leg, key=_number_of)
    counts, sums = ["handled"], []
    if leg.talk_ms is not None:
        counts.append("talk_count")
        sums.append(("talk_ms", leg.talk_ms))
        if leg.channel in REPLY_CHANNELS:
            # Handling is touch time: wrap-up will add nothing.
            counts.append("handle_count")
            sums.append(("handle_ms", leg.talk_ms))
    if leg.hold_known:
        counts.append("hold_count")
        sums.append(("hold_ms", leg.hold_ms))
        if leg.hold_ms > 0:
            counts.append("held_count")
    book_leg(s, leg, at, counts, sums, postings)
    if s.consults is not None:
        book_consult(s, leg, at, postings, lost=lost)
    postings.count(leg.people, at, "handled")


def consults_of(s: State) -> Consults:
    """Return the conversation's consultations; create them if needed."""
    if s.consults is None:
        s.consults = Consults()
    return s.consults


def book_consult(s: State, leg: Leg, at: int, postings: Postings, *, lost: bool = False) -> bool:
    """End the open consultation of a leg, and book it unless it is lost; return whether there was one."""
    since = None if s.consults is None else s.consults.since.pop(leg.number, None)
    if since is not None and not lost:
        book_separately(s, leg.targets, leg.offered, at, (("consult_ms", at - since), ("consult_count", 1)), postings)
    return since is not None


def _number_of(leg: Leg) -> int:
    return leg.number


def begin_wrap_up(s: State, leg: Leg, at: int) -> None:
    """Record when the wrap-up of an ended leg began, unless it has."""
    if leg.wrap_at is None and s.ended_legs is not None:
        s.ended_legs[s.ended_legs.index(leg)] = changed_leg(leg, wrap_at=at, moved_on=leg.moved_on)


def leg_to_wrap_up(s: State, contact: str | None, agent: str | None) -> Leg | None:
    """Return the leg of a wrap-up: the last begun one whose wrap-up has not ended."""
    if s.ended_legs is None:
        return find_leg(s, contact, agent)
    return _last_of(sorted([*s.ended_legs, *active_legs(s)], key=_number_of), contact, agent, None, None)


def take_transfer(
    s: State, contact: str | None, agent: str | None, queue: str | None, to_agent: str | None, *, whichever: bool = False
) -> Leg | None:
    """Return the ended leg of a transfer reported afterwards; each leg has one such transfer.

    With ``whichever`` it need not have moved on: an agent who stays may leave at any time.
    """
    if whichever:
        return _last_of(s.ended_legs or [], contact, agent, queue, to_agent)
    moved = [leg for leg in s.ended_legs or () if leg.moved_on]
    leg = _last_of(moved, contact, agent, queue, to_agent)
    if leg is not None and s.ended_legs is not None:
        s.ended_legs[s.ended_legs.index(leg)] = changed_leg(leg, wrap_at=leg.wrap_at, moved_on=False)
    return leg


def counted_of(s: State) -> set[str | tuple[int, str]]:
    """Return the names counted once a conversation, and the marks."""
    if s.counted is None:
        s.counted = set()
    return s.counted


def book_leg(s: State, leg: Leg, at: int, counts: list[str], sums: list[tuple[str, int]], postings: Postings) -> None:
    """Book a leg in its queue, and in larger scopes with only the counts not booked there before."""
    every = (*((name, 1) for name in counts), *sums)
    targets, offered, counted = leg.targets, leg.offered, counted_of(s)
    if offered is not None and SEPARATE not in counted and _is_single(s, targets, offered) and counted.isdisjoint(counts):
        postings.book(targets.everything, at, offered, every)
        counted.update(counts)
        return
    counted.add(SEPARATE)
    postings.book(targets.queue, at, at if offered is None else offered, every)
    once = counted.intersection(counts)
    for scope in targets.larger:
        new = [name for name in counts if (scope, name) not in counted and not (name in once and _in_single(s, scope))]
        counted.update((scope, name) for name in new)
        postings.book(scope, at, entry_in(s, scope, at), (*((name, 1) for name in new), *sums))


def book_separately(
    s: State, targets: QueueTargets, offered: int | None, at: int, amounts: tuple[tuple[str, int], ...], postings: Postings
) -> None:
    """Book in a queue and its larger scopes, by offer under the entry of each."""
    postings.book(targets.queue, at, at if offered is None else offered, amounts)
    for scope in targets.larger:
        postings.book(scope, at, entry_in(s, scope, at), amounts)


def _is_single(s: State, targets: QueueTargets, offered: int) -> bool:
    return s.single is not None and offered == s.single.entered and targets is s.first_targets


def _in_single(s: State, scope: int) -> bool:
    """Return whether the first visit's larger scopes include a scope."""
    return s.first_targets is not None and scope in s.first_targets.larger


def entry_in(s: State, scope: int, at: int) -> int:
    """Return the entry under which a larger scope is booked by offer."""
    if s.episodes is not None:
        episode = s.episodes.get(scope)
        return episode.entered if episode is not None else at
    return s.single.entered if s.single is not None and _in_single(s, scope) else at
