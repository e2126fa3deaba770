"""Answers that are slow to compute and requested by every page: computed once for all clients."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from streams.access.views import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.access.views import View
    from streams.serving.figures import Figures
    from streams.serving.store import Store

__all__ = ["CachedAnswer", "CachedValue"]

_T = TypeVar("_T")

#: An answer from before the topics of figures were read is cached no longer than this.
_UNREAD_SECONDS: Final = 1.0


class CachedValue(Generic[_T]):
    """A value computed from the store with the header of its moment, cached for a time; use it within one event loop."""

    def __init__(self, figures: Figures, compute: Callable[[Store], _T], seconds: float) -> None:
        self._figures = figures
        self._compute = compute
        self._seconds = seconds
        self._computed_at = 0.0
        self._last: tuple[dict[str, Any], _T] | None = None
        self._lock = asyncio.Lock()

    async def now(self) -> tuple[dict[str, Any], _T]:
        """Return the header and the value."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._last is None or now - self._computed_at >= self._seconds or self._is_unread(self._last[0], now - self._computed_at):
                header, store = self._figures.header(), self._figures.store.copy()
                # Hundreds of queues have tens of thousands of records: too slow for the event loop.
                self._last, self._computed_at = (header, await asyncio.to_thread(self._compute, store)), now
            return self._last

    def _is_unread(self, header: Mapping[str, Any], age_seconds: float) -> bool:
        """Return whether the value is from before the first read, and outdated."""
        return not header["ready"] and (self._figures.readers.ready or age_seconds >= _UNREAD_SECONDS)


class CachedAnswer:
    """A cached answer.

    ``shows`` returns whether a view shows an entry of the answer's list ``name``.
    """

    def __init__(
        self,
        figures: Figures,
        compute: Callable[[Store], dict[str, Any]],
        seconds: float,
        name: str,
        shows: Callable[[View, Mapping[str, Any]], bool],
    ) -> None:
        self._figures = figures
        self._cached = CachedValue(figures, compute, seconds)
        self._name = name
        self._shows = shows

    async def answer(self, view: View = EVERYTHING) -> dict[str, Any]:
        """Return the answer, reduced to what a view shows."""
        header, answer = await self._cached.now()
        document = {**self._figures.narrowed(header, view), **answer}
        if not view.everything:
            document[self._name] = [entry for entry in document[self._name] if self._shows(view, entry)]
        return document
