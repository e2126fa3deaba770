"""Retained contacts or agents, and their events, by source or joined sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.facts import TooManyFactsError
from streams.tracking.spaces import id_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Held"]


class Held:
    """Counts by suffix of a source's names; a limit of 0 or None is none."""

    def __init__(self, reason: str, max_subjects: int | None, max_events: int | None) -> None:
        self._reason = reason
        self.max_subjects = max_subjects or 0
        self.max_events = max_events or 0
        #: suffix → [contacts or agents, events]
        self.counts: dict[str, list[int]] = {}

    def room(self, suffix: str, *, begins: bool) -> list[int]:
        """Return the mutable counts of a source for one more event; with ``begins`` of a new contact or agent.

        Raises:
            TooManyFactsError: a limit is reached.
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
        """Raise TooManyFactsError if the events of a source have reached their limit."""
        if 0 < self.max_events <= counts[1]:
            raise TooManyFactsError("source", self.max_events, self._reason)

    def of(self, name: str) -> list[int]:
        """Return the counts of the source of a contact or agent, without limits."""
        return self.counts.setdefault(name[len(id_of(name)) :], [0, 0])

    def drop(self, name: str, events: int) -> None:
        """Remove a contact or agent."""
        counts = self.counts.get(name[len(id_of(name)) :])
        if counts is not None:
            counts[0] -= 1
            counts[1] -= events

    def add(self, subjects: Iterable[tuple[str, int]]) -> None:
        """Add contacts or agents by name, each with its number of events."""
        every, suffix, counts = self.counts, "", [0, 0]
        for name, events in subjects:
            # Most have the source of the one before.
            if not suffix or not name.endswith(suffix):
                suffix = name[len(id_of(name)) :]
                counts = every.setdefault(suffix, [0, 0])
            counts[0] += 1
            counts[1] += events

    def move(self, name: str, other: str, events: int) -> None:
        """Move a contact or agent to another name."""
        self.drop(name, events)
        self.add([(other, events)])

    def recount(self, subjects: Iterable[tuple[str, int]]) -> None:
        """Reset the counts to these names, each with its number of events."""
        self.counts.clear()
        self.add(subjects)
