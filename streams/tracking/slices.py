"""The absolute slices of one source partition, and what of them changed since the last flush."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.tracking.grid import Grid
from streams.windows.settled import CELL_SETTLES_MS, PANE_SETTLES_MS, SumsByStart
from streams.windows.slices import GRAIN_MS, PANE_MS, cell_of
from streams.windows.sums import add_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.tracking.ledger import Ledger
    from streams.tracking.scopes import Scope, Targets
    from streams.windows.sums import Counts

__all__ = ["CELL", "COHORT", "PANE", "SliceKey", "Slices"]

PANE, CELL, COHORT = "pane", "cell", "cohort"

#: (kind, scope, start in ms)
SliceKey = tuple[str, "Scope", int]

_HOUR_MS = 3_600_000
#: After every instant that an event may have.
_NEVER_MS = 1 << 60
_SETTLES_MS = {PANE: PANE_SETTLES_MS, CELL: CELL_SETTLES_MS, COHORT: CELL_SETTLES_MS}


class Slices:
    """Sums by kind of slice, scope and start.

    Panes are kept ``pane_keep_ms`` behind the progress, cells and cohorts ``cell_keep_ms`` (None: for ever);
    what would be booked into a slice already given up is dropped.
    """

    def __init__(self, targets: Targets, pane_keep_ms: int | None, cell_keep_ms: int | None, grid: Grid | None = None) -> None:
        self._targets = targets
        self.grid = Grid() if grid is None else grid
        self._length_ms = {PANE: PANE_MS, CELL: self.grid.cell_ms, COHORT: self.grid.cell_ms}
        self._keep_ms = {PANE: pane_keep_ms, CELL: cell_keep_ms, COHORT: cell_keep_ms}
        self._floor: dict[str, int | None] = {PANE: None, CELL: None, COHORT: None}
        self._sums: dict[str, SumsByStart[Scope]] = {kind: SumsByStart(for_days=kind != PANE) for kind in (PANE, CELL, COHORT)}
        self._changed: dict[SliceKey, Counts | None] = {}
        #: target → end of the hour in which something was last booked under it, and what began such an hour since somebody looked
        self._hours: dict[int, int] = {}
        self._booked: list[tuple[int, int]] = []

    def book(self, ledger: Ledger) -> None:
        """Add everything booked in the ledger, spread over the scopes of its targets."""
        scopes_of, cell_ms, both_ways = self._targets.scopes, self.grid.cell_ms, self.grid.both_ways
        hours = self._hours
        has_panes = self._floor[PANE] != _NEVER_MS
        for (target, pane), counts in ledger.by_outcome.items():
            if pane >= hours.get(target, 0):
                hours[target] = pane - pane % _HOUR_MS + _HOUR_MS
                self._booked.append((target, pane))
            cell = cell_of(pane, cell_ms)
            for scope in scopes_of[target]:
                # Intervals and days are by offer for contacts, by outcome for people: the other cell is kept if it is asked for.
                if both_ways or scope.channel is None:
                    self._add(CELL, scope, cell, counts)
                if has_panes and not scope.is_individual:  # which have no trailing windows
                    self._add(PANE, scope, pane, counts)
        for (target, grain), counts in ledger.by_offer.items():
            cell = cell_of(grain, cell_ms)
            for scope in scopes_of[target]:
                if scope.channel is not None:
                    self._add(COHORT, scope, cell, counts)

    def leave_panes_out(self) -> None:
        """Keep no panes from now on: one who counts a whole file asks for no trailing window."""
        self._floor[PANE] = _NEVER_MS

    def forget_hours(self) -> None:
        """Have the next booking under each target noted, whatever was booked before: progress was set back."""
        self._hours = {}

    def booked(self) -> Iterator[tuple[Scope, int]]:
        """Yield the scopes in which something was booked in a later hour than before, with a start in it, since the last call."""
        booked, self._booked = self._booked, []
        for target, start in booked:
            for scope in self._targets.scopes[target]:
                yield scope, start

    @property
    def panes_from(self) -> int | None:
        """The instant, of those at which every cell may begin, before which all panes are given up; None before any is."""
        floor = self._floor[PANE]
        return None if floor is None else floor - floor % GRAIN_MS

    def put(self, kind: str, scope: Scope, start_ms: int, counts: Counts) -> None:
        """Take a kept slice back in, without counting it as changed."""
        self._sums[kind].exchange(start_ms, scope, counts)

    def empty(self, kind: str) -> None:
        """Let what was booked into the slices of a kind be nothing: it is booked anew."""
        sums = self._sums[kind]
        for start in sums.starts():
            for scope in sums.keys(start):
                nothing: Counts = {}
                self._changed[kind, scope, start] = nothing
                sums.exchange(start, scope, nothing)

    def restore_grid(self, kept: dict[str, Any]) -> None:
        """Go on with the slices taken back in; they may be those of another configuration."""
        self.grid.restore(kept, [*self._sums[CELL].starts(), *self._sums[COHORT].starts()], self._sums[PANE].starts())

    def _add(self, kind: str, scope: Scope, start: int, counts: Counts) -> None:
        floor = self._floor[kind]
        if floor is not None and start < floor:
            return
        mine = self._sums[kind].own(start, scope)
        add_counts(mine, counts)
        self._changed[kind, scope, start] = mine

    def evict(self, through_ms: int) -> None:
        """Give up the slices that are further behind than they are kept."""
        for kind, keep_ms in self._keep_ms.items():
            if keep_ms is None:
                self._sums[kind].settle(through_ms - _SETTLES_MS[kind])
                continue
            floor = through_ms - keep_ms
            floor -= floor % self._length_ms[kind]
            before = self._floor[kind]
            if before is not None and floor <= before:
                continue
            self._floor[kind] = floor
            sums = self._sums[kind]
            for start in [start for start in sums.starts() if start < floor]:
                for scope in sums.keys(start):
                    self._changed[kind, scope, start] = None
                sums.drop(start)
            sums.settle(through_ms - _SETTLES_MS[kind])

    def set_back(self, through_ms: int) -> None:
        """Take what is booked into slices that lie so little behind an instant that they are kept; what was given up stays so."""
        for kind, keep_ms in self._keep_ms.items():
            before = self._floor[kind]
            if keep_ms is not None and before is not None:
                floor = through_ms - keep_ms
                self._floor[kind] = min(before, floor - floor % self._length_ms[kind])

    def empty_from(self, start_ms: int) -> None:
        """Let what was booked into slices that begin at an instant or later be nothing."""
        for kind, sums in self._sums.items():
            for start in [start for start in sums.starts() if start >= start_ms]:
                for scope in sums.keys(start):
                    nothing: Counts = {}
                    self._changed[kind, scope, start] = nothing
                    sums.exchange(start, scope, nothing)

    def changes(self) -> Iterator[tuple[SliceKey, Counts | None]]:
        """Yield the slices changed since the last call, None for those given up."""
        changed, self._changed = self._changed, {}
        yield from changed.items()

    def __len__(self) -> int:
        return sum(map(len, self._sums.values()))
