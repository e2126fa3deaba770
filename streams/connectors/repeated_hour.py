"""The hour that clocks show twice: decide by the order of a file which of the two a local time is in."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["RepeatedHour"]

#: Lines of several threads may be this much out of order: no sign that the hour was repeated.
_DISORDER_MS: Final = 2_000


class RepeatedHour:
    """Decides for times in the order of their occurrence; ``state`` and ``restore`` carry its state over a restart."""

    __slots__ = ("_last_ms", "_undecided", "ambiguous")

    def __init__(self) -> None:
        self._last_ms: int | None = None
        # Times of the repeated hour so far that may be in the first or in the second.
        self._undecided = 0
        #: Times whose order does not decide; they are read as in the first hour.
        self.ambiguous = 0

    def state(self) -> dict[str, Any]:
        """Return the state for a later reader of the same file, as JSON."""
        return {"last_ms": self._last_ms, "undecided": self._undecided}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what ``state`` returned."""
        self._last_ms, self._undecided = state.get("last_ms"), state.get("undecided", 0)

    def chosen(self, first_ms: int, second_ms: int) -> int:
        """Return the next time of the file; both are the same where a clock shows it once.

        Args:
            first_ms: the time before the clock is set back, in milliseconds since the epoch.
            second_ms: the time after that. In the hour that is skipped in spring it is the lesser one.
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
            # The clock was set back before this one: earlier times are in the first hour.
            self.ambiguous -= min(self._undecided, self.ambiguous)
            self._undecided = 0
            return second_ms
        self.ambiguous += 1
        self._undecided += 1
        return first_ms
