"""The cells of one scope of a whole input, of which nothing is published meanwhile: what has settled need not be at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from streams.windows.cells import Cells
from streams.windows.settled import CELL_SETTLES_MS, pack, unpack
from streams.windows.sums import Counts, add_counts

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CellStore", "WholeCells"]


class CellStore(Protocol):
    """Keeps packed sums of the cells of one scope outside of memory; of a cell there may be several."""

    def put(self, cells: Iterable[tuple[int, bytes]]) -> None:
        """Take in what is to be added to cells, by start."""

    def get(self, start_ms: int) -> Iterable[bytes]:
        """Return all there is of a cell."""

    def all(self) -> Iterable[tuple[int, bytes]]:
        """Return start and what there is of each cell, in order of the starts."""


class WholeCells(Cells):
    """The cells of a scope of a whole input: what has settled leaves memory for a store, or for the sums of all if there is no store."""

    def __init__(self, store: CellStore | None) -> None:
        super().__init__()
        self._store = store
        #: of all cells that have settled
        self._sums: Counts = {}

    def __getitem__(self, start_ms: int) -> Counts:
        found = dict(self._live.get(start_ms, {}))
        if start_ms < self._settled_to and self._store is not None:
            for packed in self._store.get(start_ms):
                add_counts(found, unpack(packed))
        return found

    def add(self, start_ms: int, difference: Counts) -> None:
        """Add to a cell, whatever has settled of it."""
        counts = self._live.get(start_ms)
        if counts is None:
            counts = self._live[start_ms] = {}
        add_counts(counts, difference)

    def whole(self) -> Counts:
        """Return the sums of all cells."""
        total = dict(self._sums)
        for counts in self._live.values():
            add_counts(total, counts)
        return total

    def settle(self, through_ms: int) -> None:
        """Put away what is not expected to change any more."""
        before = self._settled_to = through_ms - CELL_SETTLES_MS
        settled = [(start, self._live.pop(start)) for start in [start for start in self._live if start < before]]
        if not settled:
            return
        for _, counts in settled:
            add_counts(self._sums, counts)
        if self._store is not None:
            self._store.put([(start, pack(counts)) for start, counts in settled])

    def read_back(self) -> Cells:
        """Return all cells in memory; none that has settled where they are not kept."""
        cells = Cells()
        for start, packed in () if self._store is None else self._store.all():
            cells.take_back(start, packed)
        for start, counts in self._live.items():
            cells.add(start, counts)
        return cells
