"""Channel and queues of a conversation before its facts are folded: equal for any chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.facts import Answered, Arrived, LeftQueue, OfferEnded, Queued, order_of, precedes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.tracking.facts import AnyFact
    from streams.tracking.state import Conversation

__all__ = ["arrival_channel", "has_visit", "queues_without_channel"]


def arrival_channel(conversation: Conversation) -> str | None:
    """Return the channel of the last arrival."""
    state, fresh = conversation.state, conversation.fresh
    last = None if fresh is None else _last_arrival(fresh, None)
    if last is None and not state.void:
        return state.channel
    last = _last_arrival(state.facts, last)
    return None if last is None else last.channel


def _last_arrival(facts: Iterable[AnyFact], last: Arrived | None) -> Arrived | None:
    for fact in facts:
        if type(fact) is Arrived and (last is None or precedes(last, fact)):
            last = fact
    return last


def has_visit(conversation: Conversation, queue: str) -> bool:
    """Return whether a conversation was in a queue: that visit decides the channel of other events there."""
    return any(isinstance(fact, Queued) and fact.queue == queue for fact in conversation.every_fact())


def queues_without_channel(conversation: Conversation) -> list[str]:
    """Return the queues of a conversation that count on the channel of its arrival, in order of facts."""
    queues: dict[str, None] = {}
    for fact in sorted(conversation.every_fact(), key=order_of):
        # Without an open visit these use the channel of the arrival, too.
        by_arrival = isinstance(fact, Answered | LeftQueue | OfferEnded) or (isinstance(fact, Queued) and fact.channel is None)
        if by_arrival and isinstance(fact, Answered | LeftQueue | OfferEnded | Queued) and fact.queue is not None:
            queues[fact.queue] = None
    return [*queues]
