"""Random weeks of few customers with many contacts, orders and links, for property tests; the same for the same seed."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from schemas.contact import (
    ContactAnswered,
    ContactArrived,
    ContactCategorized,
    ContactEnded,
    ContactEscalated,
    ContactExcluded,
    ContactModel,
    ContactQueued,
    ContactStatusChanged,
)
from schemas.other import CustomerActivated, CustomerChurned, CustomerLinked, CustomerModel, OrderCancelled, OrderPlaced, SourceHeartbeat
from schemas.times import from_ms, parse_time_ms
from streams.configuration.models import Configuration

if TYPE_CHECKING:
    from schemas.base import Event

__all__ = ["customer_world"]

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
#: Across the night on which Berlin's clock changes and the end of a month.
_START_MS = parse_time_ms("2026-03-24T06:00:00Z")
_DAYS = 11
_KEYS = tuple(f"v1:{number}" for number in range(14))
_QUEUES = ("sales", "support", "mailbox")
_SOURCES = ("switch", "shop")


def _configuration(random: Random) -> Configuration:
    return Configuration.model_validate(
        {
            "default_zone": random.choice(("UTC", "Asia/Tokyo", "Europe/Berlin")),
            "sites": {"berlin": {"zone": "Europe/Berlin", "day_start": random.choice(("00:00", "06:30"))}},
            "queues": {
                "sales": {"channel": "voice", "department": "front", "business": "acme", "site": "berlin"},
                "support": {"channel": "voice", "department": "back", "business": "acme"},
                "mailbox": {"channel": "mail", "department": "back"},
            },
            "joined_sources": random.choice(([], [], [["shop", "s*h"]])),
            "customers": {
                "repeat_days": random.choice((1, 2, 7)),
                "order_window_days": random.choice((3, 5, 90)),
                "retention_days": random.choice((60, 730)),
            },
        }
    )


class _World:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.events: list[Event] = []

    def add(self, kind: type[Event], at_ms: int, **fields: Any) -> None:
        number = len(self.events)
        self.events.append(
            kind(
                event_id=f"{self.random.choice('abc')}{number}",
                occurred_at=from_ms(at_ms),
                received_at=from_ms(at_ms + self.random.choice((0, 40, 3_000))),
                **{"source": "switch", **fields},
            )
        )

    def contact(self, number: int) -> None:
        random = self.random
        at = _START_MS + random.choice((random.randrange(_DAYS * _DAY_MS), random.randrange(_DAYS) * _DAY_MS))
        name = {"conversation_id": f"c{number}"}
        queue = random.choice(_QUEUES)
        channel = "mail" if queue == "mailbox" else "voice"
        key = random.choice((*_KEYS, None))
        self.add(
            ContactArrived, at, **name, channel=channel, direction=random.choice((None, "inbound", "inbound", "outbound")), customer_key=key
        )
        if random.random() < 0.9:
            self.add(ContactQueued, at + 1, **name, queue=queue)
            self.add(ContactAnswered, at + 20_000, **name, agent="ann")
        if random.random() < 0.5:
            self.add(ContactCategorized, at + 25_000, **name, category=random.choice(("billing", "returns")))
        if random.random() < 0.1:
            self.add(ContactEscalated, at + 30_000, **name)
        if random.random() < 0.7:
            self.add(ContactStatusChanged, at + 60_000, **name, status="resolved")
        if random.random() < 0.2:
            self.add(ContactStatusChanged, at + random.choice((70_000, 5 * _HOUR_MS)), **name, status="reopened")
        self.add(ContactEnded, at + 90_000, **name, by="agent")
        if random.random() < 0.1:
            self.add(ContactExcluded, at + 95_000, **name, reason="test")

    def of_customer(self, number: int) -> None:
        random = self.random
        # Some of it long ago: a shop sends its history.
        at = _START_MS + random.randrange(-40 * _DAY_MS, _DAYS * _DAY_MS)
        common: dict[str, Any] = {"customer_key": random.choice(_KEYS), "source": "shop"}
        if random.random() < 0.4:
            self.add(random.choice((CustomerActivated, CustomerActivated, CustomerChurned)), at, **common)
            return
        order = random.choice((None, f"o{number}"))
        amount = {"value": random.choice((None, 1200, 99.99)), "currency": random.choice(("JPY", "JPY", "EUR"))}
        for _ in range(random.choice((1, 1, 1, 2))):  # some orders are sent again under another id
            self.add(OrderPlaced, at, **common, order_id=order, **amount)
            at += random.choice((1, _HOUR_MS))
        for _ in range(random.choice((0, 0, 1, 2))):
            at += random.choice((0, 7 * _HOUR_MS, 30 * _HOUR_MS))
            self.add(OrderCancelled, at, **common, order_id=order)

    def repeat_from_other_sources(self) -> None:
        """Repeat some events from another source with the same ids: repeats where the two are joined, else other events."""
        random = self.random
        names = {event.conversation_id for event in self.events if isinstance(event, ContactModel)}
        twins = {name for name in sorted(names) if random.random() < 0.1}
        for event in list(self.events):
            if (isinstance(event, ContactModel) and event.conversation_id in twins) or (
                isinstance(event, CustomerModel) and random.random() < 0.15
            ):
                other = next(source for source in _SOURCES if source != event.source)
                self.events.append(event.model_copy(update={"source": other}))


def customer_world(seed: int, contacts: int = 70, others: int = 80, links: int | None = None) -> tuple[Configuration, list[Event], int]:
    """Return a configuration, events in the order in which they were received, and the instant through which they are complete.

    Without `links` there are 0, 2 or 4 of them.
    """
    random = Random(seed)
    world = _World(random)
    for number in range(contacts):
        world.contact(number)
    for number in range(others):
        world.of_customer(number)
    few = random.choice((0, 2, 4))
    for _ in range(few if links is None else links):
        one, other = random.sample(_KEYS, 2)
        world.add(CustomerLinked, _START_MS + random.randrange(_DAYS * _DAY_MS), customer_key=one, linked_key=other, source="shop")
    world.repeat_from_other_sources()
    end = _START_MS + (_DAYS + random.randrange(4)) * _DAY_MS
    for source in _SOURCES:
        for at in [*range(_START_MS, end, 5 * _HOUR_MS), end]:
            world.add(SourceHeartbeat, at, source=source, complete_through=from_ms(at))
            world.events[-1] = world.events[-1].model_copy(update={"received_at": from_ms(at)})
    return _configuration(random), sorted(world.events, key=lambda event: event.received_at), end
