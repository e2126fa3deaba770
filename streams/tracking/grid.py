"""Length and kinds of cells, and since when: state outlives a change of both (``docs/counting.md`` section 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.windows.slices import CELL_MS, PANE_MS, cell_ms_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.configuration import Configuration

__all__ = ["Grid", "grid_of"]


class Grid:
    """The cells of one source partition."""

    def __init__(self, cell_ms: int = CELL_MS, *, both_ways: bool = False) -> None:
        self.cell_ms = cell_ms
        #: contacts have cells by outcome beside those by offer
        self.both_ways = both_ways
        #: before this some cells have the former length; None: none
        self.fine_from_ms: int | None = None
        #: before this not everything was booked by outcome; None: all was
        self.outcome_from_ms: int | None = None

    def state(self) -> dict[str, Any]:
        """Return the state for ``restore``."""
        state = {"cell_ms": self.cell_ms, "both_ways": self.both_ways}
        return {**state, "fine_from_ms": self.fine_from_ms, "outcome_from_ms": self.outcome_from_ms}

    def since(self) -> dict[str, int]:
        """Return the fields of a progress record: none, unless the configuration has changed."""
        field_instants = {"fine_from_ms": self.fine_from_ms, "outcome_from_ms": self.outcome_from_ms}
        return {name: at_ms for name, at_ms in field_instants.items() if at_ms is not None}

    def restore(self, state: dict[str, Any], cells: Iterable[int], panes: Iterable[int]) -> None:
        """Restore a state, with the starts of cells and panes written under a possibly different grid.

        State of versions with a single grid is empty.
        """
        before_ms = state.get("cell_ms", CELL_MS)
        if self.cell_ms < before_ms:
            self.fine_from_ms = max((start + before_ms for start in cells), default=None)
        elif self.cell_ms < CELL_MS:
            self.fine_from_ms = state.get("fine_from_ms")
        if self.both_ways and not state.get("both_ways"):
            end = max((start + PANE_MS for start in panes), default=None)
            self.outcome_from_ms = None if end is None else end + -end % CELL_MS
        elif self.both_ways:
            self.outcome_from_ms = state.get("outcome_from_ms")


def grid_of(configuration: Configuration) -> Grid:
    """Return the grid of a configuration."""
    return Grid(cell_ms_of(configuration), both_ways="outcome" in configuration.counting.attribution)
