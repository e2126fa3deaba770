"""The cells of one scope in a batch: nothing is published before its end, so older cells leave memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from streams.windows.cells import Cells
from streams.windows.packed_sums import CELL_PACK_AFTER_MS, pack, unpack
from streams.windows.sums import Counts, add_counts

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BatchCells", "CellStore"]


class CellStore(Protocol):
    """Stores packed sums of the cells of one scope outside of memory; a cell may have several entries."""

    def put(self, cells: Iterable[tuple[int, bytes]]) -> None:
        """Store packed sums by start of the cell, beside earlier ones."""

    def get(self, start_ms: int) -> Iterable[bytes]:
        """Return all entries of a cell."""

    def all(self) -> Iterable[tuple[int, bytes]]:
        """Return start and packed sums of all entries, in order of the starts."""


class BatchCells(Cells):
    """The cells of a scope in a batch: older ones move to a store, or without a store into one total."""

    def __init__(self, store: CellStore | None) -> None:
        super().__init__()
        self._store = store
        #: of all cells that have left memory
        self._sums: Counts = {}

    def __getitem__(self, start_ms: int) -> Counts:
        sums = dict(self._live.get(start_ms, {}))
        if start_ms < self._packed_to and self._store is not None:
            for packed in self._store.get(start_ms):
                add_counts(sums, unpack(packed))
        return sums

    def add(self, start_ms: int, difference: Counts) -> None:
        """Add to a cell in memory, whether or not the store has a part of it."""
        counts = self._live.get(start_ms)
        if counts is None:
            counts = self._live[start_ms] = {}
        add_counts(counts, difference)

    def total(self) -> Counts:
        """Return the sums of all cells."""
        total = dict(self._sums)
        for counts in self._live.values():
            add_counts(total, counts)
        return total

    def compact(self, watermark_ms: int) -> None:
        """Move cells out of memory that are not expected to change."""
        before = self._packed_to = watermark_ms - CELL_PACK_AFTER_MS
        moved = [(start, self._live.pop(start)) for start in [start for start in self._live if start < before]]
        if not moved:
            return
        for _, counts in moved:
            add_counts(self._sums, counts)
        if self._store is not None:
            self._store.put([(start, pack(counts)) for start, counts in moved])

    def read_back(self) -> Cells:
        """Return all cells in memory; without a store, only those that never left it."""
        cells = Cells()
        for start, packed in () if self._store is None else self._store.all():
            cells.restore(start, packed)
        for start, counts in self._live.items():
            cells.add(start, counts)
        return cells
