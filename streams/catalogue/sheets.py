"""The figures of one kind of window, compiled once from the formulas of the catalogue."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec import Raw
from msgspec.json import Encoder

from streams.catalogue.fields import FIELD_BY_ID
from streams.catalogue.formulas import Observed
from streams.catalogue.given import WAITING_PAST_THRESHOLD, WINDOW
from streams.catalogue.kpis import KPIS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from streams.catalogue.formulas import Figure, Get, How
    from streams.catalogue.model import Kpi

    _Plan = tuple[tuple[tuple[str, tuple[tuple[str, int], ...]], ...], tuple[tuple[str, Callable[[Get], Figure]], ...]]

__all__ = ["Make", "Sheet", "SheetKind", "judged_by", "kpis_by_label", "sheet_kind_of", "sheet_of"]

#: What is computed together; of what a definition decides in contacts, each by itself too.
SheetKind = Literal["contacts", "definitions", "people", "forecasts", "cohorts", "customers_day", "customers_month"]

#: As what is published is: in the order of names.
_encode = Encoder(order="sorted").encode
#: So many sets of names are remembered for each sheet.
_MOST_PLANS: Final = 2048

_TRAILING: Final = ("trailing",)
_DATED: Final = ("interval", "day", "customers_day", "customers_month")


class Sheet:
    """Formulas resolved for a kind of window; ``figures`` runs them."""

    __slots__ = ("_composed", "_formulas", "_known", "_nothing", "_plans", "_written")

    def __init__(self, kpis: Iterable[Kpi], how: How) -> None:
        composed: dict[str, tuple[tuple[str, int], ...]] = {}
        self._formulas: list[tuple[str, Callable[[Get], Figure]]] = []
        #: what is read → a bit for each formula that reads it
        self._known: dict[str, int] = {}
        for kpi in kpis:
            formula = kpi.formula.of(how)
            bit = 1 << len(self._formulas)
            for each in formula.quantities():
                if not each.is_plain:
                    composed[each.key] = each.terms
                for name in (each.key, *(term for term, _ in each.terms)):
                    self._known[name] = self._known.get(name, 0) | bit
            self._formulas.append((kpi.id, formula.reader()))
        #: what is added up of several sums before the formulas run
        self._composed = tuple(composed.items())
        #: the figures of a window of which nothing is known, and each as JSON
        self._nothing: dict[str, Figure] = {kpi: figure(_nothing) for kpi, figure in self._formulas}
        self._written: dict[str, Raw] = {kpi: Raw(_encode(figure)) for kpi, figure in self._nothing.items()}
        #: names of what is known → what is added up of it, and the formulas that read any of it
        self._plans: dict[tuple[str, ...], _Plan] = {}

    @property
    def kpis(self) -> Collection[str]:
        """What it computes."""
        return self._nothing.keys()

    def figures(self, values: dict[str, int]) -> dict[str, Figure]:
        """Return KPI → figure of values, which are sums by name and what is given with the window; they are completed in place."""
        return self._run(values, self._nothing.copy())

    def written(self, values: dict[str, int]) -> dict[str, Figure | Raw]:
        """Return the same, ready to be encoded: those of which nothing is known are JSON already."""
        return self._run(values, self._written.copy())

    def _run(self, values: dict[str, int], found: dict[str, Any]) -> dict[str, Any]:
        names = tuple(values)
        plan = self._plans.get(names)
        if plan is None:
            plan = self._plan(names)
        composed, formulas = plan
        get = values.get
        for key, terms in composed:
            total = 0
            for name, factor in terms:
                total += factor * values[name]
            values[key] = total
        for kpi, figure in formulas:
            found[kpi] = figure(get)
        return found

    def _plan(self, names: tuple[str, ...]) -> _Plan:
        """Work out what is to be computed where only some values are known: mostly these are the same as in many other windows."""
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        bits, known = 0, set(names)
        for name in known:
            bits |= self._known.get(name, 0)
        formulas = tuple(each for number, each in enumerate(self._formulas) if bits >> number & 1)
        composed = []
        for key, terms in self._composed:
            if self._known[key] & bits:
                composed.append((key, tuple(term for term in terms if term[0] in known)))
        plan = self._plans[names] = tuple(composed), formulas
        return plan


#: How figures are made of values: ``Sheet.figures``, or ``Sheet.written`` where they are only encoded.
Make: TypeAlias = "Callable[[Sheet, dict[str, int]], dict[str, Any]]"


def _nothing(_name: str, default: int) -> int:
    return default


@lru_cache(maxsize=1024)
def sheet_of(kind: SheetKind, how: How) -> Sheet:
    """Return the sheet of what is computed together in a kind of window."""
    wanted: SheetKind = "contacts" if kind == "definitions" else kind
    kpis = [kpi for kpi in KPIS if sheet_kind_of(kpi) == wanted and _is_served(kpi, how)]
    return Sheet([kpi for kpi in kpis if kind != "definitions" or kpi.formula.judged_by], how)


def judged_by() -> dict[str, frozenset[str]]:
    """Return KPI → the keys of a definition that decide what is computed, of those of windows of contacts that have any."""
    return {kpi.id: kpi.formula.judged_by for kpi in KPIS if kpi.formula.judged_by}


@lru_cache(maxsize=1)
def kpis_by_label() -> tuple[Kpi, ...]:
    """Return the KPIs that windows have by label, too."""
    return tuple(kpi for kpi in KPIS if kpi.formula.labels is not None and sheet_kind_of(kpi) == "contacts")


def sheet_kind_of(kpi: Kpi) -> SheetKind | None:
    """Return with which others a KPI is computed; None for what is no figure of sums."""
    if isinstance(kpi.formula, Observed):
        return None
    if any(FIELD_BY_ID[name].booked == "offer" for name in kpi.formula.fields):
        return "forecasts"
    if "customers_month" in kpi.windows:
        return "customers_month"
    if "customers_day" in kpi.windows:
        return "cohorts" if kpi.subject == "contacts" else "customers_day"
    return "people" if kpi.subject == "people" else "contacts"


def _is_served(kpi: Kpi, how: How) -> bool:
    """Say whether windows computed so have a KPI."""
    read = {name for each in kpi.formula.of(how).quantities() for name in (each.key, *(term for term, _ in each.terms))}
    if (WAITING_PAST_THRESHOLD.key in read and not how.live) or (WINDOW.key in read and not how.has_length):
        return False
    if kpi.subject == "people":
        return "agent" in kpi.dimensions if how.individual else kpi.dimensions != ("agent",)
    return kpi.subject == "customers" or any(window in kpi.windows for window in (_DATED if how.by_offer else _TRAILING))
