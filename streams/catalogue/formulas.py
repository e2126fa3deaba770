"""Formulas that run: each computes a figure, and is its own text for readers and row of the normative table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import Final, NamedTuple, TypedDict

from streams.catalogue.quantities import Field, Quantity, Unit, bare

__all__ = ["NOTHING", "NOT_REPORTED", "Count", "Figure", "Formula", "How", "Maker", "Mean", "Observed", "Ratio", "Row", "Ways", "code"]


class Figure(TypedDict):
    """One KPI: times in seconds, ratios 0 to 1, None where it is unknown."""

    value: float | None
    numerator: float | None
    denominator: float | None
    coverage: float | None


#: An unknown figure; figures are never changed in place.
NOTHING: Final[Figure] = {"value": None, "numerator": None, "denominator": None, "coverage": None}

#: In place of a figure that no source reports: nothing of it was measured.
NOT_REPORTED: Final[Figure] = {"value": None, "numerator": None, "denominator": None, "coverage": 0.0}

#: Computes the figure from the amounts that a formula reads; formulas that compute the same from the same amounts share one.
Maker = Callable[..., Figure]


class Ways(NamedTuple):
    """The keys of a definition that decide the meaning of figures other than the service level."""

    asa_denominator: str = "answered"
    hold_denominator: str = "handled_known"
    aht_parts: frozenset[str] = frozenset({"talk", "hold", "wrap_up"})
    csat_top: int = 4
    first_contact_resolution: str = "no_transfer_no_escalation"


class How(NamedTuple):
    """How a window is computed: formulas are resolved by it before they run."""

    by_offer: bool = True
    """by offer, as in intervals and days; else by outcome"""
    channel: str = ""
    ways: Ways = Ways()
    live: bool = False
    """whether the contacts that wait now are known"""
    individual: bool = False
    """whether it is about a single agent"""
    has_length: bool = True
    """whether it is a window; a complete input is none"""


class Row(NamedTuple):
    """A row of the normative table: its windows or definition, and the parts by the names of the fields."""

    when: str
    numerator: str
    denominator: str
    coverage: str


class Formula:
    """How a figure is computed."""

    numerator: Quantity | None = None
    denominator: Quantity | None = None

    def of(self, how: How) -> Formula:
        """Return the formula for a window that is computed so."""
        del how
        return self

    def cases(self) -> Iterator[tuple[str, Formula]]:
        """Yield the formula of each kind of window or definition; itself alone, if it is the same for all."""
        yield "", self

    def quantities(self) -> Iterator[Quantity]:
        """Yield the quantities it reads, in all windows and by all definitions."""
        for _, case in self.cases():
            if case is not self:
                yield from case.quantities()

    def reads(self) -> tuple[str, ...]:
        """Return the keys of the quantities whose amounts its maker takes, in their order; resolve the formula first."""
        raise NotImplementedError(f"{self} is not computed from sums")

    def maker(self) -> Maker:
        """Return the function that computes its figure; resolve the formula first."""
        raise NotImplementedError(f"{self} is not computed from sums")

    def parts(self) -> tuple[str, str, str]:
        """Return numerator, denominator and coverage by the names of the fields."""
        raise NotImplementedError

    def rows(self) -> Iterator[Row]:
        """Yield its rows of the normative table."""
        for when, case in self.cases():
            if case is self:
                yield Row(when, *self.parts())
            else:
                yield from (Row(" ".join(filter(None, (when, row.when))), *row[1:]) for row in case.rows())

    @property
    def bases(self) -> Iterator[Quantity]:
        """Yield the quantities it is about: denominators, and those of which coverage is a share."""
        for _, case in self.cases():
            if case is not self:
                yield from case.bases

    @property
    def units(self) -> tuple[Unit, Unit] | None:
        """The units of numerator and denominator; None where it has no parts."""
        first = next(case for _, case in self.cases())
        return None if first is self else first.units

    @property
    def measured(self) -> bool:
        """Whether its coverage can be below 1."""
        return any(case.measured for _, case in self.cases() if case is not self)

    @property
    def judged_by(self) -> frozenset[str]:
        """The keys of a definition that decide what is computed; ``service_level`` means all those of the service level."""
        return frozenset(key for _, case in self.cases() if case is not self for key in case.judged_by)

    @property
    def by_definition(self) -> bool:
        """Whether a definition decides what is computed or booked."""
        return bool(self.judged_by) or any(isinstance(quantity, Field) and quantity.by_definition for quantity in self.quantities())

    @property
    def labels(self) -> str | None:
        """The meaning of its labels, if it is computed by label, too."""
        return None

    @property
    def labels_alone(self) -> str | None:
        """The meaning of its labels, if every count has one."""
        return None

    @property
    def labels_of_part(self) -> str | None:
        """The meaning of its numerator's labels, if only the numerator has any."""
        return None

    @property
    def fields(self) -> frozenset[str]:
        """The keys of all fields that it reads."""
        return frozenset(name for quantity in self.quantities() for name in quantity.fields)


@dataclass(frozen=True)
class Observed(Formula):
    """A figure observed at as-of, or while figures are served; no sum of fields."""

    text: str
    in_units: tuple[Unit, Unit] | None = None
    table: tuple[str, str, str] = ("now only", "–", "–")

    def __str__(self) -> str:
        return self.text

    def parts(self) -> tuple[str, str, str]:
        """Return its parts in the table."""
        return self.table

    @property
    def units(self) -> tuple[Unit, Unit] | None:
        """The units of its parts."""
        return self.in_units

    @property
    def measured(self) -> bool:
        """Whether it has parts that may be unknown."""
        return self.in_units is not None


def _check(*quantities: object) -> None:
    """Raise TypeError unless all are quantities."""
    for quantity in quantities:
        if not isinstance(quantity, Quantity):
            raise TypeError(f"formulas take fields, such as f.HOLD_MS, not {quantity!r}")


@dataclass(frozen=True)
class Count(Formula):
    """A plain sum; with ``coverage`` its value is null while the coverage is 0."""

    counted: Quantity
    coverage: tuple[Quantity, Quantity] | None = None

    def __post_init__(self) -> None:
        """Check the types."""
        _check(self.counted, *(self.coverage or ()))

    def __str__(self) -> str:
        return self.counted.means if isinstance(self.counted, Field) else self.counted.text

    def quantities(self) -> Iterator[Quantity]:
        """Yield the quantities it reads."""
        yield self.counted
        yield from self.coverage or ()

    def reads(self) -> tuple[str, ...]:
        """Return the keys of the sum, and of the quantities of its coverage."""
        return tuple(quantity.key for quantity in self.quantities())

    def maker(self) -> Maker:
        """Return the function that computes the figure."""
        return _count(self.counted.per) if self.coverage is None else _covered_count

    def parts(self) -> tuple[str, str, str]:
        """Return its parts in the table."""
        coverage = "–" if self.coverage is None else f"{code(self.coverage[0])} ÷ {code(self.coverage[1])}; 0: value null"
        by_label = " by label" if self.labels else ""
        return f"{code(self.counted)}{by_label}", "–", coverage

    @property
    def bases(self) -> Iterator[Quantity]:
        """Yield the quantity of which its coverage is a share."""
        if self.coverage is not None:
            yield self.coverage[1]

    @property
    def units(self) -> None:
        """It has no parts."""
        return

    @property
    def labels(self) -> str | None:
        """The meaning of its labels."""
        return self.counted.label if isinstance(self.counted, Field) else None

    @property
    def labels_alone(self) -> str | None:
        """The meaning of its labels, if every count has one."""
        return None if isinstance(self.counted, Field) and self.counted.has_total else self.labels


_NONE: Final[Figure] = {"value": 0, "numerator": 0, "denominator": None, "coverage": None}


@lru_cache
def _count(per: int) -> Maker:
    def count(number: int) -> Figure:
        if not number:
            return _NONE
        amount = number if per == 1 else number / per
        return {"value": amount, "numerator": amount, "denominator": None, "coverage": None}

    return count


def _covered_count(number: int, part: int, whole: int) -> Figure:
    coverage = min(part, whole) / whole if whole else None
    return {"value": None if coverage == 0 else number, "numerator": number, "denominator": None, "coverage": coverage}


@dataclass(frozen=True)
class Ratio(Formula):
    """A quantity divided by another.

    Its coverage is denominator ÷ ``of_all``, or ``coverage``; without either it is 1 for any denominator, or null if ``uncovered``.
    ``parts_null``: its parts are null where the denominator is 0. ``known``: its value is null where the coverage is.
    """

    part: Quantity
    whole: Quantity
    of_all: Quantity | None = None
    coverage: tuple[Quantity, Quantity] | None = None
    parts_null: bool = False
    known: bool = False
    uncovered: bool = False

    def __post_init__(self) -> None:
        """Check the types."""
        _check(self.part, self.whole, *(self._covers or ()))

    def __str__(self) -> str:
        return f"{self.part.text} ÷ {self.whole.text}"

    def quantities(self) -> Iterator[Quantity]:
        """Yield the quantities it reads."""
        yield from (self.part, self.whole)
        yield from self._covers or ()

    @property
    def _covers(self) -> tuple[Quantity, Quantity] | None:
        return self.coverage if self.of_all is None else (self.whole, self.of_all)

    def reads(self) -> tuple[str, ...]:
        """Return the keys of numerator and denominator, and of the quantities of its coverage."""
        return tuple(quantity.key for quantity in self.quantities())

    def maker(self) -> Maker:
        """Return the function that computes the figure: it divides integers once, for the float nearest to the true quotient."""
        part_per, whole_per = self.part.per, self.whole.per
        if self._covers is None:
            return _ratio(part_per, whole_per, None if self.uncovered else 1.0, parts_null=self.parts_null)
        return _covered_ratio(part_per, whole_per, parts_null=self.parts_null, known=self.known)

    def parts(self) -> tuple[str, str, str]:
        """Return its parts in the table."""
        by_label, alone = " by label" if self.labels else "", " by label" if self.labels_of_part else ""
        covers = self._covers
        coverage = "null" if self.uncovered else "1" if covers is None else f"{covers[0].name_in_tables} ÷ {covers[1].name_in_tables}"
        return f"{code(self.part)}{by_label}{alone}", f"{code(self.whole)}{by_label}", coverage

    @property
    def bases(self) -> Iterator[Quantity]:
        """Yield its denominator and the quantity of which its coverage is a share."""
        yield self.whole
        if self._covers is not None:
            yield self._covers[1]

    @property
    def units(self) -> tuple[Unit, Unit]:
        """The units of its parts."""
        return self.part.unit, self.whole.unit

    @property
    def measured(self) -> bool:
        """Whether its coverage can be below 1."""
        return self._covers is not None

    @property
    def labels(self) -> str | None:
        """The meaning of its labels."""
        part, whole = self.part, self.whole
        return whole.label if isinstance(part, Field) and isinstance(whole, Field) and part.label == whole.label else None

    @property
    def labels_of_part(self) -> str | None:
        """The meaning of its numerator's labels, if only the numerator has any."""
        return self.part.label if isinstance(self.part, Field) and self.labels is None else None


class Mean(Ratio):
    """A sum divided by the number of its terms."""


@lru_cache
def _ratio(part_per: int, whole_per: int, full: float | None, *, parts_null: bool) -> Maker:
    up, down = whole_per // gcd(part_per, whole_per), part_per // gcd(part_per, whole_per)

    def ratio(number: int, all_: int) -> Figure:
        if not all_:
            return NOTHING if parts_null else _valueless(number, 0, part_per, whole_per, None)
        return {
            "value": up * number / (down * all_),
            "numerator": number if part_per == 1 else number / part_per,
            "denominator": all_ if whole_per == 1 else all_ / whole_per,
            "coverage": full,
        }

    return ratio


@lru_cache
def _covered_ratio(part_per: int, whole_per: int, *, parts_null: bool, known: bool) -> Maker:
    up, down = whole_per // gcd(part_per, whole_per), part_per // gcd(part_per, whole_per)

    def ratio(number: int, all_: int, measured: int, about: int) -> Figure:
        coverage = None if not about else 1.0 if measured >= about else measured / about
        if not all_:
            return {**NOTHING, "coverage": coverage} if parts_null else _valueless(number, 0, part_per, whole_per, coverage)
        return {
            "value": None if known and coverage is None else up * number / (down * all_),
            "numerator": number if part_per == 1 else number / part_per,
            "denominator": all_ if whole_per == 1 else all_ / whole_per,
            "coverage": coverage,
        }

    return ratio


def _valueless(number: int, all_: int, part_per: int, whole_per: int, coverage: float | None) -> Figure:
    return {
        "value": None,
        "numerator": number if part_per == 1 else number / part_per,
        "denominator": all_ if whole_per == 1 else all_ / whole_per,
        "coverage": coverage,
    }


def code(quantity: Quantity) -> str:
    """Return the name of a quantity in the normative table."""
    return bare(quantity.name_in_tables)
