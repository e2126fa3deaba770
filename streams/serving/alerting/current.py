"""Update the figures of an alert to their current values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from schemas.alerts import AlertConditionRecord, AlertRecord
from schemas.times import format_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.serving.store import Entry, Store

__all__ = ["current_of"]

_Record = TypeVar("_Record", AlertRecord, AlertConditionRecord)


def current_of(store: Store) -> Callable[[AlertRecord], AlertRecord]:
    """Return a function that gives an alert the newest figures of the store; without any the alert stays as it is."""

    def current(alert: AlertRecord) -> AlertRecord:
        if alert.expected_at is not None:
            return alert  # expectations have no record
        windows = [alert.window] if alert.conditions is None else [each.window for each in alert.conditions]
        groups = {window or "now" for window in windows}
        entries = {
            entry.group: entry
            for entry in store.of_scope(alert.scope_kind, alert.scope)
            if entry.group in groups and entry.channel == alert.channel
        }
        several = None if alert.conditions is None else [_updated(store, entries, each) for each in alert.conditions]
        times = [entry.as_of_ms for entry in entries.values() if entry.as_of_ms is not None]
        if not times or format_ms(max(times)) <= alert.as_of:
            return alert
        now = _updated(store, entries, alert)
        if now is alert and several == alert.conditions:
            return alert
        return now.model_copy(update={"conditions": several, "as_of": format_ms(max(times))})

    return current


def _updated(store: Store, entries: Mapping[str, Entry], record: _Record) -> _Record:
    """Return a record with the current value of its figure; the record itself where there is none."""
    entry = entries.get(record.window or "now")
    figure = {} if entry is None else _figure(store, entry, record.kpi)
    if not isinstance(figure.get("value"), int | float):
        return record
    return record.model_copy(update={name: figure.get(name) for name in ("value", "numerator", "denominator")})


def _figure(store: Store, entry: Entry, kpi: str) -> dict[str, Any]:
    if entry.group != "now":
        figure: dict[str, Any] = orjson.loads(entry.raw)["kpis"].get(kpi) or {}
        return figure
    if kpi == "longest_wait":
        return {"value": store.longest_wait_seconds(entry)}
    if kpi == "backlog_oldest":
        return {"value": store.backlog_oldest_seconds(entry)}
    return {"value": orjson.loads(entry.raw).get(kpi)}
