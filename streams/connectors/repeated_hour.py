"""The hour that clocks show twice: which of the two a local time is of, by the order of the file it stands in."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["RepeatedHour"]

#: Lines of several threads may stand in a file this much out of order: no sign that the hour began anew.
_DISORDER_MS: Final = 2_000


class RepeatedHour:
    """Decides for times that stand in the order in which they happened; ``state`` and ``restore`` carry what it knows over a restart."""

    __slots__ = ("_last_ms", "_undecided", "ambiguous")

    def __init__(self) -> None:
        self._last_ms: int | None = None
        # Of the hour that comes twice: times so far that may be of the first or of the second.
        self._undecided = 0
        #: Times of which the order does not say which hour they are of; they are read as of the first.
        self.ambiguous = 0

    def state(self) -> dict[str, Any]:
        """Return what a later reader of the same file has to know, as JSON."""
        return {"last_ms": self._last_ms, "undecided": self._undecided}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what ``state`` returned."""
        self._last_ms, self._undecided = state.get("last_ms"), state.get("undecided", 0)

    def chosen(self, first_ms: int, second_ms: int) -> int:
        """Return the next time of the file; both are the same where a clock shows it once.

        Args:
            first_ms: what it is before the clock is set back, in milliseconds since the epoch.
            second_ms: what it is after that. In the hour that is left out in spring it is the lesser one.
        """
        if second_ms <= first_ms:
            self._undecided = 0
            at_ms = first_ms
        else:
            at_ms = self._twice(first_ms, second_ms)
        self._last_ms = at_ms
        return at_ms

    def _twice(self, first_ms: int, second_ms: int) -> int:
        last = self._last_ms
        if last is not None and first_ms < last - _DISORDER_MS and second_ms >= last - _DISORDER_MS:
            # The clock was set back before this one: what stood before is of the first time.
            self.ambiguous -= min(self._undecided, self.ambiguous)
            self._undecided = 0
            return second_ms
        self.ambiguous += 1
        self._undecided += 1
        return first_ms
