"""The progress of reading a topic to its end."""

from __future__ import annotations

from typing import Any, NamedTuple

from schemas.times import format_ms

__all__ = ["Reading"]


class Reading(NamedTuple):
    """The progress of reading a topic to its end."""

    topic: str
    #: 0 to 1
    share: float
    #: The instant from which it is read; None for the entire topic.
    since_ms: int | None = None

    @property
    def percent(self) -> int:
        """The percentage that has been read; below 100 until the end."""
        return min(99, int(100 * self.share + 1e-9))

    def document(self, *, unrestricted: bool) -> dict[str, Any]:
        """Return it as JSON has it; the share only for ``unrestricted`` views, because it reveals how busy hidden scopes are."""
        since = {} if self.since_ms is None else {"since": format_ms(self.since_ms)}
        return {"topic": self.topic, **since, "share": self.percent / 100 if unrestricted else None}
