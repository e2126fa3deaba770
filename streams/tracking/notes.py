"""Current entries of a conversation: where it waits and since when, where it is active, what is pending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.base import REPLY_CHANNELS
from streams.tracking.backlog import backlog_of, place_or_unassigned, reply_due
from streams.tracking.legs import active_legs
from streams.tracking.pending import Open
from streams.tracking.state import Visit
from streams.tracking.visits import open_visits

if TYPE_CHECKING:
    from streams.tracking.rules import Rules
    from streams.tracking.state import Conversation, State, Waits

__all__ = ["active_in", "actives", "has_moved", "open_of", "pending_group", "waiting_in", "waits"]


def has_moved(c: Conversation) -> bool:
    """Return whether its waiting, active or pending entries may have changed."""
    state = c.state
    return (
        state.visit is not c.noted_waiting
        or (None if state.leg is None else state.leg.targets.everything) != c.noted_active
        or state.more_legs is not None
        or state.ticket is not None
        or state.messages is not None
        or state.bot_sessions is not None
        or c.noted_open is not None
    )


def waiting_in(state: State) -> Visit | Waits | None:
    """Return where it waits: its only visit, later the targets, each with the start in ms; once in each scope."""
    if state.visit is None or state.episodes is None:
        return state.visit
    by_scope: dict[int, tuple[int, int]] = {}
    for visit in open_visits(state):
        queue = visit.targets.queue
        by_scope[queue] = (queue, min(visit.entered, by_scope[queue][1]) if queue in by_scope else visit.entered)
        for scope, waiting in zip(visit.targets.larger, visit.targets.larger_waiting, strict=True):
            episode = state.episodes[scope]
            since = episode.entered if episode.state == "waiting" else visit.entered
            if scope not in by_scope or since < by_scope[scope][1]:
                by_scope[scope] = (waiting, since)
    return tuple(by_scope.values())


def waits(noted: Visit | Waits | None) -> Waits:
    """Return the targets of a result of ``waiting_in``, each with the start of the wait."""
    if noted is None:
        return ()
    return ((noted.targets.everything, noted.entered),) if isinstance(noted, Visit) else noted


def active_in(state: State) -> int | tuple[int, ...] | None:
    """Return where it is active: the group of its only queue, else the targets, each once."""
    if state.leg is None or state.more_legs is None:
        return None if state.leg is None else state.leg.targets.everything
    scopes: dict[int, None] = {}
    for leg in active_legs(state):
        scopes.update(dict.fromkeys((leg.targets.queue, *leg.targets.larger)))
    return tuple(scopes)


def actives(noted: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the targets of a result of ``active_in``."""
    if noted is None:
        return ()
    return noted if isinstance(noted, tuple) else (noted,)


def open_of(state: State, rules: Rules) -> Open | None:
    """Return its pending work: a callback, its backlog state, a reply."""
    ticket = state.ticket
    if ticket is None and state.messages is None and (state.place is None or state.place.place[1] not in REPLY_CHANNELS):
        return None
    place = place_or_unassigned(state)
    if place is None:
        return None
    backlog, reply = backlog_of(state), reply_due(state, rules)
    callback, due = (False, None) if ticket is None or state.place is None else (ticket.callback, ticket.due)
    if backlog is None and not callback and reply is None:
        return None
    return Open(rules.targets.of_queue(*place).everything, backlog, state.start, callback, due, reply)


def pending_group(state: State, rules: Rules) -> int | None:
    """Return the group of its pending work, None without a place."""
    place = place_or_unassigned(state)
    return None if place is None else rules.targets.of_queue(*place).everything
