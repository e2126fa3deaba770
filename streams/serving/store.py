"""The newest metric records in memory, fed record by record; no clock, no network."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Self

import msgspec
import orjson
from pydantic import Field, TypeAdapter, ValidationError

from schemas.metrics import DefinitionFigures, NowFigures, ProgressFigures, QuarantinedSource
from schemas.times import parse_time_ms
from streams.serving.latest import Latest, ScopeKey
from streams.serving.rows import DEFAULT_WINDOWS, Row, row_of
from streams.serving.window_records import Packing, WindowRecord, read_window, unpacked_window

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from streams.windows.calendar import Span
    from streams.windows.hours import OpeningHours

__all__ = ["TRENDS", "Entry", "Source", "Store"]

_Record = NowFigures | ProgressFigures | DefinitionFigures
_RECORD: TypeAdapter[_Record] = TypeAdapter(Annotated[_Record, Field(discriminator="kind")])
_OF_CUSTOMERS = "customers_"
#: The windows that are shown as trends of the day.
TRENDS = "interval_15m"
_WEEK_MS = 7 * 86_400_000


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One record with its parsed fields; times in milliseconds since the epoch."""

    key: str
    #: The table's version that added it.
    version: int
    revision: int
    #: The window of a window record, the kind of any other.
    group: str
    as_of_ms: int | None
    #: The decoded record, except of windows.
    unpacked: _Record | None = None
    #: The value as in the topic, packed for windows.
    packed: bytes = b""
    pattern: bytes = b""
    #: The partition that it was read from, if known.
    partition: int | None = None
    scope_kind: str | None = None
    scope: str = ""
    channel: str | None = None
    #: ``complete_through`` of a progress record.
    complete_through_ms: int | None = None
    #: ``waiting_since`` of a now record.
    waiting_since_ms: int | None = None
    #: ``backlog_oldest_since`` of a now record.
    backlog_since_ms: int | None = None
    #: Of a window record.
    window_start_ms: int = 0
    window_end_ms: int | None = None
    #: The exported row of a window record, and its point of the trend as JSON; None if not used.
    row: Row | None = None
    point: bytes | None = None

    @property
    def raw(self) -> bytes:
        """The value as in the topic, including fields unknown to this version."""
        return self.packed if self.unpacked is not None else Packing.unpack(self.packed, self.pattern)

    @property
    def record(self) -> _Record | WindowRecord:
        """The record; a window record is decoded on each access."""
        return self.unpacked if self.unpacked is not None else unpacked_window(self.packed, self.pattern)

    @property
    def window(self) -> str | None:
        """The window of a window record."""
        return self.group if self.unpacked is None else None


@dataclass(slots=True, frozen=True)
class Source:
    """A source of events: when it was last seen, if ever, and whether it is silent or quarantined."""

    last_seen_ms: int | None
    stale: bool
    quarantined: QuarantinedSource | None = None
    #: kind → events whose name counts as ``(other)``
    beyond_limits: dict[str, int] | None = None
    #: The watermark of a journal, which reports afterwards.
    complete_through_ms: int | None = None


class Store(Latest[Entry]):
    """The newest record of each key of queue-metrics-latest."""

    def __init__(self) -> None:
        super().__init__()
        #: Window or kind → key → entry: current figures are found without a scan of past intervals.
        self._groups: dict[str, dict[str, Entry]] = {}
        self._packing = Packing()
        #: The windows for scrapes.
        self.exported: frozenset[str] = frozenset(DEFAULT_WINDOWS)
        self._as_of_ms: int | None = None
        self._as_of_by_partition: dict[int, int] = {}
        self._complete_through_ms: int | None = None
        self._sources: dict[str, Source] = {}
        #: queue → its opening hours, if its times are measured on the business clock
        self.business: Mapping[str, OpeningHours] = {}
        #: sources that are expected to send
        self.expected: frozenset[str] = frozenset()

    @property
    def as_of_ms(self) -> int | None:
        """The newest as-of of the figures; None before any progress record."""
        return self._as_of_ms

    @property
    def complete_through_ms(self) -> int | None:
        """The watermark of the entire stream; None while it is unknown for any partition."""
        return self._complete_through_ms

    @property
    def as_of_by_partition(self) -> Mapping[int, int]:
        """The newest as-of of each partition of queue-panes."""
        return self._as_of_by_partition

    def stalled_scopes(self, behind_ms: int, partitions: Collection[int] = ()) -> dict[str, int]:
        """Return the scopes, with their partition, that lag the newest as-of by more than ``behind_ms`` or are in ``partitions``.

        Every partition of queue-panes receives the progress of the entire stream, so one that lags while others advance has no worker
        that rolls it up.
        """
        limit = (self._as_of_ms or 0) - behind_ms
        behind = {number for number, as_of in self._as_of_by_partition.items() if as_of < limit or number in partitions}
        if not behind:
            return {}
        return {
            f"{entry.scope_kind}:{entry.scope}": entry.partition
            for entry in self.entries()
            if entry.partition is not None and entry.partition in behind and entry.scope_kind is not None
        }

    @property
    def sources(self) -> dict[str, Source]:
        """The sources of events by name, sorted; an expected source that never sent counts as silent."""
        never = self.expected - self._sources.keys() if self._as_of_ms is not None else ()
        return dict(sorted({**self._sources, **dict.fromkeys(never, Source(None, stale=True))}.items()))

    def empty(self) -> Self:
        """Return an empty store, for the same scrapes."""
        other = super().empty()
        other.exported = self.exported
        return other

    def copy(self) -> Self:
        """Return a frozen copy."""
        other = super().copy()
        vars(other)["_groups"] = {name: entries.copy() for name, entries in self._groups.items()}
        return other

    def scope_key(self, entry: Entry) -> ScopeKey:
        """Return the scope key of a record."""
        # Records of customers have no channel either, but are not about agents.
        return entry.scope_kind, entry.scope, "-" if entry.group.startswith(_OF_CUSTOMERS) else entry.channel

    def signed_in(self) -> dict[str, int]:
        """Return the number of signed-in agents by scope, from now records."""
        return {
            f"{entry.scope_kind}:{entry.scope}": sum(entry.unpacked.agents_by_state.values())
            for entry in self._groups.get("now", {}).values()
            if entry.channel is None and isinstance(entry.unpacked, NowFigures) and entry.unpacked.agents_by_state is not None
        }

    def group(self, *names: str) -> list[Entry]:
        """Return the entries of some windows or other kinds of records, by key."""
        entries = (entry for name in names for entry in self._groups.get(name, {}).values())
        return sorted(entries, key=_key)

    def of_scope(self, kind: str, name: str) -> list[Entry]:
        """Return the entries of one scope, by key."""
        return sorted((entry for entry in self._entries.values() if entry.scope == name and entry.scope_kind == kind), key=_key)

    @property
    def newest_as_of_ms(self) -> int:
        """The newest as-of of any record: a record can be newer than the progress published once a second."""
        return max((entry.as_of_ms for entry in self._entries.values() if entry.as_of_ms is not None), default=self._as_of_ms or 0)

    def read(self, key: str, value: bytes, version: int, partition: int | None) -> Entry:
        """Return the entry of a record; raise ValueError if the record is invalid."""
        window = read_window(value)
        return (
            self._read_other(key, value, version, partition)
            if window is None
            else self._read_window(key, value, version, partition, window)
        )

    def _read_window(self, key: str, value: bytes, version: int, partition: int | None, window: WindowRecord) -> Entry:
        group = sys.intern(window.window)
        start_ms, end_ms = parse_time_ms(window.window_start), parse_time_ms(window.window_end)
        packed, pattern = self._packing.pack(group, value)
        trend = group == TRENDS and window.scope_kind == "queue" and window.channel is not None
        return Entry(
            key,
            version,
            window.revision,
            group,
            parse_time_ms(window.as_of),
            packed=packed,
            pattern=pattern,
            partition=partition,
            scope_kind=sys.intern(window.scope_kind),
            scope=sys.intern(window.scope),
            channel=None if window.channel is None else sys.intern(window.channel),
            window_start_ms=start_ms,
            window_end_ms=end_ms,
            row=row_of(window) if group in self.exported else None,
            point=_point(window) if trend else None,
        )

    @staticmethod
    def _read_other(key: str, value: bytes, version: int, partition: int | None) -> Entry:
        # Not pydantic's own JSON: it accepts NaN, which is invalid JSON for readers of the API.
        try:
            record = _RECORD.validate_python(orjson.loads(value))
        except ValidationError as error:
            raise ValueError("not a metric record") from error
        entry = Entry(key, version, record.revision, record.kind, None, record, value, partition=partition)
        if isinstance(record, DefinitionFigures):
            return entry
        as_of = None if record.as_of is None else parse_time_ms(record.as_of)
        if isinstance(record, ProgressFigures):
            complete = None if record.complete_through is None else parse_time_ms(record.complete_through)
            for text in (
                *record.sources.values(),
                *record.journals.values(),
                *(source.since for source in record.quarantined_sources.values()),
            ):
                parse_time_ms(text)
            return msgspec.structs.replace(entry, as_of_ms=as_of, complete_through_ms=complete)
        since, backlog = (None if text is None else parse_time_ms(text) for text in (record.waiting_since, record.backlog_oldest_since))
        return msgspec.structs.replace(
            entry,
            as_of_ms=as_of,
            scope_kind=record.scope_kind,
            scope=sys.intern(record.scope),
            channel=record.channel,
            waiting_since_ms=since,
            backlog_since_ms=backlog,
        )

    def longest_wait_seconds(self, entry: Entry) -> float | None:
        """Return the longest wait of a now record at the current as-of; None if no contact waits."""
        record = entry.unpacked
        if not isinstance(record, NowFigures) or record.waiting == 0:
            return None
        return self._since(entry, entry.waiting_since_ms, record.longest_wait_seconds)

    def backlog_oldest_seconds(self, entry: Entry) -> float | None:
        """Return the age of the oldest backlog contact of a now record at the current as-of; None without one."""
        record = entry.unpacked
        if not isinstance(record, NowFigures):
            return None
        return self._since(entry, entry.backlog_since_ms, record.backlog_oldest_seconds, self._hours_of(entry))

    def backlog_grows(self, entry: Entry) -> list[Span] | None:
        """Return the spans of the coming week in which the backlog ages; None if it always does, or there is none."""
        hours, as_of = self._hours_of(entry), self._as_of(entry)
        if hours is None or as_of is None or entry.backlog_since_ms is None:
            return None
        return hours.open_spans(max(as_of, entry.backlog_since_ms), as_of + _WEEK_MS)

    def _hours_of(self, entry: Entry) -> OpeningHours | None:
        return self.business.get(entry.scope) if entry.scope_kind == "queue" else None

    def _as_of(self, entry: Entry) -> int | None:
        # A record can be newer than the progress published once a second.
        return max((ms for ms in (self._as_of_ms, entry.as_of_ms) if ms is not None), default=None)

    def _since(self, entry: Entry, since_ms: int | None, written: float | None, hours: OpeningHours | None = None) -> float | None:
        """Return the seconds from an instant to as-of, by ``hours`` if given; ``written`` if either instant is unknown."""
        as_of = self._as_of(entry)
        if as_of is None or since_ms is None:
            return written
        return (max(0, as_of - since_ms) if hours is None else hours.open_ms(since_ms, as_of)) / 1000

    def _replaced(self, entry: Entry | None = None, before: Entry | None = None) -> None:
        """Update the groups, and recompute as-of, watermark and sources from the progress records of the partitions of queue-panes."""
        changed = [change for change in (before, entry) if change is not None]
        if before is not None:
            self._groups[before.group].pop(before.key, None)
        if entry is not None:
            self._groups.setdefault(entry.group, {})[entry.key] = entry
        if not changed:
            self._groups = {}
            for other in self._entries.values():
                self._groups.setdefault(other.group, {})[other.key] = other
        elif all(change.group != "progress" for change in changed):
            return
        progress = list(self._groups.get("progress", {}).values())
        self._as_of_ms = max((entry.as_of_ms for entry in progress if entry.as_of_ms is not None), default=None)
        self._as_of_by_partition = {
            entry.partition: entry.as_of_ms for entry in progress if entry.partition is not None and entry.as_of_ms is not None
        }
        complete = [entry.complete_through_ms for entry in progress]
        known = [ms for ms in complete if ms is not None]
        self._complete_through_ms = min(known) if known and len(known) == len(complete) else None
        last_seen: dict[str, int] = {}
        stale: set[str] = set()
        quarantined: dict[str, QuarantinedSource] = {}
        beyond: dict[str, dict[str, int]] = {}
        journals: dict[str, int] = {}
        for record in (entry.unpacked for entry in progress):
            if isinstance(record, ProgressFigures):
                stale.update(record.stale_sources)
                # Every partition of queue-panes receives all counts; one may lag.
                for source, counts in record.beyond_limits.items():
                    if sum(counts.values()) > sum(beyond.get(source, {}).values()):
                        beyond[source] = counts
                for source, quarantine in record.quarantined_sources.items():
                    if source not in quarantined or quarantine.records > quarantined[source].records:
                        quarantined[source] = quarantine
                for source, text in record.sources.items():
                    last_seen[source] = max(parse_time_ms(text), last_seen.get(source, 0))
                # A partition that lags has older watermarks.
                for source, text in record.journals.items():
                    journals[source] = max(parse_time_ms(text), journals.get(source, 0))
        self._sources = {
            # A quarantined source is not shown as silent.
            source: Source(
                last_seen.get(source),
                source in stale and source not in quarantined,
                quarantined.get(source),
                beyond.get(source),
                journals.get(source),
            )
            for source in sorted(last_seen.keys() | stale | quarantined.keys() | beyond.keys())
        }


def _key(entry: Entry) -> str:
    return entry.key


def _point(window: WindowRecord) -> bytes:
    level, offered = window.kpis.get("service_level"), window.kpis.get("offered")
    point = orjson.dumps(
        {
            "start": window.window_start,
            "end": window.window_end,
            "final": window.final,
            "offered": None if offered is None else offered.value,
            "service_level": None if level is None else level.value,
            "denominator": None if level is None else level.denominator,
            "exceptions": window.exceptions or [],
        }
    )
    # Copied: orjson's result keeps its initial buffer of 4 KiB.
    return bytes(memoryview(point))
