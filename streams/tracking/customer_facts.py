"""Customer facts of conversations, and the state of a customer (``docs/counting.md`` section 16)."""

from __future__ import annotations

from base64 import b64encode
from hashlib import blake2b
from typing import Any, NamedTuple
from zlib import crc32

from msgspec import Struct
from msgspec.json import encode

from streams.tracking.spaces import id_of

__all__ = [
    "MAX_FACTS",
    "Cancellation",
    "Contact",
    "ContactFact",
    "Customer",
    "Order",
    "contact_name",
    "customer_partition",
    "fact_of_customer_event",
]

#: A key with more facts is overfull: it belongs to more than one customer.
MAX_FACTS = 10_000
#: So is one with a larger row, which has to fit into one record of its topic.
MAX_BYTES = 8_000_000
#: Facts that always fit: each has four texts of 200 characters of 4 bytes, two of them with a source of 100 more, and 200 bytes around
#: them.
_FIT_ANYHOW = MAX_BYTES // (4 * 800 + 2 * 406 + 200)
#: Facts between two checks of the size of the row; their size must fit as well.
_CHECK_EVERY = 64


class ContactFact(NamedTuple):
    """The published fact of a contact of a known customer."""

    customer: str
    start_ms: int
    queue: str
    channel: str
    category: str | None
    resolved: bool
    first_contact: bool


class Contact(Struct, array_like=True, frozen=True, gc=False):
    """A contact, stored under the key of its customer."""

    start_ms: int
    queue: str
    channel: str
    category: str | None
    resolved: bool
    first_contact: bool


def customer_partition(key: str, partitions: int) -> int:
    """Return the home of a key: its partition of customer-facts."""
    return crc32(key.encode()) % partitions


def contact_name(conversation: str) -> str:
    """Return 11 characters that identify a conversation, by id and id space, among those of a customer."""
    return b64encode(blake2b(conversation.encode(), digest_size=8).digest())[:11].decode()


class Order(NamedTuple):
    """An order as placed; ``value_milli`` in thousandths of the currency's main unit."""

    at_ms: int
    order_id: str | None
    value_milli: int | None
    currency: str | None


class Cancellation(NamedTuple):
    """A cancelled order."""

    at_ms: int
    order_id: str


def fact_of_customer_event(event: Any, id_space: str) -> dict[str, Any] | None:
    """Return the record in customer-facts of a decoded customer event; None if it counts nothing."""
    fact_fields = {
        "event_id": event.event_id,
        "id_space": id_space,
        "customer_key": event.customer_key,
        "at_ms": event.occurred_ms,
        "sequence": event.sequence or 0,
    }
    match event.type:
        case "order.placed":
            value = None if event.value is None else round(event.value * 1000)
            return {"kind": "order", **fact_fields, "order_id": event.order_id, "value_milli": value, "currency": event.currency}
        case "order.cancelled":
            return None if event.order_id is None else {"kind": "cancellation", **fact_fields, "order_id": event.order_id}
        case "customer.activated" | "customer.churned":
            return {"kind": "status", **fact_fields, "active": event.type == "customer.activated"}
        case "customer.linked":
            return {"kind": "link", **fact_fields, "linked_key": event.linked_key}
        case _:
            return None


class Customer(Struct, array_like=True):
    """State of one key; ``base_``: the folded contacts that are too old to be stored individually."""

    base_first_ms: int | None = None  # start of the first contact
    base_last_ms: int = 0
    #: overfull: only the instant of the last fact is stored
    overfull: bool = False
    #: ``contact_name`` → contact
    contacts: dict[str, Contact] = {}
    #: event id → fact
    orders: dict[str, Order] = {}
    cancellations: dict[str, Cancellation] = {}
    #: event id → (at, sequence, active)
    statuses: dict[str, tuple[int, int, bool]] = {}

    def facts(self) -> int:
        """Return the number of stored facts."""
        return len(self.contacts) + len(self.orders) + len(self.cancellations) + len(self.statuses)

    def too_many(self) -> bool:
        """Return, after each fact, whether they exceed those of a single customer."""
        facts = self.facts()
        return facts > MAX_FACTS or (facts % _CHECK_EVERY == 0 and self.too_large())

    def too_large(self) -> bool:
        """Return whether the row is larger than a single customer's."""
        return self.facts() > _FIT_ANYHOW and len(encode(self.row())) > MAX_BYTES

    def empty(self) -> None:
        """Become overfull: drop all facts."""
        self.base_last_ms, self.base_first_ms = self.last_ms(), None
        for facts in (self.contacts, self.orders, self.cancellations, self.statuses):
            facts.clear()
        self.overfull = True

    def first_contact_ms(self) -> int | None:
        """Return the start of the first contact."""
        first = self.base_first_ms
        for contact in self.contacts.values():
            if first is None or contact.start_ms < first:
                first = contact.start_ms
        return first

    def last_ms(self) -> int:
        """Return the instant of the last fact."""
        last = self.base_last_ms
        for contact in self.contacts.values():
            if contact.start_ms > last:  # noqa: PLR1730 - at every fact
                last = contact.start_ms
        if self.orders or self.cancellations or self.statuses:
            for facts in (self.orders, self.cancellations, self.statuses):
                for fact in facts.values():
                    last = max(last, fact[0])
        return last

    def is_active(self) -> bool:
        """Return whether the last status is active."""
        return bool(self.statuses) and self.statuses_in_order()[-1][1]

    def orders_with_cancellations(self) -> list[tuple[Order, int | None]]:
        """Return the orders, each with the instant of its cancellation."""
        cancelled: dict[str, int] = {}
        for cancellation in self.cancellations.values():
            # Orders stored before ids had a space have none.
            for name in (cancellation.order_id, id_of(cancellation.order_id)):
                cancelled[name] = min(cancellation.at_ms, cancelled.get(name, cancellation.at_ms))
        orders: list[tuple[Order, int | None]] = []
        seen: set[str] = set()
        for _, order in sorted(self.orders.items(), key=lambda item: (item[1].at_ms, item[0])):
            order_id = order.order_id
            if order_id is None:
                orders.append((order, None))
            elif order_id not in seen and id_of(order_id) not in seen:
                seen.add(order_id)
                orders.append((order, cancelled.get(order_id)))
        return orders

    def statuses_in_order(self) -> list[tuple[int, bool]]:
        """Return the instants and values of status changes, in order."""
        ordered = sorted(self.statuses.items(), key=lambda item: (item[1][0], item[1][1], item[0]))
        return [(at, active) for _, (at, _, active) in ordered]

    def fold(self, before_ms: int) -> None:
        """Fold the contacts that began before an instant into the first and last start."""
        for name in [name for name, contact in self.contacts.items() if contact.start_ms < before_ms]:
            start = self.contacts.pop(name).start_ms
            self.base_first_ms = start if self.base_first_ms is None else min(start, self.base_first_ms)
            self.base_last_ms = max(start, self.base_last_ms)

    def forget(self, through_ms: int) -> bool:
        """Forget facts up to an instant; return whether none is left."""
        if self.last_ms() <= through_ms:
            return True
        self.contacts = {name: contact for name, contact in self.contacts.items() if contact.start_ms > through_ms}
        self.orders = {name: order for name, order in self.orders.items() if order.at_ms > through_ms}
        self.cancellations = {name: cancellation for name, cancellation in self.cancellations.items() if cancellation.at_ms > through_ms}
        self.statuses = {name: status for name, status in self.statuses.items() if status[0] > through_ms}
        self.base_first_ms, self.base_last_ms = None, self.base_last_ms if self.base_last_ms > through_ms else 0
        return False

    def row(self) -> dict[str, Any]:
        """Return the row for ``from_row``."""
        row: dict[str, Any] = {"base": (self.base_first_ms, self.base_last_ms)}
        for name in ("contacts", "orders", "cancellations", "statuses"):
            facts = getattr(self, name)
            if facts:
                row[name] = facts
        if self.overfull:
            row["overfull"] = True
        return row

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Customer:
        """Restore a row."""
        first, last = row["base"]
        contacts = dict(_contact_of_row(name, fact) for name, fact in row.get("contacts", {}).items())
        orders = {name: Order(*fact) for name, fact in row.get("orders", {}).items()}
        cancellations = {name: Cancellation(*fact) for name, fact in row.get("cancellations", {}).items()}
        statuses = {name: (at, sequence, active) for name, (at, sequence, active) in row.get("statuses", {}).items()}
        return cls(first, last, row.get("overfull", False), contacts, orders, cancellations, statuses)


def _contact_of_row(name: str, fact: list[Any]) -> tuple[str, Contact]:
    """Return a contact of a row; older ones begin with the customer and have the conversation's full name."""
    if len(fact) == len(ContactFact._fields):
        return contact_name(name), Contact(*fact[1:])
    return name, Contact(*fact)
