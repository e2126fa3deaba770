"""How far a topic has been read that is not read to its end yet."""

from __future__ import annotations

from typing import Any, NamedTuple

from schemas.times import format_ms

__all__ = ["Reading"]


class Reading(NamedTuple):
    """How far a topic has been read that is not read to its end yet."""

    topic: str
    #: 0 to 1
    share: float
    #: From when on it is read; None for the whole of it.
    since_ms: int | None = None

    @property
    def percent(self) -> int:
        """How many percent have been read; never 100 while anything is left."""
        return min(99, int(100 * self.share + 1e-9))

    def document(self, *, unrestricted: bool) -> dict[str, Any]:
        """Return it as JSON has it; ``unrestricted``: for who sees everything, for the share tells how busy all are."""
        since = {} if self.since_ms is None else {"since": format_ms(self.since_ms)}
        return {"topic": self.topic, **since, "share": self.percent / 100 if unrestricted else None}
