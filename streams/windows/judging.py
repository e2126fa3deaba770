"""The figures of one window's record, judged by its definition, with those of other definitions (``docs/counting.md`` section 14)."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from streams.catalogue.formulas import NOT_REPORTED, How
from streams.catalogue.sheets import FIGURES, judged_by, sheet_of
from streams.windows.kpis import StaffTerms, contact_kpis, definition_kpis, people_kpis
from streams.windows.sum_names import sum_names_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.catalogue.sheets import Make
    from streams.configuration.models import ServiceLevelDefinition
    from streams.windows.scope_state import ScopeState
    from streams.windows.sums import Counts

__all__ = ["figures_of", "leave_out"]

_JUDGED_BY: Final = judged_by()
_LEVEL: Final = frozenset({"service_level"})
_NO_DEFINITIONS: Final[dict[str, str]] = {}
#: KPI, and whether it is a service level
_JUDGED: Final = tuple((kpi, keys == _LEVEL) for kpi, keys in _JUDGED_BY.items())


def figures_of(
    state: ScopeState,
    sums: Counts,
    start_ms: int,
    *,
    by_offer: bool,
    live_at: int | None = None,
    length_ms: int | None = None,
    beside: Mapping[str, Any] = MappingProxyType({}),
    make: Make = FIGURES,
) -> dict[str, Any]:
    """Return the KPIs of a window, their definitions, and the KPIs by other definitions.

    Args:
        state: of the scope and channel.

        sums: of the window.

        start_ms: begin of the window.

        by_offer: from contacts offered in the window, not from those decided in it.

        live_at: as-of, for trailing windows: waiting contacts count in the live service level.

        length_ms: length of the window; None in a batch.

        beside: figures about forecasts, for intervals and days of contacts.

        make: the form of the figures.
    """
    if state.about_people:
        terms = StaffTerms(length_ms, state.fixed_per_hour, state.is_individual)
        return {"definitions": _NO_DEFINITIONS, "kpis": people_kpis(sums, terms, make, sum_names_of(sums), state.not_reported)}
    definitions = state.definitions
    first = definitions.first(start_ms)
    sum_names = sum_names_of(sums)
    level, level_label = definitions.judge(sums, start_ms, sum_names)
    past = None if live_at is None else state.past_threshold(live_at, start_ms, missed=True)
    kpis = contact_kpis(
        sums, first.definition, state.channel or "", by_offer=by_offer, past_threshold=past, level=level, sum_names=sum_names,
        left_out=state.not_reported, beside=beside, make=make,
    )  # fmt: skip
    figures: dict[str, Any] = {"definitions": _labels(first.label, level_label, by_offer, live_at is not None), "kpis": kpis}
    others: dict[str, Any] = {}
    for other in definitions.others(start_ms):
        past = None if live_at is None else state.past_threshold_of(other, live_at, missed=True)
        only = _differing(first.definition, other.definition)
        others[other.label] = definition_kpis(
            sums,
            other.definition,
            by_offer=by_offer,
            past_threshold=past,
            only=only,
            sum_names=sum_names,
            left_out=state.not_reported,
            make=make,
        )
    return {**figures, "by_definition": others} if others else figures


@lru_cache(maxsize=4096)
def _labels(label: str, level_label: str, by_offer: bool, live: bool) -> dict[str, str]:
    """Return KPI → label of its definition; do not change the dictionary, it is shared."""
    kpis = sheet_of("contacts", How(by_offer, live=live)).kpis
    return {kpi: level_label if is_level else label for kpi, is_level in _JUDGED if kpi in kpis}


def leave_out(kpis: dict[str, Any], not_reported: frozenset[str]) -> dict[str, Any]:
    """Set figures that no source reports to null, in place, and return all figures."""
    for kpi in not_reported:
        if kpi in kpis:
            kpis[kpi] = NOT_REPORTED
    return kpis


def _differing(one: ServiceLevelDefinition, other: ServiceLevelDefinition) -> frozenset[str]:
    """Return the KPIs whose figures may differ between two definitions; service levels always may."""
    entry = _differences.get((id(one), id(other)))
    if entry is None:
        if len(_differences) >= _MAX_DIFFERENCES:
            _differences.clear()
        kpis = frozenset(
            kpi for kpi, keys in _JUDGED_BY.items() if keys == _LEVEL or any(getattr(one, key) != getattr(other, key) for key in keys)
        )
        entry = _differences[id(one), id(other)] = (one, other, kpis)
    return entry[2]


#: ids of two definitions, valid while the entry holds them → both, and the KPIs that differ
_differences: dict[tuple[int, int], tuple[ServiceLevelDefinition, ServiceLevelDefinition, frozenset[str]]] = {}
_MAX_DIFFERENCES: Final = 4096
