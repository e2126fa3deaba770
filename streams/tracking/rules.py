"""What counting needs from the configuration."""

from __future__ import annotations

from typing import NamedTuple

from streams.tracking.extra_postings import ExtraPostings
from streams.tracking.postings import Waits
from streams.tracking.scopes import Targets
from streams.windows.hours import OpeningHours

__all__ = ["Rules"]


class Rules(NamedTuple):
    """What the functions that fold facts go by."""

    targets: Targets
    waits: Waits
    rejoin_ms: int
    lost_after_ms: dict[str, int]
    """channel → how long after its last fact a conversation is lost"""
    shortest_ms: int
    """no conversation is lost sooner than this after a fact"""
    business: dict[str, OpeningHours]
    """queue → when it is open, where it has its times measured on the business clock"""
    extra: ExtraPostings = ExtraPostings()
    uncounted_from_ms: int | None = None
    """events that counted nothing are counted after this: state of a version that did not is older; None: all are"""

    by_category_from_ms: int | None = None
    """complaints and thanks that are booked after this are told by category, as ``uncounted_from_ms``"""

    def counts_by_category(self, at_ms: int) -> bool:
        """Say whether complaints and thanks booked at an instant are told by category: versions before did not."""
        return self.by_category_from_ms is None or at_ms > self.by_category_from_ms

    def counts_uncounted(self, at_ms: int) -> bool:
        """Say whether an event is counted with what versions did not count that did not count events that counted nothing."""
        return self.uncounted_from_ms is None or at_ms > self.uncounted_from_ms
