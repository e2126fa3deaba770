"""Sums by field."""

from __future__ import annotations

__all__ = ["Counts", "add_counts"]

#: Sums by field name; times in milliseconds.
Counts = dict[str, int]


def add_counts(into: Counts, counts: Counts, sign: int = 1) -> bool:
    """Add counts, or with sign −1 subtract them; return whether anything changed."""
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
