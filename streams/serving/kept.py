"""Answers that take time to make and that every page asks for: made once for all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.serving.figures import Figures
    from streams.serving.store import Store

__all__ = ["Kept"]


class Kept:
    """An answer with the header of its moment, made anew when the last one has got old; use it within one event loop."""

    def __init__(self, figures: Figures, make: Callable[[Store], dict[str, Any]], seconds: float) -> None:
        self._figures = figures
        self._make = make
        self._seconds = seconds
        self._made: float | None = None
        self._answer: dict[str, Any] = {}
        self._making = asyncio.Lock()

    async def answer(self) -> dict[str, Any]:
        """Return the answer."""
        async with self._making:
            now = asyncio.get_running_loop().time()
            if self._made is None or now - self._made >= self._seconds:
                header, store = self._figures.header(), self._figures.store.copy()
                # A center of hundreds of queues holds tens of thousands of records: too long for the loop.
                self._answer, self._made = {**header, **await asyncio.to_thread(self._make, store)}, now
            return self._answer
