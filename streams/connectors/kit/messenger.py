"""Messengers that have customers and messages, but no conversations: a customer's messages of a day are one. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from streams.connectors.kit.desk import about, in_ms
from streams.connectors.kit.model import Setting, UnusableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from streams.connectors.kit.model import Context, Draft

__all__ = ["FAR_FUTURE_MS", "MESSENGER_SETTINGS", "Message", "digest", "message_drafts"]

_ID_DIGITS: Final = 32
#: Beyond all times, in ms: of several first messages of a conversation the earliest gets the highest revision, and counts.
FAR_FUTURE_MS: Final = 253_402_300_799_000
#: By default a contact on these channels is lost after a day.
_REPLY_DAYS: Final = 1
_MAX_REPLY_DAYS: Final = 7

MESSENGER_SETTINGS: Final = (
    Setting(name="channel", meaning="`social` or `chat`: how waiting and replies are counted", default="social"),
    Setting(name="queue", meaning="The queue that messages wait in; without one they count as unassigned", default=""),
    Setting(name="reply_days", meaning="How many days back what a customer wrote may still be answered (0 to 7)", default=_REPLY_DAYS),
)


class Message(NamedTuple):
    """A message between a customer and the business."""

    message_id: str
    #: The platform's id of the customer; it is not published.
    customer: str
    at: datetime
    author_kind: Literal["customer", "agent", "bot"]


def digest(*parts: str) -> str:
    """Return an id for texts that must not be published, or are too long for an id."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:_ID_DIGITS]


def message_drafts(prefix: str, message: Message, context: Context) -> Iterator[Draft]:
    """Yield the events of a message.

    A customer's message belongs to the conversation of that day in the connector's zone. A message of the business may answer one of
    an earlier day, and does not name it: each of these conversations gets it, and it counts where the customer waits.

    Args:
        prefix: of the ids of the platform's conversations.
        message: as it arrived.
        context: with ``MESSENGER_SETTINGS``.
    """
    today = message.at.astimezone(context.zone).date()
    if message.author_kind == "customer":
        yield from _asked(_conversation(prefix, message, context, today), message, context)
        return
    for back in range(_reply_days(context) + 1):
        conversation = _conversation(prefix, message, context, today - timedelta(days=back))
        yield _written(conversation, message)


def _conversation(prefix: str, message: Message, context: Context, day: date) -> str:
    # Ids of users are numbers: a plain hash could be reversed by trying all; one with a customer key cannot.
    return f"{prefix}-{digest(context.customer(message.customer) or message.customer, day.isoformat())}"


def _reply_days(context: Context) -> int:
    days = context.settings.get("reply_days", _REPLY_DAYS)
    if isinstance(days, bool) or not isinstance(days, int) or not 0 <= days <= _MAX_REPLY_DAYS:
        raise UnusableError("bad_setting", f"reply_days: a whole number from 0 to {_MAX_REPLY_DAYS}")
    return days


def _asked(conversation: str, message: Message, context: Context) -> Iterator[Draft]:
    channel = context.settings.get("channel") or "social"
    earliest_holds = FAR_FUTURE_MS - in_ms(message.at)
    key, queue = context.customer(message.customer), context.settings.get("queue")
    yield about(conversation, "contact.arrived", "arrived", message.at, channel=channel, customer_key=key, revision=earliest_holds)
    if queue:
        yield about(conversation, "contact.queued", "queued", message.at, channel=channel, queue=queue, revision=earliest_holds)
    yield _written(conversation, message)


def _written(conversation: str, message: Message) -> Draft:
    what, by = f"message-{digest(message.message_id)}", message.author_kind
    return about(conversation, "contact.message", what, message.at, author_kind=by, public=True, automatic=by == "bot")
