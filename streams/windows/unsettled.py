"""Intervals and days of which something else is said once the stream is complete through an instant, though nothing happens in them."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from streams.windows.calendar import Span
from streams.windows.scope_state import ScopeState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from streams.windows.lasting import Place

__all__ = ["Unsettled", "UnsettledWindow"]


class UnsettledWindow(NamedTuple):
    """An interval or day, and the progress in ms at which it is looked at again."""

    state: ScopeState
    name: str
    span: Span
    due_ms: int


class Unsettled:
    """Windows by the progress at which each is looked at again: so what is said of them does not hang on when flushes are."""

    def __init__(self) -> None:
        self._windows: dict[str, UnsettledWindow] = {}
        #: (due, key); of a window that has become due at another instant there is another entry
        self._queue: list[tuple[int, str]] = []

    def put(self, key: str, window: UnsettledWindow) -> None:
        """Have a window looked at when it is due, and not when it was due before."""
        before = self._windows.get(key)
        self._windows[key] = window
        if before is None or before.due_ms != window.due_ms:
            heappush(self._queue, (window.due_ms, key))

    def drop(self, key: str) -> None:
        """Have a window looked at no more, until it is put again."""
        self._windows.pop(key, None)

    def due(self, through_ms: int) -> Iterator[UnsettledWindow]:
        """Yield the windows that are due, each once; what is put meanwhile may be among them."""
        queue = self._queue
        while queue and queue[0][0] <= through_ms:
            due_ms, key = heappop(queue)
            window = self._windows.get(key)
            if window is not None and window.due_ms == due_ms:
                del self._windows[key]
                yield window

    def forget(self, places: Collection[Place]) -> None:
        """Look at no window of some scopes and channels any more."""
        self._windows = {key: window for key, window in self._windows.items() if (window.state.scope, window.state.channel) not in places}

    def clear(self) -> None:
        """Look at none any more."""
        self._windows.clear()
        self._queue.clear()

    def __len__(self) -> int:
        return len(self._queue)
