"""What a figure is, and how one is made of sums: a count, a ratio, a mean, each with its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Figure", "count", "flow", "mean", "mean_of", "ratio", "share"]


class Figure(TypedDict):
    """One KPI: times in seconds, ratios 0 to 1, None where nothing can be said."""

    value: float | None
    numerator: float | None
    denominator: float | None
    coverage: float | None


def count(number: int) -> Figure:
    """Return a count: its value is its numerator."""
    return {"value": number, "numerator": number, "denominator": None, "coverage": None}


def ratio(numerator: int, denominator: int, coverage: float | None) -> Figure:
    """Return a ratio with both parts."""
    value = numerator / denominator if denominator else None  # as share: it is called some fifty times a window
    return {"value": value, "numerator": numerator, "denominator": denominator, "coverage": coverage}


def share(part: int, whole: int) -> float | None:
    """Return part ÷ whole, None of nothing."""
    return part / whole if whole else None


def mean(sums: Mapping[str, int], total: str, number: str, whole: str | None = None) -> Figure:
    """Return the mean of what was summed under a name over what was counted under another, with count ÷ whole as coverage."""
    measured = sums.get(number, 0)
    return mean_of(sums.get(total, 0), measured, measured if whole is None else sums.get(whole, 0))


def mean_of(total_ms: int, measured: int, whole: int) -> Figure:
    """Return Σ milliseconds ÷ count in seconds, with count ÷ whole as coverage. Scores are summed in thousandths likewise.

    Integers are divided once: the result is the float nearest to the true quotient, and equal to any other exact recount's.
    """
    return {
        "value": total_ms / (1000 * measured) if measured else None,
        "numerator": total_ms / 1000,
        "denominator": measured,
        "coverage": min(measured, whole) / whole if whole else None,
    }


def flow(sums: Mapping[str, int], part: str, whole: str) -> Figure:
    """Return the ratio of two counts, complete wherever there is one."""
    denominator = sums.get(whole, 0)
    return ratio(sums.get(part, 0), denominator, 1.0 if denominator else None)
