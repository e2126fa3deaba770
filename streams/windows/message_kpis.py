"""Figures about messages, replies and callbacks of one window, from sums (``docs/counting.md`` section 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.windows.figures import mean, ratio, share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.windows.figures import Figure

__all__ = ["message_kpis"]


def message_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures that come of what customers and agents wrote to each other, and of callbacks."""
    replies, named, duplicates = (sums.get(name, 0) for name in ("replies", "replies_named", "duplicate_replies"))
    exchanged, resolved = sums.get("exchanged", 0), sums.get("resolved", 0)
    looked, texts = sums.get("texts_looked", 0), sums.get("texts", 0)
    return {
        "average_response_time": mean(sums, "response_ms", "response_count"),
        "exchanges_per_contact": ratio(sums.get("exchanges", 0), exchanged, share(exchanged, resolved)),
        "gratitude_rate": ratio(sums.get("thanked", 0), looked, share(min(looked, texts), texts)),
        # Nobody can say that two people replied where nobody says who did.
        "duplicate_replies": {
            "value": None if replies and not named else duplicates,
            "numerator": duplicates,
            "denominator": None,
            "coverage": share(named, replies),
        },
        "callback_wait": mean(sums, "callback_wait_ms", "callbacks_reached"),
    }
