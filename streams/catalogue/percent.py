"""Percentages for display: rounded, but never across a limit by which they are judged."""

from __future__ import annotations

from math import ceil, floor
from typing import Final

__all__ = ["percent"]

#: Shares come from a division of floats: half a step is reached a little early.
_TINY: Final = 1e-9


def percent(value: float, limit: float | None = None, *, digits: int = 1) -> str:
    """Return a share as a percentage, half a step upwards, without its sign: ``0.0555`` is ``5.6``.

    Where rounding would put it on the other side of ``limit``, a target or threshold, of 100 % or of 0 %, or onto it, the nearest
    step on its own side is shown: 79.96 % of a target of 80 % is ``79.9``, and ``100.0`` are all. ``page/text.js`` does the same.
    """
    steps = 100 * 10**digits
    shown = floor(value * steps + 0.5 + _TINY)
    for bound in (0.0, 1.0, *(() if limit is None else (limit,))):
        at = bound * steps
        if value < bound:
            shown = min(shown, ceil(at - _TINY) - 1)
        elif value > bound:
            shown = max(shown, floor(at + _TINY) + 1)
    return f"{shown / 10**digits:.{digits}f}"
