"""Text of commands about events that were not counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["reasons_of", "uncounted_lines"]


def reasons_of(labelled: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the number of uncounted events by reason, the most frequent first, from figures by label that do not overlap."""
    reasons = Counter[str]()
    for figures in labelled:
        for reason, figure in figures.get("events_uncounted", {}).items():
            reasons[reason] += int(figure["value"])
    return dict(reasons.most_common())


def uncounted_lines(reasons: Mapping[str, int]) -> Iterator[str]:
    """Yield a line about uncounted events, if there are any."""
    number = sum(reasons.values())
    if number:
        why = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        yield f"{number} event{'s' * (number > 1)} counted nothing: {why} (docs/counting.md, section 12.5)"
