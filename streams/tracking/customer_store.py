"""All customers by key, each packed until it is touched: there are many, and hardly any is heard of in a minute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import msgpack

from streams.tracking.buckets import Buckets
from streams.tracking.customer_facts import Cancellation, ContactFact, Customer, Order

__all__ = ["Customers"]

#: Bytes of a packed customer that say when something was last heard.
_HEAD = 8


class Customers(Mapping[str, Customer]):
    """Customers by key; one that is only looked at is a copy."""

    def __init__(self) -> None:
        self._packed = Buckets()
        #: those that are being changed, in place of what is packed of them
        self._live: dict[str, Customer] = {}

    def __getitem__(self, key: str) -> Customer:
        if key in self._live:
            return self._live[key]
        packed = self._packed.get(key)
        if packed is None:
            raise KeyError(key)
        return _unpack(key, packed)

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and (key in self._live or key in self._packed)

    def own(self, key: str) -> Customer:
        """Return a customer, a new one if there is none, to be changed until ``settle``."""
        customer = self._live.get(key)
        if customer is None:
            packed = self._packed.get(key)
            if packed is None:
                packed = b""
                self._packed.put(key, packed)
            customer = self._live[key] = _unpack(key, packed)
        return customer

    def put(self, key: str, customer: Customer) -> None:
        """Take in a customer."""
        self._packed.put(key, _pack(customer))

    def __delitem__(self, key: str) -> None:
        if self._packed.pop(key) is None:
            raise KeyError(key)
        self._live.pop(key, None)

    def last_ms(self, key: str) -> int:
        """Return when something was last heard of a customer."""
        customer = self._live.get(key)
        if customer is not None:
            return customer.last_ms()
        packed = self._packed.get(key)
        if packed is None:
            raise KeyError(key)
        return _last_ms(packed)

    def silent(self, number: int, before_ms: int) -> list[str]:
        """Return those in a bucket, of which there are ``buckets``, of whom nothing was heard since an instant."""
        live = self._live
        return [
            key
            for key, packed in self._packed.bucket(number).items()
            if (live[key].last_ms() if key in live else _last_ms(packed)) < before_ms
        ]

    @property
    def buckets(self) -> int:
        """In how many buckets the customers are kept by now."""
        return self._packed.buckets

    def rest(self, number: int) -> None:
        """Let a bucket take less room."""
        self._packed.rest(number)

    def settle(self) -> None:
        """Pack those that were changed."""
        for key, customer in self._live.items():
            self._packed.put(key, _pack(customer))
        self._live = {}


def _last_ms(packed: bytes) -> int:
    return int.from_bytes(packed[:_HEAD], signed=True)


def _pack(customer: Customer) -> bytes:
    contacts = {name: contact[1:] for name, contact in customer.contacts.items()}  # without the customer, which is the key
    base = (customer.base_first_ms, customer.base_last_ms)
    facts = (contacts, customer.orders, customer.cancellations, customer.statuses, customer.links)
    return customer.last_ms().to_bytes(_HEAD, signed=True) + msgpack.encode((*base, customer.overfull, *facts))


def _unpack(key: str, packed: bytes) -> Customer:
    customer = Customer()
    if packed:
        first, last, overfull, contacts, orders, cancellations, statuses, links = msgpack.decode(memoryview(packed)[_HEAD:])
        customer.base_first_ms, customer.base_last_ms, customer.overfull = first, last, overfull
        customer.contacts = {name: ContactFact(key, *fact) for name, fact in contacts.items()}
        customer.orders = {name: Order(*fact) for name, fact in orders.items()}
        customer.cancellations = {name: Cancellation(*fact) for name, fact in cancellations.items()}
        customer.statuses = {name: (at, sequence, active) for name, (at, sequence, active) in statuses.items()}
        customer.links = {name: (at, other) for name, (at, other) in links.items()}
    return customer
