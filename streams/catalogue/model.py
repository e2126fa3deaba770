"""What is said of a KPI, and the words in which it is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

__all__ = [
    "AGENT_STATES",
    "AGE_BANDS",
    "DATED",
    "DIMENSIONS",
    "NOW",
    "TRAILING",
    "WINDOWS",
    "Dimension",
    "Direction",
    "Kpi",
    "Part",
    "Subject",
    "Unit",
    "WindowKind",
    "in_now",
    "in_window",
]

#: A score is a mean of survey answers on their own scale; a count is a plain number, such as round trips a contact.
Unit = Literal[
    "contacts", "seconds", "ratio", "agents", "offers", "score", "count", "1/h", "hours", "currency", "customers", "messages", "sessions"
]
#: Which way is good; none where neither is, or where the target is a band.
Direction = Literal["up", "down", "none"]
Part = Literal["value", "numerator", "denominator", "coverage"]
WindowKind = Literal["trailing", "interval", "day", "customers_day", "customers_month", "now"]
#: What a figure is about. Contacts have a channel; people and customers have none; a target is about any of them.
Subject = Literal["contacts", "people", "customers", "targets"]
#: By what a figure is served; beside these in total, unless it is served by agent or customer alone.
Dimension = Literal["queue", "channel", "department", "business", "site", "team", "agent", "customer"]
DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)

#: The categories of people that are counted now, in the order in which pages show them.
AGENT_STATES = ("handling", "wrap_up", "idle", "available", "unavailable", "stale")

#: The bands of age of the backlog, in the order in which pages show them.
AGE_BANDS = ("0-4h", "4-24h", "1-3d", "3-7d", "over-7d")

WINDOWS: tuple[WindowKind, ...] = ("trailing", "interval", "day")
DATED: tuple[WindowKind, ...] = ("interval", "day")
TRAILING: tuple[WindowKind, ...] = ("trailing",)
NOW: tuple[WindowKind, ...] = ("now",)

_USUAL: Final[dict[Subject, tuple[Dimension, ...]]] = {
    "contacts": ("queue", "channel", "department", "business", "site"),
    "people": ("business", "site", "team"),
    "customers": ("business",),
    "targets": ("queue", "channel", "department", "business", "site", "team"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """One figure, with everything that is said about it anywhere.

    ``metric`` is the Prometheus name of its value; the names of its parts follow from it (`streams.catalogue.prometheus`). None where
    Prometheus gets no figure, as for those of single agents and customers.
    ``numerator_unit`` and ``denominator_unit`` are set for ratios and means, which are never served without them.
    ``measured`` marks figures whose coverage can be below 1, because not every source reports what they need.
    ``by`` says by what it is served, where that is not what is usual for its subject.
    ``per_channel`` marks figures of which several channels are never put together.
    ``definition_dependent`` marks figures computed by a definition of the configuration; records name it with its version.
    ``split_by`` is the label by whose values, the ``members``, a count of now is broken down: it is no single figure.
    ``label`` names the Prometheus label of figures that are exported by label, such as a reason, and never as a whole.
    ``horizon`` is the setting, or the fixed time, for which a figure stays provisional after its window; None where none does.
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
    metric: str | None = None
    source: str
    numerator_unit: Unit | None = None
    denominator_unit: Unit | None = None
    measured: bool = False
    by: tuple[Dimension, ...] | None = None
    per_channel: bool = False
    definition_dependent: bool = False
    horizon: str | None = None
    split_by: str | None = None
    members: tuple[str, ...] = ()
    label: str | None = None

    @property
    def has_parts(self) -> bool:
        """Whether it travels with numerator and denominator."""
        return self.denominator_unit is not None

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """By what it is served."""
        return _USUAL[self.subject] if self.by is None else self.by

    @property
    def parts(self) -> tuple[Part, ...]:
        """What it is served with: its value, for ratios and means numerator and denominator, where it can be below 1 its coverage."""
        parts: list[Part] = ["value"]
        if self.has_parts:
            parts += ["numerator", "denominator"]
        if self.measured:
            parts.append("coverage")
        return tuple(parts)


def in_window(kpi: str) -> str:
    """Return where a figure of windows stands in the metric topics."""
    return f"queue-metrics: kpis.{kpi} of window records"


def in_now(field: str) -> str:
    """Return where a figure of now stands in the metric topics."""
    return f"queue-metrics: {field} of now records"
