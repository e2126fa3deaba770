"""Sums by field, and the sums of trailing windows kept up by differences."""

from __future__ import annotations

from streams.windows.slices import PANE_MS

__all__ = ["Counts", "TrailingSums", "add_counts"]

#: Sums by field name; times in milliseconds.
Counts = dict[str, int]


def add_counts(into: Counts, counts: Counts, sign: int = 1) -> bool:
    """Add (or with sign −1 take out) counts; say whether anything changed."""
    changed = False
    for field, amount in counts.items():
        if amount:
            changed = True
            total = into.get(field, 0) + sign * amount
            if total:
                into[field] = total
            else:
                del into[field]
    return changed


class TrailingSums:
    """Sums over the panes in [hi − W, hi) for several W."""

    def __init__(self, lengths_ms: tuple[int, ...]) -> None:
        self.panes: dict[int, Counts] = {}
        self.sums: dict[int, Counts] = {length: {} for length in lengths_ms}
        self.hi_ms: int | None = None
        self._longest = max(lengths_ms)

    def change(self, pane_ms: int, difference: Counts) -> bool:
        """Add a difference to a pane; say whether a window changed."""
        hi = self.hi_ms
        if hi is not None and pane_ms < hi - self._longest:
            return False
        add_counts(self.panes.setdefault(pane_ms, {}), difference)
        changed = False
        if hi is not None and pane_ms < hi:
            for length, sums in self.sums.items():
                if pane_ms >= hi - length and add_counts(sums, difference):
                    changed = True
        return changed

    def advance(self, hi_ms: int) -> bool:
        """Move the windows' end; say whether a sum changed."""
        before = self.hi_ms
        if before is not None and hi_ms <= before:
            return False
        self.hi_ms = hi_ms
        changed = False
        for length, sums in self.sums.items():
            low = hi_ms - length
            if before is not None:
                for pane in self._between(before - length, min(low, before)):
                    changed |= add_counts(sums, self.panes[pane], -1)
            for pane in self._between(low if before is None else max(low, before), hi_ms):
                changed |= add_counts(sums, self.panes[pane])
        for pane in [pane for pane in self.panes if pane < hi_ms - self._longest]:
            del self.panes[pane]
        return changed

    def _between(self, start_ms: int, end_ms: int) -> list[int]:
        if (end_ms - start_ms) // PANE_MS < len(self.panes):
            return [pane for pane in range(start_ms, end_ms, PANE_MS) if pane in self.panes]
        return sorted(pane for pane in self.panes if start_ms <= pane < end_ms)
