"""Count recent uses by key: bounded in memory, the oldest forgotten first."""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["Recent"]


class Recent:
    """Counts uses by key within a span of time.

    Args:
        most: how often a key may be used within the span.
        seconds: the span, from a key's first use.
        keys: how many are remembered.
    """

    def __init__(self, most: int, seconds: float, keys: int = 50_000) -> None:
        self._most = most
        self._seconds = seconds
        self._keys = keys
        #: Key → its first use, and the count since; the oldest first.
        self._known: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def allows(self, key: str, at: float) -> bool:
        """Count a use of a key, at monotonic seconds; return whether it is permitted."""
        first, count = self._known.pop(key, (at, 0))
        if at - first >= self._seconds:
            first, count = at, 0
        self._known[key] = (first, min(count + 1, self._most + 1))
        if len(self._known) > self._keys:
            self._known.popitem(last=False)
        return count < self._most
