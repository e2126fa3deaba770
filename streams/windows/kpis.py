"""From sums to figures: every KPI of a window with its parts (``docs/counting.md`` section 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.windows.definition_kpis import decided_in, definition_kpis, level_kpis, service_level_parts
from streams.windows.figures import count, flow, mean, ratio, share
from streams.windows.message_kpis import message_kpis
from streams.windows.people_kpis import STAFF, staff_kpis
from streams.windows.subject_kpis import subject_kpis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.configuration.models import ServiceLevelDefinition
    from streams.windows.figures import Figure
    from streams.windows.people_kpis import StaffTerms

__all__ = ["NEVER_ABANDONED", "contact_kpis", "people_kpis", "service_level_parts"]

#: Channels without abandonment: a customer who wrote has not given up.
NEVER_ABANDONED = frozenset({"mail", "ticket"})
_COUNTS = ("offered", "answered", "abandoned", "handled", "non_response", "callbacks_requested", "lost_contacts")


def contact_kpis(
    sums: Mapping[str, int],
    definition: ServiceLevelDefinition,
    channel: str,
    *,
    by_offer: bool,
    past_threshold: int | None = None,
    level: tuple[int, int] | None = None,
) -> dict[str, Figure]:
    """Return the figures about contacts of one window.

    Args:
        sums: what was counted in the window, of one scope and channel.

        definition: how the service level is computed.

        channel: mail and tickets have no abandon rate.

        by_offer: intervals and days, from contacts offered in them; else trailing windows, from contacts decided in them.

        past_threshold: contacts waiting longer than the threshold at as-of; with it, ``service_level_live`` is among the figures.

        level: contacts met and counted, where not all are judged by ``definition``.
    """
    offered = sums.get("offered", 0)
    answered, abandoned = sums.get("answered", 0), sums.get("abandoned", 0)
    decided = decided_in(sums)
    whole = offered if by_offer else decided

    def rate(numerator: int, denominator: int) -> Figure:
        return ratio(numerator, denominator, share(decided, offered) if by_offer else share(denominator, denominator))

    kpis: dict[str, Figure] = {name: count(sums.get(name, 0)) for name in _COUNTS}
    kpis["answer_rate"] = rate(answered, whole)
    kpis["abandon_rate"] = (
        {"value": None, "numerator": None, "denominator": None, "coverage": None} if channel in NEVER_ABANDONED else rate(abandoned, whole)
    )
    kpis.update(level_kpis(level or service_level_parts(sums, definition), sums, past_threshold, by_offer=by_offer))
    kpis.update(definition_kpis(sums, definition))
    kpis["time_to_abandon"] = mean(sums, "abandoned_wait_ms", "abandoned")
    kpis["att"] = mean(sums, "talk_ms", "talk_count", "handled")
    kpis["acw"] = mean(sums, "wrap_ms", "wrap_count", "handled")
    kpis.update(_matter_kpis(sums))
    kpis.update(message_kpis(sums))
    kpis.update(subject_kpis(sums, by_offer=by_offer))
    return kpis


def _matter_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures about what belongs to conversations as a whole."""
    opinions, scored = sums.get("surveys_answered", 0), sums.get("nps_count", 0)
    net = 100 * (sums.get("nps_promoters", 0) - sums.get("nps_detractors", 0))
    return {
        "escalation_count": count(sums.get("escalations", 0)),
        "transfer_rate": flow(sums, "transfers_out", "handled"),
        "escalation_rate": flow(sums, "escalations", "handled"),
        "callback_reach_rate": flow(sums, "callbacks_reached", "callbacks_requested"),
        "first_response_time": mean(sums, "first_response_ms", "first_response_count"),
        "resolution_time": mean(sums, "resolution_ms", "resolution_count", "first_resolved"),
        "resolution_rate": flow(sums, "resolved", "offered"),
        "reopen_rate": flow(sums, "reopened", "resolved"),
        "csat": mean(sums, "csat_milli", "csat_count", "surveys_answered"),
        "nps": ratio(net, scored, share(scored, opinions)),
        "survey_response_rate": flow(sums, "surveys_answered", "surveys_invited"),
    }


def people_kpis(sums: Mapping[str, int], terms: StaffTerms = STAFF) -> dict[str, Figure]:
    """Return the figures about people of one window."""
    busy = sums.get("handling_ms", 0) + sums.get("wrap_up_ms", 0)
    known = busy + sums.get("idle_ms", 0)
    coverage = share(known, known + sums.get("available_ms", 0))
    occupancy: Figure = {"value": share(busy, known), "numerator": busy / 1000, "denominator": known / 1000, "coverage": coverage}
    return {"occupancy": occupancy, **staff_kpis(sums, terms)}
