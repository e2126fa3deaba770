"""Times as a log writes them: seconds since the epoch, or calendar text that is read in the order of the file where an hour comes twice."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from schemas.times import to_ms

if TYPE_CHECKING:
    from datetime import tzinfo

__all__ = ["LogClock"]

_EPOCH_TIME: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?")
_CALENDAR_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?")

#: Lines of several threads may stand in the file this much out of order: no sign that the hour began anew.
_DISORDER_MS: Final = 2_000


class LogClock:
    """Reads the times of one log in their order; ``state`` and ``restore`` carry what it knows over a restart."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._last_ms: int | None = None
        # Of the hour that comes twice: lines so far that may be of the first or of the second time.
        self._undecided = 0
        #: Lines of an hour that comes twice of which the file's order does not say which; they are read as of the first.
        self.ambiguous = 0

    def state(self) -> dict[str, Any]:
        """Return what a later clock of the same log has to know, as JSON."""
        return {"last_ms": self._last_ms, "undecided": self._undecided}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what ``state`` returned."""
        self._last_ms, self._undecided = state.get("last_ms"), state.get("undecided", 0)

    def read(self, text: str) -> int | None:
        """Return the milliseconds of a time, None if the text is no time."""
        if found := _EPOCH_TIME.fullmatch(text):
            seconds, fraction = found[1], found[2] or ""
            return int(seconds) * 1000 + int(fraction.ljust(3, "0")[:3])
        if not _CALENDAR_TIME.fullmatch(text):
            return None
        try:
            first = datetime.fromisoformat(text).replace(tzinfo=self._zone)
            second = first.replace(fold=1)
            first_ms, second_ms = to_ms(first), to_ms(second)
        except (ValueError, OverflowError):
            return None
        # In the hour that is left out in spring the second reading is the earlier one.
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
            # The clock was set back before this line: what stood before is of the first time.
            self.ambiguous -= min(self._undecided, self.ambiguous)
            self._undecided = 0
            return second_ms
        self.ambiguous += 1
        self._undecided += 1
        return first_ms
