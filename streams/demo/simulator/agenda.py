"""The simulation's clock: planned steps in order, ties in the order of planning."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Agenda"]

Ts = TypeVarTuple("Ts")


class Agenda:
    """Simulated time in milliseconds, and the steps planned on it."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self._order = count()
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []

    @property
    def next_ms(self) -> int | None:
        """The time of the next step; None when nothing is planned."""
        return self._heap[0][0] if self._heap else None

    def at(self, ms: int, step: Callable[[*Ts], None], *args: *Ts) -> None:
        """Plan a step; one in the past happens next."""
        heappush(self._heap, (max(ms, self.now_ms), next(self._order), step, args))

    def after(self, seconds: float, step: Callable[[*Ts], None], *args: *Ts) -> None:
        """Plan a step ``seconds`` from now."""
        heappush(self._heap, (self.now_ms + int(seconds * 1000), next(self._order), step, args))

    def advance(self) -> None:
        """Run the next step."""
        self.now_ms, _, step, args = heappop(self._heap)
        step(*args)
