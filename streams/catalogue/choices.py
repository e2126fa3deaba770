"""Formulas that choose among others: by window, by definition, by channel, or none at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from streams.catalogue.formulas import NOTHING, Figure, Formula, How, Maker, Ratio, code
from streams.catalogue.quantities import Quantity, Unit

__all__ = ["ByDefinition", "ByWindow", "NotIn", "ServiceLevel", "Where"]


@dataclass(frozen=True)
class Where(Formula):
    """A formula that is null while a quantity is below a number."""

    enough: Quantity
    formula: Formula
    at_least: int = 1

    def __str__(self) -> str:
        return str(self.formula) if self.at_least == 1 else f"{self.formula}; null with fewer than {self.at_least} of these"

    def quantities(self) -> Iterator[Quantity]:
        """Yield the quantities it reads."""
        yield self.enough
        yield from self.formula.quantities()

    def reads(self) -> tuple[str, ...]:
        """Return the keys of the required quantity and of those the formula reads."""
        return (self.enough.key, *self.formula.reads())

    def maker(self) -> Maker:
        """Return the function that computes the figure."""
        return _where(self.at_least, self.formula.maker())

    def parts(self) -> tuple[str, str, str]:
        """Return its parts in the table."""
        numerator, denominator, coverage = self.formula.parts()
        least = "" if self.at_least == 1 else f" ≥ {self.at_least}"
        return numerator, denominator, f"{coverage.replace('–', '1')}; null without {code(self.enough)}{least}"

    @property
    def units(self) -> tuple[Unit, Unit] | None:
        """The units of its parts."""
        return self.formula.units

    @property
    def measured(self) -> bool:
        """Whether its coverage can be below 1."""
        return self.formula.measured


@dataclass(frozen=True)
class ByWindow(Formula):
    """One formula for trailing windows, by outcome, another for intervals and days, by offer."""

    trailing: Formula
    dated: Formula

    def __str__(self) -> str:
        one, two = str(self.trailing), str(self.dated)
        return one if one == two else f"{one} in trailing windows; {two} in intervals and days"

    def of(self, how: How) -> Formula:
        """Return the formula for a window."""
        return (self.dated if how.by_offer else self.trailing).of(how)

    def cases(self) -> Iterator[tuple[str, Formula]]:
        """Yield both."""
        yield "W", self.trailing
        yield "D", self.dated

    @property
    def labels(self) -> str | None:
        """What its labels are."""
        return self.trailing.labels


@dataclass(frozen=True)
class ByDefinition(Formula):
    """A formula for each value of a key of the definition, the default first."""

    key: str
    choices: Mapping[object, Formula]

    def __str__(self) -> str:
        return f"{next(iter(self.choices.values()))}; or by {self.key} of the definition"

    def of(self, how: How) -> Formula:
        """Return the formula for a definition."""
        return self.choices[getattr(how.ways, self.key)].of(how)

    def cases(self) -> Iterator[tuple[str, Formula]]:
        """Yield all of them."""
        for index, (value, formula) in enumerate(self.choices.items()):
            yield ("" if index == 0 else f"`{self.key}: {_value(value)}`"), formula

    @property
    def judged_by(self) -> frozenset[str]:
        """The key it depends on."""
        return frozenset({self.key})


@dataclass(frozen=True)
class NotIn(Formula):
    """A formula that has no meaning in some channels, where it is null."""

    channels: tuple[str, ...]
    formula: Formula

    def __str__(self) -> str:
        return f"{self.formula}; null for {' and '.join(self.channels)}"

    def of(self, how: How) -> Formula:
        """Return the formula, or nothing in one of the channels."""
        return _Nothing() if how.channel in self.channels else self.formula.of(how)

    def cases(self) -> Iterator[tuple[str, Formula]]:
        """Yield the formula."""
        yield f"not {', '.join(self.channels)}:", self.formula


class _Nothing(Formula):
    """No figure."""

    def reads(self) -> tuple[str, ...]:
        """Return no key."""
        return ()

    def maker(self) -> Maker:
        """Return the function that returns no figure."""
        return _nothing


def _nothing() -> Figure:
    return NOTHING


@lru_cache
def _where(at_least: int, maker: Maker) -> Maker:
    def where(enough: int, *amounts: int) -> Figure:
        return NOTHING if enough < at_least else maker(*amounts)

    return where


def _value(value: object) -> str:
    return "[" + ", ".join(sorted(value)) + "]" if isinstance(value, frozenset) else str(value)


class ServiceLevel(Ratio):
    """Contacts met over contacts counted, both by a definition (`streams.catalogue.levels`)."""

    @property
    def judged_by(self) -> frozenset[str]:
        """The keys of the service level."""
        return frozenset({"service_level"})
