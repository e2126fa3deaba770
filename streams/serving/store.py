"""The newest metric records in memory, fed record by record; no clock, no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.metrics import DefinitionFigures, MetricRecord, NowFigures, ProgressFigures, WindowFigures
from schemas.times import parse_time_ms
from streams.serving import latest
from streams.serving.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.windows.hours import OpeningHours

__all__ = ["Entry", "Source", "Store"]

_Record = WindowFigures | NowFigures | ProgressFigures | DefinitionFigures
_RECORD: TypeAdapter[_Record] = TypeAdapter(MetricRecord)


@dataclass(slots=True, frozen=True)
class Entry(latest.Entry[_Record]):
    """One record, and what was read from it; times in milliseconds since the epoch."""

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


class Store(Latest[Entry]):
    """What was last said under each key of queue-metrics-latest."""

    def __init__(self) -> None:
        super().__init__()
        self._as_of_ms: int | None = None
        self._as_of_by_partition: dict[int, int] = {}
        self._complete_through_ms: int | None = None
        self._sources: dict[str, Source] = {}
        #: queue → when it is open, where its times are measured on the business clock
        self.business: Mapping[str, OpeningHours] = {}

    @property
    def as_of_ms(self) -> int | None:
        """The newest instant that the figures take in; None before any progress was told."""
        return self._as_of_ms

    @property
    def complete_through_ms(self) -> int | None:
        """The instant before which nothing is still to come; None while any part of the stream cannot say."""
        return self._complete_through_ms

    def standing_still(self, behind_ms: int) -> dict[str, int]:
        """Return the scopes whose partition is behind the newest of all by more than ``behind_ms``, with its as-of.

        Every partition of queue-panes hears of the progress of the whole stream, so one that does not come along while others do has
        nobody who rolls it up.
        """
        still = {number: as_of for number, as_of in self._as_of_by_partition.items() if as_of < (self._as_of_ms or 0) - behind_ms}
        if not still:
            return {}
        return {
            f"{entry.record.scope_kind}:{entry.record.scope}": still[entry.partition]
            for entry in self.entries()
            if entry.partition in still and isinstance(entry.record, WindowFigures | NowFigures)
        }

    @property
    def sources(self) -> dict[str, Source]:
        """The sources of events by name, in order."""
        return dict(self._sources)

    def read(self, key: str, value: bytes, version: int) -> Entry:
        """Return the entry of a record; raise ValueError if it is none."""
        # Not pydantic's own JSON: it takes NaN, which the pages of the API would hand on to readers that do not.
        try:
            record = _RECORD.validate_python(orjson.loads(value))
        except ValidationError as error:
            raise ValueError("not a metric record") from error
        if isinstance(record, DefinitionFigures):
            return Entry(key, record, value, version, None)
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

    def longest_wait_seconds(self, entry: Entry) -> float | None:
        """Return how long the contact waiting longest in a now record has been waiting at the current as-of; None if nobody waits."""
        record = entry.record
        if not isinstance(record, NowFigures) or record.waiting == 0:
            return None
        return self._since(entry, entry.waiting_since_ms, record.longest_wait_seconds)

    def backlog_oldest_seconds(self, entry: Entry) -> float | None:
        """Return the age of the oldest in the backlog of a now record at the current as-of; None without one."""
        record = entry.record
        if not isinstance(record, NowFigures):
            return None
        hours = self.business.get(record.scope) if record.scope_kind == "queue" else None
        return self._since(entry, entry.backlog_since_ms, record.backlog_oldest_seconds, hours)

    def _since(self, entry: Entry, since_ms: int | None, written: float | None, hours: OpeningHours | None = None) -> float | None:
        """Return the seconds from an instant to as-of, with hours those that are open, or what was written if one of both is not known."""
        # A record can be newer than the progress told once a second.
        as_of = max((ms for ms in (self._as_of_ms, entry.as_of_ms) if ms is not None), default=None)
        if as_of is None or since_ms is None:
            return written
        return (max(0, as_of - since_ms) if hours is None else hours.open_ms(since_ms, as_of)) / 1000

    def _replaced(self, entry: Entry | None = None) -> None:
        """Take as-of, completeness and sources anew from the progress records; there is one a partition of queue-panes."""
        if entry is not None and not isinstance(entry.record, ProgressFigures):
            return
        told = [entry for entry in self._entries.values() if isinstance(entry.record, ProgressFigures)]
        self._as_of_ms = max((entry.as_of_ms for entry in told if entry.as_of_ms is not None), default=None)
        self._as_of_by_partition = {
            entry.partition: entry.as_of_ms for entry in told if entry.partition is not None and entry.as_of_ms is not None
        }
        complete = [entry.complete_through_ms for entry in told]
        known = [ms for ms in complete if ms is not None]
        self._complete_through_ms = min(known) if known and len(known) == len(complete) else None
        last_seen: dict[str, int] = {}
        stale: set[str] = set()
        for teller in told:
            if isinstance(teller.record, ProgressFigures):
                stale.update(teller.record.stale_sources)
                for source, text in teller.record.sources.items():
                    last_seen[source] = max(parse_time_ms(text), last_seen.get(source, 0))
        self._sources = {source: Source(last_seen.get(source), source in stale) for source in sorted(last_seen.keys() | stale)}
