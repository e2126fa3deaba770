"""The formulas of section 8 of ``docs/counting.md``, from selected contributions to values with both parts and coverage."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.configuration.models import ServiceLevelDefinition
    from tests.oracle.conversation import Contribution

__all__ = ["Figure", "contact_kpis", "occupancy", "sums", "threshold_ms"]

#: value, numerator, denominator, coverage.
Figure = dict[str, float | None]

#: An abandonment rate says nothing here.
NEVER_ABANDONED = frozenset({"mail", "ticket"})


def _number(part: Fraction | int | None) -> float | None:
    return None if part is None else float(part)


def _figure(numerator: Fraction | int, denominator: Fraction | int, coverage: Fraction | None) -> Figure:
    value = Fraction(numerator) / denominator if denominator else None
    return {
        "value": _number(value),
        "numerator": _number(numerator),
        "denominator": _number(denominator),
        "coverage": _number(coverage),
    }


def _count(number: int) -> Figure:
    return {"value": float(number), "numerator": float(number), "denominator": None, "coverage": None}


def _null() -> Figure:
    return {"value": None, "numerator": None, "denominator": None, "coverage": None}


def _share(part: Fraction | int, whole: Fraction | int) -> Fraction | None:
    return Fraction(part) / whole if whole else None


def _ms(seconds: float) -> Fraction:
    return Fraction(str(seconds)) * 1000


def threshold_ms(definition: ServiceLevelDefinition) -> Fraction:
    """Return the threshold of a service level in milliseconds, exactly."""
    return _ms(definition.threshold_s)


def sums(contributions: Iterable[Contribution]) -> Counter[str]:
    """Return what the contributions add up to."""
    total: Counter[str] = Counter()
    for each in contributions:
        total[each.what] += each.amount
        if each.wait_ms is not None:
            total[f"{each.what}_wait_ms"] += each.wait_ms
    return total


def _service_level(contributions: Iterable[Contribution], definition: ServiceLevelDefinition) -> tuple[int, int]:
    """Return contacts met and contacts that count."""
    threshold = threshold_ms(definition)
    met = counting = 0
    for each in contributions:
        wait = each.wait_ms
        within = wait is not None and (wait <= threshold if definition.boundary == "le" else wait < threshold)
        if each.what == "answered":
            counting += 1
            met += within
        elif each.what == "abandoned":
            if definition.short_abandon_s is not None and wait is not None and wait < _ms(definition.short_abandon_s):
                continue
            counts = {
                "handled_only": False,
                "ignore_in_threshold": not within,
                "negative": True,
                "positive": True,
            }[definition.abandon]
            counting += counts
            met += counts and within and definition.abandon == "positive"
        elif each.what.startswith("flow_out:") and each.what.removeprefix("flow_out:") in definition.flow_out_negative:
            counting += 1
    return met, counting


def contact_kpis(
    contributions: Sequence[Contribution],
    definition: ServiceLevelDefinition,
    channel: str | None,
    *,
    by_offer: bool,
    waiting_over_threshold: int = 0,
) -> dict[str, Figure]:
    """Return the KPIs of contacts: of an interval or day (by offer), or of a trailing window; over all channels if none is named."""
    n = sums(contributions)
    decided = n["answered"] + n["abandoned"] + sum(amount for what, amount in n.items() if what.startswith("flow_out:"))
    cohort = _share(decided, n["offered"])
    whole = n["offered"] if by_offer else decided

    def rate(numerator: int, denominator: int) -> Figure:
        return _figure(numerator, denominator, cohort if by_offer else _share(denominator, denominator))

    def mean(total_ms: int, number: int, every: int) -> Figure:
        return _figure(Fraction(total_ms, 1000), number, _share(min(number, every), every))

    def ratio(numerator: int, denominator: int) -> Figure:
        return _figure(numerator, denominator, _share(denominator, denominator))

    met, counting = _service_level(contributions, definition)
    kpis = {
        "offered": _count(n["offered"]),
        "answered": _count(n["answered"]),
        "abandoned": _count(n["abandoned"]),
        "handled": _count(n["handled"]),
        "answer_rate": rate(n["answered"], whole),
        "service_level": rate(met, counting),
        "asa": mean(n["answered_wait_ms"], n["answered"], n["answered"]),
        "time_to_abandon": mean(n["abandoned_wait_ms"], n["abandoned"], n["abandoned"]),
        "att": mean(n["talk_ms"], n["talk_count"], n["handled"]),
        "average_hold": mean(n["hold_ms"], n["hold_count"], n["handled"]),
        "acw": mean(n["wrap_ms"], n["wrap_count"], n["handled"]),
        "aht": mean(n["handle_ms"], n["handle_count"], n["handled"]),
        "non_response": _count(n["non_response"]),
        "escalation_count": _count(n["escalations"]),
        "callbacks_requested": _count(n["callbacks_requested"]),
        "lost_contacts": _count(n["lost_contacts"]),
        "transfer_rate": ratio(n["transfers_out"], n["handled"]),
        "escalation_rate": ratio(n["escalations"], n["handled"]),
        "callback_reach_rate": ratio(n["callbacks_reached"], n["callbacks_requested"]),
        "first_response_time": mean(n["first_response_ms"], n["first_response_count"], n["first_response_count"]),
        "resolution_time": mean(n["resolution_ms"], n["resolution_count"], n["first_resolved"]),
        "resolution_rate": ratio(n["resolved"], n["offered"]),
        "first_contact_resolution": ratio(n["first_contact_resolved"] - n["first_contact_undone"], n["first_resolved"]),
        "reopen_rate": ratio(n["reopened"], n["resolved"]),
        "csat": _figure(Fraction(n["csat_milli"], 1000), n["csat_count"], _share(n["csat_count"], n["surveys_answered"])),
        "csat_top2": _figure(n["csat_top"], n["csat_count"], _share(n["csat_count"], n["surveys_answered"])),
        "nps": _figure(100 * (n["nps_promoters"] - n["nps_detractors"]), n["nps_count"], _share(n["nps_count"], n["surveys_answered"])),
        "survey_response_rate": ratio(n["surveys_answered"], n["surveys_invited"]),
    }
    if not by_offer:
        kpis["service_level_live"] = rate(met, counting + waiting_over_threshold)
    able = [each for each in contributions if each.channel not in NEVER_ABANDONED]
    if channel in NEVER_ABANDONED or (channel is None and contributions and not able):
        kpis["abandon_rate"] = _null()
    elif len(able) < len(contributions):
        kpis["abandon_rate"] = contact_kpis(able, definition, None, by_offer=by_offer)["abandon_rate"]
    else:
        kpis["abandon_rate"] = rate(n["abandoned"], whole)
    return kpis


def occupancy(milliseconds: dict[str, int]) -> dict[str, Figure]:
    """Return the KPI of people from their time by category."""
    handling = Fraction(milliseconds.get("handling", 0) + milliseconds.get("wrap_up", 0), 1000)
    at_work = handling + Fraction(milliseconds.get("idle", 0), 1000)
    present = at_work + Fraction(milliseconds.get("available", 0), 1000)
    return {"occupancy": _figure(handling, at_work, _share(at_work, present))}
