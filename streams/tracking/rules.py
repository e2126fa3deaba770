"""Rules of counting, from the configuration."""

from __future__ import annotations

from typing import NamedTuple

from streams.tracking.extra_postings import ExtraPostings
from streams.tracking.postings import Waits
from streams.tracking.scopes import Targets
from streams.windows.hours import OpeningHours

__all__ = ["Rules"]


class Rules(NamedTuple):
    """Rules for the functions that fold facts."""

    targets: Targets
    waits: Waits
    rejoin_ms: int
    lost_after_ms: dict[str, int]
    """channel → how long after its last fact a conversation is lost"""
    shortest_ms: int
    """no conversation is lost sooner than this after a fact"""
    business: dict[str, OpeningHours]
    """queue → opening hours, where its times use the business clock"""
    extra: ExtraPostings = ExtraPostings()
    uncounted_from_ms: int | None = None
    """uncounted events are counted after this, the start of a version that does; None: always"""

    by_category_from_ms: int | None = None
    """complaints and thanks count by category after this, as ``uncounted_from_ms``"""

    def counts_by_category(self, at_ms: int) -> bool:
        """Return whether complaints and thanks booked at an instant count by category."""
        return self.by_category_from_ms is None or at_ms > self.by_category_from_ms

    def counts_uncounted(self, at_ms: int) -> bool:
        """Return whether an event at an instant counts under the rules of versions with uncounted events."""
        return self.uncounted_from_ms is None or at_ms > self.uncounted_from_ms
