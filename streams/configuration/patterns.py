"""Names by pattern: ``*`` in a pattern matches any text, also an empty one; everything else matches itself."""

from __future__ import annotations

from functools import cache
from typing import Final

__all__ = ["matches", "overlap"]

_ANY: Final = "*"


def matches(pattern: str, name: str) -> bool:
    """Return whether a pattern matches a name, in time that grows only with their lengths, even for hostile names."""
    first, *others = pattern.split(_ANY)
    if not others:
        return name == pattern
    last = others.pop()
    if not name.startswith(first) or len(name) < len(first) + len(last) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in others:
        start = name.find(part, at, end)
        if start < 0:
            return False
        at = start + len(part)
    return True


def overlap(one: str, two: str) -> bool:
    """Return whether two patterns match a common name."""
    if _ANY not in one:
        return matches(two, one)
    return matches(one, two) if _ANY not in two else _patterns_overlap(one, two)


def _patterns_overlap(one: str, two: str) -> bool:
    begin, other = one.partition(_ANY)[0], two.partition(_ANY)[0]
    if not begin.startswith(other) and not other.startswith(begin):
        return False

    @cache
    def meet(i: int, j: int) -> bool:
        if i < len(one) and one[i] == _ANY:
            return meet(i + 1, j) or (j < len(two) and meet(i, j + 1))
        if j < len(two) and two[j] == _ANY:
            return meet(i, j + 1) or (i < len(one) and meet(i + 1, j))
        if i == len(one) or j == len(two):
            return i == len(one) and j == len(two)
        return one[i] == two[j] and meet(i + 1, j + 1)

    return meet(0, 0)
