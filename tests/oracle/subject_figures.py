"""The formulas of section 12 of ``docs/counting.md``, from sums to figures, as wholes and by label."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter

__all__ = ["by_label", "kpis"]

#: value, numerator, denominator, coverage.
Figure = dict[str, float | None]

COUNTED = (
    ("not_offered", "not_offered="),
    ("excluded", "excluded="),
    ("events_uncounted", "uncounted="),
    ("contacts_by_category", "category="),
    ("complaints", "complaints="),
    ("csat_other_scales", "csat_scale="),
)

RATES = (
    ("containment_rate", "sessions_contained=", "sessions_decided="),
    ("self_service_rate", "sessions_solved=", "sessions_decided="),
)


def _figure(numerator: int, denominator: int, coverage: Fraction | None) -> Figure:
    return {
        "value": float(Fraction(numerator, denominator)) if denominator else None,
        "numerator": float(numerator),
        "denominator": float(denominator),
        "coverage": None if coverage is None else float(coverage),
    }


def _count(number: int) -> Figure:
    return {"value": float(number), "numerator": float(number), "denominator": None, "coverage": None}


def _labels(n: Counter[str], prefix: str) -> dict[str, int]:
    return {what.removeprefix(prefix): number for what, number in n.items() if what.startswith(prefix) and number}


def kpis(n: Counter[str], *, by_offer: bool) -> dict[str, Figure]:
    """Return the figures as wholes from the sums of a window."""
    found = {kpi: _count(sum(_labels(n, prefix).values())) for kpi, prefix in COUNTED}
    # Those of no category too.
    found["complaints"] = _count(n["complaints"])
    if by_offer:
        known = Fraction(n["complaints_dated"], n["complaints"]) if n["complaints"] else None
        found["complaints_within_day_rate"] = _figure(n["complaints_within_day"], n["complaints_dated"], known)
    decided, begun = n["sessions_decided"], n["sessions"]
    coverage = (Fraction(decided, begun) if begun else None) if by_offer else (Fraction(1) if decided else None)
    found["containment_rate"] = _figure(n["sessions_contained"], decided, coverage)
    found["self_service_rate"] = _figure(n["sessions_solved"], decided, coverage)
    return found


def by_label(n: Counter[str]) -> dict[str, dict[str, Figure]]:
    """Return the figures by label, the hundred largest by their names and all others as one."""
    found: dict[str, dict[str, Figure]] = {}
    for kpi, prefix in COUNTED:
        numbers = _labels(n, prefix)
        if numbers:
            found[kpi] = {name: _count(sum(numbers[each] for each in members)) for name, members in _groups(numbers).items()}
    thanked = _labels(n, "thanked=")
    if thanked:
        # How many of all texts are of a category is not counted.
        groups = _groups(thanked).items()
        found["gratitude_rate"] = {name: {**_count(sum(thanked[each] for each in members)), "value": None} for name, members in groups}
    for kpi, prefix, all_of in RATES:
        sizes = _labels(n, all_of)
        if sizes:
            numbers = _labels(n, prefix)
            found[kpi] = {
                name: _figure(sum(numbers.get(each, 0) for each in members), sum(sizes[each] for each in members), None)
                for name, members in _groups(sizes).items()
            }
    return found


def _groups(sizes: dict[str, int]) -> dict[str, list[str]]:
    """Return the name under which each label is served, with those served under it."""
    ranking = sorted((-size, label) for label, size in sizes.items() if label != "(other)")
    groups = {label: [label] for _, label in ranking[:100]}
    rest = [label for _, label in ranking[100:]] + [label for label in sizes if label == "(other)"]
    return {**groups, "(other)": rest} if rest else groups
