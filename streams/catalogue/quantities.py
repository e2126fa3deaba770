"""Quantities that formulas read: single fields and sums of them; and the names that fields have on the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "DEFINITION_MARK", "LABEL_MARK", "Booked", "Dimension", "Field", "Quantity", "Sum", "Unit", "bare", "by_definition", "given",
    "is_labelled", "judged_by", "parse", "values_of",
]  # fmt: skip

#: A score is a mean of survey answers on their own scale; a count is a plain number, such as round trips a contact.
Unit = Literal[
    "contacts", "seconds", "ratio", "agents", "offers", "score", "count", "1/h", "hours", "currency", "customers", "messages", "sessions"
]
#: The windows in which a field is booked: both by outcome and by offer; by outcome alone, as all fields of agents;
#: by offer alone; in days and months of customers.
Booked = Literal["both", "outcome", "offer", "customers"]
#: The dimensions of a field beside scope, channel and time.
Dimension = Literal["edge", "reason", "limit", "top", "plan", "how"]

#: In the name of a sum, between the name of its field and its label: no other name has one.
LABEL_MARK: Final = "="
#: In the name of a sum, between the definition that judges it in larger scopes and the name of its field.
DEFINITION_MARK: Final = ":"
#: Values of a dimension: an upper edge in ms, or ``inf``; a way out of the queue; a limit in ms; a score; a kind of plan, its outcome.
_VALUES: Final[dict[Dimension, str]] = {
    "edge": r"\d+|inf",
    "reason": r"[a-z_]+",
    "limit": r"\d+",
    "top": r"\d",
    "plan": r"work|other",
    "how": r"adhered|missed|unknown",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """An amount that formulas read: Σ factor × sum.

    ``key`` names it among the values that a formula reads; ``terms`` are its sums, none for an amount that comes with the window.
    ``per`` of its amounts are one ``unit``: 1000 where milliseconds are summed and seconds served. ``text`` is its name in formulas for
    readers, ``short`` its name in tables of formulas, where that is not the key.
    """

    key: str
    text: str
    unit: Unit = "contacts"
    per: int = 1
    terms: tuple[tuple[str, int], ...] = ()
    fields: tuple[str, ...] = ()
    short: str = ""

    @property
    def name_in_tables(self) -> str:
        """Its name in tables of formulas: its short name, if it has one, or else its key."""
        return self.short or self.key

    def __add__(self, other: Quantity) -> Quantity:
        return self._joined(other, 1, "+")

    def __sub__(self, other: Quantity) -> Quantity:
        return self._joined(other, -1, "−")

    def __rmul__(self, factor: int) -> Quantity:
        terms = tuple((name, factor * own_factor) for name, own_factor in self.terms)
        return Quantity(
            key=f"{factor} × {self.key}", text=f"{factor} × {self.text}", short=f"{factor} × {self.name_in_tables}",
            unit=self.unit, per=self.per, terms=terms, fields=self.fields,
        )  # fmt: skip

    def _joined(self, other: Quantity, sign: int, mark: str) -> Quantity:
        if (self.unit, self.per) != (other.unit, other.per):
            raise ValueError(f"{self.key} is in {self._in_unit}, {other.key} in {other._in_unit}: add up what is in one unit")
        own, others = self._terms(), tuple((name, sign * factor) for name, factor in other._terms())
        key, text, short = (
            f"({bare(one)} {mark} {two})"
            for one, two in ((self.key, other.key), (self.text, other.text), (self.name_in_tables, other.name_in_tables))
        )
        fields = (*self.fields, *other.fields)
        return Quantity(key=key, text=text, unit=self.unit, per=self.per, terms=(*own, *others), fields=fields, short=short)

    @property
    def _in_unit(self) -> str:
        return self.unit if self.per == 1 else f"1/{self.per} {self.unit}"

    def _terms(self) -> tuple[tuple[str, int], ...]:
        return self.terms or ((self.key, 1),)

    def called(self, text: str | None = None, *, short: str | None = None) -> Quantity:
        """Return the same quantity with other names for readers or tables of formulas."""
        return replace(self, text=self.text if text is None else text, short=self.short if short is None else short)

    def served_in(self, unit: Unit, per: int = 1) -> Quantity:
        """Return the same quantity in another unit."""
        return replace(self, unit=unit, per=per)

    @property
    def is_plain(self) -> bool:
        """Whether it is one sum, or given, and is among the values by its key."""
        return not self.terms or self.terms == ((self.key, 1),)


def given(key: str, text: str, *fields: Quantity, unit: Unit = "contacts", per: int = 1) -> Quantity:
    """Return an amount that comes with a window and is no plain sum; it is computed from ``fields``."""
    return Quantity(key=key, text=text, unit=unit, per=per, fields=tuple(name for field in fields for name in field.fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(Quantity):
    """One counted field of contacts, agents or customers.

    ``wire`` is its name on the wire, with its dimensions in braces; ``members`` are all values of its dimension, where these are few.
    ``label`` is the meaning of its labels, if it is booked by label; ``has_total``: whether it is booked without label too.
    ``needed``: booked only where a definition needs it; ``by_definition``: a definition decides what is booked.
    ``raw`` is why no formula reads it.
    """

    means: str
    booked: Booked = "both"
    wire: str = ""
    members: tuple[str, ...] = ()
    label: str | None = None
    has_total: bool = True
    needed: bool = False
    by_definition: bool = False
    raw: str | None = None

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The dimensions in its name, in their order."""
        return tuple(name for name in re.findall(r"\{(\w+)\}", self.wire) if name in get_args(Dimension))

    def name(self, **values: object) -> str:
        """Return the name on the wire of one of its sums, by the values of its dimensions; ``label`` and ``definition`` of any field."""
        label, definition = values.pop("label", None), values.pop("definition", None)
        name = self.wire.format(**values)
        if label is not None:
            name = f"{name}{LABEL_MARK}{label}"
        return name if definition is None else f"{definition}{DEFINITION_MARK}{name}"

    def at(self, text: str, **values: object) -> Quantity:
        """Return one of its sums as a quantity."""
        name = self.name(**values)
        return Quantity(key=name, text=text, unit=self.unit, per=self.per, terms=((name, 1),), fields=(self.key,))

    def __hash__(self) -> int:
        return hash(self.key)


class Sum(NamedTuple):
    """The parsed name of a sum."""

    field: Field
    values: dict[str, str]
    label: str | None = None
    definition: str | None = None


def by_definition(name: str) -> tuple[str | None, str]:
    """Return the definition that judges a sum in larger scopes, if its name has one, and the remaining name."""
    definition, mark, remaining = name.partition(DEFINITION_MARK)
    return (definition, remaining) if mark and LABEL_MARK not in definition else (None, name)


def judged_by(definition: str, name: str) -> str:
    """Return the name of a sum with the definition that judges it in larger scopes."""
    return f"{definition}{DEFINITION_MARK}{name}"


def is_labelled(name: str) -> bool:
    """Return whether a sum is of one label."""
    return LABEL_MARK in name


def parse(name: str, fields: dict[str, Field]) -> Sum | None:
    """Return the parsed name of a sum, None if no field has it; ``fields`` by the first part of their names and by key."""
    definition, remaining = by_definition(name)
    wire, mark, label = remaining.partition(LABEL_MARK)
    field = fields.get(wire)
    if field is not None and not field.dimensions:
        return Sum(field, {}, label if mark else None, definition)
    for candidate in fields.values():
        if candidate.dimensions and (match := _pattern(candidate.wire).fullmatch(wire)):
            return Sum(candidate, match.groupdict(), label if mark else None, definition)
    return None


def values_of(names: Sequence[str]) -> Callable[[Mapping[str, int]], tuple[int, ...]]:
    """Return the function that reads the sums of some names from those of a window."""
    if len(names) > 1:
        return itemgetter(*names)
    return (lambda sums: (sums[names[0]],)) if names else (lambda _sums: ())


def bare(text: str) -> str:
    """Return a sum without its parentheses: a sum around it adds its own."""
    inside = text[1:-1]
    return inside if text == f"({inside})" and "(" not in inside else text


def _pattern(wire: str) -> re.Pattern[str]:
    pattern = re.sub(r"\\\{(\w+)\\\}", lambda match: f"(?P<{match[1]}>{_VALUES[match[1]]})", re.escape(wire))  # type: ignore[index]
    return re.compile(pattern)
