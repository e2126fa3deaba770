"""What a connector says of its platform: one value of this type stands in each file of ``streams/connectors/platforms``.

Three shapes are enough. *Event to events*: ``translate`` alone. *Event with a small keyed state* and *record to differences from what was
last seen*: ``compare``, which gets what was seen of the record's ``key`` and returns what to keep. Nothing here does any input or output.
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
#: and may be left out by a live connector whose platform says no time: then it is when the record was received.
Draft = dict[str, Any]

#: What is kept of a key between two records, as JSON.
Seen = dict[str, Any]

Family = Literal["telephone", "desk", "message", "survey", "self_service", "order"]

#: How what a platform says reaches a connector: it is called by HTTP, reads a file, asks the platform, holds a connection, reads a
#: topic, or the gateway serves a page to the customer's browser.
Way = Literal["webhook", "file", "pull", "connection", "kafka", "page"]

#: What a platform may tell of a contact, and what figures need.
Part = Literal["arrival", "queue", "ring", "hold", "wrap_up", "ended_by", "transfer", "agent_state", "first_response", "resolution", "csat"]


#: Part → the figures that count it: a count of what nobody tells would be 0, where others have no denominator and are null by themselves.
COUNTED_OF: Final[Mapping[Part, tuple[str, ...]]] = {
    "ring": ("non_response",),
    "transfer": ("transfer_rate",),
}


class UnusableError(Exception):
    """A record cannot be used; carries a reason (one word, for counting) and a detail (for a person, without what was sent)."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that a platform sent: an event, a row, a block of headers."""

    content: dict[str, Any]
    #: The bytes it came as, for verification and size; they do not pass on.
    raw: bytes
    #: ``file:line`` or ``hooks/NAME``.
    origin: str
    #: Its place in what came together, counted from 0.
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the configuration gives a connector."""

    source: str
    #: Of times that are written without an offset.
    zone: tzinfo = UTC
    #: From a number, an address or an id to a keyed hash; without it nothing of the customer passes.
    customer_key: Callable[[str], str] | None = None
    #: The connector's own settings by name; each has its default where the configuration says nothing.
    settings: Mapping[str, Any] = field(default_factory=dict)

    def customer(self, identity: str | None) -> str | None:
        """Return the customer key of what identifies somebody, None where there is nothing or no key is configured."""
        return self.customer_key(identity) if identity and self.customer_key is not None else None

    def caller(self, number: str | None) -> str | None:
        """Return the customer key of who calls from a number, None where it is withheld too."""
        return None if number is None or number.lower() in WITHHELD else self.customer(number)


class Compared(NamedTuple):
    """What a record is beside what was last seen of its key."""

    events: Iterable[Draft]
    #: What to keep; None forgets the key.
    seen: Seen | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting of a connector, as ``connectors add`` writes it with its comment."""

    name: str
    meaning: str
    default: Any = None
    required: bool = False


#: Settings of every connector that asks its platform, beside its own.
PULL_SETTINGS: Final = (
    Setting(name="since", meaning="Where the first start begins, such as 2026-04-01T00:00:00Z; by default a day before it"),
    Setting(name="poll_seconds", meaning="How long after one round the next one begins; each platform has its own default"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A platform: what it sends, what of that is counted, what it cannot tell, and how its sender is verified."""

    #: As in the configuration and on the command line: lower case, joined by ``-``.
    name: str
    #: As the vendor writes it.
    title: str
    family: Family
    #: ``live``: within seconds. ``journal``: exports, records after the fact, polled systems; what comes was received when it occurred.
    delivery: Literal["live", "journal"]
    ways: tuple[Way, ...]
    #: Kind of record → what it becomes, for the documentation.
    kinds: Mapping[str, str]
    #: Kind of record → why nothing is counted of it.
    ignored: Mapping[str, str]
    #: From the bytes of a delivery or a file to its records (`reading` has the usual ones); raises UnusableError where they are none.
    read: Callable[[bytes, str], Iterable[Record]]
    #: The kind of a record; raises UnusableError where the record has none.
    kind: Callable[[Record], str]
    #: What the platform tells: part → empty if it does, or why it does not. A part that is left out has no meaning for this platform.
    reports: Mapping[Part, str]
    #: Figures that it has nothing for although it tells of the part that they belong to.
    nothing_for: tuple[str, ...] = ()
    #: Dotted paths of personal values in records; ``*`` stands for each entry of a list or each key. Dead letters hold none of them.
    personal: tuple[str, ...] = ()
    #: Event to events.
    translate: Callable[[Record, Context], Iterable[Draft]] | None = None
    #: Record to differences from what was seen of its key, None at first.
    compare: Callable[[Record, Seen | None, Context], Compared] | None = None
    #: What ``compare`` keeps its state by, unique within the source.
    key: Callable[[Record], str] | None = None
    #: How long in days a key that nothing comes of is remembered.
    remembered_days: int = 30
    #: How deliveries by webhook are verified; None where the transport alone can be trusted.
    verification: Verification | None = None
    #: What its webhooks want to be answered.
    answers: Answers = field(default_factory=Answers)
    settings: tuple[Setting, ...] = ()
    #: What the platform is asked or connected to with, by the names under ``credentials``.
    credentials: tuple[Setting, ...] = ()
    #: The extra that has the libraries for its live way: ``pip install contact-streams[EXTRA]``.
    extra: str | None = None
    #: What was not publicly documented and is guessed, for the documentation.
    guessed: tuple[str, ...] = ()

    @property
    def not_reported(self) -> tuple[str, ...]:
        """The figures that are not known where it alone tells: what ``not_reported`` of its source in the configuration holds."""
        return (*self.nothing_for, *(figure for part, figures in COUNTED_OF.items() if self.reports.get(part) for figure in figures))

    def __post_init__(self) -> None:
        if (self.translate is None) == (self.compare is None) or (self.compare is None) != (self.key is None):
            raise ValueError(f"connector {self.name}: either translate, or compare with key")
