"""The formulas of section 8 of ``docs/counting.md``, from selected contributions to values with both parts and coverage."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.oracle import subject_figures
from tests.oracle.definitions import is_met, is_short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from streams.configuration.models import ServiceLevelDefinition
    from tests.oracle.conversation import Contribution

    Judge = Callable[[Contribution], ServiceLevelDefinition]

__all__ = ["KEYS_OF", "Figure", "Judge", "contact_kpis", "definition_kpis", "level_kpis", "occupancy", "sums"]

#: value, numerator, denominator, coverage.
Figure = dict[str, float | None]

#: Channels without an abandonment rate.
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


def sums(contributions: Iterable[Contribution]) -> Counter[str]:
    """Return the sums of the contributions."""
    total: Counter[str] = Counter()
    for each in contributions:
        total[each.what] += each.amount
        if each.wait_ms is not None:
            total[f"{each.what}_wait_ms"] += each.wait_ms
    return total


def service_level_of(contributions: Iterable[Contribution], judge: Judge) -> tuple[int, int]:
    """Return contacts met and contacts that count, each by its own definition."""
    met = counting = 0
    for each in contributions:
        if each.waited_ms is None:
            continue
        definition = judge(each)
        within = is_met(definition, each.waited_ms)
        if each.what == "answered":
            treatment = "positive"
        elif each.what == "abandoned":
            treatment = {
                "handled_only": "exclude",
                "ignore_in_threshold": "exclude" if within else "negative",
                "negative": "negative",
                "positive": "positive",
            }[definition.abandon]
            if is_short(definition, each):
                treatment = "exclude"
        else:
            reason: Any = each.what.removeprefix("flow_out:")
            treatment = definition.flow_out.get(reason, "negative" if reason in definition.flow_out_negative else "exclude")
        counting += treatment != "exclude"
        met += treatment == "positive" and within
    return met, counting


def level_kpis(
    contributions: Sequence[Contribution], judge: Judge, over: int, *, by_offer: bool, n: Counter[str] | None = None
) -> dict[str, Figure]:
    """Return the service level, in trailing windows with those who wait too long already; ``n`` if they are added up already."""
    n = sums(contributions) if n is None else n
    decided = n["answered"] + n["abandoned"] + sum(amount for what, amount in n.items() if what.startswith("flow_out:"))
    met, counting = service_level_of(contributions, judge)

    def rate(denominator: int) -> Figure:
        return _figure(met, denominator, _share(decided, n["offered"]) if by_offer else _share(denominator, denominator))

    return {"service_level": rate(counting), **({} if by_offer else {"service_level_live": rate(counting + over)})}


def definition_kpis(
    contributions: Sequence[Contribution], definition: ServiceLevelDefinition, n: Counter[str] | None = None
) -> dict[str, Figure]:
    """Return the other figures whose meaning a definition decides, the table of section 14; ``n`` if they are added up already."""
    n = sums(contributions) if n is None else n

    def mean(total_ms: int, number: int, measured: int, every: int) -> Figure:
        return _figure(Fraction(total_ms, 1000), number, _share(min(measured, every), every))

    averaged = [each for each in contributions if each.waited_ms is not None and each.what != "flow_out:lost"]
    if definition.asa_denominator == "answered":
        averaged = [each for each in averaged if each.what == "answered"]
    number = sum(each.amount for each in averaged)
    parts = definition.aht_parts
    if parts == {"talk", "hold", "wrap_up"}:
        aht = mean(n["handle_ms"], n["handle_count"], n["handle_count"], n["handled"])
    elif parts == {"talk", "wrap_up"}:
        aht = mean(n["handle_ms"] - sum(each.held_ms for each in contributions), n["handle_count"], n["handle_count"], n["handled"])
    else:
        aht = mean(n["talk_ms"] + (n["hold_ms"] if "hold" in parts else 0), n["talk_count"], n["talk_count"], n["handled"])
    held = n["held_count"] if definition.hold_denominator == "held" else n["hold_count"]
    top = sum(each.amount for each in contributions if each.score is not None and each.score >= definition.csat_top)
    lasting = n["first_contact_resolved"]
    if definition.first_contact_resolution != "reopening_ignored":
        lasting -= n["first_contact_undone"]
    whole = n["offered"] if definition.first_contact_resolution == "of_offered" else n["first_resolved"]
    return {
        "asa": mean(sum(each.waited_ms or 0 for each in averaged), number, number, number),
        "aht": aht,
        "average_hold": mean(n["hold_ms"], held, n["hold_count"], n["handled"]),
        "csat_top2": _figure(top, n["csat_count"], _share(n["csat_count"], n["surveys_answered"])),
        "first_contact_resolution": _figure(lasting, whole, _share(whole, whole)),
    }


#: What differs where a definition has another value of these.
KEYS_OF = {
    "asa": "asa_denominator",
    "aht": "aht_parts",
    "average_hold": "hold_denominator",
    "csat_top2": "csat_top",
    "first_contact_resolution": "first_contact_resolution",
}


def contact_kpis(
    contributions: Sequence[Contribution],
    definition: ServiceLevelDefinition,
    channel: str | None,
    *,
    by_offer: bool,
    waiting_over_threshold: int = 0,
    judge: Judge | None = None,
) -> dict[str, Figure]:
    """Return the KPIs of contacts: of an interval or day (by offer), or of a trailing window; over all channels if none is named."""
    n = sums(contributions)
    decided = n["answered"] + n["abandoned"] + sum(amount for what, amount in n.items() if what.startswith("flow_out:"))
    decided_share = _share(decided, n["offered"])
    whole = n["offered"] if by_offer else decided

    def rate(numerator: int, denominator: int) -> Figure:
        return _figure(numerator, denominator, decided_share if by_offer else _share(denominator, denominator))

    def mean(total_ms: int, number: int, every: int) -> Figure:
        return _figure(Fraction(total_ms, 1000), number, _share(min(number, every), every))

    def ratio(numerator: int, denominator: int) -> Figure:
        return _figure(numerator, denominator, _share(denominator, denominator))

    rated = n["csat_count"] - n["csat_good_or_bad"]
    kpis = {
        "offered": _count(n["offered"]),
        "answered": _count(n["answered"]),
        "abandoned": _count(n["abandoned"]),
        "handled": _count(n["handled"]),
        "answer_rate": rate(n["answered"], whole),
        **level_kpis(contributions, judge or (lambda _: definition), waiting_over_threshold, by_offer=by_offer, n=n),
        **definition_kpis(contributions, definition, n),
        "time_to_abandon": mean(n["abandoned_wait_ms"], n["abandoned"], n["abandoned"]),
        "att": mean(n["talk_ms"], n["talk_count"], n["handled"]),
        "average_consult_time": mean(n["consult_ms"], n["consult_count"], n["consult_count"]),
        "acw": mean(n["wrap_ms"], n["wrap_count"], n["handled"]),
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
        "reopen_rate": ratio(n["reopened"], n["resolved"]),
        "csat": _figure(Fraction(n["csat_milli"], 1000), rated, _share(rated, n["surveys_answered"])),
        "nps": _figure(100 * (n["nps_promoters"] - n["nps_detractors"]), n["nps_count"], _share(n["nps_count"], n["surveys_answered"])),
        "survey_response_rate": ratio(n["surveys_answered"], n["surveys_invited"]),
        "average_response_time": mean(n["response_ms"], n["response_count"], n["response_count"]),
        "exchanges_per_contact": _figure(n["exchanges"], n["exchanged"], _share(n["exchanged"], n["resolved"])),
        "gratitude_rate": _figure(n["thanked"], n["texts_looked"], _share(min(n["texts_looked"], n["texts"]), n["texts"])),
        "outbound_contacts": _count(n["outbound"]),
        "outbound_reach_rate": ratio(n["outbound_reached"], n["outbound"]),
        "outbound_talk_time": mean(n["outbound_talk_ms"], n["outbound_talk_count"], n["outbound_reached"]),
        "callback_wait": mean(n["callback_wait_ms"], n["callbacks_reached"], n["callbacks_reached"]),
        "duplicate_replies": {
            **_count(n["duplicate_replies"]),
            **({"value": None} if n["replies"] and not n["replies_named"] else {}),
            "coverage": _number(_share(n["replies_named"], n["replies"])),
        },
    }
    kpis |= subject_figures.kpis(n, by_offer=by_offer)
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
