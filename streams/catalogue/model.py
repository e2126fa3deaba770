"""What is said of a KPI, and the words in which it is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["AGENT_STATES", "NOW", "TRAILING", "WINDOWS", "Direction", "Kpi", "Subject", "Unit", "WindowKind", "in_now", "in_window"]

#: A score is a mean of survey answers on their own scale.
Unit = Literal["contacts", "seconds", "ratio", "agents", "offers", "score"]
#: Which way is good; none where neither is, or where the target is a band.
Direction = Literal["up", "down", "none"]
WindowKind = Literal["trailing", "interval", "day", "now"]
Subject = Literal["contacts", "people"]

#: The categories of people that are counted now, in the order in which pages show them.
AGENT_STATES = ("handling", "wrap_up", "idle", "available", "unavailable", "stale")

WINDOWS: tuple[WindowKind, ...] = ("trailing", "interval", "day")
TRAILING: tuple[WindowKind, ...] = ("trailing",)
NOW: tuple[WindowKind, ...] = ("now",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """One figure, with everything that is said about it anywhere.

    ``metric`` is the Prometheus name of its value; the names of its parts follow from it (`streams.catalogue.prometheus`).
    ``numerator_unit`` and ``denominator_unit`` are set for ratios and means, which are never served without them.
    ``measured`` marks figures whose coverage can be below 1, because not every source reports what they need.
    """

    id: str
    en: str
    ja: str
    meaning_en: str
    meaning_ja: str
    formula: str
    unit: Unit
    direction: Direction
    windows: tuple[WindowKind, ...]
    subject: Subject
    metric: str
    source: str
    numerator_unit: Unit | None = None
    denominator_unit: Unit | None = None
    measured: bool = False

    @property
    def has_parts(self) -> bool:
        """Whether it travels with numerator and denominator."""
        return self.denominator_unit is not None


def in_window(kpi: str) -> str:
    """Return where a figure of windows stands in the metric topics."""
    return f"queue-metrics: kpis.{kpi} of window records"


def in_now(field: str) -> str:
    """Return where a figure of now stands in the metric topics."""
    return f"queue-metrics: {field} of now records"
