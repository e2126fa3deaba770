"""The definition of a connector: each file of ``streams/connectors/platforms`` has one `Connector`.

Three shapes are enough. *Event to events*: ``translate`` alone. *Event with a small keyed state* and *record to differences from its last
state*: ``compare``, which gets the state of the record's ``key`` and returns the next one. Nothing here does any input or output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, Final, Literal, NamedTuple

from streams.connectors.customer_keys import WITHHELD
from streams.connectors.kit.answers import Answers
from streams.connectors.kit.verification import Verification

__all__ = [
    "PULL_SETTINGS",
    "Compared",
    "Connector",
    "Context",
    "Draft",
    "Family",
    "Part",
    "Record",
    "Seen",
    "Setting",
    "UnusableError",
    "Way",
]

#: A canonical event as a connector writes it: all fields but ``source``, ``site`` and ``received_at``, which are stamped.
#: ``event_id`` names the platform's own event, never the poll or delivery that brought it; ``occurred_at`` is an aware datetime,
#: and may be left out by a live connector whose platform sends no time: then it is when the record was received.
Draft = dict[str, Any]

#: The state of a key between two records, as JSON.
Seen = dict[str, Any]

Family = Literal["telephone", "desk", "message", "survey", "self_service", "order"]

#: How a platform's records reach a connector: the platform calls it by HTTP, or it reads a file, polls the platform, holds a connection,
#: reads a topic, or the gateway serves a page to the customer's browser.
Way = Literal["webhook", "file", "pull", "connection", "kafka", "page"]

#: What a platform may report of a contact, and figures need.
Part = Literal["arrival", "queue", "ring", "hold", "wrap_up", "ended_by", "transfer", "agent_state", "first_response", "resolution", "csat"]


#: Part → the figures that count it: unreported, they would be 0; other figures have no denominator then, and are null by themselves.
COUNTED_OF: Final[Mapping[Part, tuple[str, ...]]] = {
    "ring": ("non_response",),
    "transfer": ("transfer_rate",),
}


class UnusableError(Exception):
    """A record cannot be used; has a reason (as metrics count it) and a detail (for operators, without what was sent)."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a platform: an event, a row, a block of headers."""

    content: dict[str, Any]
    #: Its bytes, for verification and size; they are not published.
    raw: bytes
    #: ``file:line`` or ``hooks/NAME``.
    origin: str
    #: Its index in its delivery, from 0.
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The configuration of a connector."""

    source: str
    #: Of times that are written without an offset.
    zone: tzinfo = UTC
    #: Returns the keyed hash of a number, an address or an id; without it nothing of the customer is published.
    customer_key: Callable[[str], str] | None = None
    #: The connector's own settings by name; each has its default where it is not configured.
    settings: Mapping[str, Any] = field(default_factory=dict)

    def customer(self, identity: str | None) -> str | None:
        """Return the key of a customer's identity, None without an identity, and where no key is configured."""
        return self.customer_key(identity) if identity and self.customer_key is not None else None

    def caller(self, number: str | None) -> str | None:
        """Return the customer key of a caller's number, None where it is withheld too."""
        return None if number is None or number.lower() in WITHHELD else self.customer(number)


class Compared(NamedTuple):
    """The differences of a record from the last state of its key."""

    events: Iterable[Draft]
    #: The next state; None drops the key.
    seen: Seen | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting of a connector, as ``connectors add`` writes it with its comment."""

    name: str
    meaning: str
    default: Any = None
    required: bool = False


#: Settings of every polling connector, beside its own.
PULL_SETTINGS: Final = (
    Setting(name="since", meaning="Where the first start begins, such as 2026-04-01T00:00:00Z; by default a day before it"),
    Setting(name="poll_seconds", meaning="Pause between two polls; each platform has its own default"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A platform: its records, what they count as, what it cannot report, and how its sender is verified."""

    #: As in the configuration and on the command line: lower case, joined by ``-``.
    name: str
    #: As the vendor writes it.
    title: str
    family: Family
    #: ``live``: within seconds. ``journal``: exports, records after the fact, polled systems; events count as received when they occurred.
    delivery: Literal["live", "journal"]
    ways: tuple[Way, ...]
    #: Kind of record → what it becomes, for the documentation.
    kinds: Mapping[str, str]
    #: Kind of record → why it counts nothing.
    ignored: Mapping[str, str]
    #: Returns the records of the bytes of a delivery or a file (see `reading`); raises UnusableError where they hold none.
    read: Callable[[bytes, str], Iterable[Record]]
    #: Returns the kind of a record; raises UnusableError where it has none.
    kind: Callable[[Record], str]
    #: What the platform reports: part → empty if it does, or why it does not. A missing part has no meaning for this platform.
    reports: Mapping[Part, str]
    #: Figures that it cannot fill although it reports their part.
    nothing_for: tuple[str, ...] = ()
    #: Dotted paths of personal values in records; ``*`` matches each entry of a list or each key. Dead letters hold none of them.
    personal: tuple[str, ...] = ()
    #: Returns the events of a record.
    translate: Callable[[Record, Context], Iterable[Draft]] | None = None
    #: Returns the differences of a record from the last state of its key, None at first.
    compare: Callable[[Record, Seen | None, Context], Compared] | None = None
    #: Returns the key of the state of ``compare``, unique within the source.
    key: Callable[[Record], str] | None = None
    #: How long an unchanged key is retained, in days.
    remembered_days: int = 30
    #: How deliveries by webhook are verified; None where the transport alone can be trusted.
    verification: Verification | None = None
    #: The answers that its webhooks expect.
    answers: Answers = field(default_factory=Answers)
    settings: tuple[Setting, ...] = ()
    #: The credentials of polls or connections, by their names under ``credentials``.
    credentials: tuple[Setting, ...] = ()
    #: The extra with the libraries for its live way: ``pip install contact-streams[EXTRA]``.
    extra: str | None = None
    #: Assumptions that the vendor does not document, for the documentation.
    guessed: tuple[str, ...] = ()

    @property
    def not_reported(self) -> tuple[str, ...]:
        """The figures that it does not report: the value of ``not_reported`` of its source in the configuration."""
        return (*self.nothing_for, *(figure for part, figures in COUNTED_OF.items() if self.reports.get(part) for figure in figures))

    def __post_init__(self) -> None:
        if (self.translate is None) == (self.compare is None) or (self.compare is None) != (self.key is None):
            raise ValueError(f"connector {self.name}: either translate, or compare with key")
