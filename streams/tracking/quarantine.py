"""Sources kept apart: judges the records of one partition by source, and quarantines a source that is beyond its limits.

What is judged is a function of the partition's records alone, in their order. It is kept with the state, in the transaction that moves
the offset, so that a source is quarantined at the same record however the records came in chunks and however often a worker was
started. Only a source that has lately sent something bad or late is watched: the others cost nothing.
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

#: Stands for who sent the records of which the source cannot be read.
UNREADABLE: Final = "(unreadable)"
#: Stands for the sources that are too many to be judged each by itself.
NO_ROOM: Final = "(other)"
#: Why a source is quarantined that is beyond no limit.
BY_OPERATOR: Final = "operator"

_BUCKETS: Final = (UNREADABLE, NO_ROOM)
#: A window is looked back on by so many blocks, so that what is kept of it is a few numbers.
_BLOCKS: Final = 20

Kind = Literal["bad_records", "late_records"]


@dataclass(slots=True)
class Quarantined:
    """A source whose records become dead letters: why, since which record (its Kafka timestamp in ms), and how many have been since."""

    reason: str
    since_ms: int
    offset: int
    detail: str
    records: int = 0


class _Limit(NamedTuple):
    """So many in a row, and so many among the last ones; 0 is no limit."""

    max_run: int
    max_number: float
    window: int
    block: int

    @property
    def reach(self) -> int:
        """How many records after a hit it still counts."""
        return self.window if self.max_number else 1


def _limit(max_run: int | None, max_ratio: float | None, window: int) -> _Limit:
    return _Limit(max_run or 0, (max_ratio or 0.0) * window, window, window // _BLOCKS)


@dataclass(slots=True)
class _Tally:
    """Hits of one kind: how many in a row, and by block; places are numbers of records."""

    run: int = 0
    next: int = 0
    block: int = 0
    blocks: dict[int, int] = field(default_factory=dict)

    def hit(self, place: int, limit: _Limit) -> int:
        """Count a hit; return how many there have been in the window."""
        self.run = self.run + 1 if place == self.next else 1
        self.next = place + 1
        if not limit.max_number:
            return 0
        if self.block != limit.block:
            self.block, self.blocks = limit.block, {}
        now = place // limit.block
        self.blocks[now] = self.blocks.get(now, 0) + 1
        first = now - limit.window // limit.block
        if next(iter(self.blocks)) <= first:
            self.blocks = {number: hits for number, hits in self.blocks.items() if number > first}
        return sum(self.blocks.values())

    def state(self) -> list[Any]:
        return [self.run, self.next, self.block, [list(each) for each in self.blocks.items()]]

    @classmethod
    def of(cls, kept: list[Any]) -> _Tally:
        run, following, block, blocks = kept
        return cls(run, following, block, {number: hits for number, hits in blocks})  # noqa: C416 - pairs are lists in JSON


@dataclass(slots=True)
class _Watch:
    """What is known of a source that has lately been bad or late: its records since, and when it is forgotten without another hit."""

    seen: int = 0
    until: int = 0
    tallies: dict[Kind, _Tally] = field(default_factory=dict)
    #: Bad records since it is watched, by reason.
    reasons: dict[str, int] = field(default_factory=dict)


class Quarantine:
    """Who is watched on a partition, and who is quarantined.

    ``quarantined`` and ``watched`` stay the same objects: who has many records may keep them at hand, and needs to ask only where
    they are not empty.
    """

    def __init__(self, dead_letters: DeadLetterLimits, sources: SourceLimits, watermark: Watermark) -> None:
        """Begin without sources; a quarantined source has no say in the progress of the partition."""
        self._watermark = watermark
        self._limits: dict[Kind, _Limit] = {
            "bad_records": _limit(dead_letters.max_run, dead_letters.max_ratio, dead_letters.ratio_window),
            "late_records": _limit(0, sources.max_late_ratio, sources.late_window),
        }
        self.quarantined: dict[str, Quarantined] = {}
        self.watched: dict[str, _Watch] = {}
        #: Quarantines that have begun since this was last emptied.
        self.begun: list[tuple[str, Quarantined]] = []

    def bad(self, source: str | None, reason: str, offset: int, at_ms: int) -> None:
        """Note a record that became a dead letter for a reason of its own; ``at_ms`` is its Kafka timestamp.

        ``source`` is what the record says, None if it says nothing that can be read.
        """
        name = self._blamed(source)
        apart = self.quarantined.get(name)
        if apart is not None:
            apart.records += 1
            return
        self._hit(name, "bad_records", reason, offset, at_ms)

    def late(self, source: str, offset: int, at_ms: int) -> None:
        """Take note of an event that came too late to count."""
        self._hit(self._blamed(source), "late_records", "", offset, at_ms)

    def fine(self, source: str) -> None:
        """Take note of an event that counts, of a source that is watched."""
        watch = self.watched.get(source)
        if watch is None:
            return
        watch.seen += 1
        if watch.seen > watch.until:
            del self.watched[source]

    def begin(self, source: str, reason: str, detail: str, offset: int, at_ms: int) -> None:
        """Quarantine a source from the next record on; one that is quarantined already stays so for the reason it has."""
        if source in self.quarantined:
            return
        if source not in _BUCKETS and len(self.quarantined) >= MAX_SOURCES + len(_BUCKETS):
            return
        self.watched.pop(source, None)
        self._watermark.exclude(source)
        self.quarantined[source] = apart = Quarantined(reason, at_ms, offset, detail)
        self.begun.append((source, apart))

    def release(self, source: str) -> bool:
        """End the quarantine of a source, whose limits start from zero; say whether it was quarantined."""
        self.watched.pop(source, None)
        return self.quarantined.pop(source, None) is not None

    def state(self) -> dict[str, Any]:
        """Return what a restart must not forget, as JSON has it; empty where no source is watched or quarantined."""
        found: dict[str, Any] = {}
        if self.watched:
            found["watched"] = {
                source: [watch.seen, watch.until, {kind: tally.state() for kind, tally in watch.tallies.items()}, watch.reasons]
                for source, watch in self.watched.items()
            }
        if self.quarantined:
            found["quarantined"] = {source: asdict(apart) for source, apart in self.quarantined.items()}
        return found

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take back what ``state`` returned, perhaps under other limits."""
        self.watched.clear()
        self.quarantined.clear()
        for source, (seen, until, tallies, reasons) in kept.get("watched", {}).items():
            limited = {kind: _Tally.of(tally) for kind, tally in tallies.items() if self._is_limited(kind)}
            if limited:
                self.watched[source] = _Watch(seen, until, limited, dict(reasons))
        for source, apart in kept.get("quarantined", {}).items():
            self.quarantined[source] = Quarantined(**apart)

    def summary(self) -> dict[str, dict[str, Any]]:
        """Return the quarantined sources as records of progress tell of them."""
        return {
            source: {"reason": apart.reason, "since_ms": apart.since_ms, "records": apart.records}
            for source, apart in sorted(self.quarantined.items())
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
        # Which good records belong to a bucket is not known: there the records of the partition are counted.
        place = offset if name in _BUCKETS else watch.seen
        limit = self._limits[kind]
        watch.seen, watch.until = place + 1, max(watch.until, place + limit.reach)
        tally = watch.tallies.get(kind)
        if tally is None:
            tally = watch.tallies[kind] = _Tally(next=place)
        if reason:
            watch.reasons[reason] = watch.reasons.get(reason, 0) + 1
        number = tally.hit(place, limit)
        if limit.max_run and tally.run > limit.max_run:
            self.begin(name, kind, f"{tally.run} records in a row{_counted(watch.reasons)}; max_run permits {limit.max_run}", offset, at_ms)
        elif limit.max_number and number > limit.max_number:
            permitted = "max_late_ratio" if kind == "late_records" else "max_ratio"
            said = f"{number} of the last {limit.window} records{_counted(watch.reasons)}; {permitted} permits {limit.max_number:g}"
            self.begin(name, kind, said, offset, at_ms)


def _counted(reasons: Mapping[str, int]) -> str:
    found = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items(), key=lambda each: (-each[1], each[0])))
    return f" ({found})" if found else ""
