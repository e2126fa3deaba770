"""Answers that take time to make and that every page asks for: made once for all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from streams.access.views import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.access.views import View
    from streams.serving.figures import Figures
    from streams.serving.store import Store

__all__ = ["Kept", "is_unread"]


#: What was made before the topics of figures were read is not kept for longer.
_UNREAD_SECONDS: Final = 1.0


class Kept:
    """An answer with the header of its moment, made anew when the last one has got old; use it within one event loop.

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
        self._make = make
        self._seconds = seconds
        self._name = name
        self._seen = seen
        self._made: float | None = None
        self._answer: dict[str, Any] = {}
        self._header: dict[str, Any] = {}
        self._making = asyncio.Lock()

    async def answer(self, view: View = EVERYTHING) -> dict[str, Any]:
        """Return the answer as far as a view shows it."""
        async with self._making:
            now = asyncio.get_running_loop().time()
            if self._made is None or now - self._made >= self._seconds or is_unread(self._header, self._figures, now - self._made):
                self._header, store = self._figures.header(), self._figures.store.copy()
                # A center of hundreds of queues holds tens of thousands of records: too long for the loop.
                self._answer, self._made = await asyncio.to_thread(self._make, store), now
            told = {**self._figures.narrowed(self._header, view), **self._answer}
            if not view.everything:
                told[self._name] = [each for each in told[self._name] if self._seen(view, each)]
            return told


def is_unread(header: Mapping[str, Any], figures: Figures, age_seconds: float) -> bool:
    """Say whether an answer was made before figures were read, and has got too old for that, or they have been read by now."""
    return not header["ready"] and (figures.standing.ready or age_seconds >= _UNREAD_SECONDS)
