"""How far one source partition's event time is complete (``docs/counting.md`` section 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.limits import MAX_SOURCES

if TYPE_CHECKING:
    from streams.configuration import Configuration

__all__ = ["Progress", "progress_of"]


def progress_of(configuration: Configuration) -> Progress:
    """Return the progress of a partition of which nothing is known yet."""
    counting = configuration.counting
    return Progress(1000 * counting.source_timeout_seconds, 1000 * counting.disorder_seconds, 1000 * counting.source_forget_seconds)


class Progress:
    """Signs of life of the sources seen on one partition; all instants in ms."""

    def __init__(self, source_timeout_ms: int, disorder_ms: int, source_forget_ms: int) -> None:
        self._timeout_ms = source_timeout_ms
        self._forget_ms = max(source_timeout_ms, source_forget_ms)
        self._disorder_ms = disorder_ms
        #: source → last received_at
        self.sources: dict[str, int] = {}
        self._complete: dict[str, int] = {}
        self.received_through: int | None = None
        #: nothing earlier is still to come; never goes back
        self.through: int | None = None

    def has_room(self, source: str) -> bool:
        """Say whether something of a source may be taken: it is known, or not too many others are."""
        return source in self.sources or len(self.sources) < MAX_SOURCES

    def received(self, source: str, received_ms: int) -> None:
        """Take note that an event of a source came in."""
        last = self.sources.get(source)
        if last is None or received_ms > last:
            self.sources[source] = received_ms
            if self.received_through is None or received_ms > self.received_through:
                self.received_through = received_ms

    def heartbeat(self, source: str, received_ms: int, complete_ms: int, *, ended: bool = False) -> None:
        """Take a source's word that nothing earlier than ``complete_ms`` is still to come, or nothing at all."""
        self.received(source, received_ms)
        if ended:
            if received_ms >= self.sources[source]:
                self._forget(source)
            return
        self._complete[source] = max(complete_ms, self._complete.get(source, complete_ms))

    def stale(self) -> list[str]:
        """Return the sources that have been silent for longer than the timeout, by the others' time."""
        newest = self.received_through
        if newest is None:
            return []
        return sorted(source for source, last in self.sources.items() if newest - last > self._timeout_ms)

    def advance(self) -> bool:
        """Bring ``through`` up to date; say whether it moved."""
        newest = self.received_through
        if newest is None:
            return False
        self._forget_silent(newest - self._forget_ms)
        limit = newest - self._timeout_ms
        complete = self._complete
        alive = (complete.get(source, last - self._disorder_ms) for source, last in self.sources.items() if last >= limit)
        # Where the source heard last has ended, there may be none.
        through = min(alive, default=newest)
        if self.through is not None and through <= self.through:
            return False
        self.through = through
        return True

    def _forget_silent(self, before_ms: int) -> None:
        """Give up sources silent since before an instant; the one that was heard last never is, for nobody tells its silence."""
        for source in [source for source, last in self.sources.items() if last < before_ms]:
            self._forget(source)

    def _forget(self, source: str) -> None:
        del self.sources[source]
        self._complete.pop(source, None)

    def state(self) -> dict[str, Any]:
        """Return what ``restore`` takes."""
        return {"sources": self.sources, "complete": self._complete, "through": self.through, "received_through": self.received_through}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a kept state."""
        self.sources, self._complete = dict(state["sources"]), dict(state["complete"])
        self.through, self.received_through = state["through"], state["received_through"]
