"""Figures that hang on a definition: the service level first of all (``docs/counting.md`` sections 8 and 14)."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from streams.windows.figures import mean, mean_of, ratio, share
from streams.windows.sums import LABEL_MARK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.configuration.models import ServiceLevelDefinition
    from streams.windows.figures import Figure

__all__ = ["DECIDED_BY", "FLOW_OUT", "decided_in", "definition_kpis", "level_kpis", "service_level_parts"]

FLOW_OUT: Final = "flow_out_"
#: Between whose waits a field of a histogram counts and the upper edge of its bucket (`streams.tracking.ledger.Waits`).
_BUCKET: Final = "_wait_le_"

#: Figure → the keys of a definition that decide what it means; service levels differ in any other.
DECIDED_BY: Final[dict[str, tuple[str, ...]]] = {
    "asa": ("asa_denominator",),
    "aht": ("aht_parts",),
    "average_hold": ("hold_denominator",),
    "csat_top2": ("csat_top",),
    "first_contact_resolution": ("first_contact_resolution",),
}


def _waits_of(sums: Mapping[str, int]) -> dict[str, list[tuple[float, int]]]:
    """Return the buckets of every histogram of waits by whose waits they are: upper edge in ms, number of waits."""
    found: dict[str, list[tuple[float, int]]] = {}
    for field, number in sums.items():
        if _BUCKET in field and LABEL_MARK not in field:
            whose, _, edge = field.rpartition(_BUCKET)
            found.setdefault(whose, []).append((inf if edge == "inf" else int(edge), number))
    return found


def _within(buckets: Iterable[tuple[float, int]], limit_ms: float) -> int:
    """Return how many waits fall into buckets whose upper edge is at most the limit."""
    found = 0
    for edge, number in buckets:
        if edge <= limit_ms:
            found += number
    return found


def _short(waits: Mapping[str, list[tuple[float, int]]], definition: ServiceLevelDefinition, threshold_ms: int) -> tuple[int, int]:
    """Return the short abandons, and those of them within the threshold."""
    limit = definition.short_ms
    if limit is None:
        return 0, 0
    if definition.short_abandon_clock == "queue_enter":
        abandoned = waits.get("abandoned", ())
        return _within(abandoned, limit - 1), _within(abandoned, min(limit - 1, threshold_ms))
    short = waits.get(f"short_{limit}_abandoned", ())
    return _within(short, inf), _within(short, threshold_ms)


def service_level_parts(sums: Mapping[str, int], definition: ServiceLevelDefinition) -> tuple[int, int]:
    """Return contacts that met the service level and contacts that count."""
    threshold = definition.threshold_ms
    waits = _waits_of(sums)
    met = _within(waits.get("answered", ()), threshold)
    short, short_within = _short(waits, definition, threshold)
    within = _within(waits.get("abandoned", ()), threshold) - short_within
    abandoned = sums.get("abandoned", 0) - short
    if definition.abandon == "handled_only":
        abandoned = 0
    elif definition.abandon == "ignore_in_threshold":
        abandoned -= within
    elif definition.abandon == "positive":
        met += within
    left = 0
    for reason in {*definition.flow_out_negative, *definition.flow_out}:
        treatment = definition.treatment(reason)
        if treatment != "exclude":
            left += sums.get(FLOW_OUT + reason, 0)
        if treatment == "positive":
            met += _within(waits.get(f"left_{reason}", ()), threshold)
    return met, sums.get("answered", 0) + abandoned + left


def decided_in(sums: Mapping[str, int]) -> int:
    """Return the contacts that left the queue in whatever way."""
    decided = sums.get("answered", 0) + sums.get("abandoned", 0)
    for field, number in sums.items():
        if field.startswith(FLOW_OUT):
            decided += number
    return decided


def level_kpis(parts: tuple[int, int], sums: Mapping[str, int], past_threshold: int | None, *, by_offer: bool) -> dict[str, Figure]:
    """Return the service level of contacts met and counted; with contacts waiting past the threshold the live one too."""
    met, counted = parts

    def rate(denominator: int) -> Figure:
        coverage = share(decided_in(sums), sums.get("offered", 0)) if by_offer else share(denominator, denominator)
        return ratio(met, denominator, coverage)

    kpis = {"service_level": rate(counted)}
    if past_threshold is not None:
        kpis["service_level_live"] = rate(counted + past_threshold)
    return kpis


def definition_kpis(sums: Mapping[str, int], definition: ServiceLevelDefinition) -> dict[str, Figure]:
    """Return the other figures of which a definition says what they mean."""
    csat, opinions = sums.get("csat_count", 0), sums.get("surveys_answered", 0)
    top = "csat_top" if definition.csat_top == 4 else f"csat_top_{definition.csat_top}"  # noqa: PLR2004 - the default has its own field
    return {
        "asa": _asa(sums, definition),
        "average_hold": _average_hold(sums, definition),
        "aht": _aht(sums, definition),
        "csat_top2": ratio(sums.get(top, 0), csat, share(csat, opinions)),
        "first_contact_resolution": _first_contact_resolution(sums, definition),
    }


def _asa(sums: Mapping[str, int], definition: ServiceLevelDefinition) -> Figure:
    if definition.asa_denominator == "answered":
        return mean(sums, "answered_wait_ms", "answered")
    waits = sum(sums.get(field, 0) for field in ("answered_wait_ms", "abandoned_wait_ms", "left_wait_ms"))
    decided = decided_in(sums) - sums.get("flow_out_lost", 0)
    return mean_of(waits, decided, decided)


def _average_hold(sums: Mapping[str, int], definition: ServiceLevelDefinition) -> Figure:
    figure = mean(sums, "hold_ms", "hold_count", "handled")
    if definition.hold_denominator == "held":
        figure = {**mean(sums, "hold_ms", "held_count"), "coverage": figure["coverage"]}
    return figure


def _aht(sums: Mapping[str, int], definition: ServiceLevelDefinition) -> Figure:
    parts = definition.aht_parts
    if "wrap_up" not in parts:
        hold = sums.get("hold_ms", 0) if "hold" in parts else 0
        return mean_of(sums.get("talk_ms", 0) + hold, sums.get("talk_count", 0), sums.get("handled", 0))
    without = 0 if "hold" in parts else sums.get("handle_hold_ms", 0)
    return mean_of(sums.get("handle_ms", 0) - without, sums.get("handle_count", 0), sums.get("handled", 0))


def _first_contact_resolution(sums: Mapping[str, int], definition: ServiceLevelDefinition) -> Figure:
    variant = definition.first_contact_resolution
    undone = 0 if variant == "reopening_ignored" else sums.get("first_contact_undone", 0)
    whole = sums.get("offered" if variant == "of_offered" else "first_resolved", 0)
    return ratio(sums.get("first_contact_resolved", 0) - undone, whole, 1.0 if whole else None)
