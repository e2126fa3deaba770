"""The newest record of each key of a compacted topic, fed record by record; no clock, no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from streams.access.views import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from streams.access.views import View

__all__ = ["Changes", "Entry", "Latest", "ScopeKey"]

#: Kind and name of a record's scope, and its channel; without a kind the record is about the entire stream.
ScopeKey = tuple[str | None, str, str | None]

#: Removed keys that are held for followers; a follower further behind gets everything again.
_MAX_REMOVED = 10_000


class _Record(Protocol):
    @property
    def revision(self) -> int: ...


class _Entry(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def revision(self) -> int: ...


_R = TypeVar("_R", bound=_Record)


@dataclass(slots=True, frozen=True)
class Entry(Generic[_R]):
    """One record as received."""

    key: str
    record: _R
    #: The value as in the topic, including fields unknown to this version.
    raw: bytes
    #: The table's version that added it.
    version: int

    @property
    def revision(self) -> int:
        """The revision of the record."""
        return self.record.revision


_E = TypeVar("_E", bound=_Entry)


@dataclass(slots=True, frozen=True)
class Changes(Generic[_E]):
    """The changes of a table since an earlier version."""

    version: int
    changed: list[_E]
    removed: list[str]


class Latest(Generic[_E]):
    """The newest record of each key.

    ``version`` grows with every change. A record whose revision is not higher than its predecessor's is a repeat and changes nothing.
    """

    def __init__(self) -> None:
        self.version = 0
        #: Records that could not be read and were left out.
        self.rejected = 0
        #: Whether the topic has been read: if not, an empty table means unknown.
        self.known = False
        #: Key → entry, the one changed last at the end.
        self._entries: dict[str, _E] = {}
        #: Removed key → version and scope key, the last removed at the end.
        self._removed: dict[str, tuple[int, ScopeKey]] = {}
        #: Changes since earlier versions are unknown.
        self._known_since = 0
        self._callbacks: list[Callable[[], None]] = []

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def scope_key(self, entry: _E) -> ScopeKey:
        """Return the scope key of an entry."""
        raise NotImplementedError

    def seen(self, entries: Iterable[_E], view: View) -> list[_E]:
        """Return the entries that a view shows, in their order."""
        if view.everything:
            return [*entries]
        shows, scope_key = view.shows, self.scope_key
        return [entry for entry in entries if shows(*scope_key(entry))]

    def read(self, key: str, value: bytes, version: int, partition: int | None) -> _E:
        """Return the entry of a record, from a partition if it is given; raise ValueError if the record is invalid."""
        raise NotImplementedError

    def entries(self) -> list[_E]:
        """Return all entries, by key."""
        return sorted(self._entries.values(), key=lambda entry: entry.key)

    def empty(self) -> Self:
        """Return an empty table of the same kind."""
        return type(self)()

    def copy(self) -> Self:
        """Return a frozen copy, for a reader in another thread."""
        other = self.empty()
        vars(other).update(vars(self), _entries=self._entries.copy(), _removed={}, _known_since=self.version, _callbacks=[])
        return other

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change, until the returned function is called."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def feed(self, key: bytes | None, value: bytes | None, partition: int | None = None) -> bool:
        """Apply one record of the topic, a tombstone if it has no value; return whether anything changed. Never raises."""
        try:
            name = (key or b"").decode()
            entry = None if value is None else self.read(name, value, self.version + 1, partition)
        except ValueError:  # invalid JSON, record, time or UTF-8
            self.rejected += 1
            return False
        if not name:
            self.rejected += 1
            return False
        return self._remove(name) if entry is None else self._put(entry)

    def take_over(self, other: Self) -> None:
        """Replace the content by that of ``other``, as read from the topic; followers of this table get everything again."""
        # Beyond the versions of all entries taken over: followers get all of them.
        self.version = max(self.version, other.version) + 1
        self._entries = other._entries.copy()
        self._removed.clear()
        self._known_since = self.version
        self.rejected += other.rejected
        self.known = True
        self._replaced()
        self._changed()

    def resend_all(self) -> None:
        """Send everything to all clients again, because the settings shown with the records have changed."""
        self.version += 1
        self._known_since = self.version
        self._removed.clear()
        self._changed()

    def changes_since(self, version: int, view: View = EVERYTHING) -> Changes[_E] | None:
        """Return the changes after ``version`` that a view shows, or None if that is too long ago: then everything may have changed."""
        if version < self._known_since or version > self.version:
            return None
        changed = self.seen(_newer(self._entries, version), view)
        removed = [key for key, (at, scope_key) in self._removed.items() if at > version and (view.everything or view.shows(*scope_key))]
        return Changes(self.version, changed, removed)

    def _replaced(self, entry: _E | None = None, before: _E | None = None) -> None:
        """Recompute what is derived from entries after one was added, replaced or removed, or all were; do not change it in place."""

    def _put(self, entry: _E) -> bool:
        before = self._entries.get(entry.key)
        if before is not None and entry.revision <= before.revision:
            return False
        self._entries.pop(entry.key, None)
        self._removed.pop(entry.key, None)
        self.version = entry.version
        self._entries[entry.key] = entry
        self._replaced(entry, before)
        self._changed()
        return True

    def _remove(self, key: str) -> bool:
        gone = self._entries.pop(key, None)
        if gone is None:
            return False
        self.version += 1
        self._removed[key] = self.version, self.scope_key(gone)
        if len(self._removed) > _MAX_REMOVED:
            oldest = next(iter(self._removed))
            self._known_since, _ = self._removed.pop(oldest)
        self._replaced(None, gone)
        self._changed()
        return True

    def _changed(self) -> None:
        for callback in self._callbacks:
            callback()


def _newer(entries: dict[str, _E], version: int) -> Iterator[_E]:
    for entry in reversed(entries.values()):
        if entry.version <= version:
            return
        yield entry
