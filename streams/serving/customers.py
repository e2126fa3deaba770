"""Customers' surveys, complaints, categories of contacts and returns, from the records in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.catalogue import KPI_BY_ID, KPIS
from streams.catalogue.choices import Where
from streams.serving.today import figure_document, is_running
from streams.serving.window_records import WindowRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from schemas.api import Unknown
    from streams.access.views import View
    from streams.serving.store import Store
    from streams.serving.window_records import Seen

__all__ = ["CACHE_SECONDS", "CUSTOMER_KPIS", "DAY_KPIS", "customers_of", "shows_window"]

#: How long an answer is cached for all pages.
CACHE_SECONDS: Final = 5.0

#: KPIs of a day about customers' opinions and self-service.
DAY_KPIS: Final = (
    "csat",
    "csat_top2",
    "nps",
    "survey_response_rate",
    "gratitude_rate",
    "complaints",
    "complaints_within_day_rate",
    "self_service_rate",
    "containment_rate",
)
_CATEGORIES: Final = "contacts_by_category"
_COMPLAINTS: Final = "complaints"
_THANKS: Final = "gratitude_rate"
_WINDOWS: Final = ("customers_day", "customers_month")
#: KPIs counted by customer, only in windows of customers' days and months.
CUSTOMER_KPIS: Final = tuple(kpi.id for kpi in KPIS if set(kpi.windows) <= set(_WINDOWS))
#: KPIs withheld below a minimum number of customers, to protect individuals.
_OF_ENOUGH: Final = frozenset(kpi.id for kpi in KPIS if isinstance(kpi.formula, Where) and kpi.formula.at_least > 1)


def customers_of(store: Store) -> dict[str, Any]:
    """Return the current day of each scope and channel with customer data, and every day and month of customers."""
    as_of = max(store.as_of_ms or 0, store.newest_as_of_ms)
    windows = []
    for entry in store.group("day", *_WINDOWS):
        dated = entry.window in _WINDOWS
        record = entry.record if dated or is_running(entry, as_of) else None
        if isinstance(record, WindowRecord) and (window := _window(record, CUSTOMER_KPIS if dated else DAY_KPIS)):
            windows.append(window)
    return {"windows": windows}


def shows_window(view: View, window: Mapping[str, Any]) -> bool:
    """Return whether a view shows a window's scope."""
    return view.sees(window["scope_kind"], window["scope"])


def _window(record: WindowRecord, kpis: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the customer figures of a record; None if it has none."""
    figures = {kpi: figure_document(figure) for kpi in kpis if (figure := record.kpis.get(kpi)) is not None and _has_value(figure)}
    categories = _parts(record, _CATEGORIES)
    if not figures and not categories:
        return None
    complaints, thanks = _parts(record, _COMPLAINTS), _parts(record, _THANKS)
    return {
        "scope_kind": record.scope_kind,
        "scope": record.scope,
        "channel": record.channel,
        "window": record.window,
        "start": record.window_start,
        "end": record.window_end,
        "final": record.final,
        "figures": figures,
        "contacts_by_category": categories,
        "complaints_by_category": complaints,
        "complaints_without_category": _others(record, _COMPLAINTS, complaints),
        "thanks_by_category": thanks,
        "thanks_without_category": _others(record, _THANKS, thanks),
        "unknown": {
            kpi: _why(kpi, record.kpis.get(kpi))
            for kpi in _served(record, kpis)
            if kpi not in figures or (figure := record.kpis.get(kpi)) is None or figure.value is None
        },
    }


def _parts(record: WindowRecord, kpi: str) -> dict[str, int]:
    """Return label → contacts; of ratios the contacts in the numerator."""
    numbers = {name: int(figure.numerator or 0) for name, figure in record.by_label.get(kpi, {}).items()}
    return {name: number for name, number in numbers.items() if number > 0}


def _others(record: WindowRecord, kpi: str, parts: Mapping[str, int]) -> int:
    """Return how many of a figure's contacts have no label."""
    figure = record.kpis.get(kpi)
    return 0 if figure is None else max(0, int(figure.numerator or 0) - sum(parts.values()))


def _served(record: WindowRecord, kpis: Iterable[str]) -> Iterable[str]:
    """Yield the KPIs that this window and scope have."""
    for kpi in kpis:
        about = KPI_BY_ID[kpi]
        if (record.scope_kind == "total" or record.scope_kind in about.dimensions) and record.window in about.windows:
            yield kpi


def _why(kpi: str, figure: Seen | None) -> Unknown:
    """Return why a figure has no value."""
    if figure is not None and figure.coverage == 0:
        return "not_reported"
    return "too_few" if kpi in _OF_ENOUGH else "nothing_yet"


def _has_value(figure: Seen) -> bool:
    # A count of 0 is shown as a dash too, and a share of none has no value; a figure below the minimum still shows its parts.
    return bool(figure.value) or bool(figure.denominator)
