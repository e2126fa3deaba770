"""The day so far by interval: the service level of every queue, from the interval windows in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from streams.serving.store import TRENDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.access.views import View
    from streams.serving.store import Store

__all__ = ["CACHE_SECONDS", "shows_trend", "trends_of"]

#: How long an answer is cached for all pages; intervals change slowly.
CACHE_SECONDS = 5.0


def shows_trend(view: View, trend: Mapping[str, Any]) -> bool:
    """Return whether a view shows the day of a queue."""
    return view.sees("queue", trend["queue"])


def trends_of(store: Store) -> dict[str, Any]:
    """Return the intervals of each queue's current day, by channel, in order of time."""
    series: dict[tuple[str, str], dict[int, bytes]] = {}
    days: dict[tuple[str, str], int] = {}
    for entry in store.group("day"):
        if entry.scope_kind == "queue" and entry.channel is not None:
            key = (entry.scope, entry.channel)
            # Without a contact today, the newest day may be yesterday's: today starts at its end.
            is_over = entry.window_end_ms is not None and entry.window_end_ms <= (store.as_of_ms or 0)
            days[key] = max((entry.window_end_ms if is_over else None) or entry.window_start_ms, days.get(key, 0))
    for entry in store.group(TRENDS):
        if entry.point is not None and entry.channel is not None:
            key = (entry.scope, entry.channel)
            if entry.window_start_ms >= days.get(key, 0) or key not in series:
                series.setdefault(key, {})[entry.window_start_ms] = entry.point
    trends = [
        {
            "queue": key[0],
            "channel": key[1],
            "intervals": [orjson.Fragment(points[at]) for at in sorted(points) if at >= days.get(key, 0)],
        }
        for key, points in sorted(series.items())
        if max(points) >= days.get(key, 0)
    ]
    return {"window": TRENDS, "trends": trends}
