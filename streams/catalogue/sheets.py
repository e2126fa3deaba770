"""The figures of one kind of window, compiled once from the formulas of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from itertools import repeat
from operator import call, getitem, itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from msgspec.json import Encoder

from streams.catalogue.fields import FIELD_BY_ID
from streams.catalogue.formulas import NOT_REPORTED, How, Maker, Observed
from streams.catalogue.given import WAITING_PAST_THRESHOLD, WINDOW
from streams.catalogue.kpis import KPIS
from streams.catalogue.quantities import taking

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from streams.catalogue.formulas import Figure
    from streams.catalogue.model import Kpi

__all__ = ["FIGURES", "WRITTEN", "Make", "Remembered", "Sheet", "SheetKind", "judged_by", "kpis_by_label", "sheet_kind_of", "sheet_of"]

#: What is computed together; of what a definition decides in contacts, each by itself too.
SheetKind = Literal["contacts", "definitions", "people", "forecasts", "cohorts", "customers_day", "customers_month"]

#: So many sets of names are remembered for each sheet, and so many figures as JSON of each kind of formula.
_MOST_PLANS: Final = 2048
_MOST_WRITTEN: Final = 4096

_TRAILING: Final = ("trailing",)
_DATED: Final = ("interval", "day", "customers_day", "customers_month")
_NO_VALUES: Final[Mapping[str, int]] = MappingProxyType({})

#: As what is published is: in the order of names.
_encode = Encoder(order="sorted").encode


class Remembered(dict[Any, bytes]):
    """Amounts that a formula reads → its figure as JSON: most figures are those of other windows too, or of the same one before."""

    def __init__(self, maker: Maker) -> None:
        super().__init__()
        self._maker = maker

    def __missing__(self, amounts: Any) -> bytes:
        if len(self) >= _MOST_WRITTEN:
            self.clear()
        figure = self._maker(*amounts) if type(amounts) is tuple else self._maker(amounts)
        written = self[amounts] = _encode(figure)
        return written


#: One for all formulas that make the same figure of the same amounts.
_written_by: Final = lru_cache(maxsize=None)(Remembered)


class _Formula(NamedTuple):
    """One formula of a sheet."""

    kpi: str
    reads: tuple[str, ...]
    maker: Maker
    written: Remembered


class _Plan(NamedTuple):
    """What is to be done where only some values are known: these stand in a list, then 0, then what is added up of them."""

    added: tuple[Callable[[list[int]], tuple[int, ...]], ...]
    """takes what is added up out of the values"""
    weighted: tuple[tuple[tuple[int, int], ...], ...]
    """places of what is added up, and factors"""
    kpis: tuple[str, ...]
    """those of which anything is known"""
    amounts: tuple[Callable[[list[int]], Any], ...]
    """takes out of the values what the formula reads: a tuple, or the only one"""
    makers: tuple[Maker, ...]
    written: tuple[Remembered, ...]
    order: tuple[str, ...]
    """the same KPIs in the order of names, and those that are put in beside"""
    text: list[bytes]
    """all KPIs as JSON, with room at every second place for the figures of these"""


_Found = tuple[Callable[[Mapping[str, int]], tuple[int, ...]], _Plan]


class Sheet:
    """Formulas resolved for a kind of window; ``figures`` runs them.

    ``beside``: others that are written among them, and may be put in; with their figures where nothing is known of them.
    ``left_out``: those that no source reports.
    """

    __slots__ = ("_composed", "_formulas", "_found", "_known", "_nothing", "_plans", "_written")

    def __init__(
        self, kpis: Iterable[Kpi], how: How, beside: Mapping[str, Figure] = MappingProxyType({}), left_out: Collection[str] = ()
    ) -> None:
        #: what is added up of several sums before the formulas run
        self._composed: dict[str, tuple[tuple[str, int], ...]] = {}
        self._formulas: list[_Formula] = []
        #: what is read → a bit for each formula that reads it
        self._known: dict[str, int] = {}
        #: the figures of a window of which nothing is known
        self._nothing: dict[str, Figure] = {}
        for kpi in kpis:
            if kpi.id in left_out:
                self._nothing[kpi.id] = NOT_REPORTED
                continue
            formula = kpi.formula.of(how)
            bit = 1 << len(self._formulas)
            for each in formula.quantities():
                if not each.is_plain:
                    self._composed[each.key] = each.terms
                for name in (each.key, *(term for term, _ in each.terms)):
                    self._known[name] = self._known.get(name, 0) | bit
            maker, reads = formula.maker(), formula.reads()
            self._nothing[kpi.id] = maker(*[0] * len(reads))
            if reads:
                self._formulas.append(_Formula(kpi.id, reads, maker, _written_by(maker)))
        #: the same, and those of others, as JSON in the order of names
        self._written = {kpi: _encode(figure) for kpi, figure in sorted({**beside, **self._nothing}.items())}
        #: what is read of what is known → what is to be done with it
        self._plans: dict[tuple[str, ...], _Plan] = {}
        #: what says which names are known → what takes those that are read, and the plan
        self._found: dict[tuple[Hashable, ...], _Found] = {}

    @property
    def kpis(self) -> Collection[str]:
        """What it computes."""
        return self._nothing.keys()

    def figures(
        self,
        sums: Mapping[str, int],
        given: Mapping[str, int] = _NO_VALUES,
        known: Hashable | None = None,
        beside: Mapping[str, Figure] = MappingProxyType({}),
    ) -> dict[str, Figure]:
        """Return KPI → figure of the sums of a window and of what is given with it, and those of ``beside``.

        ``known``: what is equal where the names of sums are.
        """
        found = self._nothing.copy()
        plan, values = self._prepared(sums, given, known, ())
        for kpi, amounts, maker in zip(plan.kpis, plan.amounts, plan.makers, strict=True):
            read = amounts(values)
            found[kpi] = maker(*read) if type(read) is tuple else maker(read)
        found.update(beside)
        return found

    def written(
        self,
        sums: Mapping[str, int],
        given: Mapping[str, int] = _NO_VALUES,
        known: Hashable | None = None,
        beside: Mapping[str, bytes] = MappingProxyType({}),
    ) -> bytes:
        """Return the same as JSON, in the order of names."""
        plan, values = self._prepared(sums, given, known, beside)
        # In one go, for this is most of what a window costs: figure by figure it takes twice as long.
        figures: Iterable[bytes] = map(getitem, plan.written, map(call, plan.amounts, repeat(values)))
        if beside:
            found = {**dict(zip(plan.kpis, figures, strict=True)), **beside}
            figures = [found[kpi] for kpi in plan.order]
        text = plan.text.copy()
        text[1::2] = figures
        return b"".join(text)

    def written_apart(self, sums: Mapping[str, int], given: Mapping[str, int] = _NO_VALUES) -> dict[str, bytes]:
        """Return KPI → figure as JSON, to be put in beside others."""
        plan, values = self._prepared(sums, given, None, ())
        return {**self._written, **dict(zip(plan.kpis, map(getitem, plan.written, map(call, plan.amounts, repeat(values))), strict=True))}

    def _prepared(
        self, sums: Mapping[str, int], given: Mapping[str, int], known: Hashable | None, beside: Iterable[str]
    ) -> tuple[_Plan, list[int]]:
        """Return what is to be done, and the values that the formulas read."""
        key = (tuple(sums) if known is None else known, *given, *beside)
        found = self._found.get(key)
        if found is None:
            found = self._find(key, sums, tuple(given), tuple(beside))
        take, plan = found
        values = [*take(sums), *given.values(), 0]
        for amounts in plan.added:
            values.append(sum(amounts(values)))
        for terms in plan.weighted:
            values.append(sum([factor * values[place] for place, factor in terms]))
        return plan, values

    def _find(self, key: tuple[Hashable, ...], sums: Iterable[str], given: tuple[str, ...], beside: tuple[str, ...]) -> _Found:
        """Return what takes out of sums those that are read, and what is to be done: mostly both are as in many other windows."""
        read = sorted(name for name in sums if name in self._known)
        names = (*read, *given, *beside)
        plan = self._plans.get(names)
        if plan is None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            plan = self._plans[names] = self._plan((*read, *given), beside)
        if len(self._found) >= _MOST_PLANS:
            self._found.clear()
        found = self._found[key] = taking(read), plan
        return found

    def _plan(self, names: tuple[str, ...], beside: tuple[str, ...]) -> _Plan:
        """Work out what is to be computed where only some values are known."""
        zero = len(names)
        places = {name: place for place, name in enumerate(names)}
        bits = 0
        for name in places:
            bits |= self._known.get(name, 0)
        added: list[tuple[str, list[int]]] = []
        weighted: list[tuple[str, list[tuple[int, int]]]] = []
        for name, terms in self._composed.items():
            of = [(places[term], factor) for term, factor in terms if term in places]
            if any(factor != 1 for _, factor in of):
                weighted.append((name, of))
            elif len(of) > 1:
                added.append((name, [place for place, _ in of]))
            elif of:
                places[name] = of[0][0]
        places |= {name: place for place, (name, _) in enumerate((*added, *weighted), zero + 1)}
        formulas = [each for number, each in enumerate(self._formulas) if bits >> number & 1]
        # In the order of names, so that figures are put in as they come.
        formulas.sort(key=lambda each: each.kpi)
        order = tuple(sorted([*(each.kpi for each in formulas), *beside]))
        return _Plan(
            tuple(itemgetter(*of) for _, of in added),
            tuple(tuple(of) for _, of in weighted),
            tuple(each.kpi for each in formulas),
            tuple(itemgetter(*(places.get(name, zero) for name in each.reads)) for each in formulas),
            tuple(each.maker for each in formulas),
            tuple(each.written for each in formulas),
            order,
            self._text(frozenset(order)),
        )

    def _text(self, with_room: Collection[str]) -> list[bytes]:
        text, told = list[bytes](), b"{"
        for number, (kpi, figure) in enumerate(self._written.items()):
            told += b'%b"%b":' % (b"," if number else b"", kpi.encode())
            if kpi in with_room:
                text += (told, b"")
                told = b""
            else:
                told += figure
        return [*text, told + b"}"]


class Make(NamedTuple):
    """How figures are made of sums and what is given: as objects, or as JSON where they are only published."""

    whole: Callable[[Sheet, Mapping[str, int], Mapping[str, int], Hashable | None, Mapping[str, Any]], Any]
    """makes the figures of a sheet, and puts in those of another"""
    apart: Callable[[Sheet, Mapping[str, int], Mapping[str, int]], dict[str, Any]]
    """makes figures to be put in"""


FIGURES: Final = Make(Sheet.figures, Sheet.figures)
WRITTEN: Final = Make(Sheet.written, Sheet.written_apart)


@lru_cache(maxsize=1024)
def sheet_of(kind: SheetKind, how: How, only: frozenset[str] | None = None, left_out: frozenset[str] = frozenset()) -> Sheet:
    """Return the sheet of what is computed together in a kind of window.

    ``only``: of what a definition decides, some of it. ``left_out``: figures that no source reports.
    """
    wanted: SheetKind = "contacts" if kind == "definitions" else kind
    kpis = [kpi for kpi in KPIS if sheet_kind_of(kpi) == wanted and _is_served(kpi, how)]
    if kind == "definitions":
        return Sheet([kpi for kpi in kpis if kpi.formula.judged_by and (only is None or kpi.id in only)], how, left_out=left_out)
    # Intervals and days of contacts have figures about forecasts among their own.
    return Sheet(kpis, how, sheet_of("forecasts", How()).figures({}) if kind == "contacts" and how.by_offer else {}, left_out)


def judged_by() -> dict[str, frozenset[str]]:
    """Return KPI → the keys of a definition that decide what is computed, of those of windows of contacts that have any."""
    return {kpi.id: kpi.formula.judged_by for kpi in KPIS if kpi.formula.judged_by}


@lru_cache(maxsize=1)
def kpis_by_label() -> tuple[Kpi, ...]:
    """Return the KPIs that windows have by label, too, or of which they have the numerator by label."""
    labelled = (kpi for kpi in KPIS if kpi.formula.labels is not None or kpi.formula.labels_of_part is not None)
    return tuple(kpi for kpi in labelled if sheet_kind_of(kpi) == "contacts")


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
