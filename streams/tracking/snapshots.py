"""Snapshots of what sources report as open, retained until the events around them are known (``docs/counting.md`` section 4.4)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from streams.windows.slices import PANE_MS, pane_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

__all__ = ["MARGIN_MS", "Snapshot", "Snapshots"]

#: Snapshots accepted of a source within a minute of receipt: each is compared with everything of the source.
_MOST_A_MINUTE = 6
_MINUTE_MS = 60_000
#: Ids retained at a time, of a source and of all: a snapshot is applied after minutes, each id takes 100 bytes, and every partition
#: retains all. The limits always leave room for one snapshot of a source.
_MOST_IDS, _MOST_IDS_OF_ALL = 50_000, 200_000
#: A conversation with an event so soon after a snapshot was open then: lists and events take different routes.
MARGIN_MS = 60_000


class Snapshot(NamedTuple):
    """The ids that are open at a source."""

    name: str
    source: str
    at_ms: int
    open_ids: frozenset[str]

    def misses(self, name: str, other: str | None, event_instants: list[int]) -> bool:
        """Return whether a snapshot lacks an id with events at these instants."""
        if name in self.open_ids or other in self.open_ids:
            return False
        at = self.at_ms
        return any(instant < at for instant in event_instants) and not any(at <= instant <= at + MARGIN_MS for instant in event_instants)


class Snapshots:
    """Snapshots of one partition to apply, or to compare with late events."""

    def __init__(self, kind: str, grace_ms: int) -> None:
        self._kind = kind
        self._grace_ms = grace_ms
        self._snapshots: dict[str, Snapshot] = {}
        self._new: set[str] = set()
        self._changed: set[str] = set()
        #: source → number of its retained ids
        self._ids: Counter[str] = Counter()
        #: source → minute of its last snapshot, and snapshots in that minute
        self.lately: dict[str, tuple[int, int]] = {}

    def take(self, event: Any, space: str, received_through_ms: int) -> bool:
        """Accept a decoded snapshot, given the suffix of its source's ids; a late one changes nothing.

        Return False if it is refused: its source has sent too many within a minute of receipt, or there is no room for its ids.
        """
        at, name = event.occurred_ms, event.event_id + space
        if (
            event.kind != self._kind
            or name in self._snapshots
            or self._was_accepted(event)
            or event.received_ms > pane_of(at) + PANE_MS + self._grace_ms
        ):
            return True
        minute = received_through_ms // _MINUTE_MS
        before, number = self.lately.get(event.source, (minute, 0))
        number = number if before == minute else 0
        if number >= _MOST_A_MINUTE or not self._has_room(event.source, len(event.open_ids)):
            return False
        self.lately[event.source] = (minute, number + 1)
        self._keep(Snapshot(name, event.source, at, frozenset(event.open_ids)))
        self._new.add(name)
        self._changed.add(name)
        return True

    def _has_room(self, source: str, ids: int) -> bool:
        return self._ids[source] + ids <= _MOST_IDS and self._ids.total() + ids <= _MOST_IDS_OF_ALL

    def _keep(self, snapshot: Snapshot) -> None:
        self._snapshots[snapshot.name] = snapshot
        self._ids[snapshot.source] += len(snapshot.open_ids)

    def _was_accepted(self, event: Any) -> bool:
        """Return whether an older version accepted it, under its event id alone."""
        snapshot = self._snapshots.get(event.event_id)
        return snapshot is not None and snapshot.source == event.source

    def new(self, before_ms: int | None, through_ms: int) -> list[Snapshot]:
        """Return the snapshots that the watermark passes for the first time."""
        return [
            snapshot
            for snapshot in self._snapshots.values()
            if snapshot.at_ms + MARGIN_MS < through_ms and self._is_new(snapshot, before_ms)
        ]

    def _is_new(self, snapshot: Snapshot, before_ms: int | None) -> bool:
        return before_ms is None or snapshot.at_ms + MARGIN_MS >= before_ms or snapshot.name in self._new

    def applicable(self, before_ms: int | None, through_ms: int) -> dict[str | None, list[tuple[Snapshot, bool]]]:
        """Return by source, in order of time, the snapshots behind the watermark, and whether each is new there.

        Drop those that no late event can concern any more.
        """
        by_source: dict[str | None, list[tuple[Snapshot, bool]]] = {}
        if not self._snapshots:
            return by_source
        minute = through_ms // _MINUTE_MS
        self.lately = {source: sent for source, sent in self.lately.items() if sent[0] >= minute}
        for snapshot in sorted(self._snapshots.values(), key=lambda snapshot: (snapshot.at_ms, snapshot.name)):
            due = snapshot.at_ms + MARGIN_MS
            if due < through_ms:
                is_new = self._is_new(snapshot, before_ms)
                by_source.setdefault(snapshot.source, []).append((snapshot, is_new))
                self._new.discard(snapshot.name)
                if due + self._grace_ms + PANE_MS < through_ms:
                    del self._snapshots[snapshot.name]
                    self._ids[snapshot.source] -= len(snapshot.open_ids)
                    if not self._ids[snapshot.source]:
                        del self._ids[snapshot.source]
                    self._changed.add(snapshot.name)
        return by_source

    def to_compare(
        self, before_ms: int | None, through_ms: int, known: Mapping[str, Any], changed: Collection[str]
    ) -> Iterator[tuple[str, Snapshot]]:
        """Yield names of subjects, each with a snapshot of its source behind the watermark to compare it with.

        A new snapshot is compared with everything of its source, an older one with what has changed.
        """
        snapshots = self.applicable(before_ms, through_ms)
        any_new = any(is_new for of_source in snapshots.values() for _, is_new in of_source)
        for name in list(known if any_new else changed) if snapshots else ():
            subject = known.get(name)
            if subject is None:
                continue
            for snapshot, is_new in snapshots.get(subject.source, ()):
                if is_new or name in changed:
                    yield name, snapshot

    def changed(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Yield name and row of snapshots changed since the last call, None for dropped ones."""
        changed, self._changed = self._changed, set()
        for name in changed:
            snapshot = self._snapshots.get(name)
            row = None if snapshot is None else {"source": snapshot.source, "at_ms": snapshot.at_ms, "open_ids": list(snapshot.open_ids)}
            yield name, row

    def restore(self, name: str, row: dict[str, Any]) -> None:
        """Restore a snapshot."""
        self._keep(Snapshot(name, row["source"], row["at_ms"], frozenset(row["open_ids"])))

    def __len__(self) -> int:
        return len(self._snapshots)
