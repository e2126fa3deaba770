"""Slices of event time: panes of 10 seconds, cells of 15 minutes, in integer milliseconds."""

from __future__ import annotations

__all__ = ["CELL_MS", "PANE_MS", "cell_of", "pane_of"]

#: Length of a pane in milliseconds: the smallest slice of event time that is counted.
PANE_MS = 10_000
#: Length of a cell in milliseconds: what intervals and days are made of. Every zone's offset is a multiple of it.
CELL_MS = 900_000


def pane_of(at_ms: int) -> int:
    """Return the start of the pane that holds an instant."""
    return at_ms - at_ms % PANE_MS


def cell_of(at_ms: int) -> int:
    """Return the start of the cell that holds an instant."""
    return at_ms - at_ms % CELL_MS
