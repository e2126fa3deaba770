"""Intervals and days: which ones hold a cell, and their figures beside those by offer."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from streams.catalogue.sheets import FIGURES
from streams.windows.judging import figures_of
from streams.windows.kpis import FORECASTS, forecast_kpis, no_forecasts
from streams.windows.slices import CELL_MS, cell_ms_of
from streams.windows.sums import Counts, add_counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from streams.catalogue.formulas import Figure
    from streams.catalogue.sheets import Make
    from streams.configuration import Configuration
    from streams.windows.calendar import Calendar, Span
    from streams.windows.scope_state import ScopeState

__all__ = ["Dated"]

_LONG_AGO_MS = -(1 << 60)
#: Cells whose windows are cached.
_MAX_WINDOWS = 4096


class Dated:
    """Windows of cells of this configuration, and of an earlier one with longer cells (``docs/counting.md`` section 15)."""

    def __init__(self, configuration: Configuration) -> None:
        self._minutes = configuration.counting.interval_minutes
        self.by_outcome = "outcome" in configuration.counting.attribution
        self._cell_ms = cell_ms_of(configuration)
        #: calendar, cell, begin of the present cell length → windows that hold the cell
        self._windows: dict[tuple[Calendar, int, int], tuple[tuple[str, Span], ...]] = {}
        #: before these, cells are longer, or incomplete by outcome
        self._fine_from = self._outcome_from = _LONG_AGO_MS

    def update_progress(self, progress: Iterable[Mapping[str, Any]]) -> None:
        """Record since when the source partitions have counted by this configuration."""
        records = list(progress)
        self._fine_from, self._outcome_from = (
            max((record.get(name) or _LONG_AGO_MS for record in records), default=_LONG_AGO_MS)
            for name in ("fine_from_ms", "outcome_from_ms")
        )

    def windows(self, state: ScopeState, cell_ms: int) -> Sequence[tuple[str, Span]]:
        """Return the intervals and the day that hold a cell."""
        key = (state.calendar, cell_ms, self._fine_from)
        windows = self._windows.get(key)
        if windows is None:
            if len(self._windows) >= _MAX_WINDOWS:
                self._windows.clear()
            windows = self._windows[key] = tuple(self._windows_of(*key))
        return windows

    def _windows_of(self, calendar: Calendar, cell_ms: int, fine_from: int) -> Iterator[tuple[str, Span]]:
        for minutes in self._minutes:
            span = calendar.interval(cell_ms, minutes)
            if span.start_ms >= fine_from or 60_000 * minutes >= CELL_MS:
                yield f"interval_{minutes}m", span
        yield "day", calendar.day(cell_ms)

    def extra_fields(self, state: ScopeState, name: str, span: Span, *, over: bool = False, make: Make = FIGURES) -> dict[str, Any]:
        """Return a record's figures by outcome, and without calendar exceptions.

        ``over``: only late events can still fall in the window.
        """
        fields: dict[str, Any] = {}
        if self.by_outcome and not state.about_people and span.start_ms >= self._outcome_from:
            sums = state.outcome_cells.sums(span)
            fields["by_outcome"] = _beside(state, sums, span, by_offer=False, make=make)
        touching = [exception for exception in state.exceptions if exception.touches(*span)]
        if touching:
            fields["exceptions"] = list(dict.fromkeys(exception.name for exception in touching))
        if touching and name == "day":
            cells = [
                state.cells[start]
                for start in state.cells
                if span.start_ms <= start < span.end_ms
                and not any(exception.touches(start, start + self.length_of(start)) for exception in touching)
            ]
            undisturbed: Counts = {}
            for counts in cells:
                add_counts(undisturbed, counts)
            length_ms = sum(
                self._cell_ms
                for start in range(span.start_ms, span.end_ms, self._cell_ms)
                if not any(exception.touches(start, start + self._cell_ms) for exception in touching)
            )
            forecasts = self.forecasts(state, span, undisturbed, over=over, cells=cells, make=make)
            fields["without_exceptions"] = _beside(
                state, undisturbed, span, by_offer=True, length_ms=length_ms, forecasts=forecasts, make=make
            )
        return fields

    def forecasts(
        self,
        state: ScopeState,
        span: Span,
        sums: Counts,
        *,
        over: bool,
        cells: Iterable[Counts] | None = None,
        make: Make = FIGURES,
    ) -> dict[str, Figure]:
        """Return the figures about forecasts of an interval or day, or of ``cells``; agents have none."""
        if state.about_people:
            return {}
        if not any(sums.get(what) for what in FORECASTS):
            return no_forecasts(make)
        return forecast_kpis(state.cells.forecasts(span) if cells is None else cells, self._cell_ms, over=over, make=make)

    def length_of(self, cell_ms: int) -> int:
        """Return the length of a cell in ms."""
        return CELL_MS if cell_ms < self._fine_from and cell_ms % CELL_MS == 0 else self._cell_ms


def _beside(
    state: ScopeState,
    sums: Counts,
    span: Span,
    *,
    by_offer: bool,
    make: Make,
    length_ms: int | None = None,
    forecasts: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    figures = figures_of(state, sums, span.start_ms, by_offer=by_offer, length_ms=length_ms, beside=forecasts, make=make)
    return {"kpis": figures["kpis"]}
