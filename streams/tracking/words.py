"""What customer and agents write to each other: who waits for whose words, round trips, thanks (``docs/counting.md`` section 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.whole import book_whole, elapsed_ms

if TYPE_CHECKING:
    from streams.tracking.conversation import Conversation, Rules
    from streams.tracking.ledger import Ledger

__all__ = ["Words", "book_texts", "channel_of", "count_exchanges", "hear", "read", "reply", "words_of"]

#: What the customer's text is found to be, each more than the one before: booked once a conversation.
_TEXTS = ("texts", "texts_looked", "thanked")


class Words:
    """Where the correspondence of a conversation stands; a call has none."""

    __slots__ = (
        "answered", "booked", "doubled", "last_agent", "replied", "seen", "settled", "since", "spoken", "trips", "waits",
    )  # fmt: skip

    def __init__(self) -> None:
        self.since: int | None = None  # first words of the stretch that nobody has answered
        self.settled = False  # ended, resolved or lost since the last words of the customer
        self.waits: int | None = None  # since when the customer waits for a reply
        self.answered = False  # the customer's last words were, and it is the agents' replies that follow
        self.last_agent: str | None = None
        self.doubled = False
        self.replied = False
        self.spoken = False  # a message is known of, from either side
        self.trips = 0  # since the last resolution
        self.seen = 0  # how many of the texts hold
        self.booked = 0

    def settle(self) -> None:
        """End the waiting: what the customer says from now on is about something new."""
        self.settled = True
        self.waits = None


def words_of(c: Conversation) -> Words:
    """Return the conversation's words; from now on there are some."""
    if c.words is None:
        c.words = Words()
    return c.words


def channel_of(c: Conversation) -> str | None:
    """Return the channel of the place, or without one of the last arrival."""
    return c.channel if c.last is None else c.last[1]


def hear(c: Conversation, at: int) -> None:
    """Take note that the customer said something."""
    words = words_of(c)
    if words.since is None or words.settled:
        words.since, words.settled = at, False
    words.answered = False
    if words.waits is None:
        words.waits = at


def read(c: Conversation, at: int, thanks: bool | None, rules: Rules, ledger: Ledger) -> None:
    """Take note of a customer's message, and whether its connector found thanks in it."""
    hear(c, at)
    words = words_of(c)
    words.spoken = True
    words.seen = max(words.seen, 1 if thanks is None else 2 + thanks)
    book_texts(c, words, at, rules, ledger)


def book_texts(c: Conversation, words: Words, at: int, rules: Rules, ledger: Ledger) -> None:
    """Book what holds of the customer's text and is not booked yet, once the conversation has a place."""
    if words.booked < words.seen and book_whole(c, at, tuple((name, 1) for name in _TEXTS[words.booked : words.seen]), rules, ledger):
        words.booked = words.seen


def reply(c: Conversation, at: int, agent: str | None, rules: Rules, ledger: Ledger) -> None:
    """Book an agent's reply: how long the customer waited for it, or that somebody else had replied already."""
    words = words_of(c)
    words.spoken = words.replied = True
    words.waits = None
    amounts: list[tuple[str, int]] = []
    if words.since is not None:
        amounts += (("response_ms", elapsed_ms(c, words.since, at, rules)), ("response_count", 1))
        words.since = None
        words.trips += 1
        words.answered, words.doubled = True, False
    elif not words.answered:
        return
    elif not words.doubled and agent is not None and words.last_agent not in (None, agent):
        words.doubled = True
        amounts.append(("duplicate_replies", 1))
    words.last_agent = agent
    amounts.append(("replies", 1))
    if agent is not None:
        amounts.append(("replies_named", 1))
    book_whole(c, at, tuple(amounts), rules, ledger)


def count_exchanges(c: Conversation) -> tuple[tuple[str, int], ...]:
    """Return what a resolution books of the round trips since the last one; nothing where no message is known of."""
    words = c.words
    if words is None or not words.spoken:
        return ()
    trips, words.trips = words.trips, 0
    return (("exchanged", 1), ("exchanges", trips))
