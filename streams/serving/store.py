"""The newest metric records in memory, fed record by record; no clock, no network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.metrics import MetricRecord, NowFigures, ProgressFigures, WindowFigures
from schemas.times import parse_time_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Changes", "Entry", "Source", "Store"]

_RECORD: TypeAdapter[WindowFigures | NowFigures | ProgressFigures] = TypeAdapter(MetricRecord)

#: How many removed keys are remembered for those who follow; who is further behind gets everything anew.
_MAX_REMOVED = 10_000


@dataclass(slots=True, frozen=True)
class Entry:
    """One record as it came, and what was read from it; times in milliseconds since the epoch."""

    key: str
    record: WindowFigures | NowFigures | ProgressFigures
    #: The value as it was in the topic, fields that this version does not know included.
    raw: bytes
    #: The store's version that brought it.
    version: int
    as_of_ms: int | None
    #: ``complete_through`` of a progress record.
    complete_through_ms: int | None = None
    #: ``waiting_since`` of a now record.
    waiting_since_ms: int | None = None
    #: ``backlog_oldest_since`` of a now record.
    backlog_since_ms: int | None = None
    #: Of a window record.
    window_end_ms: int | None = None


@dataclass(slots=True, frozen=True)
class Source:
    """A source of events: its last sign of life, if any, and whether it has been silent for too long."""

    last_seen_ms: int | None
    stale: bool


@dataclass(slots=True, frozen=True)
class Changes:
    """What became of the store since an earlier version."""

    version: int
    changed: list[Entry]
    removed: list[str]


class Store:
    """What was last said under each key of queue-metrics-latest.

    ``version`` grows with every change. A record with the revision of the one before it, or a lower one, is a repeat and changes nothing.
    """

    def __init__(self) -> None:
        self.version = 0
        #: Records that could not be read and were left out.
        self.rejected = 0
        #: Key → entry, the one changed last at the end.
        self._entries: dict[str, Entry] = {}
        #: Removed key → version, the one removed last at the end.
        self._removed: dict[str, int] = {}
        #: Changes since versions before this one are not known.
        self._known_since = 0
        self._as_of_ms: int | None = None
        self._complete_through_ms: int | None = None
        self._sources: dict[str, Source] = {}
        self._callbacks: list[Callable[[], None]] = []

    @property
    def as_of_ms(self) -> int | None:
        """The newest instant that the figures take in; None before any progress was told."""
        return self._as_of_ms

    @property
    def complete_through_ms(self) -> int | None:
        """The instant before which nothing is still to come; None while any part of the stream cannot say."""
        return self._complete_through_ms

    @property
    def sources(self) -> dict[str, Source]:
        """The sources of events by name, in order."""
        return dict(self._sources)

    def entries(self) -> list[Entry]:
        """Return all entries, by key."""
        return sorted(self._entries.values(), key=lambda entry: entry.key)

    def copy(self) -> Store:
        """Return a store that holds the same and changes no more, for a reader in another thread."""
        other = Store()
        other.version, other.rejected = self.version, self.rejected
        other._entries = self._entries.copy()
        other._as_of_ms, other._complete_through_ms = self._as_of_ms, self._complete_through_ms
        other._sources = self._sources
        return other

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change, until the returned function is called."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def feed(self, key: bytes | None, value: bytes | None) -> bool:
        """Take one record of the topic, a tombstone if it has no value; return whether it changed anything. Never raises."""
        try:
            name = (key or b"").decode()
            entry = None if value is None else _read(name, value, self.version + 1)
        except ValueError:  # no JSON, no such record, no such time or no UTF-8
            self.rejected += 1
            return False
        if not name:
            self.rejected += 1
            return False
        return self._remove(name) if entry is None else self._put(entry)

    def take_over(self, other: Store) -> None:
        """Become what ``other`` holds; whoever follows this store gets everything anew."""
        self.version += 1
        self._entries = {entry.key: replace(entry, version=self.version) for entry in other._entries.values()}
        self._removed.clear()
        self._known_since = self.version
        self.rejected += other.rejected
        self._progressed()
        self._changed()

    def changes_since(self, version: int) -> Changes | None:
        """Return what changed after ``version``, or None if that is too long ago to say: then everything may have."""
        if version < self._known_since or version > self.version:
            return None
        changed = list(_newer(self._entries, version))
        removed = [key for key, at in self._removed.items() if at > version]
        return Changes(self.version, changed, removed)

    def longest_wait_seconds(self, entry: Entry) -> float | None:
        """Return how long the contact waiting longest in a now record has been waiting at the current as-of; None if nobody waits."""
        record = entry.record
        if not isinstance(record, NowFigures) or record.waiting == 0:
            return None
        return self._since(entry, entry.waiting_since_ms, record.longest_wait_seconds)

    def backlog_oldest_seconds(self, entry: Entry) -> float | None:
        """Return the age of the oldest in the backlog of a now record at the current as-of; None without one."""
        record = entry.record
        return self._since(entry, entry.backlog_since_ms, record.backlog_oldest_seconds) if isinstance(record, NowFigures) else None

    def _since(self, entry: Entry, since_ms: int | None, written: float | None) -> float | None:
        """Return the seconds from an instant to as-of, or what was written if one of both is not known."""
        # A record can be newer than the progress told once a second.
        as_of = max((ms for ms in (self._as_of_ms, entry.as_of_ms) if ms is not None), default=None)
        return written if as_of is None or since_ms is None else max(0, as_of - since_ms) / 1000

    def _put(self, entry: Entry) -> bool:
        before = self._entries.get(entry.key)
        if before is not None and entry.record.revision <= before.record.revision:
            return False
        self._entries.pop(entry.key, None)
        self._removed.pop(entry.key, None)
        self.version = entry.version
        self._entries[entry.key] = entry
        if isinstance(entry.record, ProgressFigures):
            self._progressed()
        self._changed()
        return True

    def _remove(self, key: str) -> bool:
        gone = self._entries.pop(key, None)
        if gone is None:
            return False
        self.version += 1
        self._removed[key] = self.version
        if len(self._removed) > _MAX_REMOVED:
            oldest = next(iter(self._removed))
            self._known_since = self._removed.pop(oldest)
        if isinstance(gone.record, ProgressFigures):
            self._progressed()
        self._changed()
        return True

    def _changed(self) -> None:
        for callback in self._callbacks:
            callback()

    def _progressed(self) -> None:
        """Take as-of, completeness and sources anew from the progress records; there is one a partition of queue-panes."""
        told = [entry for entry in self._entries.values() if isinstance(entry.record, ProgressFigures)]
        self._as_of_ms = max((entry.as_of_ms for entry in told if entry.as_of_ms is not None), default=None)
        complete = [entry.complete_through_ms for entry in told]
        known = [ms for ms in complete if ms is not None]
        self._complete_through_ms = min(known) if known and len(known) == len(complete) else None
        last_seen: dict[str, int] = {}
        stale: set[str] = set()
        for entry in told:
            if isinstance(entry.record, ProgressFigures):
                stale.update(entry.record.stale_sources)
                for source, text in entry.record.sources.items():
                    last_seen[source] = max(parse_time_ms(text), last_seen.get(source, 0))
        self._sources = {source: Source(last_seen.get(source), source in stale) for source in sorted(last_seen.keys() | stale)}


def _newer(entries: dict[str, Entry], version: int) -> Iterator[Entry]:
    for entry in reversed(entries.values()):
        if entry.version <= version:
            return
        yield entry


def _read(key: str, value: bytes, version: int) -> Entry:
    """Return the entry of a record; raise ValueError if it is none."""
    # Not pydantic's own JSON: it takes NaN, which the pages of the API would hand on to readers that do not.
    try:
        record = _RECORD.validate_python(orjson.loads(value))
    except ValidationError as error:
        raise ValueError("not a metric record") from error
    as_of = None if record.as_of is None else parse_time_ms(record.as_of)
    if isinstance(record, ProgressFigures):
        complete = None if record.complete_through is None else parse_time_ms(record.complete_through)
        for text in record.sources.values():
            parse_time_ms(text)
        return Entry(key, record, value, version, as_of, complete_through_ms=complete)
    if isinstance(record, NowFigures):
        since, backlog = (None if text is None else parse_time_ms(text) for text in (record.waiting_since, record.backlog_oldest_since))
        return Entry(key, record, value, version, as_of, waiting_since_ms=since, backlog_since_ms=backlog)
    return Entry(key, record, value, version, as_of, window_end_ms=parse_time_ms(record.window_end))
