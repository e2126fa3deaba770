"""Answers that take time to make and that every page asks for: made once for all of them."""

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

#: What was made before the topics of figures were read is not kept for longer.
_UNREAD_SECONDS: Final = 1.0


class CachedValue(Generic[_T]):
    """What is made of the store, with the header of its moment: anew when the last has got old; use it within one event loop."""

    def __init__(self, figures: Figures, make: Callable[[Store], _T], seconds: float) -> None:
        self._figures = figures
        self._make = make
        self._seconds = seconds
        self._made_at = 0.0
        self._last: tuple[dict[str, Any], _T] | None = None
        self._making = asyncio.Lock()

    async def now(self) -> tuple[dict[str, Any], _T]:
        """Return the header, and what was made."""
        async with self._making:
            now = asyncio.get_running_loop().time()
            if self._last is None or now - self._made_at >= self._seconds or self._is_unread(self._last[0], now - self._made_at):
                header, store = self._figures.header(), self._figures.store.copy()
                # A center of hundreds of queues holds tens of thousands of records: too long for the loop.
                self._last, self._made_at = (header, await asyncio.to_thread(self._make, store)), now
            return self._last

    def _is_unread(self, header: Mapping[str, Any], age_seconds: float) -> bool:
        """Say whether it was made before figures were read, and has got too old for that, or they have been read by now."""
        return not header["ready"] and (self._figures.readers.ready or age_seconds >= _UNREAD_SECONDS)


class CachedAnswer:
    """An answer as ``CachedValue`` keeps it.

    ``seen`` says whether a view shows an entry of the answer's list, which stands under ``name``.
    """

    def __init__(
        self,
        figures: Figures,
        make: Callable[[Store], dict[str, Any]],
        seconds: float,
        name: str,
        seen: Callable[[View, Mapping[str, Any]], bool],
    ) -> None:
        self._figures = figures
        self._moment = CachedValue(figures, make, seconds)
        self._name = name
        self._seen = seen

    async def answer(self, view: View = EVERYTHING) -> dict[str, Any]:
        """Return the answer as far as a view shows it."""
        header, answer = await self._moment.now()
        told = {**self._figures.narrowed(header, view), **answer}
        if not view.everything:
            told[self._name] = [each for each in told[self._name] if self._seen(view, each)]
        return told
