"""The merged cells of one scope: older ones are packed, and the sums of days are updated with each addition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from streams.windows.kpis import FORECASTS
from streams.windows.packed_sums import CELL_PACK_AFTER_MS, pack, unpack
from streams.windows.slices import MIN_CELL_MS
from streams.windows.sums import Counts, add_counts

if TYPE_CHECKING:
    from streams.windows.calendar import Span

__all__ = ["Cells"]

#: The sums of longer spans (days) are cached.
_LONG_MS = 7_200_000


class Cells(Mapping[int, Counts]):
    """Start of the cell → sums; do not change the sums that are returned."""

    def __init__(self) -> None:
        self._live: dict[int, Counts] = {}
        self._packed: dict[int, bytes] = {}
        #: long span not yet over → its sums
        self._of_spans: dict[Span, Counts] = {}
        self._packed_to = 0

    def __getitem__(self, start_ms: int) -> Counts:
        counts = self._live.get(start_ms)
        return unpack(self._packed[start_ms]) if counts is None else counts

    def __iter__(self) -> Iterator[int]:
        yield from self._packed
        yield from self._live

    def __len__(self) -> int:
        return len(self._packed) + len(self._live)

    def __contains__(self, start_ms: object) -> bool:
        return start_ms in self._live or start_ms in self._packed

    def add(self, start_ms: int, difference: Counts) -> None:
        """Add to a cell."""
        counts = self._live.get(start_ms)
        if counts is None:
            packed = self._packed.pop(start_ms, None)
            counts = self._live[start_ms] = {} if packed is None else unpack(packed)
        add_counts(counts, difference)
        for span, sums in self._of_spans.items():
            if span.start_ms <= start_ms < span.end_ms:
                add_counts(sums, difference)

    def sums(self, span: Span) -> Counts:
        """Return the sums of the cells that begin in a span; do not change them. They are valid until the next addition."""
        if span.end_ms - span.start_ms > _LONG_MS:
            return self._of_long(span)
        live, packed = self._live, self._packed
        parts: list[Counts] = []
        for start in range(span.start_ms, span.end_ms, MIN_CELL_MS):
            counts = live.get(start)
            if counts is not None:
                parts.append(counts)
            elif start in packed:
                parts.append(unpack(packed[start]))
        return parts[0] if len(parts) == 1 else _added(parts)

    def _of_long(self, span: Span) -> Counts:
        sums = self._of_spans.get(span)
        if sums is None:
            starts = [start for start in self if span.start_ms <= start < span.end_ms]
            sums = _added([*map(self.__getitem__, starts)])
            if span.end_ms >= self._packed_to:
                self._of_spans[span] = sums
        return sums

    def forecasts(self, span: Span) -> Iterator[Counts]:
        """Yield the sums of the cells in a span that hold a forecast."""
        for start, counts in self._live.items():
            if span.start_ms <= start < span.end_ms and _is_forecast(counts):
                yield counts

    def total(self) -> Counts:
        """Return the sums of all cells."""
        total: Counts = {}
        for counts in self.values():
            add_counts(total, counts)
        return total

    def read_back(self) -> Cells:
        """Return all cells in memory."""
        return self

    def restore(self, start_ms: int, packed: bytes) -> None:
        """Add packed sums to a cell."""
        counts = unpack(packed)
        if start_ms in self or self._of_spans or _is_forecast(counts):
            self.add(start_ms, counts)
        else:
            self._packed[start_ms] = packed

    def compact(self, watermark_ms: int) -> None:
        """Pack cells that are not expected to change; those with a forecast are read one by one for a day, so they stay unpacked."""
        before = self._packed_to = watermark_ms - CELL_PACK_AFTER_MS
        for start in [start for start in self._live if start < before]:
            if not _is_forecast(self._live[start]):
                self._packed[start] = pack(self._live.pop(start))
        for span in [span for span in self._of_spans if span.end_ms < before]:
            del self._of_spans[span]

    def forget(self, before_ms: int) -> None:
        """Drop the cells that begin before an instant; spans that hold any of them must not be read again."""
        for cells in (self._live, self._packed):
            for start in [start for start in cells if start < before_ms]:
                del cells[start]


def _added(parts: Sequence[Counts]) -> Counts:
    first, *others = parts or ({},)
    # No part holds a zero.
    total = dict(first)
    for counts in others:
        add_counts(total, counts)
    return total


def _is_forecast(counts: Counts) -> bool:
    return any(counts.get(what) for what in FORECASTS)
