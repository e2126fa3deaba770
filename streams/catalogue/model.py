"""The model of a KPI and its value types."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from streams.catalogue.formulas import Formula
from streams.catalogue.quantities import Unit

if TYPE_CHECKING:
    from streams.catalogue.words import Language

__all__ = [
    "AGENT_STATES",
    "AGE_BANDS",
    "CALLS",
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

#: Which way is good; none where neither is, or where the target is a band.
Direction = Literal["up", "down", "none"]
Part = Literal["value", "numerator", "denominator", "coverage"]
WindowKind = Literal["trailing", "interval", "day", "customers_day", "customers_month", "now"]
#: The subject of a figure. Contacts have a channel; agents and customers have none; a target is about any of them.
Subject = Literal["contacts", "people", "customers", "targets"]
#: The dimensions of a figure; in total too, unless it is served by agent or customer alone.
Dimension = Literal["queue", "channel", "department", "business", "site", "team", "agent", "customer"]
DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)

#: The states of agents counted now, in the order in which pages show them.
AGENT_STATES = ("handling", "wrap_up", "idle", "available", "unavailable", "stale")

#: Channels whose contacts are calls: Japanese uses another counter for them.
CALLS: Final = ("voice", "callback")

#: The bands of age of the backlog, in the order in which pages show them.
AGE_BANDS = ("0-4h", "4-24h", "1-3d", "3-7d", "over-7d")

WINDOWS: tuple[WindowKind, ...] = ("trailing", "interval", "day")
DATED: tuple[WindowKind, ...] = ("interval", "day")
TRAILING: tuple[WindowKind, ...] = ("trailing",)
NOW: tuple[WindowKind, ...] = ("now",)

_HOUR_MS: Final = 3_600_000
#: A day is revised up to 50 hours from its begin: 25 of its own, these, and the remainder for grace.
_LONGEST_HORIZON_HOURS: Final = 24

_USUAL: Final[dict[Subject, tuple[Dimension, ...]]] = {
    "contacts": ("queue", "channel", "department", "business", "site"),
    "people": ("business", "site", "team"),
    "customers": ("business",),
    "targets": ("queue", "channel", "department", "business", "site", "team"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """The complete definition of one figure.

    ``ja_calls`` is its Japanese name for calls alone, where that differs from ``ja``, the name for other and several channels.
    ``formula`` computes it and describes it; the parts it is served with follow from it. ``note`` is text beside the formula.
    ``metric`` is the Prometheus name of its value, by default of id and unit; the names of its parts follow from it
    (`streams.catalogue.prometheus`). None if it is not exported, as for figures of single agents and customers.
    ``source`` is its field in the topics, by default among the KPIs of window records.
    ``measured``: whether its coverage can be below 1 because not every source reports the input; by default as in the formula.
    ``by`` has its dimensions, where they are not the usual ones of its subject.
    ``per_channel`` marks figures whose channels are never added together.
    ``split_by`` is the label by whose values, the ``members``, a count of now is broken down: it is no single figure.
    ``horizon`` is the setting, or for intervals and days the time such as ``24 h``, for which a figure is provisional after its window;
    None if it is not.
    """

    id: str
    en: str
    ja: str
    meaning_en: str
    meaning_ja: str
    formula: Formula
    unit: Unit
    direction: Direction
    ja_calls: str | None = None
    note: str = ""
    windows: tuple[WindowKind, ...] = WINDOWS
    subject: Subject = "contacts"
    metric: str | None = ""
    source: str = ""
    measured: bool | None = None
    by: tuple[Dimension, ...] | None = None
    per_channel: bool = False
    horizon: str | None = None
    split_by: str | None = None
    members: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Fill in the fields that depend on others."""
        if self.metric == "":
            suffix = self.unit if self.unit in {"seconds", "ratio", "score"} else ""
            object.__setattr__(self, "metric", "_".join(filter(None, ("contact_center", self.id.removesuffix("_rate"), suffix))))
        if not self.source:
            object.__setattr__(self, "source", in_window(self.id))
        if self.measured is None:
            object.__setattr__(self, "measured", self.has_parts and self.formula.measured)
        if self.horizon is not None and not set(self.windows).isdisjoint(DATED):
            if not 0 < (self.horizon_ms or 0) <= _LONGEST_HORIZON_HOURS * _HOUR_MS:
                raise ValueError(
                    f"{self.id}: horizon {self.horizon!r}: past days are kept for '1 h' to '{_LONGEST_HORIZON_HOURS} h' after their end"
                )
            if self.subject != "contacts":
                raise ValueError(f"{self.id}: intervals and days have a horizon for figures about contacts alone")

    def name(self, language: Language, channel: str | None = None) -> str:
        """Return its name for the contacts of a channel; None for several channels, and where there is none."""
        if language == "en":
            return self.en
        return self.ja_calls if self.ja_calls is not None and channel in CALLS else self.ja

    @property
    def horizon_ms(self) -> int | None:
        """The fixed time for which it stays provisional after its window; None if a setting decides it, or it does not."""
        match = re.fullmatch(r"([1-9]\d{0,3}) h", self.horizon or "")
        return None if match is None else int(match[1]) * _HOUR_MS

    @property
    def text(self) -> str:
        """The formula in words."""
        return f"{self.formula}; {self.note}" if self.note else str(self.formula)

    @property
    def numerator_unit(self) -> Unit | None:
        """The unit of the numerator of ratios and means, which are never served without their parts."""
        return None if self.formula.units is None else self.formula.units[0]

    @property
    def denominator_unit(self) -> Unit | None:
        """The unit of the denominator."""
        return None if self.formula.units is None else self.formula.units[1]

    @property
    def definition_dependent(self) -> bool:
        """Whether a definition of the configuration decides what it means; records name it with its version."""
        return self.formula.by_definition

    @property
    def label(self) -> str | None:
        """The Prometheus label of a count that is exported only by label, such as a reason."""
        return None if self.has_parts else self.formula.labels_alone

    @property
    def has_parts(self) -> bool:
        """Whether it travels with numerator and denominator."""
        return self.formula.units is not None

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The dimensions it is served by."""
        return _USUAL[self.subject] if self.by is None else self.by

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its parts: value, for ratios and means numerator and denominator, and coverage where it can be below 1."""
        parts: list[Part] = ["value"]
        if self.has_parts:
            parts += ["numerator", "denominator"]
        if self.measured:
            parts.append("coverage")
        return tuple(parts)


def in_window(kpi: str) -> str:
    """Return the location of a figure of windows in the metric topics."""
    return f"queue-metrics: kpis.{kpi} of window records"


def in_now(field: str) -> str:
    """Return the location of a figure of now in the metric topics."""
    return f"queue-metrics: {field} of now records"
