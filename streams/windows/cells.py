"""The merged cells of one scope: those that have settled are packed, and what a day comes to is kept up by what is added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from streams.windows.kpis import FORECASTS
from streams.windows.settled import CELL_SETTLES_MS, pack, unpack
from streams.windows.slices import GRAIN_MS
from streams.windows.sums import Counts, add_counts

if TYPE_CHECKING:
    from streams.windows.calendar import Span

__all__ = ["Cells"]

#: For spans longer than this, which is to say days, the sums are kept.
_LONG_MS = 7_200_000


class Cells(Mapping[int, Counts]):
    """Start of the cell → sums; what is looked up is not to be changed."""

    def __init__(self) -> None:
        self._live: dict[int, Counts] = {}
        self._settled: dict[int, bytes] = {}
        #: long span not yet over → its sums
        self._of_spans: dict[Span, Counts] = {}
        self._settled_to = 0

    def __getitem__(self, start_ms: int) -> Counts:
        found = self._live.get(start_ms)
        return unpack(self._settled[start_ms]) if found is None else found

    def __iter__(self) -> Iterator[int]:
        yield from self._settled
        yield from self._live

    def __len__(self) -> int:
        return len(self._settled) + len(self._live)

    def __contains__(self, start_ms: object) -> bool:
        return start_ms in self._live or start_ms in self._settled

    def add(self, start_ms: int, difference: Counts) -> None:
        """Add to a cell."""
        counts = self._live.get(start_ms)
        if counts is None:
            packed = self._settled.pop(start_ms, None)
            counts = self._live[start_ms] = {} if packed is None else unpack(packed)
        add_counts(counts, difference)
        for span, sums in self._of_spans.items():
            if span.start_ms <= start_ms < span.end_ms:
                add_counts(sums, difference)

    def sums(self, span: Span) -> Counts:
        """Return the sums of the cells that begin in a span, as they are until something is added: not to be changed."""
        if span.end_ms - span.start_ms > _LONG_MS:
            return self._of_long(span)
        live, settled = self._live, self._settled
        found: list[Counts] = []
        for start in range(span.start_ms, span.end_ms, GRAIN_MS):
            counts = live.get(start)
            if counts is not None:
                found.append(counts)
            elif start in settled:
                found.append(unpack(settled[start]))
        return found[0] if len(found) == 1 else _added(found)

    def _of_long(self, span: Span) -> Counts:
        sums = self._of_spans.get(span)
        if sums is None:
            starts = [start for start in self if span.start_ms <= start < span.end_ms]
            sums = _added([*map(self.__getitem__, starts)])
            if span.end_ms >= self._settled_to:
                self._of_spans[span] = sums
        return sums

    def forecasts(self, span: Span) -> Iterator[Counts]:
        """Yield the sums of the cells in a span of which something is forecast."""
        for start, counts in self._live.items():
            if span.start_ms <= start < span.end_ms and _is_forecast(counts):
                yield counts

    def whole(self) -> Counts:
        """Return the sums of all cells."""
        total: Counts = {}
        for counts in self.values():
            add_counts(total, counts)
        return total

    def read_back(self) -> Cells:
        """Return all cells as they are looked at one by one."""
        return self

    def take_back(self, start_ms: int, packed: bytes) -> None:
        """Add packed sums to a cell."""
        counts = unpack(packed)
        if start_ms in self or self._of_spans or _is_forecast(counts):
            self.add(start_ms, counts)
        else:
            self._settled[start_ms] = packed

    def settle(self, through_ms: int) -> None:
        """Pack what is not expected to change any more; what is forecast is looked at cell by cell for a day, and is not packed."""
        before = self._settled_to = through_ms - CELL_SETTLES_MS
        for start in [start for start in self._live if start < before]:
            if not _is_forecast(self._live[start]):
                self._settled[start] = pack(self._live.pop(start))
        for span in [span for span in self._of_spans if span.end_ms < before]:
            del self._of_spans[span]

    def forget(self, before_ms: int) -> None:
        """Give up what begins before an instant; no span that holds any of it is asked for again."""
        for kept in (self._live, self._settled):
            for start in [start for start in kept if start < before_ms]:
                del kept[start]


def _added(parts: Sequence[Counts]) -> Counts:
    first, *others = parts or ({},)
    # None of them holds a zero.
    total = dict(first)
    for counts in others:
        add_counts(total, counts)
    return total


def _is_forecast(counts: Counts) -> bool:
    return any(counts.get(what) for what in FORECASTS)
