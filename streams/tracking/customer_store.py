"""All customers by key, each packed until it changes: there are many, and few change in a minute."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Protocol

from msgspec import msgpack

from streams.tracking.customer_facts import Customer
from streams.windows.slices import DAY_MS

__all__ = ["Cold", "Customers"]

_MONTH_MS = 30 * DAY_MS

_pack = msgpack.Encoder().encode
_unpack = msgpack.Decoder(Customer).decode
#: A key of connectors: a version and a digest in hexadecimal, stored as bytes.
_VERSION, _DIGEST = 3, 64


def _short(key: str) -> bytes:
    if len(key) == _VERSION + _DIGEST and key[0] == "v" and key[_VERSION - 1] == ":":
        try:
            digest = bytes.fromhex(key[_VERSION:])
        except ValueError:
            pass
        else:
            if digest.hex() == key[_VERSION:]:
                return b"\0" + key[1].encode() + digest
    return b"\1" + key.encode()


def _long(short: bytes) -> str:
    if short[0]:
        return short[1:].decode()
    digest = short[-_DIGEST // 2 :]
    return f"v{short[1 : -_DIGEST // 2].decode()}:{digest.hex()}"


class Cold(Protocol):
    """Packed customers by short key outside of memory: most customers of a complete input stay silent."""

    def put(self, rows: Iterable[tuple[bytes, int, bytes]]) -> None:
        """Add new customers, each with the instant of its last fact."""

    def get(self, key: bytes) -> bytes | None:
        """Return a customer."""

    def take(self, key: bytes) -> bytes | None:
        """Remove and return a customer."""

    def silent_before(self, at_ms: int) -> list[bytes]:
        """Return the keys without facts at an instant or later."""

    def __contains__(self, key: object) -> bool: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __len__(self) -> int: ...


class Customers(Mapping[str, Customer]):
    """Customers by key; access without ``find`` or ``own`` returns a copy."""

    def __init__(self) -> None:
        self._packed: dict[bytes, bytes] = {}
        #: customers being changed, instead of their packed form
        self._live: dict[str, Customer] = {}
        #: keys that ``some`` has yet to return in this round
        self._round: list[bytes] = []
        #: store of all but the last changed customers
        self._cold: Cold | None = None
        self._most = 0
        self._swept_to_ms = 0

    def keep_few(self, most: int, cold: Cold) -> None:
        """Keep at most ``most`` customers in memory, and at least about half as many."""
        self._most, self._cold = most, cold

    def __getitem__(self, key: str) -> Customer:
        live = self._live.get(key)
        if live is not None:
            return live
        short = _short(key)
        packed = self._packed.get(short)
        if packed is None and self._cold is not None:
            packed = self._cold.get(short)
        if packed is None:
            raise KeyError(key)
        return _unpack(packed)

    def __iter__(self) -> Iterator[str]:
        return map(_long, [*self._packed, *(self._cold or ())])

    def __len__(self) -> int:
        return len(self._packed) + len(self._cold or ())

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        if key in self._live:
            return True
        short = _short(key)
        return short in self._packed or (self._cold is not None and short in self._cold)

    def find(self, key: str) -> Customer | None:
        """Return a customer, if there is one, mutable until ``pack``."""
        customer = self._live.get(key)
        if customer is None:
            short = _short(key)
            packed = self._packed.get(short)
            if packed is None and self._cold is not None:
                packed = self._cold.take(short)
                if packed is not None:
                    self._packed[short] = packed
            if packed is not None:
                customer = self._live[key] = _unpack(packed)
        return customer

    def own(self, key: str) -> Customer:
        """Return a customer, a new one if there is none, mutable until ``pack``."""
        customer = self.find(key)
        if customer is None:
            self._packed[_short(key)] = b""
            customer = self._live[key] = Customer()
        return customer

    def put(self, key: str, customer: Customer) -> None:
        """Add a customer."""
        self._packed[_short(key)] = _pack(customer)

    def __delitem__(self, key: str) -> None:
        short = _short(key)
        if self._packed.pop(short, None) is None and (self._cold is None or self._cold.take(short) is None):
            raise KeyError(key)
        self._live.pop(key, None)

    def some(self, number: int, before_ms: int = 0) -> list[str]:
        """Return the keys of ``number`` customers, in rounds over all of them.

        Add the customers outside of memory that were silent since ``before_ms``, whenever that is a month later.
        """
        if not self._round:
            self._round = list(self._packed)
        self._round, keys = self._round[:-number], self._round[-number:]
        keys = [short for short in keys if short in self._packed]
        if self._cold is not None and before_ms >= self._swept_to_ms + _MONTH_MS:
            self._swept_to_ms = before_ms
            keys += self._cold.silent_before(before_ms)
        return [_long(short) for short in keys]

    def pack(self) -> None:
        """Pack the changed customers."""
        packed, cold = self._packed, self._cold
        for key, customer in self._live.items():
            short = _short(key)
            if cold is not None:
                packed.pop(short, None)  # the last changed are the last in order
            packed[short] = _pack(customer)
        self._live = {}
        if cold is not None and len(packed) > self._most:
            oldest = list(islice(packed, len(packed) - self._most // 2))
            cold.put([(short, _unpack(packed[short]).last_ms(), packed.pop(short)) for short in oldest])
