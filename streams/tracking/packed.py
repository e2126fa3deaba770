"""Packed rows of closed conversations: they are retained for a day, and hardly any is read again."""

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

#: Conversations in a pack: common content compresses well, but reading one unpacks all.
_TOGETHER: Final = 32
_FASTEST: Final = 1

_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder(list[Unread]).decode


class _Pack:
    """Conversations packed together; the name of a removed one is None. ``gone``: bytes of removed rows."""

    __slots__ = ("dues", "events", "gone", "last_ms", "left", "names", "packed", "rows")

    def __init__(self, unread: dict[str, Unread]) -> None:
        entries = list(unread.values())
        self.names: list[str | None] = list(unread)
        self.packed = bytes(zstd.compress(_encode(entries), _FASTEST))
        self.dues = array("q", [entry.due_ms for entry in entries])
        self.events = array("I", [entry.events for entry in entries])
        self.rows = array("I", [len(entry.rows) for entry in entries])
        self.last_ms = max(entry.last_ms for entry in entries)
        self.left = len(entries)
        self.gone = 0

    def remove(self, index: int) -> None:
        """Remove one; the bytes of all stay until the last is removed."""
        self.names[index] = None
        self.left -= 1
        if not self.left:
            self.packed = b""


def _size(unread: Unread) -> int:
    return sum(map(len, unread.rows))


class PackedRows:
    """Rows of closed conversations by name; a ``Frozen`` of ``streams.tracking.unread``."""

    def __init__(self) -> None:
        #: name → its pack, or its rows until there are enough for a pack
        self.stored: dict[str, _Pack | Unread] = {}
        self._loose: dict[str, Unread] = {}
        #: first due time of a pack, and number of earlier packs
        self._due: list[tuple[int, int, _Pack]] = []
        self._number = 0
        #: approximate number of these packs with nothing left
        self._dissolved = 0
        #: the pack unpacked last: its neighbours are often read next
        self._last_unpacked: tuple[_Pack, list[Unread]] | None = None

    def put(self, rows: Iterable[tuple[str, Unread]]) -> None:
        """Add rows of new closed conversations by name."""
        for name, unread in rows:
            self.stored[name] = self._loose[name] = unread
            if len(self._loose) == _TOGETHER:
                pack = _Pack(self._loose)
                self.stored.update(dict.fromkeys(self._loose, pack))
                self._loose = {}
                self._number += 1
                heappush(self._due, (min(pack.dues), self._number, pack))

    def take(self, name: str) -> Unread | None:
        """Remove and return the rows of a conversation."""
        pack = self.stored.pop(name, None)
        if not isinstance(pack, _Pack):
            return self._loose.pop(name, None)
        if self._last_unpacked is None or self._last_unpacked[0] is not pack:
            self._last_unpacked = pack, _decode(bytes(zstd.decompress(pack.packed)))
        index, entries = pack.names.index(name), self._last_unpacked[1]
        pack.remove(index)
        pack.gone += _size(entries[index])
        if 2 * pack.gone > sum(map(_size, entries)):
            # A large conversation read again and again would leave its bytes in each of its packs.
            self._dissolve(pack, entries)
        return entries[index]

    def _dissolve(self, pack: _Pack, entries: list[Unread]) -> None:
        """Pack the remaining conversations of a pack with others."""
        left = [(name, entry) for name, entry in zip(pack.names, entries, strict=True) if name is not None]
        pack.left, pack.packed, self._last_unpacked = 0, b"", None
        self._dissolved += 1
        if 2 * self._dissolved > len(self._due):
            self._due = [due for due in self._due if due[2].left]
            heapify(self._due)
            self._dissolved = 0
        self.put(left)

    def take_over(self, before_ms: int) -> list[tuple[str, int, int]]:
        """Remove conversations due before an instant; return names, each with numbers of events and rows."""
        self._last_unpacked = None
        due = [(name, unread.events, len(unread.rows)) for name, unread in self._loose.items() if unread.due_ms < before_ms]
        for name, _, _ in due:
            del self._loose[name], self.stored[name]
        while self._due and self._due[0][0] < before_ms:
            _, number, pack = heappop(self._due)
            if not pack.left:
                continue
            later = []
            for index, (packed, due_ms) in enumerate(zip(pack.names, pack.dues, strict=True)):
                if packed is None:
                    continue
                if due_ms < before_ms:
                    due.append((packed, pack.events[index], pack.rows[index]))
                    del self.stored[packed]
                    pack.remove(index)
                else:
                    later.append(due_ms)
            if later:
                heappush(self._due, (min(later), number, pack))
        return due

    def open_before(self, before_ms: int) -> list[str]:  # noqa: ARG002 - what is open is not here
        """Return no names: nothing here is open."""
        return []

    def open_or_since(self, at_ms: int) -> list[str]:
        """Return the names of conversations with events at an instant or later, and of their packs."""
        names = [name for name, unread in self._loose.items() if unread.last_ms >= at_ms]
        for _, _, pack in self._due:
            if pack.left and pack.last_ms >= at_ms:
                names += [name for name in pack.names if name is not None]
        return names

    def __contains__(self, name: object) -> bool:
        return name in self.stored

    def __iter__(self) -> Iterator[str]:
        return iter([*self.stored])

    def __len__(self) -> int:
        return len(self.stored)
