"""Sums by the start of their slice and a key: recent ones as dictionaries, older ones packed."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Raw, msgpack

from streams.catalogue.quantities import LABEL_MARK

if TYPE_CHECKING:
    from collections.abc import Hashable

    from streams.windows.sums import Counts

__all__ = ["CELL_PACK_AFTER_MS", "PANE_PACK_AFTER_MS", "SumsByStart", "field_number", "field_of", "pack", "unpack"]

#: A slice that begins this far behind the watermark is packed: later bookings are rare.
PANE_PACK_AFTER_MS = 120_000
CELL_PACK_AFTER_MS = 1_800_000

K = TypeVar("K", bound="Hashable")


class _Numbers(Generic[K]):
    """Numbers of names, in the order in which this process first saw them."""

    def __init__(self) -> None:
        self.of: dict[K, int] = {}
        self.names: list[K] = []

    def add(self, name: K) -> int:
        """Give a name the next number."""
        number = self.of[name] = len(self.names)
        self.names.append(name)
        return number


#: Fields without a label; labels are unbounded.
_fields: _Numbers[str] = _Numbers()
_keys: _Numbers[Any] = _Numbers()
_decode = msgpack.Decoder(dict[int | str, int]).decode
_decode_keyed = msgpack.Decoder(dict[int, Raw]).decode


def field_number(field: str) -> int | str:
    """Return the key of a field in packed sums: its number, or the field itself if it has a label."""
    number = _fields.of.get(field)
    if number is None:
        return field if LABEL_MARK in field else _fields.add(field)
    return number


def field_of(number: int | str) -> str:
    """Return the field that ``field_number`` gave the number."""
    return number if isinstance(number, str) else _fields.names[number]


def pack(counts: Counts) -> bytes:
    """Return counts packed; only this process can read them."""
    return msgpack.encode({field_number(field): amount for field, amount in counts.items()})


def unpack(packed: bytes | Raw) -> Counts:
    """Return the counts that ``pack`` packed."""
    names = _fields.names
    return {names[number] if type(number) is int else str(number): amount for number, amount in _decode(packed).items()}


class SumsByStart(Generic[K]):
    """Sums by start and key; ``compact`` packs them, and access to a key unpacks that key alone."""

    def __init__(self) -> None:
        self._live: dict[int, dict[K, Counts]] = {}
        #: start → packed sums by key; live sums override them
        self._packed: dict[int, bytes] = {}

    def own(self, start_ms: int, key: K) -> Counts:
        """Return the sums of a key, to change in place; valid until the next ``compact``."""
        live = self._live.get(start_ms)
        if live is None:
            live = self._live[start_ms] = {}
        counts = live.get(key)
        if counts is None:
            counts = live[key] = self._unpacked(start_ms, key)
        return counts

    def exchange(self, start_ms: int, key: K, counts: Counts) -> Counts:
        """Replace the sums of a key, and return the former ones."""
        live = self._live.get(start_ms)
        if live is None:
            live = self._live[start_ms] = {}
        before = live.get(key)
        live[key] = counts
        return self._unpacked(start_ms, key) if before is None else before

    def _unpacked(self, start_ms: int, key: K) -> Counts:
        compressed = self._packed.get(start_ms)
        packed = None if compressed is None else self._load(compressed).get(_keys.of.get(key, -1))
        return {} if packed is None else unpack(packed)

    def discard(self, key: K, start_ms: int) -> None:
        """Forget the sums of a key."""
        live = self._live.get(start_ms)
        if live is not None and live.pop(key, None) is not None and not live:
            del self._live[start_ms]
        number = _keys.of.get(key)
        if start_ms in self._packed and number is not None:
            packed = self._load(self._packed[start_ms])
            if packed.pop(number, None) is not None:
                self._save(start_ms, packed)

    def drop(self, start_ms: int) -> None:
        """Forget a start."""
        self._live.pop(start_ms, None)
        self._packed.pop(start_ms, None)

    def compact(self, before_ms: int) -> None:
        """Pack the starts before an instant."""
        numbers = _keys.of
        for start in [start for start in self._live if start < before_ms]:
            packed = self._load(self._packed[start]) if start in self._packed else {}
            for key, counts in self._live.pop(start).items():
                number = numbers.get(key)
                packed[_keys.add(key) if number is None else number] = Raw(pack(counts))
            self._save(start, packed)

    def _save(self, start_ms: int, packed: dict[int, Raw]) -> None:
        if packed:
            self._packed[start_ms] = zlib.compress(msgpack.encode(packed))
        else:
            del self._packed[start_ms]

    def _load(self, compressed: bytes) -> dict[int, Raw]:
        return _decode_keyed(zlib.decompress(compressed))

    def starts(self) -> list[int]:
        """Return all starts, in order."""
        return sorted({*self._live, *self._packed})

    def keys(self, start_ms: int) -> list[K]:
        """Return the keys of a start."""
        compressed = self._packed.get(start_ms)
        packed = [] if compressed is None else [_keys.names[number] for number in self._load(compressed)]
        return list(dict.fromkeys([*packed, *self._live.get(start_ms, ())]))

    @property
    def live(self) -> int:
        """Number of sums that are not packed."""
        return sum(map(len, self._live.values()))

    def __len__(self) -> int:
        return sum(len(self.keys(start)) for start in self.starts())
