"""From sums to figures: what the formulas of the catalogue make of a window (``docs/counting.md`` section 8)."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from streams.catalogue.formulas import How
from streams.catalogue.given import WORKED
from streams.catalogue.levels import decided_in, judged_by
from streams.catalogue.sheets import FIGURES, WRITTEN, sheet_of
from streams.windows.labels import wholes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.catalogue.formulas import Figure
    from streams.catalogue.levels import Definition
    from streams.catalogue.sheets import Make, Sheet, SheetKind
    from streams.windows.known import Known

__all__ = [
    "FORECASTS", "STAFF", "StaffTerms", "contact_day_kpis", "contact_kpis", "customer_kpis", "decided_in", "definition_kpis",
    "forecast_kpis", "no_forecasts", "people_kpis", "retention_kpis", "service_level_parts", "worked_ms",
]  # fmt: skip


_NOTHING_BESIDE: Final[Mapping[str, Any]] = MappingProxyType({})


def service_level_parts(sums: Mapping[str, int], definition: Definition, known: Known | None = None) -> tuple[int, int]:
    """Return contacts that met the service level and contacts that count; ``known``: what the names of the sums say."""
    return judged_by(definition)[2].parts(sums, known)


def contact_kpis(
    sums: Mapping[str, int],
    definition: Definition,
    channel: str,
    *,
    by_offer: bool,
    past_threshold: int | None = None,
    level: tuple[int, int] | None = None,
    known: Known | None = None,
    left_out: frozenset[str] = frozenset(),
    beside: Mapping[str, Any] = _NOTHING_BESIDE,
    make: Make = FIGURES,
) -> Any:
    """Return the figures about contacts of one window, as a dictionary unless ``make`` makes JSON of them.

    Args:
        sums: what was counted in the window, of one scope and channel.

        definition: how figures are judged.

        channel: mail and tickets have no abandon rate.

        by_offer: intervals and days, from contacts offered in them; else trailing windows, from contacts decided in them.

        past_threshold: contacts waiting longer than the threshold at as-of; with it, ``service_level_live`` is among the figures.

        level: contacts met and counted, where not all are judged by ``definition``.

        known: what the names of the sums say, where that has been looked up.

        left_out: those that no source reports.

        beside: figures about forecasts, which intervals and days have among their own.

        make: what makes them of the sums.
    """
    met, counted = level or service_level_parts(sums, definition, known)
    given = {**wholes(sums, known), "met": met, "counted": counted, "waiting_past_threshold": past_threshold or 0}
    sheet = _sheet("contacts", definition, (by_offer, channel, past_threshold is not None), None, left_out)
    return make.complete(sheet, sums, given, known, beside)


def definition_kpis(
    sums: Mapping[str, int],
    definition: Definition,
    *,
    by_offer: bool = True,
    past_threshold: int | None = None,
    only: frozenset[str] | None = None,
    known: Known | None = None,
    left_out: frozenset[str] = frozenset(),
    make: Make = FIGURES,
) -> Any:
    """Return those figures of which a definition says what they mean, the service level first of all; ``only`` some of them."""
    met, counted = service_level_parts(sums, definition, known)
    given = {"met": met, "counted": counted, "waiting_past_threshold": past_threshold or 0}
    sheet = _sheet("definitions", definition, (by_offer, "", past_threshold is not None), only, left_out)
    return make.complete(sheet, sums, given, known, _NOTHING_BESIDE)


def _sheet(
    kind: SheetKind, definition: Definition, how: tuple[bool, str, bool], only: frozenset[str] | None, left_out: frozenset[str]
) -> Sheet:
    """Return the sheet of windows that a definition judges; ``how``: by offer, the channel, and whether those who wait are known."""
    key = (id(definition), kind, how, only, left_out)
    found = _sheets.get(key)
    if found is None:
        if len(_sheets) >= _MOST_SHEETS:
            _sheets.clear()
        by_offer, channel, live = how
        sheet = sheet_of(kind, How(by_offer, channel, judged_by(definition)[1], live=live), only, left_out)
        found = _sheets[key] = (definition, sheet)
    return found[1]


#: id of a definition, which stays what it is for as long as it stands here, and what is asked for → the definition and the sheet
_sheets: Final[dict[tuple[object, ...], tuple[Definition, Sheet]]] = {}
_MOST_SHEETS: Final = 1024


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


def people_kpis(
    sums: Mapping[str, int],
    terms: StaffTerms = STAFF,
    make: Make = FIGURES,
    known: Known | None = None,
    left_out: frozenset[str] = frozenset(),
) -> Any:
    """Return the figures about people of one window, without those that no source reports."""
    given = dict[str, int]()
    if terms.length_ms is not None:
        given["window_ms"] = terms.length_ms
    if terms.fixed_per_hour is not None:
        given["costs"] = 1
        given["fixed_cost"] = sums.get("staffed_ms", 0) * terms.fixed_per_hour
    sheet = sheet_of("people", How(individual=terms.individual, has_length=terms.length_ms is not None), None, left_out)
    return make.complete(sheet, sums, given, known, _NOTHING_BESIDE)


def worked_ms(sums: Mapping[str, int]) -> int:
    """Return the time in every category that is booked."""
    return sum(sums.get(name, 0) for name, _ in WORKED.terms)


#: The sums of which any tells that there is a forecast.
FORECASTS: Final = ("forecasts", "forecasts_of_staff")


def forecast_kpis(cells: Iterable[Mapping[str, int]], cell_ms: int, *, over: bool, make: Make = FIGURES) -> dict[str, Figure]:
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
    return make.by_kpi(sheet_of("forecasts", How()), {}, values)


@lru_cache(maxsize=2)
def no_forecasts(make: Make) -> dict[str, Figure]:
    """Return the figures where there is no forecast, but for what is in the JSON of others already."""
    return {} if make is WRITTEN else make.by_kpi(sheet_of("forecasts", How()), {}, {})


def contact_day_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures about the contacts of known customers that began in a day."""
    return sheet_of("cohorts", How()).figures(sums)


def customer_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures about customers at the end of a day."""
    return sheet_of("customers_day", How()).figures(sums)


def retention_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures about customers who stay through a month."""
    return sheet_of("customers_month", How()).figures(sums)
