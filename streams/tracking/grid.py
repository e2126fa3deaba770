"""How long cells are and which there are, and since when: state outlives a change of both (``docs/counting.md`` section 15)."""

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
        #: before this some cells are as long as they used to be; None: none
        self.fine_from_ms: int | None = None
        #: before this not everything was booked by outcome; None: all was
        self.outcome_from_ms: int | None = None

    def state(self) -> dict[str, Any]:
        """Return what ``restore`` takes."""
        kept = {"cell_ms": self.cell_ms, "both_ways": self.both_ways}
        return {**kept, "fine_from_ms": self.fine_from_ms, "outcome_from_ms": self.outcome_from_ms}

    def since(self) -> dict[str, int]:
        """Return what a progress record says of it: nothing, unless the configuration has changed."""
        field_instants = {"fine_from_ms": self.fine_from_ms, "outcome_from_ms": self.outcome_from_ms}
        return {name: at_ms for name, at_ms in field_instants.items() if at_ms is not None}

    def restore(self, kept: dict[str, Any], cells: Iterable[int], panes: Iterable[int]) -> None:
        """Go on with the cells and panes that begin at these instants, written under a grid that may be another one.

        Rows of a version that knew only one grid keep none.
        """
        before_ms = kept.get("cell_ms", CELL_MS)
        if self.cell_ms < before_ms:
            self.fine_from_ms = max((start + before_ms for start in cells), default=None)
        elif self.cell_ms < CELL_MS:
            self.fine_from_ms = kept.get("fine_from_ms")
        if self.both_ways and not kept.get("both_ways"):
            end = max((start + PANE_MS for start in panes), default=None)
            self.outcome_from_ms = None if end is None else end + -end % CELL_MS
        elif self.both_ways:
            self.outcome_from_ms = kept.get("outcome_from_ms")


def grid_of(configuration: Configuration) -> Grid:
    """Return the grid that a configuration asks for."""
    return Grid(cell_ms_of(configuration), both_ways="outcome" in configuration.counting.attribution)
