"""Correspondence of customer and agents: waits for replies, round trips, thanks (``docs/counting.md`` section 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.per_contact import book_per_contact, contact_entries, elapsed_ms, without_bot
from streams.tracking.state import Messages

if TYPE_CHECKING:
    from streams.tracking.postings import Postings
    from streams.tracking.rules import Rules
    from streams.tracking.state import State

__all__ = [
    "await_reply",
    "book_texts",
    "channel_of",
    "close_messages",
    "count_exchanges",
    "messages_of",
    "record_customer_message",
    "reply",
]

#: Findings about the customer's text, each including the one before: booked once a conversation.
_TEXTS = ("texts", "texts_looked", "thanked")
#: All but the first so many of these count by category too.
_WITHOUT_CATEGORY = 2


def close_messages(messages: Messages) -> None:
    """End the wait: a later customer message begins a new one."""
    messages.is_closed = True
    messages.waits = None


def messages_of(s: State) -> Messages:
    """Return the conversation's messages; create them if needed."""
    if s.messages is None:
        s.messages = Messages()
    return s.messages


def channel_of(s: State) -> str | None:
    """Return the channel of the place, else of the last arrival."""
    return s.channel if s.place is None else s.place.place[1]


def await_reply(s: State, at: int) -> None:
    """Record that the customer waits for a reply."""
    messages = messages_of(s)
    if messages.since is None or messages.is_closed:
        messages.since, messages.is_closed = at, False
    messages.answered = False
    if messages.waits is None:
        messages.waits = at


def record_customer_message(s: State, at: int, thanks: bool | None, rules: Rules, postings: Postings) -> None:
    """Record a customer's message, and whether its connector found thanks in it."""
    await_reply(s, at)
    messages = messages_of(s)
    messages.has_message = True
    messages.seen = max(messages.seen, 1 if thanks is None else 2 + thanks)
    book_texts(s, messages, at, rules, postings)


def book_texts(s: State, messages: Messages, at: int, rules: Rules, postings: Postings) -> None:
    """Book new findings about the customer's text, once the conversation has a place."""
    booked, seen = messages.booked, messages.seen
    where = contact_entries(s, at) if booked < seen else ()
    if not where:
        return
    messages.booked = seen
    amounts = tuple((name, 1) for name in _TEXTS[booked:seen])
    if seen > _WITHOUT_CATEGORY and rules.counts_by_category(at):
        messages.thanked_where = where, at
        if s.topic is not None and s.topic.counted is not None:
            amounts += ((f"{_TEXTS[_WITHOUT_CATEGORY]}={s.topic.counted}", 1),)
    for target, offered in where:
        postings.book(target, at, offered, amounts)


def reply(s: State, at: int, agent: str | None, rules: Rules, postings: Postings) -> None:
    """Book an agent's reply: the customer's wait, or a duplicate of another agent's reply."""
    messages = messages_of(s)
    messages.has_message = messages.replied = True
    messages.waits = None
    amounts: list[tuple[str, int]] = []
    if messages.since is not None:
        amounts += (("response_ms", elapsed_ms(s, without_bot(s, messages.since, at), at, rules)), ("response_count", 1))
        messages.since = None
        messages.trips += 1
        messages.answered, messages.doubled = True, False
    elif not messages.answered:
        return
    elif not messages.doubled and agent is not None and messages.last_agent not in (None, agent):
        messages.doubled = True
        amounts.append(("duplicate_replies", 1))
    messages.last_agent = agent
    amounts.append(("replies", 1))
    if agent is not None:
        amounts.append(("replies_named", 1))
    book_per_contact(s, at, tuple(amounts), postings)


def count_exchanges(s: State) -> tuple[tuple[str, int], ...]:
    """Return the amounts of round trips since the last resolution; none without messages."""
    messages = s.messages
    if messages is None or not messages.has_message:
        return ()
    trips, messages.trips = messages.trips, 0
    return (("exchanged", 1), ("exchanges", trips))
