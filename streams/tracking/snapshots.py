"""What sources report as open: kept until the events around that instant are known (``docs/counting.md`` section 4.4)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from streams.windows.slices import PANE_MS, pane_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

__all__ = ["MARGIN_MS", "Snapshot", "Snapshots"]

#: So many of a source are taken within a minute of what its partition receives: each costs a look at all that is known of the source.
_MOST_A_MINUTE = 6
_MINUTE_MS = 60_000
#: So many ids of a source, and of all together, are kept at a time: minutes pass until a snapshot is applied, each id takes 100 bytes, and
#: every partition keeps all. One snapshot of a source always finds room beside none of its own.
_MOST_IDS, _MOST_IDS_OF_ALL = 50_000, 200_000
#: A conversation with an event so soon after a snapshot was open in it, whatever it lists: lists and events come by different ways.
MARGIN_MS = 60_000


class Snapshot(NamedTuple):
    """The ids that are open at a source."""

    name: str
    source: str
    at_ms: int
    open_ids: frozenset[str]

    def misses(self, name: str, other: str | None, heard_ms: list[int]) -> bool:
        """Say whether something is not open any more that the source has spoken of at these instants."""
        if name in self.open_ids or other in self.open_ids:
            return False
        at = self.at_ms
        return any(heard < at for heard in heard_ms) and not any(at <= heard <= at + MARGIN_MS for heard in heard_ms)


class Snapshots:
    """Those of one partition that are still to be applied, or that an event may still come too late for."""

    def __init__(self, kind: str, grace_ms: int) -> None:
        self._kind = kind
        self._grace_ms = grace_ms
        self._kept: dict[str, Snapshot] = {}
        self._new: set[str] = set()
        self._changed: set[str] = set()
        #: source → how many ids are kept of it
        self._ids: Counter[str] = Counter()
        #: source → minute in which it sent the last, and how many in it
        self.lately: dict[str, tuple[int, int]] = {}

    def take(self, event: Any, space: str, received_through_ms: int) -> bool:
        """Take a decoded snapshot, with what follows the ids of its source; one that comes late changes nothing.

        Return whether it was taken, or changes nothing: no more have come from its source within a minute, of what was received by now,
        than are taken, and there is room for its ids.
        """
        at, name = event.occurred_ms, event.event_id + space
        if (
            event.kind != self._kind
            or name in self._kept
            or self._was_kept(event)
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
        self._kept[snapshot.name] = snapshot
        self._ids[snapshot.source] += len(snapshot.open_ids)

    def _was_kept(self, event: Any) -> bool:
        """Say whether it was taken by a version that knew snapshots by their event ids alone."""
        kept = self._kept.get(event.event_id)
        return kept is not None and kept.source == event.source

    def new(self, before_ms: int | None, through_ms: int) -> list[Snapshot]:
        """Return the snapshots that progress passes for the first time."""
        return [each for each in self._kept.values() if each.at_ms + MARGIN_MS < through_ms and self._is_new(each, before_ms)]

    def _is_new(self, snapshot: Snapshot, before_ms: int | None) -> bool:
        return before_ms is None or snapshot.at_ms + MARGIN_MS >= before_ms or snapshot.name in self._new

    def applicable(self, before_ms: int | None, through_ms: int) -> dict[str | None, list[tuple[Snapshot, bool]]]:
        """Return by source, in order of time, the snapshots that progress has passed, and whether it does so for the first time.

        Those that no event may come too late for any more are forgotten.
        """
        found: dict[str | None, list[tuple[Snapshot, bool]]] = {}
        if not self._kept:
            return found
        minute = through_ms // _MINUTE_MS
        self.lately = {source: sent for source, sent in self.lately.items() if sent[0] >= minute}
        for snapshot in sorted(self._kept.values(), key=lambda each: (each.at_ms, each.name)):
            due = snapshot.at_ms + MARGIN_MS
            if due < through_ms:
                is_new = self._is_new(snapshot, before_ms)
                found.setdefault(snapshot.source, []).append((snapshot, is_new))
                self._new.discard(snapshot.name)
                if due + self._grace_ms + PANE_MS < through_ms:
                    del self._kept[snapshot.name]
                    self._ids[snapshot.source] -= len(snapshot.open_ids)
                    if not self._ids[snapshot.source]:
                        del self._ids[snapshot.source]
                    self._changed.add(snapshot.name)
        return found

    def to_compare(
        self, before_ms: int | None, through_ms: int, known: Mapping[str, Any], changed: Collection[str]
    ) -> Iterator[tuple[str, Snapshot]]:
        """Yield names of what is known of the sources of snapshots, each with the snapshot to hold it against, as progress passes them.

        A new snapshot is held against everything of its source, one that was seen before against what has changed, by then.
        """
        snapshots = self.applicable(before_ms, through_ms)
        any_new = any(is_new for each in snapshots.values() for _, is_new in each)
        for name in list(known if any_new else changed) if snapshots else ():
            subject = known.get(name)
            if subject is None:
                continue
            for snapshot, is_new in snapshots.get(subject.source, ()):
                if is_new or name in changed:
                    yield name, snapshot

    def changed(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Yield what is kept of the snapshots changed since the last call, None for those given up."""
        changed, self._changed = self._changed, set()
        for name in changed:
            kept = self._kept.get(name)
            yield name, None if kept is None else {"source": kept.source, "at_ms": kept.at_ms, "open_ids": list(kept.open_ids)}

    def restore(self, name: str, kept: dict[str, Any]) -> None:
        """Take a kept snapshot back in."""
        self._keep(Snapshot(name, kept["source"], kept["at_ms"], frozenset(kept["open_ids"])))

    def __len__(self) -> int:
        return len(self._kept)
