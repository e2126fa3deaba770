"""Intervals and days that the watermark alone changes: their records are checked again when it reaches an instant."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from streams.windows.calendar import Span
from streams.windows.scope_state import ScopeState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from streams.windows.scope_keys import ScopeKey

__all__ = ["ProvisionalWindow", "ProvisionalWindows"]


class ProvisionalWindow(NamedTuple):
    """An interval or day, and the watermark in ms at which it is checked again."""

    state: ScopeState
    name: str
    span: Span
    due_ms: int


class ProvisionalWindows:
    """Windows by the watermark at which each is checked again, so that records do not depend on the times of flushes."""

    def __init__(self) -> None:
        self._windows: dict[str, ProvisionalWindow] = {}
        #: (due, key); a window that was rescheduled has one entry per due time
        self._queue: list[tuple[int, str]] = []

    def put(self, key: str, window: ProvisionalWindow) -> None:
        """Schedule a window; this replaces its earlier due time."""
        before = self._windows.get(key)
        self._windows[key] = window
        if before is None or before.due_ms != window.due_ms:
            heappush(self._queue, (window.due_ms, key))

    def drop(self, key: str) -> None:
        """Remove a window."""
        self._windows.pop(key, None)

    def due(self, watermark_ms: int) -> Iterator[ProvisionalWindow]:
        """Yield the windows that are due, each once, including those put during the iteration."""
        queue = self._queue
        while queue and queue[0][0] <= watermark_ms:
            due_ms, key = heappop(queue)
            window = self._windows.get(key)
            if window is not None and window.due_ms == due_ms:
                del self._windows[key]
                yield window

    def forget(self, scope_keys: Collection[ScopeKey]) -> None:
        """Remove the windows of some scopes and channels."""
        self._windows = {
            key: window for key, window in self._windows.items() if (window.state.scope, window.state.channel) not in scope_keys
        }

    def clear(self) -> None:
        """Remove all windows."""
        self._windows.clear()
        self._queue.clear()

    def __len__(self) -> int:
        return len(self._queue)
