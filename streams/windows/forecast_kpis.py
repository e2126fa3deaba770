"""From sums to the figures about forecasts (``docs/counting.md`` section 16.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.windows.figures import Figure

__all__ = ["FORECASTS", "NO_FORECASTS", "forecast_kpis"]

_NOTHING: Figure = {"value": None, "numerator": None, "denominator": None, "coverage": None}

#: The sums of which any tells that there is a forecast.
FORECASTS = ("forecasts", "forecasts_of_staff")
#: The figures where there is none.
NO_FORECASTS = dict.fromkeys(("forecast_contacts", "staff_forecast", "staff_required", "forecast_accuracy"), _NOTHING)


def forecast_kpis(cells: Iterable[Mapping[str, int]], cell_ms: int, *, over: bool) -> dict[str, Figure]:
    """Return the figures about forecasts of a window, of the sums of its cells; accuracy once it is over and settled."""
    milli = work_milli = work_ms = staff_ms = offered = 0
    forecast_cells = work_cells = staff_cells = 0
    for sums in cells:
        if sums.get("forecasts"):
            forecast_cells += 1
            milli += sums.get("forecast_milli", 0)
            offered += sums.get("offered", 0)
        if sums.get("forecasts_of_work"):
            work_cells += 1
            work_milli += sums.get("forecast_work_milli", 0)
            work_ms += sums.get("forecast_work_ms", 0)
        if sums.get("forecasts_of_staff"):
            staff_cells += 1
            staff_ms += sums.get("staff_ms", 0)
    contacts = _NOTHING
    if forecast_cells:
        contacts = {"value": milli / 1000, "numerator": milli / 1000, "denominator": None, "coverage": None}
    accuracy = _NOTHING
    if forecast_cells and over:
        hit = milli - abs(1000 * offered - milli)
        coverage = 1.0 if milli else None
        accuracy = {"value": hit / milli if milli else None, "numerator": hit / 1000, "denominator": milli / 1000, "coverage": coverage}
    return {
        "forecast_contacts": contacts,
        "staff_forecast": _agents(work_ms, work_cells * cell_ms, work_milli / milli if milli else None),
        "staff_required": _agents(staff_ms, staff_cells * cell_ms, 1.0 if staff_cells else None),
        "forecast_accuracy": accuracy,
    }


def _agents(time_ms: int, length_ms: int, coverage: float | None) -> Figure:
    """Return how many people a sum of time is over a length of time."""
    if not length_ms:
        return {**_NOTHING, "coverage": coverage}
    return {"value": time_ms / length_ms, "numerator": time_ms / 1000, "denominator": length_ms / 1000, "coverage": coverage}
