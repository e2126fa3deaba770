"""How much is kept of each source, or of those that are joined: contacts or people, and the events known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.facts import TooManyFactsError
from streams.tracking.spaces import id_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Held"]


class Held:
    """Counts by what follows the ids of a source in names; a limit of 0 or None is none."""

    def __init__(self, reason: str, max_subjects: int | None, max_events: int | None) -> None:
        self._reason = reason
        self.max_subjects = max_subjects or 0
        self.max_events = max_events or 0
        #: what follows the ids → [contacts or people, events]
        self.counts: dict[str, list[int]] = {}

    def room(self, suffix: str, *, begins: bool) -> list[int]:
        """Return the counts of a source, to which an event that is then kept is to be added; with ``begins`` it is of another subject.

        Raises:
            TooManyFactsError: there are as many as may be.
        """
        counts = self.counts.get(suffix)
        if counts is None:
            counts = self.counts[suffix] = [0, 0]
        if begins and 0 < self.max_subjects <= counts[0]:
            raise TooManyFactsError("source", self.max_subjects, self._reason)
        if 0 < self.max_events <= counts[1]:
            raise TooManyFactsError("source", self.max_events, self._reason)
        return counts

    def check(self, counts: list[int]) -> None:
        """Raise TooManyFactsError if there are as many events of a source as may be."""
        if 0 < self.max_events <= counts[1]:
            raise TooManyFactsError("source", self.max_events, self._reason)

    def of(self, name: str) -> list[int]:
        """Return the counts of the source of a contact or agent, whatever the limits."""
        return self.counts.setdefault(name[len(id_of(name)) :], [0, 0])

    def drop(self, name: str, events: int) -> None:
        """Take note that a contact or person is given up."""
        counts = self.counts.get(name[len(id_of(name)) :])
        if counts is not None:
            counts[0] -= 1
            counts[1] -= events

    def add(self, kept: Iterable[tuple[str, int]]) -> None:
        """Add contacts or people by name, each with its events."""
        every, suffix, counts = self.counts, "", [0, 0]
        for name, events in kept:
            # Most are of the source of the one before.
            if not suffix or not name.endswith(suffix):
                suffix = name[len(id_of(name)) :]
                counts = every.setdefault(suffix, [0, 0])
            counts[0] += 1
            counts[1] += events

    def move(self, name: str, other: str, events: int) -> None:
        """Take note that a contact or person has another name."""
        self.drop(name, events)
        self.add([(other, events)])

    def recount(self, kept: Iterable[tuple[str, int]]) -> None:
        """Count everything there is: names, each with its events."""
        self.counts.clear()
        self.add(kept)
