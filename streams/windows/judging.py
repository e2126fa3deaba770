"""The figures of one window as its record has them: judged by one definition, with others beside it (``docs/counting.md`` section 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.windows.definition_kpis import DECIDED_BY, definition_kpis, level_kpis, service_level_parts
from streams.windows.kpis import contact_kpis, people_kpis
from streams.windows.people_kpis import StaffTerms

if TYPE_CHECKING:
    from streams.windows.scope_state import ScopeState
    from streams.windows.sums import Counts

__all__ = ["figures_of"]


def figures_of(
    state: ScopeState, sums: Counts, start_ms: int, *, by_offer: bool, live_at: int | None = None, length_ms: int | None = None
) -> dict[str, Any]:
    """Return the KPIs of a window, what they are judged by, and what other definitions give.

    Args:
        state: the scope and channel.

        sums: what was counted in the window.

        start_ms: when the window begins.

        by_offer: from contacts offered in the window, and not from those decided in it.

        live_at: as-of, for trailing windows: who waits counts in the live service level.

        length_ms: how long the window is; None for a whole input.
    """
    if state.about_people:
        terms = StaffTerms(length_ms, state.fixed_per_hour, state.is_individual)
        return {"definitions": {}, "kpis": dict(people_kpis(sums, terms))}
    definitions = state.definitions
    first = definitions.first(start_ms)
    level, level_label = definitions.judge(sums, start_ms)
    past = None if live_at is None else state.past_threshold(live_at, start_ms, missed=True)
    kpis = contact_kpis(sums, first.definition, state.channel or "", by_offer=by_offer, past_threshold=past, level=level)
    levels = ("service_level",) if live_at is None else ("service_level", "service_level_live")
    labels = {**dict.fromkeys(levels, level_label), **dict.fromkeys(DECIDED_BY, first.label)}
    found: dict[str, Any] = {"definitions": labels, "kpis": dict(kpis)}
    others: dict[str, Any] = {}
    for other in definitions.others(start_ms):
        past = None if live_at is None else state.past_threshold_of(other, live_at, missed=True)
        beside = level_kpis(service_level_parts(sums, other.definition), sums, past, by_offer=by_offer)
        for kpi, figure in definition_kpis(sums, other.definition).items():
            if any(getattr(other.definition, key) != getattr(first.definition, key) for key in DECIDED_BY[kpi]):
                beside[kpi] = figure
        others[other.label] = beside
    return {**found, "by_definition": others} if others else found
