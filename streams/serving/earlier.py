"""All queues in one past interval, from the interval windows in the store."""

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

#: How long the intervals of the store and the answers about them are cached for all clients.
CACHE_SECONDS: Final = 5.0

_SCOPES: Final = ("queue", "total")
#: Views whose intervals are cached at a time.
_MOST_VIEWS: Final = 256


class _Starts(NamedTuple):
    """The intervals that a view shows: their starts as texts, and the start of the last complete one, else of the last one."""

    texts: list[str]
    last_ms: int | None


class _Scope:
    """The intervals of one scope: starts and ends, and the newest as-of of any."""

    __slots__ = ("as_of_ms", "spans")

    def __init__(self) -> None:
        self.as_of_ms = 0
        self.spans: set[tuple[int, int]] = set()


class Intervals:
    """The intervals of queues and totals in a frozen copy of the store; ``targets`` are those of queues.

    Documents and starts are cached: one object answers for all views.
    """

    def __init__(self, store: Store, targets: Mapping[str, float]) -> None:
        self._as_of_ms = store.as_of_ms or 0
        self._targets = targets
        self._entries: dict[int, list[Entry]] = {}
        self._scopes: dict[tuple[str, str], _Scope] = {}
        #: start → end and document of each
        self._documents: dict[int, list[tuple[int, dict[str, Any]]]] = {}
        self._starts: dict[View, _Starts] = {}
        for entry in store.group(TRENDS):
            if entry.channel is None or entry.scope_kind not in _SCOPES:
                continue
            self._entries.setdefault(entry.window_start_ms, []).append(entry)
            scope = self._scopes.get((entry.scope_kind, entry.scope))
            if scope is None:
                scope = self._scopes[entry.scope_kind, entry.scope] = _Scope()
            scope.spans.add((entry.window_start_ms, entry.window_end_ms or 0))
            scope.as_of_ms = max(scope.as_of_ms, entry.as_of_ms or 0)

    def at(self, at_ms: int | None, view: View) -> dict[str, Any]:
        """Return the queues and totals that a view shows, in the interval that holds an instant.

        Without an instant it is the last complete interval, else the last one. Start and end are null if no interval is held.
        """
        starts = self._starts.get(view)
        if starts is None:
            if len(self._starts) >= _MOST_VIEWS:
                self._starts.clear()
            starts = self._starts[view] = self._starts_of(view)
        at_ms = starts.last_ms if at_ms is None else at_ms
        begun = [start for start in self._entries if at_ms is not None and start <= at_ms]
        # All intervals have one length: only the last one that has begun can hold the instant.
        intervals = [
            (start, end, document)
            for start in sorted(begun)[-1:]
            for end, document in self._of(start)
            if (at_ms or 0) < end and view.sees(document["scope_kind"], document["scope"])
        ]
        return {
            "window": TRENDS,
            "start": format_ms(min(start for start, _, _ in intervals)) if intervals else None,
            "end": format_ms(max(end for _, end, _ in intervals)) if intervals else None,
            "starts": starts.texts,
            "scopes": [document for _, _, document in intervals],
        }

    def _starts_of(self, view: View) -> _Starts:
        seen = [scope for key, scope in self._scopes.items() if view.sees(*key)]
        # A record can be newer than the progress published once a second.
        as_of_ms = max([self._as_of_ms, *(scope.as_of_ms for scope in seen)])
        spans = set[tuple[int, int]]().union(*(scope.spans for scope in seen))
        starts = sorted({start for start, _ in spans})
        complete = [start for start, end in spans if end <= as_of_ms]
        return _Starts([format_ms(start) for start in starts], max(complete or starts, default=None))

    def _of(self, start_ms: int) -> list[tuple[int, dict[str, Any]]]:
        documents = self._documents.get(start_ms)
        if documents is None:
            documents = [(entry.window_end_ms or 0, self._document(entry)) for entry in self._entries[start_ms]]
            self._documents[start_ms] = documents
        return documents

    def _document(self, entry: Entry) -> dict[str, Any]:
        return {
            "scope_kind": entry.scope_kind,
            "scope": entry.scope,
            "channel": entry.channel,
            "target": self._targets.get(entry.scope) if entry.scope_kind == "queue" else None,
            # The time of the newest of all records is hidden from restricted views.
            **interval_document(entry, max(self._as_of_ms, entry.as_of_ms or 0)),
        }


class Earlier:
    """Answers about past intervals, cached for all clients with the header of their moment; use it within one event loop."""

    def __init__(self, figures: Figures, seconds: float = CACHE_SECONDS) -> None:
        self._figures = figures
        self._cached = CachedValue(figures, lambda store: Intervals(store, figures.targets), seconds)
        # Concurrent requests share one computation.
        self._asking = asyncio.Lock()

    async def answer(self, at_ms: int | None, view: View) -> dict[str, Any]:
        """Return the answer about the interval that holds an instant, reduced to what a view shows."""
        async with self._asking:
            header, intervals = await self._cached.now()
            answer = await asyncio.to_thread(intervals.at, at_ms, view)
        return {**self._figures.narrowed(header, view), **answer}
