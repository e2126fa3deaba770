"""Quarantine of sources: counts bad and late records of one partition by source, and quarantines a source beyond its limits.

The decision depends on the partition's records alone, in their order. It is stored with the state, in the transaction that moves the
offset: a source is quarantined at the same record for any chunks and restarts. Only a source with recent bad or late records is
watched; the others cost nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from schemas.limits import MAX_SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.configuration.dead_letters import DeadLetterLimits, SourceLimits
    from streams.tracking.watermark import Watermark

__all__ = ["BY_OPERATOR", "NO_ROOM", "UNREADABLE", "Quarantine", "Quarantined"]

#: Name for the sender of records whose source cannot be read.
UNREADABLE: Final = "(unreadable)"
#: Name for all sources beyond the number that is judged individually.
NO_ROOM: Final = "(other)"
#: Reason of a quarantine by an operator.
BY_OPERATOR: Final = "operator"

_BUCKETS: Final = (UNREADABLE, NO_ROOM)
#: Blocks of a window: its state is few numbers.
_BLOCKS: Final = 20

Kind = Literal["bad_records", "late_records"]


@dataclass(slots=True)
class Quarantined:
    """A source whose records become dead letters: reason, first record (Kafka timestamp in ms) and number of records since."""

    reason: str
    since_ms: int
    offset: int
    detail: str
    records: int = 0


class _Limit(NamedTuple):
    """Limits of hits in a row and within a window; 0 is no limit."""

    max_run: int
    max_number: float
    window: int
    block: int

    @property
    def reach(self) -> int:
        """The number of records for which a hit counts."""
        return self.window if self.max_number else 1


def _limit(max_run: int | None, max_ratio: float | None, window: int) -> _Limit:
    return _Limit(max_run or 0, (max_ratio or 0.0) * window, window, window // _BLOCKS)


@dataclass(slots=True)
class _Tally:
    """Hits of one kind, in a row and by block; positions are numbers of records."""

    run: int = 0
    next: int = 0
    block: int = 0
    blocks: dict[int, int] = field(default_factory=dict)

    def hit(self, position: int, limit: _Limit) -> int:
        """Count a hit; return the hits in the window."""
        self.run = self.run + 1 if position == self.next else 1
        self.next = position + 1
        if not limit.max_number:
            return 0
        if self.block != limit.block:
            self.block, self.blocks = limit.block, {}
        now = position // limit.block
        self.blocks[now] = self.blocks.get(now, 0) + 1
        first = now - limit.window // limit.block
        if next(iter(self.blocks)) <= first:
            self.blocks = {number: hits for number, hits in self.blocks.items() if number > first}
        return sum(self.blocks.values())

    def state(self) -> list[Any]:
        return [self.run, self.next, self.block, [list(block) for block in self.blocks.items()]]

    @classmethod
    def of(cls, state: list[Any]) -> _Tally:
        run, following, block, blocks = state
        return cls(run, following, block, {number: hits for number, hits in blocks})  # noqa: C416 - pairs are lists in JSON


@dataclass(slots=True)
class _Watch:
    """A source with recent bad or late records: its records since, and the number at which the watch ends without a hit."""

    seen: int = 0
    until: int = 0
    tallies: dict[Kind, _Tally] = field(default_factory=dict)
    #: Bad records since the watch began, by reason.
    reasons: dict[str, int] = field(default_factory=dict)


class Quarantine:
    """Watched and quarantined sources of a partition.

    ``quarantined`` and ``watched`` stay the same objects: callers with many records may hold them and skip checks while they are
    empty.
    """

    def __init__(self, dead_letters: DeadLetterLimits, sources: SourceLimits, watermark: Watermark) -> None:
        """Begin without sources; quarantined sources are excluded from the watermark."""
        self._watermark = watermark
        self._limits: dict[Kind, _Limit] = {
            "bad_records": _limit(dead_letters.max_run, dead_letters.max_ratio, dead_letters.ratio_window),
            "late_records": _limit(0, sources.max_late_ratio, sources.late_window),
        }
        self.quarantined: dict[str, Quarantined] = {}
        self.watched: dict[str, _Watch] = {}
        #: Quarantines begun since this was last emptied.
        self.begun: list[tuple[str, Quarantined]] = []

    def bad(self, source: str | None, reason: str, offset: int, at_ms: int) -> None:
        """Record that a record became a dead letter for its own reason; ``at_ms`` is its Kafka timestamp.

        ``source``: as in the record, None if it cannot be read.
        """
        name = self._blamed(source)
        entry = self.quarantined.get(name)
        if entry is not None:
            entry.records += 1
            return
        self._hit(name, "bad_records", reason, offset, at_ms)

    def late(self, source: str, offset: int, at_ms: int) -> None:
        """Record an event that was too late to count."""
        self._hit(self._blamed(source), "late_records", "", offset, at_ms)

    def fine(self, source: str) -> None:
        """Record an event in time, of a watched source."""
        watch = self.watched.get(source)
        if watch is None:
            return
        watch.seen += 1
        if watch.seen > watch.until:
            del self.watched[source]

    def begin(self, source: str, reason: str, detail: str, offset: int, at_ms: int) -> None:
        """Quarantine a source from the next record on; a quarantined one retains its reason."""
        if source in self.quarantined:
            return
        if source not in _BUCKETS and len(self.quarantined) >= MAX_SOURCES + len(_BUCKETS):
            return
        self.watched.pop(source, None)
        self._watermark.exclude(source)
        self.quarantined[source] = entry = Quarantined(reason, at_ms, offset, detail)
        self.begun.append((source, entry))

    def release(self, source: str) -> bool:
        """End the quarantine of a source and reset its counts; return whether it was quarantined."""
        self.watched.pop(source, None)
        return self.quarantined.pop(source, None) is not None

    def state(self) -> dict[str, Any]:
        """Return the state for ``restore``, as JSON; empty if no source is watched or quarantined."""
        state: dict[str, Any] = {}
        if self.watched:
            state["watched"] = {
                source: [watch.seen, watch.until, {kind: tally.state() for kind, tally in watch.tallies.items()}, watch.reasons]
                for source, watch in self.watched.items()
            }
        if self.quarantined:
            state["quarantined"] = {source: asdict(entry) for source, entry in self.quarantined.items()}
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a state of ``state``, perhaps under other limits."""
        self.watched.clear()
        self.quarantined.clear()
        for source, (seen, until, tallies, reasons) in state.get("watched", {}).items():
            limited = {kind: _Tally.of(tally) for kind, tally in tallies.items() if self._is_limited(kind)}
            if limited:
                self.watched[source] = _Watch(seen, until, limited, dict(reasons))
        for source, entry in state.get("quarantined", {}).items():
            self.quarantined[source] = Quarantined(**entry)

    def summary(self) -> dict[str, dict[str, Any]]:
        """Return the quarantined sources as in progress records."""
        return {
            source: {"reason": entry.reason, "since_ms": entry.since_ms, "records": entry.records}
            for source, entry in sorted(self.quarantined.items())
        }

    def _is_limited(self, kind: Kind) -> bool:
        limit = self._limits.get(kind)
        return limit is not None and bool(limit.max_run or limit.max_number)

    def _blamed(self, source: str | None) -> str:
        if source is None:
            return UNREADABLE
        if source in self.watched or source in self.quarantined or source in self._watermark.sources:
            return source
        return source if len(self.watched) + len(self.quarantined) < MAX_SOURCES else NO_ROOM

    def _hit(self, name: str, kind: Kind, reason: str, offset: int, at_ms: int) -> None:
        if not self._is_limited(kind):
            return
        watch = self.watched.get(name)
        if watch is None:
            watch = self.watched[name] = _Watch()
        # Good records of a bucket cannot be recognized: its position is the partition's offset.
        position = offset if name in _BUCKETS else watch.seen
        limit = self._limits[kind]
        watch.seen, watch.until = position + 1, max(watch.until, position + limit.reach)
        tally = watch.tallies.get(kind)
        if tally is None:
            tally = watch.tallies[kind] = _Tally(next=position)
        if reason:
            watch.reasons[reason] = watch.reasons.get(reason, 0) + 1
        number = tally.hit(position, limit)
        if limit.max_run and tally.run > limit.max_run:
            self.begin(name, kind, f"{tally.run} records in a row{_counted(watch.reasons)}; max_run permits {limit.max_run}", offset, at_ms)
        elif limit.max_number and number > limit.max_number:
            permitted = "max_late_ratio" if kind == "late_records" else "max_ratio"
            detail = f"{number} of the last {limit.window} records{_counted(watch.reasons)}; {permitted} permits {limit.max_number:g}"
            self.begin(name, kind, detail, offset, at_ms)


def _counted(reasons: Mapping[str, int]) -> str:
    counts = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0])))
    return f" ({counts})" if counts else ""
