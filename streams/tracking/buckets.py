"""Bytes by text in little room: a few share an object, which costs more than what most of them hold."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from msgspec import msgpack

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Buckets"]

#: How many share a bucket, on average.
_SHARE = 8

_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder(dict[str, bytes]).decode
_EMPTY = _encode({})
#: The first byte of what is compressed; none of msgpack's maps begins with it.
_COMPRESSED = 0x78


class Buckets:
    """A dictionary of packed buckets that grows by one of them at a time, so that nobody ever waits for all to be packed anew.

    Those at ``rest`` take half the room and three to five times as long to be looked into, until something in them changes.
    Which key is in which bucket: linear hashing (W. Litwin, "Linear hashing: a new tool for file and table addressing", VLDB 1980).
    """

    def __init__(self) -> None:
        self._buckets = [_EMPTY]
        #: the largest power of two of buckets that there are
        self._whole = 1
        self._length = 0
        #: the bucket looked into last, and what is in it: a key is mostly asked for several times in a row
        self._place_open, self._open = 0, dict[str, bytes]()

    def get(self, key: str) -> bytes | None:
        """Return what is kept under a key."""
        return self._look(self._place(key)).get(key)

    def put(self, key: str, value: bytes) -> None:
        """Keep under a key, in the place of what there was."""
        place = self._place(key)
        kept = self._look(place)
        before = len(kept)
        kept[key] = value
        self._buckets[place] = _encode(kept)
        self._length += len(kept) - before
        if self._length > _SHARE * len(self._buckets):
            self._split()

    def pop(self, key: str) -> bytes | None:
        """Forget a key; return what was kept under it."""
        place = self._place(key)
        kept = self._look(place)
        value = kept.pop(key, None)
        if value is not None:
            self._length -= 1
            self._buckets[place] = _encode(kept)
        return value

    def _look(self, place: int) -> dict[str, bytes]:
        if place != self._place_open:
            self._place_open, self._open = place, self.bucket(place)
        return self._open

    def _place(self, key: str) -> int:
        number = hash(key) & (2 * self._whole - 1)
        return number if number < len(self._buckets) else number & (self._whole - 1)

    def _split(self) -> None:
        """Share what is in the oldest bucket of this size with a new one."""
        place = len(self._buckets) - self._whole
        kept = self.bucket(place)
        self._place_open = -1
        self._buckets.append(_EMPTY)
        moved = {key: value for key, value in kept.items() if self._place(key) != place}
        self._buckets[-1] = _encode(moved)
        self._buckets[place] = _encode({key: value for key, value in kept.items() if key not in moved})
        if len(self._buckets) == 2 * self._whole:
            self._whole *= 2

    def bucket(self, number: int) -> dict[str, bytes]:
        """Return what is in a bucket, of which there are as many as ``buckets`` says; not to be changed."""
        packed = self._buckets[number]
        return _decode(zlib.decompress(packed) if packed[0] == _COMPRESSED else packed)

    def rest(self, number: int) -> None:
        """Compress a bucket in which nothing may change for a while."""
        packed = self._buckets[number]
        if packed[0] != _COMPRESSED and packed != _EMPTY:
            self._buckets[number] = zlib.compress(packed)

    @property
    def buckets(self) -> int:
        """How many buckets there are by now."""
        return len(self._buckets)

    def __iter__(self) -> Iterator[str]:
        for number in range(len(self._buckets)):
            yield from self.bucket(number)

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def __len__(self) -> int:
        return self._length
