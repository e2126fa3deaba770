"""Read the times of a log: seconds since the epoch, or calendar text; the order of the file resolves an hour that occurs twice."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from schemas.times import to_ms
from streams.connectors.repeated_hour import RepeatedHour

if TYPE_CHECKING:
    from datetime import tzinfo

__all__ = ["LogClock"]

_EPOCH_TIME: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?")
_CALENDAR_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?")


class LogClock:
    """Reads the times of one log in their order; ``state`` and ``restore`` carry its state over a restart."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._hour = RepeatedHour()

    @property
    def ambiguous(self) -> int:
        """Lines of an hour that occurs twice which the file's order does not resolve; they are read as of the first."""
        return self._hour.ambiguous

    def state(self) -> dict[str, Any]:
        """Return the state for a later clock of the same log, as JSON."""
        return self._hour.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what ``state`` returned."""
        self._hour.restore(state)

    def read(self, text: str) -> int | None:
        """Return the milliseconds of a time, None if the text is no time."""
        if match := _EPOCH_TIME.fullmatch(text):
            seconds, fraction = match[1], match[2] or ""
            return int(seconds) * 1000 + int(fraction.ljust(3, "0")[:3])
        if not _CALENDAR_TIME.fullmatch(text):
            return None
        try:
            first = datetime.fromisoformat(text).replace(tzinfo=self._zone)
            second = first.replace(fold=1)
            first_ms, second_ms = to_ms(first), to_ms(second)
        except (ValueError, OverflowError):
            return None
        return self._hour.chosen(first_ms, second_ms)
