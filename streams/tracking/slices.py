"""The absolute slices of one source partition, and their changes since the last flush."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from streams.tracking.blocks import PaneBlocks
from streams.tracking.grid import Grid
from streams.windows.packed_sums import CELL_PACK_AFTER_MS, SumsByStart
from streams.windows.panes import Panes, added, frame_of
from streams.windows.slices import MIN_CELL_MS, PANE_MS, cell_of
from streams.windows.sums import add_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.tracking.postings import Postings
    from streams.tracking.scopes import Scope, Targets
    from streams.windows.panes import PaneBlock
    from streams.windows.sums import Counts

__all__ = ["CELL", "OFFER_CELL", "PANE", "SliceKey", "Slices"]

PANE, CELL, OFFER_CELL = "pane", "cell", "cohort"

#: (kind, scope, start in ms)
SliceKey = tuple[str, "Scope", int]

#: What a target books in the panes of a frame, by field and by pane.
_Part = tuple[Panes, "list[tuple[int, Counts]]"]

_HOUR_MS = 3_600_000
#: After every instant that an event may have.
_NEVER_MS = 1 << 60


class Slices:
    """Sums by kind of slice, scope and start.

    Panes are retained ``pane_keep_ms`` behind the watermark and evicted by frames, cells of both kinds ``cell_keep_ms`` (None: for
    ever). Postings into an evicted slice are dropped.
    """

    def __init__(self, targets: Targets, pane_keep_ms: int | None, cell_keep_ms: int | None, grid: Grid | None = None) -> None:
        self._targets = targets
        self.grid = Grid() if grid is None else grid
        self._pane_keep_ms, self._cell_keep_ms = pane_keep_ms, cell_keep_ms
        self._pane_floor: int | None = None
        self._cell_floor: int | None = None
        #: the watermark up to which panes are to be compacted, None if done
        self._complete_through: int | None = None
        self._panes = PaneBlocks()
        self._cells: dict[str, SumsByStart[Scope]] = {kind: SumsByStart() for kind in (CELL, OFFER_CELL)}
        self._keeps_slices = True
        self._changed: dict[SliceKey, Counts | PaneBlock | None] = {}
        #: target → end of the hour of its last booking; and (target, start) of new hours since the last call
        self._hours: dict[int, int] = {}
        self._booked: list[tuple[int, int]] = []

    def book(self, postings: Postings) -> None:
        """Add postings, spread over the scopes of their targets, once per frame and per cell."""
        if self._keeps_slices:
            self._book_by_outcome(postings)
        else:
            self._add_cells(postings)
        scopes_of, cell_ms = self._targets.scopes, self.grid.cell_ms
        offer_cells: dict[tuple[int, int], Counts] = {}
        for (target, five_minutes), counts in postings.by_offer.items():
            cell = (target, cell_of(five_minutes, cell_ms))
            if cell in offer_cells:
                offer_cells[cell] = dict(offer_cells[cell])
                add_counts(offer_cells[cell], counts)
            else:
                offer_cells[cell] = counts
        for (target, cell_start), counts in offer_cells.items():
            for scope in scopes_of[target]:
                if scope.channel is not None:
                    self._add(OFFER_CELL, scope, cell_start, counts)

    def _add_cells(self, postings: Postings) -> None:
        """Add postings to cells alone."""
        scopes_of, cell_ms, both_ways = self._targets.scopes, self.grid.cell_ms, self.grid.both_ways
        cells: dict[tuple[int, int], Counts] = {}
        for (target, pane), counts in postings.by_outcome.items():
            if both_ways or scopes_of[target][0].channel is None:
                cell = (target, pane - pane % cell_ms)
                into = cells.get(cell)
                if into is None:
                    cells[cell] = dict(counts)
                else:
                    for field, amount in counts.items():
                        into[field] = into.get(field, 0) + amount
        for (target, cell_start), counts in cells.items():
            for scope in scopes_of[target]:
                self._add(CELL, scope, cell_start, counts)

    def _book_by_outcome(self, postings: Postings) -> None:
        scopes_of, cell_ms, both_ways = self._targets.scopes, self.grid.cell_ms, self.grid.both_ways
        frames: dict[tuple[int, int], list[tuple[int, Counts]]] = {}
        for (target, pane), counts in postings.by_outcome.items():
            frame = (target, pane - pane % MIN_CELL_MS)
            rows = frames.get(frame)
            if rows is None:
                frames[frame] = [(pane, counts)]
            else:
                rows.append((pane, counts))
        hours, floor = self._hours, self._pane_floor
        cells: dict[tuple[int, int], Counts] = {}
        #: (scope, frame) → bookings of its targets
        parts: dict[tuple[Scope, int], list[_Part]] = {}
        for (target, frame_ms), rows in frames.items():
            if frame_ms >= hours.get(target, 0):
                hours[target] = frame_ms - frame_ms % _HOUR_MS + _HOUR_MS
                self._booked.append((target, frame_ms))
            if len(rows) > 1:
                rows.sort(key=_start_of)
            scopes = scopes_of[target]
            # Intervals and days are by offer for contacts, by outcome for agents; the other cell is stored if configured.
            has_cells = both_ways or scopes[0].channel is None
            if not has_cells and floor is not None and rows[-1][0] < floor:
                continue
            panes = Panes.of(rows)
            if has_cells:
                cell = (target, frame_ms - frame_ms % cell_ms)
                total = panes.between(frame_ms, frame_ms + MIN_CELL_MS)
                into = cells.get(cell)
                if into is None:
                    cells[cell] = total
                else:
                    add_counts(into, total)
            retained = rows
            if floor is not None and frame_ms < floor:
                retained = [row for row in rows if row[0] >= floor]
                panes = Panes.of(retained)
            if retained:
                for scope in scopes:
                    if not scope.is_individual:  # which have no trailing windows
                        parts.setdefault((scope, frame_ms), []).append((panes, retained))
        for (scope, frame_ms), booked in parts.items():
            for block in self._panes.add(scope, frame_ms, _together(booked)):
                self._changed[PANE, scope, block.first_ms] = block
        for (target, cell_start), counts in cells.items():
            for scope in scopes_of[target]:
                self._add(CELL, scope, cell_start, counts)

    def emit_differences(self) -> None:
        """Retain nothing from now on: ``changes`` yields differences of cells, and no panes."""
        self._pane_floor, self._keeps_slices = _NEVER_MS, False

    def forget_hours(self) -> None:
        """Record the next booking under each target again, after the watermark was set back."""
        self._hours = {}

    def booked(self) -> Iterator[tuple[Scope, int]]:
        """Yield the scopes with bookings in a new hour since the last call, each with a start in it."""
        booked, self._booked = self._booked, []
        for target, start in booked:
            for scope in self._targets.scopes[target]:
                yield scope, start

    def forget_booked(self) -> None:
        """Discard what ``booked`` would yield."""
        self._booked = []

    @property
    def panes_from(self) -> int | None:
        """The start of a frame before which all panes are evicted; None before the first eviction."""
        return None if self._pane_floor is None else frame_of(self._pane_floor)

    def put(self, kind: str, scope: Scope, start_ms: int, row: dict[str, Any]) -> None:
        """Restore a slice, without marking it as changed."""
        if kind == PANE:
            self._panes.put(scope, Panes.read(start_ms, row))
        else:
            self._cells[kind].exchange(start_ms, scope, row["counts"])

    def empty(self, kind: str) -> None:
        """Clear the cells of a kind, which are booked again."""
        self._empty_cells(kind, None)

    def _empty_cells(self, kind: str, from_ms: int | None) -> None:
        sums = self._cells[kind]
        for start in sums.starts():
            if from_ms is None or start >= from_ms:
                for scope in sums.keys(start):
                    nothing: Counts = {}
                    self._changed[kind, scope, start] = nothing
                    sums.exchange(start, scope, nothing)

    def restore_grid(self, row: dict[str, Any]) -> None:
        """Restore the grid of the restored slices, which may be of another configuration."""
        self.grid.restore(row, [*self._cells[CELL].starts(), *self._cells[OFFER_CELL].starts()], self._panes.starts())

    def _add(self, kind: str, scope: Scope, start: int, counts: Counts) -> None:
        floor = self._cell_floor
        if floor is not None and start < floor:
            return
        if self._keeps_slices:
            mine = self._changed[kind, scope, start] = self._cells[kind].own(start, scope)
            add_counts(mine, counts)
            return
        difference = self._changed.get((kind, scope, start))
        if difference is None:
            difference = self._changed[kind, scope, start] = {}
        add_counts(cast("Counts", difference), counts)

    def evict_panes(self, through_ms: int) -> None:
        """Evict the panes beyond their retention; before booking, so that none is created in vain."""
        floor = _floor(through_ms, self._pane_keep_ms, PANE_MS)
        if floor is not None and (self._pane_floor is None or floor > self._pane_floor):
            self._pane_floor = floor
            for scope, block in self._panes.evict(floor):
                self._changed[PANE, scope, block.first_ms] = None
            self._complete_through = through_ms

    def evict(self, through_ms: int) -> None:
        """Evict the slices beyond their retention."""
        self.evict_panes(through_ms)
        floor = _floor(through_ms, self._cell_keep_ms, self.grid.cell_ms)
        if floor is None:
            for sums in self._cells.values():
                sums.compact(through_ms - CELL_PACK_AFTER_MS)
        elif self._cell_floor is None or floor > self._cell_floor:
            self._cell_floor = floor
            for kind, sums in self._cells.items():
                for start in [start for start in sums.starts() if start < floor]:
                    for scope in sums.keys(start):
                        self._changed[kind, scope, start] = None
                    sums.drop(start)
                sums.compact(through_ms - CELL_PACK_AFTER_MS)

    def set_back(self, through_ms: int) -> None:
        """Accept bookings within the retention behind an earlier watermark; evicted slices stay evicted."""
        pane_floor = _floor(through_ms, self._pane_keep_ms, PANE_MS)
        if pane_floor is not None and self._pane_floor is not None:
            self._pane_floor = min(self._pane_floor, pane_floor)
        cell_floor = _floor(through_ms, self._cell_keep_ms, self.grid.cell_ms)
        if cell_floor is not None and self._cell_floor is not None:
            self._cell_floor = min(self._cell_floor, cell_floor)

    def empty_from(self, start_ms: int) -> None:
        """Clear the slices that begin at an instant or later."""
        for scope, block in self._panes.empty(start_ms):
            self._changed[PANE, scope, block.first_ms] = block
        for kind in self._cells:
            self._empty_cells(kind, start_ms)

    def changes(self) -> Iterator[tuple[SliceKey, Counts | Panes | None]]:
        """Yield the slices changed since the last call, a block of panes under its first; None for evicted ones."""
        changed, self._changed = self._changed, {}
        for key, slice_ in changed.items():
            yield key, slice_ if slice_ is None or isinstance(slice_, dict) else slice_.panes
        through, self._complete_through = self._complete_through, None
        if through is not None:
            self._panes.compact(through)

    def __len__(self) -> int:
        return len(self._panes) + sum(map(len, self._cells.values()))


def _start_of(row: tuple[int, Counts]) -> int:
    return row[0]


def _together(parts: list[_Part]) -> Panes:
    """Return the sums of a scope's targets in a frame: by columns if the panes are equal, as for agents' time, else pane by pane."""
    first = parts[0][0]
    if len(parts) == 1:
        return first
    starts = first.starts
    for panes, _ in parts:
        if panes.starts != starts:
            break
    else:
        return Panes(starts, added([panes.columns for panes, _ in parts]))
    return Panes.of(sorted([row for _, rows in parts for row in rows], key=_start_of))


def _floor(through_ms: int, keep_ms: int | None, length_ms: int) -> int | None:
    if keep_ms is None:
        return None
    floor = through_ms - keep_ms
    return floor - floor % length_ms
