"""Rows of conversations that are over, many packed together: they are kept for a day, and hardly any is asked for again."""

from __future__ import annotations

from array import array
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from cramjam import zstd
from msgspec import msgpack

from streams.tracking.unread import Unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["PackedRows"]

#: So many are packed together: what they have in common is then written once. One that is asked for costs the unpacking of all.
_TOGETHER: Final = 32
_FASTEST: Final = 1

_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder(list[Unread]).decode


class _Pack:
    """Conversations packed together; of one that has been taken out the name is None. ``gone``: bytes of rows that were taken out."""

    __slots__ = ("dues", "events", "gone", "last_ms", "left", "names", "packed", "rows")

    def __init__(self, unread: dict[str, Unread]) -> None:
        each = list(unread.values())
        self.names: list[str | None] = list(unread)
        self.packed = bytes(zstd.compress(_encode(each), _FASTEST))
        self.dues = array("q", [one.due_ms for one in each])
        self.events = array("I", [one.events for one in each])
        self.rows = array("I", [len(one.rows) for one in each])
        self.last_ms = max(one.last_ms for one in each)
        self.left = len(each)
        self.gone = 0

    def remove(self, place: int) -> None:
        """Forget one; the bytes of all stay until the last one is forgotten."""
        self.names[place] = None
        self.left -= 1
        if not self.left:
            self.packed = b""


def _size(unread: Unread) -> int:
    return sum(map(len, unread.rows))


class PackedRows:
    """Rows of conversations by name; as ``Frozen`` of ``streams.tracking.unread`` has it, of what is over."""

    def __init__(self) -> None:
        #: what each is packed in, or its rows while those that there are do not make a pack yet
        self.places: dict[str, _Pack | Unread] = {}
        self._loose: dict[str, Unread] = {}
        #: when the first of a pack is due, and how many packs there were before it
        self._due: list[tuple[int, int, _Pack]] = []
        self._number = 0
        #: how many of these packs, about, have nothing left
        self._dissolved = 0
        #: what was unpacked last: who asks for one mostly asks for its neighbours too
        self._looked_into: tuple[_Pack, list[Unread]] | None = None

    def put(self, rows: Iterable[tuple[str, Unread]]) -> None:
        """Take in rows by name, of conversations that are over and not among them."""
        for name, unread in rows:
            self.places[name] = self._loose[name] = unread
            if len(self._loose) == _TOGETHER:
                pack = _Pack(self._loose)
                self.places.update(dict.fromkeys(self._loose, pack))
                self._loose = {}
                self._number += 1
                heappush(self._due, (min(pack.dues), self._number, pack))

    def take(self, name: str) -> Unread | None:
        """Return the rows of a conversation, and forget them."""
        pack = self.places.pop(name, None)
        if not isinstance(pack, _Pack):
            return self._loose.pop(name, None)
        if self._looked_into is None or self._looked_into[0] is not pack:
            self._looked_into = pack, _decode(bytes(zstd.decompress(pack.packed)))
        place, each = pack.names.index(name), self._looked_into[1]
        pack.remove(place)
        pack.gone += _size(each[place])
        if 2 * pack.gone > sum(map(_size, each)):
            # Else who touches a large one again and again would leave its bytes in every pack that it was in.
            self._dissolve(pack, each)
        return each[place]

    def _dissolve(self, pack: _Pack, each: list[Unread]) -> None:
        """Have what is left in a pack be packed with others."""
        left = [(name, one) for name, one in zip(pack.names, each, strict=True) if name is not None]
        pack.left, pack.packed, self._looked_into = 0, b"", None
        self._dissolved += 1
        if 2 * self._dissolved > len(self._due):
            self._due = [due for due in self._due if due[2].left]
            heapify(self._due)
            self._dissolved = 0
        self.put(left)

    def take_over(self, before_ms: int) -> list[tuple[str, int, int]]:
        """Forget what was due before an instant; return names, each with its events and rows."""
        self._looked_into = None
        found = [(name, each.events, len(each.rows)) for name, each in self._loose.items() if each.due_ms < before_ms]
        for over, _, _ in found:
            del self._loose[over], self.places[over]
        while self._due and self._due[0][0] < before_ms:
            _, number, pack = heappop(self._due)
            if not pack.left:
                continue
            later = []
            for place, (name, due_ms) in enumerate(zip(pack.names, pack.dues, strict=True)):
                if name is None:
                    continue
                if due_ms < before_ms:
                    found.append((name, pack.events[place], pack.rows[place]))
                    del self.places[name]
                    pack.remove(place)
                else:
                    later.append(due_ms)
            if later:
                heappush(self._due, (min(later), number, pack))
        return found

    def open_before(self, before_ms: int) -> list[str]:  # noqa: ARG002 - what is open is not here
        """Return no names: nothing here is open."""
        return []

    def open_or_since(self, at_ms: int) -> list[str]:
        """Return the names of what has something of an instant or later, and of what is packed with it."""
        found = [name for name, each in self._loose.items() if each.last_ms >= at_ms]
        for _, _, pack in self._due:
            if pack.left and pack.last_ms >= at_ms:
                found += [name for name in pack.names if name is not None]
        return found

    def __contains__(self, name: object) -> bool:
        return name in self.places

    def __iter__(self) -> Iterator[str]:
        return iter([*self.places])

    def __len__(self) -> int:
        return len(self.places)
