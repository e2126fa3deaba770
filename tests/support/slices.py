"""Reads what cells report as changed, pane by pane: how panes are assembled for writing decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.windows.panes import Panes, frame_of
from streams.windows.slices import MIN_CELL_MS, PANE_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.tracking.slices import SliceKey, Slices

__all__ = ["by_pane", "changed_slices", "rows_by_pane"]


def by_pane(panes: Panes) -> dict[int, dict[str, int]]:
    """Return the sums of each pane, without zeros."""
    return {
        start: {field: amounts[place] for field, amounts in panes.columns.items() if amounts[place]}
        for place, start in enumerate(panes.starts)
    }


def changed_slices(slices: Slices) -> Iterator[tuple[SliceKey, dict[str, int] | None]]:
    """Yield the slices that changed with their sums, each pane by itself; None for what was given up, to the end of its frame."""
    for (kind, scope, start), counts in slices.changes():
        if isinstance(counts, Panes):
            for pane, each in by_pane(counts).items():
                yield (kind, scope, pane), each
        elif counts is None and kind == "pane":
            for pane in range(start, frame_of(start) + MIN_CELL_MS, PANE_MS):
                yield (kind, scope, pane), None
        else:
            yield (kind, scope, start), counts


def rows_by_pane(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return records of queue-panes by key with each pane by itself; a pane, cell or cohort that has come to nothing is left out."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in rows.items():
        if not key.startswith(("pane|", "cell|", "cohort|")):
            found[key] = value
            continue
        if not key.startswith("pane|"):
            if value["counts"]:
                found[key] = value
            continue
        start = value["start_ms"]
        for pane, counts in by_pane(Panes.read(start, value)).items():
            if counts:
                own = {name: content for name, content in value.items() if name not in {"panes", "counts", "start_ms"}}
                found[key.replace(f"|{start}|", f"|{pane}|")] = {**own, "start_ms": pane, "counts": counts}
    return found
