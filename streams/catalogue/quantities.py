"""What is counted, as formulas read it: single fields and what is added up of them; and the names that fields have on the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "DEFINITION_MARK", "LABEL_MARK", "Booked", "Dimension", "Field", "Quantity", "Sum", "Unit", "bare", "by_definition", "given",
    "is_labelled", "judged_by", "parse", "taking",
]  # fmt: skip

#: A score is a mean of survey answers on their own scale; a count is a plain number, such as round trips a contact.
Unit = Literal[
    "contacts", "seconds", "ratio", "agents", "offers", "score", "count", "1/h", "hours", "currency", "customers", "messages", "sessions"
]
#: In which slices of time a field is booked: both by outcome and by offer; by outcome alone, as all that is about people;
#: by offer alone; in days and months of customers.
Booked = Literal["both", "outcome", "offer", "customers"]
#: What a field is told apart by beside scope, channel and time.
Dimension = Literal["edge", "reason", "limit", "top", "plan", "how"]

#: In the name of a sum, between what is summed and the label it is of: no other name has one.
LABEL_MARK: Final = "="
#: In the name of a sum, between the definition that judges it in larger scopes and what is summed.
DEFINITION_MARK: Final = ":"
#: What a dimension may be: an upper edge in ms, or ``inf``; a way out of the queue; a limit in ms; a score; a kind of plan, its fate.
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

    ``key`` names it among the values that a formula reads; ``terms`` are the sums it is made of, none for what is no sum of fields
    but given with the window. ``per`` of its amounts are one ``unit``: 1000 where milliseconds are summed and seconds served.
    ``said`` is what formulas in words call it, ``short`` what tables of formulas do, where that is not the key.
    """

    key: str
    said: str
    unit: Unit = "contacts"
    per: int = 1
    terms: tuple[tuple[str, int], ...] = ()
    fields: tuple[str, ...] = ()
    short: str = ""

    @property
    def name_in_tables(self) -> str:
        """What tables of formulas call it: its short name, if it has one, or else its key."""
        return self.short or self.key

    def __add__(self, other: Quantity) -> Quantity:
        return self._joined(other, 1, "+")

    def __sub__(self, other: Quantity) -> Quantity:
        return self._joined(other, -1, "−")

    def __rmul__(self, factor: int) -> Quantity:
        terms = tuple((name, factor * each) for name, each in self.terms)
        return Quantity(
            key=f"{factor} × {self.key}", said=f"{factor} × {self.said}", short=f"{factor} × {self.name_in_tables}",
            unit=self.unit, per=self.per, terms=terms, fields=self.fields,
        )  # fmt: skip

    def _joined(self, other: Quantity, sign: int, mark: str) -> Quantity:
        if (self.unit, self.per) != (other.unit, other.per):
            raise ValueError(f"{self.key} is in {self._in_unit}, {other.key} in {other._in_unit}: add up what is in one unit")
        mine, theirs = self._terms(), tuple((name, sign * factor) for name, factor in other._terms())
        key, said, short = (
            f"({bare(one)} {mark} {two})"
            for one, two in ((self.key, other.key), (self.said, other.said), (self.name_in_tables, other.name_in_tables))
        )
        fields = (*self.fields, *other.fields)
        return Quantity(key=key, said=said, unit=self.unit, per=self.per, terms=(*mine, *theirs), fields=fields, short=short)

    @property
    def _in_unit(self) -> str:
        return self.unit if self.per == 1 else f"1/{self.per} {self.unit}"

    def _terms(self) -> tuple[tuple[str, int], ...]:
        return self.terms or ((self.key, 1),)

    def called(self, said: str | None = None, *, short: str | None = None) -> Quantity:
        """Return the same as people, or tables of formulas, are to call it."""
        return replace(self, said=self.said if said is None else said, short=self.short if short is None else short)

    def served_in(self, unit: Unit, per: int = 1) -> Quantity:
        """Return the same in another unit."""
        return replace(self, unit=unit, per=per)

    @property
    def is_plain(self) -> bool:
        """Whether it is one sum, or given, and stands among the values by its key."""
        return not self.terms or self.terms == ((self.key, 1),)


def given(key: str, said: str, *fields: Quantity, unit: Unit = "contacts", per: int = 1) -> Quantity:
    """Return what comes with a window and is no plain sum; ``fields`` are those it is worked out from."""
    return Quantity(key=key, said=said, unit=unit, per=per, fields=tuple(name for each in fields for name in each.fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(Quantity):
    """One counted field: what is booked of contacts, people or customers.

    ``wire`` is its name on the wire, with its dimensions in braces; ``members`` are all values of its dimension, where these are few.
    ``label`` is what its labels are, if it is booked by label; ``whole`` says whether it is booked without label too.
    ``needed`` says that it is booked only where a definition needs it, ``by_definition`` that a definition says what of it is booked.
    ``raw`` is why no formula reads it.
    """

    means: str
    booked: Booked = "both"
    wire: str = ""
    members: tuple[str, ...] = ()
    label: str | None = None
    whole: bool = True
    needed: bool = False
    by_definition: bool = False
    raw: str | None = None

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """What its name says beside what is counted, in the order of the name."""
        return tuple(each for each in re.findall(r"\{(\w+)\}", self.wire) if each in get_args(Dimension))

    def name(self, **values: object) -> str:
        """Return the name on the wire of one sum of it, by the values of its dimensions; ``label`` and ``definition`` of any field."""
        label, definition = values.pop("label", None), values.pop("definition", None)
        name = self.wire.format(**values)
        if label is not None:
            name = f"{name}{LABEL_MARK}{label}"
        return name if definition is None else f"{definition}{DEFINITION_MARK}{name}"

    def at(self, said: str, **values: object) -> Quantity:
        """Return one sum of it as a quantity."""
        name = self.name(**values)
        return Quantity(key=name, said=said, unit=self.unit, per=self.per, terms=((name, 1),), fields=(self.key,))

    def __hash__(self) -> int:
        return hash(self.key)


class Sum(NamedTuple):
    """What the name of a sum says."""

    field: Field
    values: dict[str, str]
    label: str | None = None
    definition: str | None = None


def by_definition(name: str) -> tuple[str | None, str]:
    """Return the definition that a sum is judged by in larger scopes, if its name has one, and the rest of the name."""
    definition, mark, rest = name.partition(DEFINITION_MARK)
    return (definition, rest) if mark and LABEL_MARK not in definition else (None, name)


def judged_by(definition: str, name: str) -> str:
    """Return the name of a sum as one that a definition judges in larger scopes."""
    return f"{definition}{DEFINITION_MARK}{name}"


def is_labelled(name: str) -> bool:
    """Say whether a sum is that of one label."""
    return LABEL_MARK in name


def parse(name: str, fields: dict[str, Field]) -> Sum | None:
    """Return what a name on the wire says, None if it is that of no field; ``fields`` by what their names begin with and by key."""
    definition, rest = by_definition(name)
    rest, mark, label = rest.partition(LABEL_MARK)
    found = fields.get(rest)
    if found is not None and not found.dimensions:
        return Sum(found, {}, label if mark else None, definition)
    for field in fields.values():
        if field.dimensions and (match := _pattern(field.wire).fullmatch(rest)):
            return Sum(field, match.groupdict(), label if mark else None, definition)
    return None


def taking(names: Sequence[str]) -> Callable[[Mapping[str, int]], tuple[int, ...]]:
    """Return what takes the sums of some names out of those of a window."""
    if len(names) > 1:
        return itemgetter(*names)
    return (lambda sums: (sums[names[0]],)) if names else (lambda _sums: ())


def bare(text: str) -> str:
    """Return what is added up without its parentheses: what is added to it makes others."""
    inside = text[1:-1]
    return inside if text == f"({inside})" and "(" not in inside else text


def _pattern(wire: str) -> re.Pattern[str]:
    pattern = re.sub(r"\\\{(\w+)\\\}", lambda match: f"(?P<{match[1]}>{_VALUES[match[1]]})", re.escape(wire))  # type: ignore[index]
    return re.compile(pattern)
