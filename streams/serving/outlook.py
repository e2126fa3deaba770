"""The forecast for the next intervals of queues of calls: contacts, agents needed and service level, from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from schemas.times import format_ms
from streams.configuration.alerts import CALLS
from streams.configuration.judges import definition_at
from streams.serving.store import TRENDS
from streams.staffing import Forecast, Observed, effective_agents, outlook, patience_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.access.views import View
    from streams.configuration import Configuration
    from streams.serving.store import Entry, Store
    from streams.serving.window_records import WindowRecord

__all__ = ["CACHE_SECONDS", "outlook_of", "shows_outlook"]

#: How long an answer is cached for all pages.
CACHE_SECONDS: Final = 15.0
_INTERVAL_MS: Final = 900_000
_DAY_MS: Final = 86_400_000
#: Intervals ahead: two hours; past intervals whose error is reported: six hours.
_AHEAD, _PAST = 8, 24
#: How far ahead a breach is reported.
_WARNING_MS: Final = 1_800_000
#: The observed window is the first of these that exists.
_LAST: Final = ("trailing_60m", "trailing_30m", "trailing_15m")


def shows_outlook(view: View, queue: Mapping[str, Any]) -> bool:
    """Return whether a view shows the outlook of a queue."""
    return view.sees("queue", queue["queue"])


def outlook_of(store: Store, configuration: Configuration, targets: Mapping[str, float]) -> dict[str, Any]:
    """Return the intervals ahead of every queue of calls; ``targets`` are service levels by queue."""
    now_ms = store.as_of_ms
    queues: list[dict[str, Any]] = []
    if now_ms is not None:
        history = _history(store, now_ms)
        for key, entry in sorted(_last(store).items()):
            queues.append(_of_queue(key, entry, Forecast(history.get(key, {}), _INTERVAL_MS), now_ms, configuration, targets))
    return {"interval_minutes": _INTERVAL_MS // 60_000, "outlook": queues}


def _of_queue(
    key: tuple[str, str],
    entry: Entry,
    forecast: Forecast,
    now_ms: int,
    configuration: Configuration,
    targets: Mapping[str, float],
) -> dict[str, Any]:
    queue, channel = key
    observed = _observed(entry, configuration, queue, channel, targets.get(queue))
    patience = patience_seconds(observed.waited_seconds, observed.abandoned)
    ahead = outlook(forecast, observed, now_ms, _AHEAD, patience)
    target = observed.target
    breaches = [
        interval.start_ms
        for interval in ahead
        if target is not None
        and interval.service_level is not None
        and interval.service_level < target
        and interval.start_ms <= now_ms + _WARNING_MS
    ]
    return {
        "queue": queue,
        "channel": channel,
        "threshold_seconds": observed.threshold_seconds,
        "target": target,
        "aht_seconds": observed.aht_seconds,
        "patience_seconds": patience,
        "agents_now": effective_agents(observed, patience),
        "breach_expected_at": format_ms(min(breaches)) if breaches else None,
        "past_error": forecast.error(now_ms, _PAST),
        "expected_from": None if ahead else _expected_from(forecast.history),
        "intervals": [
            {
                "start": format_ms(interval.start_ms),
                "end": format_ms(interval.start_ms + _INTERVAL_MS),
                "contacts": interval.contacts,
                "agents_needed": interval.agents_needed,
                "service_level": interval.service_level,
            }
            for interval in ahead
        ],
    }


def _expected_from(history: Mapping[int, float]) -> str | None:
    """Return from when an interval ahead has a counterpart on the day before; None before any interval is known."""
    return format_ms(min(history) + _DAY_MS - _AHEAD * _INTERVAL_MS) if history else None


def _history(store: Store, now_ms: int) -> dict[tuple[str, str], dict[int, float]]:
    """Return the contacts offered in complete intervals, by queue and channel."""
    history: dict[tuple[str, str], dict[int, float]] = {}
    for entry in store.group(TRENDS):
        if entry.point is None or entry.channel not in CALLS or (entry.window_end_ms or 0) > now_ms:
            continue
        point = orjson.loads(entry.point)
        # An interval with a calendar exception predicts no other day.
        if point["offered"] is not None and not point["exceptions"]:
            history.setdefault((entry.scope, entry.channel), {})[entry.window_start_ms] = point["offered"]
    return history


def _last(store: Store) -> dict[tuple[str, str], Entry]:
    """Return the observed window of each queue of calls."""
    entries: dict[tuple[str, str], Entry] = {}
    for window in _LAST:
        for entry in store.group(window):
            if entry.scope_kind == "queue" and entry.channel in CALLS:
                entries.setdefault((entry.scope, entry.channel), entry)
    return entries


def _observed(entry: Entry, configuration: Configuration, queue: str, channel: str, target: float | None) -> Observed:
    record: WindowRecord = entry.record  # type: ignore[assignment] # that of a window

    def part(kpi: str, name: str) -> float | None:
        figure = record.kpis.get(kpi)
        return None if figure is None else getattr(figure, name)

    # Without reported wrap-up, handling is talk.
    aht = part("aht", "value") or part("att", "value")
    definition = definition_at(configuration, queue, channel, entry.window_start_ms)
    waits = ["asa", "time_to_abandon"] if definition.asa_denominator == "answered" else ["asa"]
    return Observed(
        length_ms=(entry.window_end_ms or 0) - entry.window_start_ms,
        offered=part("offered", "value") or 0,
        abandoned=part("abandoned", "value") or 0,
        aht_seconds=aht or None,
        waited_seconds=sum(part(kpi, "numerator") or 0 for kpi in waits),
        service_level=part("service_level", "value"),
        threshold_seconds=definition.threshold_s,
        target=target,
    )
