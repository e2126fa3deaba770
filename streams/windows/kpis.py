"""From sums to figures: the formulas of the catalogue applied to a window (``docs/counting.md`` section 8)."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from streams.catalogue.formulas import How
from streams.catalogue.given import WORKED
from streams.catalogue.levels import decided_in, judged_by
from streams.catalogue.sheets import FIGURES, WRITTEN, sheet_of
from streams.windows.labels import totals_over_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.catalogue.formulas import Figure
    from streams.catalogue.levels import Definition
    from streams.catalogue.sheets import Make, Sheet, SheetKind
    from streams.windows.sum_names import SumNames

__all__ = [
    "FORECASTS", "STAFF", "StaffTerms", "contact_day_kpis", "contact_kpis", "customer_kpis", "decided_in", "definition_kpis",
    "forecast_kpis", "no_forecasts", "people_kpis", "retention_kpis", "service_level_parts", "worked_ms",
]  # fmt: skip


_NOTHING_BESIDE: Final[Mapping[str, Any]] = MappingProxyType({})


def service_level_parts(sums: Mapping[str, int], definition: Definition, sum_names: SumNames | None = None) -> tuple[int, int]:
    """Return contacts that met the service level, and contacts that count; ``sum_names``: parsed names of the sums."""
    return judged_by(definition)[2].parts(sums, sum_names)


def contact_kpis(
    sums: Mapping[str, int],
    definition: Definition,
    channel: str,
    *,
    by_offer: bool,
    past_threshold: int | None = None,
    level: tuple[int, int] | None = None,
    sum_names: SumNames | None = None,
    left_out: frozenset[str] = frozenset(),
    beside: Mapping[str, Any] = _NOTHING_BESIDE,
    make: Make = FIGURES,
) -> Any:
    """Return the figures about contacts of one window, as a dictionary unless ``make`` makes JSON of them.

    Args:
        sums: of the window, of one scope and channel.

        definition: that judges the figures.

        channel: mail and tickets have no abandon rate.

        by_offer: True for intervals and days, from contacts offered in them; False for trailing windows, from contacts decided in them.

        past_threshold: contacts waiting past the threshold at as-of; with it, ``service_level_live`` is among the figures.

        level: contacts met and counted, where not all are judged by ``definition``.

        sum_names: parsed names of the sums, if the caller has them.

        left_out: figures that no source reports.

        beside: figures about forecasts, for intervals and days.

        make: the form of the figures.
    """
    met, counted = level or service_level_parts(sums, definition, sum_names)
    given = {**totals_over_labels(sums, sum_names), "met": met, "counted": counted, "waiting_past_threshold": past_threshold or 0}
    sheet = _sheet("contacts", definition, (by_offer, channel, past_threshold is not None), None, left_out)
    return make.complete(sheet, sums, given, sum_names, beside)


def definition_kpis(
    sums: Mapping[str, int],
    definition: Definition,
    *,
    by_offer: bool = True,
    past_threshold: int | None = None,
    only: frozenset[str] | None = None,
    sum_names: SumNames | None = None,
    left_out: frozenset[str] = frozenset(),
    make: Make = FIGURES,
) -> Any:
    """Return the figures that depend on a definition, such as the service level; ``only``: some of them."""
    met, counted = service_level_parts(sums, definition, sum_names)
    given = {"met": met, "counted": counted, "waiting_past_threshold": past_threshold or 0}
    sheet = _sheet("definitions", definition, (by_offer, "", past_threshold is not None), only, left_out)
    return make.complete(sheet, sums, given, sum_names, _NOTHING_BESIDE)


def _sheet(
    kind: SheetKind, definition: Definition, how: tuple[bool, str, bool], only: frozenset[str] | None, left_out: frozenset[str]
) -> Sheet:
    """Return the sheet of a definition; ``how``: by offer, the channel, and whether ``past_threshold`` is given."""
    key = (id(definition), kind, how, only, left_out)
    entry = _sheets.get(key)
    if entry is None:
        if len(_sheets) >= _MAX_SHEETS:
            _sheets.clear()
        by_offer, channel, live = how
        sheet = sheet_of(kind, How(by_offer, channel, judged_by(definition)[1], live=live), only, left_out)
        entry = _sheets[key] = (definition, sheet)
    return entry[1]


#: id of a definition, valid while the entry holds it, and the other arguments → the definition and the sheet
_sheets: Final[dict[tuple[object, ...], tuple[Definition, Sheet]]] = {}
_MAX_SHEETS: Final = 1024


class StaffTerms(NamedTuple):
    """Inputs of figures about agents beside the sums of a window."""

    length_ms: int | None = None
    """Length of the window; None for a batch, which has no staff figures."""
    fixed_per_hour: int | None = None
    """Fixed costs of the scope, in hundredths an hour; None without costs."""
    individual: bool = False
    """Whether the scope is a single agent."""


#: Of a scope without costs, in a batch.
STAFF: Final = StaffTerms()


def people_kpis(
    sums: Mapping[str, int],
    terms: StaffTerms = STAFF,
    make: Make = FIGURES,
    sum_names: SumNames | None = None,
    left_out: frozenset[str] = frozenset(),
) -> Any:
    """Return the figures about agents of one window, without those that no source reports."""
    given = dict[str, int]()
    if terms.length_ms is not None:
        given["window_ms"] = terms.length_ms
    if terms.fixed_per_hour is not None:
        given["costs"] = 1
        given["fixed_cost"] = sums.get("staffed_ms", 0) * terms.fixed_per_hour
    sheet = sheet_of("people", How(individual=terms.individual, has_length=terms.length_ms is not None), None, left_out)
    return make.complete(sheet, sums, given, sum_names, _NOTHING_BESIDE)


def worked_ms(sums: Mapping[str, int]) -> int:
    """Return the booked time over all categories."""
    return sum(sums.get(name, 0) for name, _ in WORKED.terms)


#: Sums that are present where there is a forecast.
FORECASTS: Final = ("forecasts", "forecasts_of_staff")


def forecast_kpis(cells: Iterable[Mapping[str, int]], cell_ms: int, *, over: bool, make: Make = FIGURES) -> dict[str, Figure]:
    """Return the figures about forecasts of a window from the sums of its cells; accuracy only with ``over``."""
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
    """Return the figures without a forecast; empty as JSON, where sheets of contacts contain them."""
    return {} if make is WRITTEN else make.by_kpi(sheet_of("forecasts", How()), {}, {})


def contact_day_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures about contacts of known customers that began on a day."""
    return sheet_of("cohorts", How()).figures(sums)


def customer_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures about customers at the end of a day."""
    return sheet_of("customers_day", How()).figures(sums)


def retention_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures about customers retained through a month."""
    return sheet_of("customers_month", How()).figures(sums)
