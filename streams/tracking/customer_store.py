"""All customers by key, each packed until it is touched: there are many, and hardly any changes in a minute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import msgpack

from streams.tracking.customer_facts import Customer

__all__ = ["Customers"]

_pack = msgpack.Encoder().encode
_unpack = msgpack.Decoder(Customer).decode
#: A key as connectors make it: a version and a digest in hexadecimal, of which half the characters are enough.
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


class Customers(Mapping[str, Customer]):
    """Customers by key; one that is only looked at is a copy."""

    def __init__(self) -> None:
        self._packed: dict[bytes, bytes] = {}
        #: those that are being changed, in place of what is packed of them
        self._live: dict[str, Customer] = {}
        #: those that ``some`` has still to return in this round
        self._round: list[bytes] = []

    def __getitem__(self, key: str) -> Customer:
        live = self._live.get(key)
        return _unpack(self._packed[_short(key)]) if live is None else live

    def __iter__(self) -> Iterator[str]:
        return map(_long, self._packed)

    def __len__(self) -> int:
        return len(self._packed)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and (key in self._live or _short(key) in self._packed)

    def find(self, key: str) -> Customer | None:
        """Return a customer, if there is one, to be changed until ``settle``."""
        customer = self._live.get(key)
        if customer is None:
            packed = self._packed.get(_short(key))
            if packed is not None:
                customer = self._live[key] = _unpack(packed)
        return customer

    def own(self, key: str) -> Customer:
        """Return a customer, a new one if there is none, to be changed until ``settle``."""
        customer = self.find(key)
        if customer is None:
            self._packed[_short(key)] = b""
            customer = self._live[key] = Customer()
        return customer

    def put(self, key: str, customer: Customer) -> None:
        """Take in a customer."""
        self._packed[_short(key)] = _pack(customer)

    def __delitem__(self, key: str) -> None:
        del self._packed[_short(key)]
        self._live.pop(key, None)

    def some(self, number: int) -> list[str]:
        """Return so many customers, each time others: those there are, one after the other, as often as it takes."""
        if not self._round:
            self._round = list(self._packed)
        self._round, found = self._round[:-number], self._round[-number:]
        return [_long(short) for short in found if short in self._packed]

    def settle(self) -> None:
        """Pack those that were changed."""
        for key, customer in self._live.items():
            self._packed[_short(key)] = _pack(customer)
        self._live = {}
