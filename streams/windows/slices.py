"""Slices of event time: panes of 10 seconds, cells of 15 or 5 minutes, in integer milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.configuration import Configuration

__all__ = ["CELL_MS", "DAY_MS", "MIN_CELL_MS", "PANE_MS", "cell_ms_of", "cell_of", "pane_of"]

#: Length of a pane in milliseconds: the smallest slice of event time that is counted.
PANE_MS = 10_000
#: Length of a cell in milliseconds, unless a shorter interval is configured. Intervals and days consist of cells.
CELL_MS = 900_000
#: Shortest length of a cell. Every zone's offset and every interval is a multiple of it.
MIN_CELL_MS = 300_000
#: 24 hours; a local day may be longer or shorter (`streams.windows.calendar`).
DAY_MS = 86_400_000


def pane_of(at_ms: int) -> int:
    """Return the start of the pane that holds an instant."""
    return at_ms - at_ms % PANE_MS


def cell_of(at_ms: int, cell_ms: int = CELL_MS) -> int:
    """Return the start of the cell that holds an instant."""
    return at_ms - at_ms % cell_ms


def cell_ms_of(configuration: Configuration) -> int:
    """Return the length of a cell in ms: the shortest interval, at most 15 minutes."""
    return min(CELL_MS, *(60_000 * minutes for minutes in configuration.counting.interval_minutes or (15,)))
