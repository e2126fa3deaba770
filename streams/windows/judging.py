"""The figures of one window as its record has them: judged by one definition, with others beside it (``docs/counting.md`` section 14)."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from streams.catalogue.formulas import NOT_REPORTED, How
from streams.catalogue.sheets import FIGURES, judged_by, sheet_of
from streams.windows.known import known_of
from streams.windows.kpis import StaffTerms, contact_kpis, definition_kpis, people_kpis

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
    """Return the KPIs of a window, what they are judged by, and what other definitions give.

    Args:
        state: the scope and channel.

        sums: what was counted in the window.

        start_ms: when the window begins.

        by_offer: from contacts offered in the window, and not from those decided in it.

        live_at: as-of, for trailing windows: who waits counts in the live service level.

        length_ms: how long the window is; None for a whole input.

        beside: figures about forecasts, which intervals and days of contacts have among their own.

        make: what makes them of the sums.
    """
    if state.about_people:
        terms = StaffTerms(length_ms, state.fixed_per_hour, state.is_individual)
        return {"definitions": _NO_DEFINITIONS, "kpis": people_kpis(sums, terms, make, known_of(sums), state.not_reported)}
    definitions = state.definitions
    first = definitions.first(start_ms)
    known = known_of(sums)
    level, level_label = definitions.judge(sums, start_ms, known)
    past = None if live_at is None else state.past_threshold(live_at, start_ms, missed=True)
    kpis = contact_kpis(
        sums, first.definition, state.channel or "", by_offer=by_offer, past_threshold=past, level=level, known=known,
        left_out=state.not_reported, beside=beside, make=make,
    )  # fmt: skip
    found: dict[str, Any] = {"definitions": _labels(first.label, level_label, by_offer, live_at is not None), "kpis": kpis}
    others: dict[str, Any] = {}
    for other in definitions.others(start_ms):
        past = None if live_at is None else state.past_threshold_of(other, live_at, missed=True)
        only = _differing(first.definition, other.definition)
        others[other.label] = definition_kpis(
            sums, other.definition, by_offer=by_offer, past_threshold=past, only=only, known=known, left_out=state.not_reported, make=make
        )
    return {**found, "by_definition": others} if others else found


@lru_cache(maxsize=4096)
def _labels(label: str, level_label: str, by_offer: bool, live: bool) -> dict[str, str]:
    """Return KPI → what judges it; shared, so not to be changed."""
    kpis = sheet_of("contacts", How(by_offer, live=live)).kpis
    return {kpi: level_label if is_level else label for kpi, is_level in _JUDGED if kpi in kpis}


def leave_out(kpis: dict[str, Any], not_reported: frozenset[str]) -> dict[str, Any]:
    """Put null, in place, for the figures that no source reports; return them all."""
    for kpi in not_reported:
        if kpi in kpis:
            kpis[kpi] = NOT_REPORTED
    return kpis


def _differing(one: ServiceLevelDefinition, other: ServiceLevelDefinition) -> frozenset[str]:
    """Return the KPIs by which two definitions mean different figures; service levels always may."""
    known = _known.get((id(one), id(other)))
    if known is None:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        found = frozenset(
            kpi for kpi, keys in _JUDGED_BY.items() if keys == _LEVEL or any(getattr(one, key) != getattr(other, key) for key in keys)
        )
        known = _known[id(one), id(other)] = (one, other, found)
    return known[2]


#: ids of two definitions, which stay what they are for as long as they stand here → both, and by which KPIs they differ
_known: dict[tuple[int, int], tuple[ServiceLevelDefinition, ServiceLevelDefinition, frozenset[str]]] = {}
_MOST_KNOWN: Final = 4096
