"""Figures by date or month, stored as changes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.tracking.customer_spans import Changes

__all__ = ["Running"]

#: Dates published at most: the watermark may be years behind as-of.
_LONGEST = 62


class Running:
    """Figures by date or month, stored as changes from one to the next; those before the floor are one sum."""

    def __init__(self) -> None:
        self._base: Counter[str] = Counter()
        self._changes: dict[int, Counter[str]] = {}
        #: dates or months before it are no longer published
        self.floor: int | None = None

    def add(self, changes: Changes, sign: int) -> None:
        """Add or subtract changes."""
        for at, counts in changes.items():
            into = self._base if self.floor is not None and at < self.floor else self._changes.setdefault(at, Counter())
            for what, amount in counts.items():
                into[what] += sign * amount

    def advance(self, floor: int) -> None:
        """Fold everything before ``floor`` into one sum."""
        if self.floor is None or floor > self.floor:
            self.floor = floor
            for at in [at for at in self._changes if at < floor]:
                self._base.update(self._changes.pop(at))

    def through(self, last: int) -> Iterator[tuple[int, dict[str, int]]]:
        """Yield every date or month from the floor to the last one, at most the last 62, with its figures; none before there is a floor."""
        if self.floor is None:
            return
        sums = self._base.copy()
        first = max(self.floor, last + 1 - _LONGEST)
        for at in [at for at in self._changes if at < first]:
            sums.update(self._changes[at])
        for at in range(first, last + 1):
            sums.update(self._changes.get(at, {}))
            yield at, {what: amount for what, amount in sums.items() if amount}
