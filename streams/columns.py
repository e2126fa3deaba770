"""Aligned columns of text on a terminal, Japanese or not."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from schemas.visible import in_one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["aligned", "padded"]


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return the rows as lines; the first ``left`` columns are left-aligned, the others right-aligned."""
    rows = [[in_one_line(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        padded = [(cell, " " * (width - _width(cell))) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cell + space if n < left else space + cell for n, (cell, space) in enumerate(padded)).rstrip())
    return "\n".join(lines)


def padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return cells as a line, all but the last padded to ``widths``: for rows that are printed as they arrive."""
    *before, last = map(in_one_line, cells)
    return "  ".join([*(cell + " " * (width - _width(cell)) for cell, width in zip(before, widths, strict=True)), last]).rstrip()


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes: Japanese characters take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
