"""Order the events of a file by time, as far as bounded memory allows: files are sorted by call, or newest first."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["HELD_EVENTS", "in_order"]

T = TypeVar("T")

#: How many events are buffered to be ordered: a larger file is ordered in parts.
HELD_EVENTS: Final = 200_000


def in_order(items: Iterable[tuple[int, T]], held: int = HELD_EVENTS) -> Iterator[tuple[int, T]]:
    """Yield (milliseconds, item) by time, those of one time as they arrived, while no item is more than ``held`` items late."""
    heap: list[tuple[int, int, T]] = []
    for number, (at_ms, item) in zip(itertools.count(), items, strict=False):
        heapq.heappush(heap, (at_ms, number, item))
        if len(heap) > held:
            first_ms, _, first = heapq.heappop(heap)
            yield first_ms, first
    while heap:
        first_ms, _, first = heapq.heappop(heap)
        yield first_ms, first
