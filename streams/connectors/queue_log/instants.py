"""Count events and lines of the last instants of a log, to distinguish equal lines of one instant and to keep their order."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Instants"]

#: The last instants that are remembered; a clock set back by fewer instants than this still keeps order.
_INSTANTS: Final = 64


@dataclass(slots=True)
class _Instant:
    """The lines seen of one millisecond: how many events, and how often each line."""

    events: int = 0
    lines: Counter[str] = field(default_factory=Counter)


class Instants:
    """The last instants, by milliseconds."""

    def __init__(self) -> None:
        self._instants: OrderedDict[int, _Instant] = OrderedDict()

    def state(self) -> list[list[Any]]:
        """Return everything known, as JSON."""
        return [[at_ms, instant.events, dict(instant.lines)] for at_ms, instant in self._instants.items()]

    def restore(self, state: list[list[Any]]) -> None:
        """Restore what ``state`` returned."""
        self._instants = OrderedDict((at_ms, _Instant(events, Counter(lines))) for at_ms, events, lines in state)

    def events_at(self, at_ms: int) -> int:
        """Return how many events an instant had so far."""
        instant = self._instants.get(at_ms)
        return instant.events if instant else 0

    def lines_at(self, at_ms: int, digest: str) -> int:
        """Return how often an instant had a line so far."""
        instant = self._instants.get(at_ms)
        return instant.lines[digest] if instant else 0

    def record(self, at_ms: int, digest: str, events: int) -> None:
        """Record a line and the number of its events."""
        instant = self._instants.get(at_ms)
        if instant is None:
            instant = self._instants[at_ms] = _Instant()
            if len(self._instants) > _INSTANTS:
                self._instants.popitem(last=False)
        instant.events += events
        instant.lines[digest] += 1
