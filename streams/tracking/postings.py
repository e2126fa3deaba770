"""Postings: sums by target and slice, by outcome and by offer."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from streams.catalogue.fields import ABANDONED_WAITS, ANSWERED_WAITS
from streams.windows.slices import MIN_CELL_MS, PANE_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.windows.sums import Counts

__all__ = ["STANDARD_EDGES_MS", "OfferPostings", "Postings", "Rates", "Waits"]

#: Amounts per millisecond: (field, amount).
Rates = tuple[tuple[str, int], ...]

#: Upper edges of the wait histograms beside the configured thresholds, in milliseconds.
STANDARD_EDGES_MS = tuple(1000 * s for s in (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600, 14400, 86400))


class Waits:
    """Names of the histogram sums of a wait, by its bucket."""

    def __init__(self, thresholds_ms: Iterable[int] = ()) -> None:
        self.edges_ms = sorted({*STANDARD_EDGES_MS, *thresholds_ms})
        labels = [*map(str, self.edges_ms), "inf"]
        self._edges = labels
        self._answered = [ANSWERED_WAITS.name(edge=label) for label in labels]
        self._abandoned = [ABANDONED_WAITS.name(edge=label) for label in labels]

    def answered(self, wait_ms: int) -> str:
        """Return the field of an answered contact's wait."""
        return self._answered[bisect_left(self.edges_ms, wait_ms)]

    def abandoned(self, wait_ms: int) -> str:
        """Return the field of an abandoned contact's wait."""
        return self._abandoned[bisect_left(self.edges_ms, wait_ms)]

    def edge(self, wait_ms: int) -> str:
        """Return the upper edge of the bucket of a wait, as in names of sums."""
        return self._edges[bisect_left(self.edges_ms, wait_ms)]


class Postings:
    """Postings since the last ``clear``: differences, not absolute values."""

    __slots__ = ("by_offer", "by_outcome")

    def __init__(self) -> None:
        #: (target, start of the pane) → sums
        self.by_outcome: dict[tuple[int, int], Counts] = {}
        #: (target, start of the 5 minutes of the entry, for cells of any length) → sums
        self.by_offer: dict[tuple[int, int], Counts] = {}

    def book(self, target: int, at_ms: int, offered_ms: int, amounts: tuple[tuple[str, int], ...]) -> None:
        """Add amounts to the pane of ``at_ms`` and to the 5 minutes of ``offered_ms``."""
        key = (target, at_ms - at_ms % PANE_MS)
        outcome = self.by_outcome.get(key)
        if outcome is None:
            outcome = self.by_outcome[key] = {}
        key = (target, offered_ms - offered_ms % MIN_CELL_MS)
        offer = self.by_offer.get(key)
        if offer is None:
            offer = self.by_offer[key] = {}
        for field, amount in amounts:
            outcome[field] = outcome.get(field, 0) + amount
            offer[field] = offer.get(field, 0) + amount

    def count(self, target: int, at_ms: int, field: str) -> None:
        """Add one to the pane of ``at_ms`` alone: figures about agents are never by offer."""
        key = (target, at_ms - at_ms % PANE_MS)
        counts = self.by_outcome.get(key)
        if counts is None:
            counts = self.by_outcome[key] = {}
        counts[field] = counts.get(field, 0) + 1

    def book_time(self, target: int, start_ms: int, end_ms: int, rates: Rates, times: int, step_ms: int = PANE_MS) -> None:
        """Spread the time from start to end over its panes, by outcome, each millisecond at these rates.

        ``times``: number of agents; −1 reverses one. ``step_ms``: another length, where panes are evicted.
        """
        by_outcome = self.by_outcome
        while start_ms < end_ms:
            pane = start_ms - start_ms % step_ms
            until = min(end_ms, pane + step_ms)
            counts = by_outcome.get((target, pane))
            if counts is None:
                counts = by_outcome[target, pane] = {}
            length = times * (until - start_ms)
            for field, rate in rates:
                counts[field] = counts.get(field, 0) + rate * length
            start_ms = until

    def book_length(self, target: int, pane_ms: int, length_ms: int, rates: Rates) -> None:
        """Add a length of time to a pane, by outcome, each millisecond at these rates."""
        key = (target, pane_ms)
        counts = self.by_outcome.get(key)
        if counts is None:
            counts = self.by_outcome[key] = {}
        for field, rate in rates:
            counts[field] = counts.get(field, 0) + rate * length_ms

    def add(self, other: Postings, sign: int = 1) -> None:
        """Add other postings, or subtract them with sign −1."""
        for mine, theirs in ((self.by_outcome, other.by_outcome), (self.by_offer, other.by_offer)):
            for key, counts in theirs.items():
                into = mine.setdefault(key, {})
                for field, amount in counts.items():
                    into[field] = into.get(field, 0) + sign * amount

    def earliest_change(self) -> int | None:
        """Return the start of the earliest pane with a nonzero amount."""
        return min((pane for (_, pane), counts in self.by_outcome.items() if any(counts.values())), default=None)

    def clear(self) -> None:
        """Remove all postings."""
        self.by_outcome = {}
        self.by_offer = {}

    def __bool__(self) -> bool:
        return bool(self.by_outcome or self.by_offer)


class OfferPostings(Postings):
    """Postings by offer alone, for a complete input: by outcome only cells of agents are needed."""

    __slots__ = ()

    def book(self, target: int, at_ms: int, offered_ms: int, amounts: tuple[tuple[str, int], ...]) -> None:  # noqa: ARG002
        """Add amounts to the 5 minutes of ``offered_ms``."""
        key = (target, offered_ms - offered_ms % MIN_CELL_MS)
        offer = self.by_offer.get(key)
        if offer is None:
            offer = self.by_offer[key] = {}
        for field, amount in amounts:
            offer[field] = offer.get(field, 0) + amount
