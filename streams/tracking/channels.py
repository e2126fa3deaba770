"""What is known of a conversation's channel and queues before it is counted: the same in whatever chunks its facts came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.facts import Kind

if TYPE_CHECKING:
    from streams.tracking.conversation import Conversation
    from streams.tracking.facts import Fact

__all__ = ["channel_said", "has_visit", "queues_without_channel"]

#: Facts that name a queue, where no visit of it is open.
_NAME_A_QUEUE = (Kind.ANSWERED, Kind.LEFT_QUEUE, Kind.OFFER_ENDED)


def _facts(conversation: Conversation) -> list[Fact]:
    disorder = conversation.disorder
    return conversation.facts if disorder is None or not disorder.aside else [*conversation.facts, *disorder.aside]


def channel_said(conversation: Conversation) -> str | None:
    """Return the channel of the last arrival."""
    if conversation.disorder is None or not conversation.disorder.aside:
        return conversation.channel
    arrivals = [fact for fact in _facts(conversation) if fact[2] == Kind.ARRIVED]
    return max(arrivals)[4] if arrivals else None


def has_visit(conversation: Conversation, queue: str) -> bool:
    """Say whether a conversation was in a queue: then that decides on the channel of what else is said of it there."""
    return any(fact[2] == Kind.QUEUED and fact[4] == queue for fact in _facts(conversation))


def queues_without_channel(conversation: Conversation) -> list[str]:
    """Return the queues of a conversation, in the order of its facts, that count on the channel of its arrival."""
    queues = {fact[4] if fact[2] == Kind.QUEUED else fact[5]: None for fact in sorted(_facts(conversation)) if _goes_by_arrival(fact)}
    return [queue for queue in queues if queue is not None]


def _goes_by_arrival(fact: Fact) -> bool:
    return (fact[2] == Kind.QUEUED and fact[5] is None) or fact[2] in _NAME_A_QUEUE
