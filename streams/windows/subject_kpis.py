"""Figures of what was not offered, of categories and of self-service, as wholes and by label (``docs/counting.md`` section 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.windows.figures import Figure, count, ratio, share
from streams.windows.slices import DAY_MS
from streams.windows.sums import LABEL_MARK

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "MOST_LABELS",
    "OTHER",
    "RATES",
    "figures_by_label",
    "is_labelled",
    "sessions_open",
    "settles_later_ms",
    "subject_kpis",
]


#: In one scope and window so many labels of a KPI are named; the rest are together under this name.
MOST_LABELS = 100
OTHER = "(other)"

#: KPI → the sums of its labels.
_COUNTS = {"not_offered": "not_offered", "excluded": "excluded", "contacts_by_category": "category"}
#: KPI → its part of the sessions that were decided.
RATES = {"containment_rate": "sessions_contained", "self_service_rate": "sessions_solved"}
_DECIDED = "sessions_decided"


def is_labelled(field: str) -> bool:
    """Say whether a sum is that of one label."""
    return LABEL_MARK in field


def sessions_open(sums: Mapping[str, int]) -> bool:
    """Say whether sessions of a window are still to be decided."""
    return sums.get(_DECIDED, 0) < sums.get("sessions", 0)


def settles_later_ms(sums: Mapping[str, int]) -> int:
    """Return how much longer than others a window is provisional: its complaints may be resolved within their day."""
    return DAY_MS if sums.get("complaints") else 0


def _by_label(sums: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return what is summed → label → sum."""
    found: dict[str, dict[str, int]] = {}
    for field, number in sums.items():
        if LABEL_MARK in field:
            what, _, label = field.partition(LABEL_MARK)
            found.setdefault(what, {})[label] = number
    return found


def subject_kpis(sums: Mapping[str, int], *, by_offer: bool) -> dict[str, Figure]:
    """Return the figures of one window as wholes; by offer with the share of complaints that were resolved within their day."""
    labels = _by_label(sums)
    kpis = {kpi: count(sum(labels.get(what, {}).values())) for kpi, what in _COUNTS.items()}
    complaints, decided = sums.get("complaints", 0), sums.get(_DECIDED, 0)
    kpis["complaints"] = count(complaints)
    if by_offer:
        dated = sums.get("complaints_dated", 0)
        kpis["complaints_within_day_rate"] = ratio(sums.get("complaints_within_day", 0), dated, share(dated, complaints))
    coverage = share(decided, sums.get("sessions", 0)) if by_offer else share(decided, decided)
    for kpi, part in RATES.items():
        kpis[kpi] = ratio(sums.get(part, 0), decided, coverage)
    return kpis


def figures_by_label(sums: Mapping[str, int]) -> dict[str, dict[str, Figure]]:
    """Return KPI → label → figure of one window; KPIs without a label are left out."""
    labels = _by_label(sums)
    found: dict[str, dict[str, Figure]] = {}
    for kpi, what in _COUNTS.items():
        if what in labels:
            named = _named(labels[what], labels[what])
            found[kpi] = {label: count(number) for label, number in named.items()}
    if decided := labels.get(_DECIDED):
        wholes = _named(decided, decided)
        for kpi, part in RATES.items():
            parts = _named(labels.get(part, {}), decided)
            found[kpi] = {label: ratio(parts.get(label, 0), whole, None) for label, whole in wholes.items()}
    return found


def _named(numbers: Mapping[str, int], sizes: Mapping[str, int]) -> dict[str, int]:
    """Return the numbers of the labels with the largest sizes by their names, in order, and the others together."""
    largest = sorted((label for label in sizes if label != OTHER), key=lambda label: (-sizes[label], label))
    named = {label: numbers.get(label, 0) for label in sorted(largest[:MOST_LABELS])}
    if len(named) < len(sizes):
        named[OTHER] = sum(numbers.values()) - sum(named.values())
    return named
