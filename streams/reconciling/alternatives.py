"""Figures of the same counts by other definitions: presets of other systems, other thresholds, other denominators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.catalogue.fields import FLOW_OUT, LEFT_WAITS, parse
from streams.configuration.presets import PRESETS
from streams.configuration.service_level import ServiceLevelDefinition
from streams.windows.kpis import decided_in, definition_kpis, service_level_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["alternatives"]

#: KPI → other values of its definition keys that the sums of every window allow.
_KEYS: dict[str, tuple[tuple[str, object], ...]] = {
    "asa": (("asa_denominator", "answered"), ("asa_denominator", "decided")),
    "aht": tuple(("aht_parts", frozenset(parts)) for parts in (("talk",), ("talk", "hold"), ("talk", "hold", "wrap_up"))),
    "average_hold": (("hold_denominator", "held"), ("hold_denominator", "handled_known")),
    "first_contact_resolution": tuple(
        ("first_contact_resolution", value) for value in ("no_transfer_no_escalation", "reopening_ignored", "of_offered")
    ),
}


def alternatives(kpi: str, counts: Mapping[str, int], ours: ServiceLevelDefinition) -> Iterator[tuple[str, float | None]]:
    """Yield the name of each alternative definition, and the figure by it."""
    if kpi == "service_level":
        yield from _levels(counts, ours)
    elif kpi in ("answer_rate", "abandon_rate"):
        part = counts.get("answered" if kpi == "answer_rate" else "abandoned", 0)
        both = counts.get("answered", 0) + counts.get("abandoned", 0)
        for whole, number in (("answered + abandoned", both), ("decided", decided_in(counts)), ("offered", counts.get("offered", 0))):
            yield f"÷ {whole}", _share(part, number)
    elif kpi in _KEYS:
        for key, value in _KEYS[kpi]:
            if getattr(ours, key) != value:
                figure = definition_kpis(counts, ours.model_copy(update={key: value}))[kpi]
                text = " + ".join(sorted(value)) if isinstance(value, frozenset) else value
                yield f"{key}: {text}", figure["value"]


def _levels(counts: Mapping[str, int], ours: ServiceLevelDefinition) -> Iterator[tuple[str, float | None]]:
    for name, values in PRESETS.items():
        definition = ServiceLevelDefinition(preset=name, threshold_s=ours.threshold_s, short_abandon_s=ours.short_abandon_s)
        if _has_sums(counts, definition):
            yield f"{name} ({definition.threshold_s:g} s)", _share(*service_level_parts(counts, definition))
            if ours.short_abandon_s is not None and "short_abandon_clock" not in values:
                every = ServiceLevelDefinition(preset=name, threshold_s=ours.threshold_s)
                yield f"{name} ({every.threshold_s:g} s, short abandons count)", _share(*service_level_parts(counts, every))
    for edge_ms in _edges(counts):
        other = ours.model_copy(update={"threshold_s": edge_ms / 1000})
        if other.threshold_s != ours.threshold_s:
            yield f"our definition with {other.threshold_s:g} s", _share(*service_level_parts(counts, other))


def _edges(counts: Mapping[str, int]) -> list[int]:
    """Return the usual thresholds that are edges of the histograms, in ms."""
    usual = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600)
    return [1000 * seconds for seconds in usual] if counts.get("offered") else []


def _has_sums(counts: Mapping[str, int], definition: ServiceLevelDefinition) -> bool:
    """Return whether the counts hold the sums that a definition needs beyond those of every window."""
    reasons = {parsed.values["reason"] for name in counts if (parsed := parse(name)) is not None and parsed.field is LEFT_WAITS}
    positive = [reason for reason, treatment in definition.flow_out.items() if treatment == "positive"]
    return all(not counts.get(FLOW_OUT.name(reason=reason)) or reason in reasons for reason in positive) and (
        definition.short_ms is None or definition.short_abandon_clock == "queue_enter"
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
