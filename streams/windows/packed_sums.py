"""Sums by the start of their slice and a key: recent ones at hand, settled ones in a fraction of the room."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Raw, msgpack

from streams.catalogue.quantities import LABEL_MARK

if TYPE_CHECKING:
    from collections.abc import Hashable

    from streams.windows.sums import Counts

__all__ = ["CELL_PACK_AFTER_MS", "PANE_PACK_AFTER_MS", "SumsByStart", "field_number", "field_of", "pack", "unpack"]

#: A slice that begins further behind the progress than this is packed: little is booked into it any more.
PANE_PACK_AFTER_MS = 120_000
CELL_PACK_AFTER_MS = 1_800_000

K = TypeVar("K", bound="Hashable")


class _Numbers(Generic[K]):
    """Numbers of names, in the order in which this process met them."""

    def __init__(self) -> None:
        self.of: dict[K, int] = {}
        self.names: list[K] = []

    def add(self, name: K) -> int:
        """Give a name the next number."""
        number = self.of[name] = len(self.names)
        self.names.append(name)
        return number


#: All fields but those with a label, of which there may be any number.
_fields: _Numbers[str] = _Numbers()
_keys: _Numbers[Any] = _Numbers()
_decode = msgpack.Decoder(dict[int | str, int]).decode
_decode_keyed = msgpack.Decoder(dict[int, Raw]).decode


def field_number(field: str) -> int | str:
    """Return what stands for a field in packed sums: its number, or itself if it has a label."""
    number = _fields.of.get(field)
    if number is None:
        return field if LABEL_MARK in field else _fields.add(field)
    return number


def field_of(number: int | str) -> str:
    """Return the field that ``field_number`` gave the number."""
    return number if isinstance(number, str) else _fields.names[number]


def pack(counts: Counts) -> bytes:
    """Return counts in a fraction of the room; only this process can read it."""
    return msgpack.encode({field_number(field): amount for field, amount in counts.items()})


def unpack(packed: bytes | Raw) -> Counts:
    """Return packed counts as they were."""
    names = _fields.names
    return {names[number] if type(number) is int else str(number): amount for number, amount in _decode(packed).items()}


class SumsByStart(Generic[K]):
    """Sums by start and key; what ``compact`` has packed stays packed until it is touched, a key at a time."""

    def __init__(self) -> None:
        self._live: dict[int, dict[K, Counts]] = {}
        #: start → all keys with their sums, but for those that are live
        self._settled: dict[int, bytes] = {}

    def own(self, start_ms: int, key: K) -> Counts:
        """Return the sums of a key, none at first, to be changed in place until they settle."""
        live = self._live.get(start_ms)
        if live is None:
            live = self._live[start_ms] = {}
        counts = live.get(key)
        if counts is None:
            counts = live[key] = self._unpacked(start_ms, key)
        return counts

    def exchange(self, start_ms: int, key: K, counts: Counts) -> Counts:
        """Put sums in the place of those there were, and return these."""
        live = self._live.get(start_ms)
        if live is None:
            live = self._live[start_ms] = {}
        before = live.get(key)
        live[key] = counts
        return self._unpacked(start_ms, key) if before is None else before

    def _unpacked(self, start_ms: int, key: K) -> Counts:
        settled = self._settled.get(start_ms)
        packed = None if settled is None else self._kept(settled).get(_keys.of.get(key, -1))
        return {} if packed is None else unpack(packed)

    def discard(self, key: K, start_ms: int) -> None:
        """Forget the sums of a key."""
        live = self._live.get(start_ms)
        if live is not None and live.pop(key, None) is not None and not live:
            del self._live[start_ms]
        number = _keys.of.get(key)
        if start_ms in self._settled and number is not None:
            packed = self._kept(self._settled[start_ms])
            if packed.pop(number, None) is not None:
                self._keep(start_ms, packed)

    def drop(self, start_ms: int) -> None:
        """Forget a start."""
        self._live.pop(start_ms, None)
        self._settled.pop(start_ms, None)

    def compact(self, before_ms: int) -> None:
        """Pack what begins before an instant."""
        numbers = _keys.of
        for start in [start for start in self._live if start < before_ms]:
            packed = self._kept(self._settled[start]) if start in self._settled else {}
            for key, counts in self._live.pop(start).items():
                number = numbers.get(key)
                packed[_keys.add(key) if number is None else number] = Raw(pack(counts))
            self._keep(start, packed)

    def _keep(self, start_ms: int, packed: dict[int, Raw]) -> None:
        if packed:
            self._settled[start_ms] = zlib.compress(msgpack.encode(packed))
        else:
            del self._settled[start_ms]

    def _kept(self, settled: bytes) -> dict[int, Raw]:
        return _decode_keyed(zlib.decompress(settled))

    def starts(self) -> list[int]:
        """Return the starts there are, in order."""
        return sorted({*self._live, *self._settled})

    def keys(self, start_ms: int) -> list[K]:
        """Return the keys of a start."""
        settled = self._settled.get(start_ms)
        packed = [] if settled is None else [_keys.names[number] for number in self._kept(settled)]
        return list(dict.fromkeys([*packed, *self._live.get(start_ms, ())]))

    @property
    def live(self) -> int:
        """How many sums are not packed."""
        return sum(map(len, self._live.values()))

    def __len__(self) -> int:
        return sum(len(self.keys(start)) for start in self.starts())
