"""Every queue in one interval of the past: the board as it was, from the interval windows that the store holds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schemas.times import format_ms
from streams.serving.cached import CachedValue
from streams.serving.intervals import interval_document
from streams.serving.store import TRENDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.access.views import View
    from streams.serving.figures import Figures
    from streams.serving.store import Entry, Store

__all__ = ["CACHE_SECONDS", "Earlier", "Intervals"]

#: What the store holds is looked through once in so many seconds, and so is what an interval says, for all who ask.
CACHE_SECONDS: Final = 5.0

_SCOPES: Final = ("queue", "total")
#: Views whose intervals are remembered at a time.
_MOST_VIEWS: Final = 256


class _Look(NamedTuple):
    """What a view shows of all intervals: their begins as texts, and the begin of the last one that is over, else of the last one."""

    starts: list[str]
    last_ms: int | None


class _Scope:
    """The intervals of one scope: begins and ends, and the newest instant that any takes in."""

    __slots__ = ("as_of_ms", "spans")

    def __init__(self) -> None:
        self.as_of_ms = 0
        self.spans: set[tuple[int, int]] = set()


class Intervals:
    """The intervals of queues and totals that a store holds, which changes no more; ``targets`` are those of queues.

    What has been asked for is remembered: one object answers for all views.
    """

    def __init__(self, store: Store, targets: Mapping[str, float]) -> None:
        self._as_of_ms = store.as_of_ms or 0
        self._targets = targets
        self._entries: dict[int, list[Entry]] = {}
        self._scopes: dict[tuple[str, str], _Scope] = {}
        #: begin → end and document of each
        self._documents: dict[int, list[tuple[int, dict[str, Any]]]] = {}
        self._looks: dict[View, _Look] = {}
        for each in store.group(TRENDS):
            if each.channel is None or each.scope_kind not in _SCOPES:
                continue
            self._entries.setdefault(each.window_start_ms, []).append(each)
            scope = self._scopes.get((each.scope_kind, each.scope))
            if scope is None:
                scope = self._scopes[each.scope_kind, each.scope] = _Scope()
            scope.spans.add((each.window_start_ms, each.window_end_ms or 0))
            scope.as_of_ms = max(scope.as_of_ms, each.as_of_ms or 0)

    def at(self, at_ms: int | None, view: View) -> dict[str, Any]:
        """Return queues and totals, as far as a view shows them, in the interval that holds an instant.

        Without an instant it is the last interval that is over, else the last one. Start and end are null where no interval is held.
        """
        look = self._looks.get(view)
        if look is None:
            if len(self._looks) >= _MOST_VIEWS:
                self._looks.clear()
            look = self._looks[view] = self._look(view)
        at_ms = look.last_ms if at_ms is None else at_ms
        begun = [start for start in self._entries if at_ms is not None and start <= at_ms]
        # Intervals have one length: only the last that have begun can hold it.
        found = [
            (start, end, document)
            for start in sorted(begun)[-1:]
            for end, document in self._of(start)
            if (at_ms or 0) < end and view.sees(document["scope_kind"], document["scope"])
        ]
        return {
            "window": TRENDS,
            "start": format_ms(min(start for start, _, _ in found)) if found else None,
            "end": format_ms(max(end for _, end, _ in found)) if found else None,
            "starts": look.starts,
            "scopes": [document for _, _, document in found],
        }

    def _look(self, view: View) -> _Look:
        seen = [each for place, each in self._scopes.items() if view.sees(*place)]
        # A record can be newer than the progress told once a second.
        as_of_ms = max([self._as_of_ms, *(each.as_of_ms for each in seen)])
        spans = set[tuple[int, int]]().union(*(each.spans for each in seen))
        starts = sorted({start for start, _ in spans})
        over = [start for start, end in spans if end <= as_of_ms]
        return _Look([format_ms(start) for start in starts], max(over or starts, default=None))

    def _of(self, start_ms: int) -> list[tuple[int, dict[str, Any]]]:
        found = self._documents.get(start_ms)
        if found is None:
            found = self._documents[start_ms] = [(each.window_end_ms or 0, self._document(each)) for each in self._entries[start_ms]]
        return found

    def _document(self, entry: Entry) -> dict[str, Any]:
        return {
            "scope_kind": entry.scope_kind,
            "scope": entry.scope,
            "channel": entry.channel,
            "target": self._targets.get(entry.scope) if entry.scope_kind == "queue" else None,
            # When the newest of all records came is no view's to know.
            **interval_document(entry, max(self._as_of_ms, entry.as_of_ms or 0)),
        }


class Earlier:
    """Answers about intervals of the past with the header of their moment, kept for all who ask; use it within one event loop."""

    def __init__(self, figures: Figures, seconds: float = CACHE_SECONDS) -> None:
        self._figures = figures
        self._moment = CachedValue(figures, lambda store: Intervals(store, figures.targets), seconds)
        # What one has asked for is at hand for the next.
        self._asking = asyncio.Lock()

    async def answer(self, at_ms: int | None, view: View) -> dict[str, Any]:
        """Return the answer about the interval that holds an instant, as far as a view shows it."""
        async with self._asking:
            header, intervals = await self._moment.now()
            found = await asyncio.to_thread(intervals.at, at_ms, view)
        return {**self._figures.narrowed(header, view), **found}
