"""Build the Kafka records of events and rejections: topic, key, value and headers. Nothing is sent here."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from schemas.agent import AgentModel
from schemas.contact import ContactModel
from schemas.dead_letters import APP_VERSION, CONTENT_ENCODING, DETAIL, FAILED_AT, MAX_DETAIL_BYTES, REASON, STAGE
from schemas.events import encode
from schemas.other import CustomerModel, ForecastSet
from schemas.times import format_ms
from schemas.topics import DEFAULT_PREFIX, dead_letters_of, topic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.base import Event
    from streams.connectors.lines import Rejected

__all__ = ["MAX_DEAD_LETTER_BYTES", "EventTopics", "OutgoingRecord", "outgoing", "outgoing_dead_letter"]

#: Headers of a connector's dead letter beside those of every dead letter: ``file:line``, byte offset, connector instance.
ORIGIN: Final = "dead-letter-origin"
OFFSET: Final = "dead-letter-origin-offset"
SOURCE: Final = "dead-letter-source"

#: A larger dead letter is packed, and cut if need be: masking may make a record larger than a producer sends.
MAX_DEAD_LETTER_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EventTopics:
    """The full names of the topics connectors write to."""

    contacts: str
    agents: str
    customers: str
    contact_dead_letters: str
    agent_dead_letters: str

    @classmethod
    def with_prefix(cls, prefix: str = DEFAULT_PREFIX) -> EventTopics:
        """Return the topics whose names begin with the prefix."""
        dead_letters = (dead_letters_of("contact-events.v1"), dead_letters_of("agent-events.v1"))
        names = (topic("contact-events.v1"), topic("agent-events.v1"), topic("customer-events.v1"), *dead_letters)
        return cls(*(name.full_name(prefix) for name in names if name is not None))


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record to send to Kafka."""

    topic: str
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    #: Sent to every partition instead of that of its key.
    everywhere: bool = False


def _key(event: Event) -> str | None:
    """Return the key that partitions an event, None for an event that is sent to every partition."""
    if isinstance(event, ContactModel):
        return event.conversation_id
    if isinstance(event, AgentModel):
        return event.person_id
    if isinstance(event, CustomerModel):
        return event.customer_key
    return event.queue if isinstance(event, ForecastSet) else None


def outgoing(topics: EventTopics, events: Iterable[Event], rejected: Iterable[Rejected], source: str, now_ms: int) -> list[OutgoingRecord]:
    """Return the records of events in their order, then those of the dead letters of a source."""
    records = [record for event in events for record in _of_event(topics, event)]
    return records + [outgoing_dead_letter(topics, rejection, source, now_ms) for rejection in rejected]


def _of_event(topics: EventTopics, event: Event) -> list[OutgoingRecord]:
    """Return the records of an event; one for every partition has a record without a key in each topic of events."""
    key, value = _key(event), encode(event)
    if key is None:
        return [OutgoingRecord(name, None, value, [], everywhere=True) for name in (topics.contacts, topics.agents, topics.customers)]
    name = topics.contacts if isinstance(event, ContactModel) else topics.agents if isinstance(event, AgentModel) else topics.customers
    return [OutgoingRecord(name, key.encode(), value, [])]


@cache
def _app_version() -> str:
    try:
        return version("contact-streams")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"


def outgoing_dead_letter(topics: EventTopics, rejected: Rejected, source: str, now_ms: int) -> OutgoingRecord:
    """Return the record of a dead letter: its bytes as the value, everything else in headers.

    It names no original topic, because it never was in one: a replay cannot send it there by mistake.
    """
    value, encoding = rejected.raw, ""
    if len(value) > MAX_DEAD_LETTER_BYTES:
        packed = gzip.compress(value, compresslevel=1, mtime=0)
        value, encoding = (packed, "gzip") if len(packed) <= MAX_DEAD_LETTER_BYTES else (value[:MAX_DEAD_LETTER_BYTES], "cut")
    about = {
        ORIGIN: rejected.origin,
        OFFSET: "" if rejected.offset is None else str(rejected.offset),
        SOURCE: source,
        REASON: rejected.reason,
        DETAIL: rejected.detail[:MAX_DETAIL_BYTES],
        STAGE: "connect",
        APP_VERSION: _app_version(),
        FAILED_AT: format_ms(now_ms),
        CONTENT_ENCODING: encoding,
    }
    name = topics.agent_dead_letters if rejected.about == "agents" else topics.contact_dead_letters
    return OutgoingRecord(name, source.encode(), value, [(header, text.encode()) for header, text in about.items() if text])
