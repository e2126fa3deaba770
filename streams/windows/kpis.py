"""From sums to figures: every KPI of a window with its parts (``docs/counting.md`` section 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.windows.figures import count, flow, mean, ratio, share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.configuration.models import ServiceLevelDefinition
    from streams.windows.figures import Figure

__all__ = ["NEVER_ABANDONED", "contact_kpis", "people_kpis", "service_level_parts"]

#: Channels without abandonment: a customer who wrote has not given up.
NEVER_ABANDONED = frozenset({"mail", "ticket"})
_FLOW_OUT = "flow_out_"
_COUNTS = ("offered", "answered", "abandoned", "handled", "non_response", "callbacks_requested", "lost_contacts")


def _within(sums: Mapping[str, int], prefix: str, limit_ms: float) -> int:
    """Return how many waits fall into buckets whose upper edge is at most the limit."""
    found = 0
    for field, number in sums.items():
        if field.startswith(prefix):
            edge = field[len(prefix) :]
            if edge != "inf" and int(edge) <= limit_ms:
                found += number
    return found


def service_level_parts(sums: Mapping[str, int], definition: ServiceLevelDefinition) -> tuple[int, int]:
    """Return contacts that met the service level and contacts that count."""
    threshold = round(definition.threshold_s * 1000) - (definition.boundary == "lt")
    met = _within(sums, "answered_wait_le_", threshold)
    short = 0 if definition.short_abandon_s is None else _within(sums, "abandoned_wait_le_", round(definition.short_abandon_s * 1000) - 1)
    within = max(0, _within(sums, "abandoned_wait_le_", threshold) - short)
    abandoned = sums.get("abandoned", 0) - short
    if definition.abandon == "handled_only":
        abandoned = 0
    elif definition.abandon == "ignore_in_threshold":
        abandoned -= within
    elif definition.abandon == "positive":
        met += within
    negative = sum(sums.get(_FLOW_OUT + reason, 0) for reason in definition.flow_out_negative)
    return met, sums.get("answered", 0) + abandoned + negative


def contact_kpis(
    sums: Mapping[str, int], definition: ServiceLevelDefinition, channel: str, *, by_offer: bool, past_threshold: int | None = None
) -> dict[str, Figure]:
    """Return the figures about contacts of one window.

    Args:
        sums: what was counted in the window, of one scope and channel.

        definition: how the service level is computed.

        channel: mail and tickets have no abandon rate.

        by_offer: intervals and days, from contacts offered in them; else trailing windows, from contacts decided in them.

        past_threshold: contacts waiting longer than the threshold at as-of; with it, ``service_level_live`` is among the figures.
    """
    offered = sums.get("offered", 0)
    answered, abandoned = sums.get("answered", 0), sums.get("abandoned", 0)
    decided = answered + abandoned + sum(number for field, number in sums.items() if field.startswith(_FLOW_OUT))
    whole = offered if by_offer else decided

    def rate(numerator: int, denominator: int) -> Figure:
        return ratio(numerator, denominator, share(decided, offered) if by_offer else share(denominator, denominator))

    met, counted = service_level_parts(sums, definition)
    kpis: dict[str, Figure] = {name: count(sums.get(name, 0)) for name in _COUNTS}
    kpis["answer_rate"] = rate(answered, whole)
    kpis["abandon_rate"] = (
        {"value": None, "numerator": None, "denominator": None, "coverage": None} if channel in NEVER_ABANDONED else rate(abandoned, whole)
    )
    kpis["service_level"] = rate(met, counted)
    if past_threshold is not None:
        kpis["service_level_live"] = rate(met, counted + past_threshold)
    kpis["asa"] = mean(sums, "answered_wait_ms", "answered")
    kpis["time_to_abandon"] = mean(sums, "abandoned_wait_ms", "abandoned")
    kpis["att"] = mean(sums, "talk_ms", "talk_count", "handled")
    kpis["average_hold"] = mean(sums, "hold_ms", "hold_count", "handled")
    kpis["acw"] = mean(sums, "wrap_ms", "wrap_count", "handled")
    kpis["aht"] = mean(sums, "handle_ms", "handle_count", "handled")
    kpis.update(_matter_kpis(sums))
    return kpis


def _matter_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures about what belongs to conversations as a whole."""
    first_resolved, opinions, scored = (sums.get(name, 0) for name in ("first_resolved", "surveys_answered", "nps_count"))
    first_contact = sums.get("first_contact_resolved", 0) - sums.get("first_contact_undone", 0)
    net = 100 * (sums.get("nps_promoters", 0) - sums.get("nps_detractors", 0))
    csat = sums.get("csat_count", 0)
    return {
        "escalation_count": count(sums.get("escalations", 0)),
        "transfer_rate": flow(sums, "transfers_out", "handled"),
        "escalation_rate": flow(sums, "escalations", "handled"),
        "callback_reach_rate": flow(sums, "callbacks_reached", "callbacks_requested"),
        "first_response_time": mean(sums, "first_response_ms", "first_response_count"),
        "resolution_time": mean(sums, "resolution_ms", "resolution_count", "first_resolved"),
        "resolution_rate": flow(sums, "resolved", "offered"),
        "first_contact_resolution": ratio(first_contact, first_resolved, 1.0 if first_resolved else None),
        "reopen_rate": flow(sums, "reopened", "resolved"),
        "csat": mean(sums, "csat_milli", "csat_count", "surveys_answered"),
        "csat_top2": ratio(sums.get("csat_top", 0), csat, share(csat, opinions)),
        "nps": ratio(net, scored, share(scored, opinions)),
        "survey_response_rate": flow(sums, "surveys_answered", "surveys_invited"),
    }


def people_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures about people of one window."""
    busy = sums.get("handling_ms", 0) + sums.get("wrap_up_ms", 0)
    known = busy + sums.get("idle_ms", 0)
    coverage = share(known, known + sums.get("available_ms", 0))
    return {"occupancy": {"value": share(busy, known), "numerator": busy / 1000, "denominator": known / 1000, "coverage": coverage}}
