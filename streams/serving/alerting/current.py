"""The figure of an alert as it is now, beside what it was when the alert fired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from schemas.times import format_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.alerts import AlertRecord
    from streams.serving.store import Entry, Store

__all__ = ["current_of"]


def current_of(store: Store) -> Callable[[AlertRecord], AlertRecord]:
    """Return what gives an alert the newest figure of the store, and leaves it as it is where there is none."""

    def current(alert: AlertRecord) -> AlertRecord:
        group = alert.window or "now"
        for entry in store.of_scope(alert.scope_kind, alert.scope):
            if entry.group == group and entry.channel == alert.channel:
                return _with(alert, _figure(store, entry, alert.kpi), entry.as_of_ms)
        return alert

    return current


def _figure(store: Store, entry: Entry, kpi: str) -> dict[str, Any]:
    if entry.group != "now":
        found: dict[str, Any] = orjson.loads(entry.raw)["kpis"].get(kpi) or {}
        return found
    if kpi == "longest_wait":
        return {"value": store.longest_wait_seconds(entry)}
    if kpi == "backlog_oldest":
        return {"value": store.backlog_oldest_seconds(entry)}
    return {"value": orjson.loads(entry.raw).get(kpi)}


def _with(alert: AlertRecord, figure: dict[str, Any], as_of_ms: int | None) -> AlertRecord:
    value = figure.get("value")
    if not isinstance(value, int | float) or as_of_ms is None or format_ms(as_of_ms) <= alert.as_of:
        return alert
    told = {name: figure.get(name) for name in ("value", "numerator", "denominator")}
    return alert.model_copy(update={**told, "as_of": format_ms(as_of_ms)})
