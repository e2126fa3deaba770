"""The figure of one formula by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.catalogue.formulas import Figure, Formula

__all__ = ["figure"]


def figure(formula: Formula, values: Mapping[str, int]) -> Figure:
    """Return the figure that a resolved formula computes from values by name; missing ones are 0."""
    return formula.maker()(*(values.get(name, 0) for name in formula.reads()))
