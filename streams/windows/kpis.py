"""From sums to figures: what the formulas of the catalogue make of a window (``docs/counting.md`` section 8)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.catalogue.formulas import How
from streams.catalogue.given import WORKED
from streams.catalogue.levels import decided_in, judged_by
from streams.catalogue.sheets import Sheet, sheet_of
from streams.windows.labels import wholes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.catalogue.formulas import Figure
    from streams.catalogue.levels import Definition
    from streams.catalogue.sheets import Make

__all__ = [
    "FORECASTS", "STAFF", "StaffTerms", "cohort_kpis", "contact_kpis", "customer_kpis", "decided_in", "definition_kpis",
    "forecast_kpis", "no_forecasts", "people_kpis", "retention_kpis", "service_level_parts", "worked_ms",
]  # fmt: skip


def service_level_parts(sums: Mapping[str, int], definition: Definition) -> tuple[int, int]:
    """Return contacts that met the service level and contacts that count."""
    return judged_by(definition)[2].parts(sums)


def contact_kpis(
    sums: Mapping[str, int],
    definition: Definition,
    channel: str,
    *,
    by_offer: bool,
    past_threshold: int | None = None,
    level: tuple[int, int] | None = None,
    make: Make = Sheet.figures,
) -> dict[str, Figure]:
    """Return the figures about contacts of one window.

    Args:
        sums: what was counted in the window, of one scope and channel.

        definition: how figures are judged.

        channel: mail and tickets have no abandon rate.

        by_offer: intervals and days, from contacts offered in them; else trailing windows, from contacts decided in them.

        past_threshold: contacts waiting longer than the threshold at as-of; with it, ``service_level_live`` is among the figures.

        level: contacts met and counted, where not all are judged by ``definition``.

        make: what makes them of the sums.
    """
    _, ways, own_level = judged_by(definition)
    met, counted = level or own_level.parts(sums)
    how = How(by_offer, channel, ways, live=past_threshold is not None)
    values = {**sums, **wholes(sums), "met": met, "counted": counted, "waiting_past_threshold": past_threshold or 0}
    return make(sheet_of("contacts", how), values)


def definition_kpis(
    sums: Mapping[str, int],
    definition: Definition,
    *,
    by_offer: bool = True,
    past_threshold: int | None = None,
    make: Make = Sheet.figures,
) -> dict[str, Figure]:
    """Return those figures of which a definition says what they mean, the service level first of all."""
    _, ways, level = judged_by(definition)
    met, counted = level.parts(sums)
    how = How(by_offer, "", ways, live=past_threshold is not None)
    values = {**sums, "met": met, "counted": counted, "waiting_past_threshold": past_threshold or 0}
    return make(sheet_of("definitions", how), values)


class StaffTerms(NamedTuple):
    """What figures about people need beside the sums of a window."""

    length_ms: int | None = None
    """How long the window is; None for a whole input, which has no staff."""
    fixed_per_hour: int | None = None
    """What the scope costs beside its people, in hundredths an hour; None without costs."""
    individual: bool = False
    """Whether it is about a single person."""


#: Of a scope without costs, and of an input without a length.
STAFF: Final = StaffTerms()


def people_kpis(sums: Mapping[str, int], terms: StaffTerms = STAFF, make: Make = Sheet.figures) -> dict[str, Figure]:
    """Return the figures about people of one window."""
    values = dict(sums)
    if terms.length_ms is not None:
        values["window_ms"] = terms.length_ms
    if terms.fixed_per_hour is not None:
        values["costs"] = 1
        values["fixed_cost"] = sums.get("staffed_ms", 0) * terms.fixed_per_hour
    return make(sheet_of("people", How(individual=terms.individual, has_length=terms.length_ms is not None)), values)


def worked_ms(sums: Mapping[str, int]) -> int:
    """Return the time in every category that is booked."""
    return sum(sums.get(name, 0) for name, _ in WORKED.terms)


#: The sums of which any tells that there is a forecast.
FORECASTS: Final = ("forecasts", "forecasts_of_staff")


def forecast_kpis(cells: Iterable[Mapping[str, int]], cell_ms: int, *, over: bool, make: Make = Sheet.figures) -> dict[str, Figure]:
    """Return the figures about forecasts of a window, of the sums of its cells; accuracy once it is over and settled."""
    values = dict.fromkeys(("forecast_cells", "forecast_milli", "forecast_work_milli", "forecast_work_ms", "staff_ms"), 0)
    offered = work_cells = staff_cells = 0
    for sums in cells:
        if sums.get("forecasts"):
            values["forecast_cells"] += 1
            values["forecast_milli"] += sums.get("forecast_milli", 0)
            offered += sums.get("offered", 0)
        if sums.get("forecasts_of_work"):
            work_cells += 1
            values["forecast_work_milli"] += sums.get("forecast_work_milli", 0)
            values["forecast_work_ms"] += sums.get("forecast_work_ms", 0)
        if sums.get("forecasts_of_staff"):
            staff_cells += 1
            values["staff_ms"] += sums.get("staff_ms", 0)
    milli = values["forecast_milli"]
    values |= {
        "forecast_over": values["forecast_cells"] if over else 0,
        "forecast_hit_milli": milli - abs(1000 * offered - milli),
        "work_length_ms": work_cells * cell_ms,
        "staff_length_ms": staff_cells * cell_ms,
    }
    return make(sheet_of("forecasts", How()), values)


@lru_cache(maxsize=2)
def no_forecasts(make: Make) -> dict[str, Figure]:
    """Return the figures where there is no forecast."""
    return forecast_kpis((), 1, over=False, make=make)


def cohort_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures about the contacts of known customers that began in a day."""
    return sheet_of("cohorts", How()).figures(dict(sums))


def customer_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures about customers at the end of a day."""
    return sheet_of("customers_day", How()).figures(dict(sums))


def retention_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures about customers who stay through a month."""
    return sheet_of("customers_month", How()).figures(dict(sums))
