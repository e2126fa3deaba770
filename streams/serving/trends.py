"""The day so far by interval: how the service level of every queue went, from the interval windows that the store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.metrics import WindowFigures
from schemas.times import parse_time_ms

if TYPE_CHECKING:
    from streams.serving.store import Store

__all__ = ["KEPT_SECONDS", "WINDOW", "trends_of"]

#: The intervals shown: short enough to see a bad half hour, long enough to hold some contacts.
WINDOW = "interval_15m"
#: What all pages ask for is made once in so many seconds; intervals change slowly.
KEPT_SECONDS = 5.0


def trends_of(store: Store, window: str = WINDOW) -> dict[str, Any]:
    """Return the intervals since the begin of each queue's newest day, by channel and in order of time."""
    series: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    days: dict[tuple[str, str], int] = {}
    for entry in store.entries():
        record = entry.record
        if not isinstance(record, WindowFigures) or record.scope_kind != "queue" or record.channel is None:
            continue
        key = (record.scope, record.channel)
        if record.window == "day":
            days[key] = max(parse_time_ms(record.window_start), days.get(key, 0))
        elif record.window == window:
            level, offered = record.kpis.get("service_level"), record.kpis.get("offered")
            series.setdefault(key, {})[parse_time_ms(record.window_start)] = {
                "start": record.window_start,
                "end": record.window_end,
                "final": record.final,
                "offered": None if offered is None else offered.value,
                "service_level": None if level is None else level.value,
                "denominator": None if level is None else level.denominator,
                "exceptions": record.exceptions or [],
            }
    trends = [
        {
            "queue": key[0],
            "channel": key[1],
            "intervals": [points[at] for at in sorted(points) if at >= days.get(key, 0)],
        }
        for key, points in sorted(series.items())
    ]
    return {"window": window, "trends": trends}
