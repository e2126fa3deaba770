"""The figures of one kind of window, compiled once from the formulas of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import cache, lru_cache
from itertools import repeat
from math import gcd
from operator import call, getitem, itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from msgspec.json import Encoder

from streams.catalogue.fields import FIELD_BY_ID
from streams.catalogue.formulas import NOT_REPORTED, How, Maker, Observed
from streams.catalogue.given import WAITING_PAST_THRESHOLD, WINDOW
from streams.catalogue.kpis import KPIS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from streams.catalogue.formulas import Figure, Formula
    from streams.catalogue.model import Kpi

__all__ = ["FIGURES", "WRITTEN", "FigureCache", "Make", "Sheet", "SheetKind", "judged_by", "kpis_by_label", "sheet_kind_of", "sheet_of"]

#: Figures that are computed together; "definitions": those of contacts that a definition decides.
SheetKind = Literal["contacts", "definitions", "people", "forecasts", "cohorts", "customers_day", "customers_month"]

#: The most sets of names that each sheet remembers, and the most figures as JSON of each kind of formula.
_MOST_SEEN: Final = 2048
_MOST_WRITTEN: Final = 4096
_ZEROS: Final = repeat(0)

_TRAILING: Final = ("trailing",)
_DATED: Final = ("interval", "day", "customers_day", "customers_month")
_NO_VALUES: Final[Mapping[str, int]] = MappingProxyType({})

#: Keys in the order of names, as in all published records.
_encode = Encoder(order="sorted").encode


class FigureCache(dict[Any, bytes]):
    """Amounts that a formula reads → its figure as JSON: most figures recur in other windows, or in later versions of the same one."""

    def __init__(self, maker: Maker) -> None:
        super().__init__()
        self._maker = maker

    def __missing__(self, amounts: Any) -> bytes:
        if len(self) >= _MOST_WRITTEN:
            self.clear()
        figure = self._maker(*amounts) if type(amounts) is tuple else self._maker(amounts)
        written = self[amounts] = _encode(figure)
        return written


#: One cache for all formulas that compute the same figure from the same amounts.
_cache_of: Final = lru_cache(maxsize=None)(FigureCache)


class _Formula(NamedTuple):
    """One formula of a sheet."""

    kpi: str
    reads: tuple[str, ...]
    names: tuple[str, ...]
    """The names behind the amounts that it reads: sums, and given amounts."""
    maker: Maker
    written: FigureCache


class _Plan(NamedTuple):
    """The steps of a computation. Amounts are in a list: sums, then given amounts, then 0, then added amounts."""

    sums: tuple[str, ...]
    given: tuple[str, ...]
    added: tuple[Callable[[list[int]], tuple[int, ...]], ...]
    """Read the terms of each added amount."""
    weighted: tuple[tuple[int, Callable[[list[int]], tuple[int, ...]], Callable[[list[int]], tuple[int, ...]]], ...]
    """A factor, and functions that read the terms to add and to subtract."""
    kpis: tuple[str, ...]
    """KPIs whose formulas run."""
    amounts: tuple[Callable[[list[int]], Any], ...]
    """Read the amounts of a formula: a tuple, or the only one."""
    makers: tuple[Maker, ...]
    written: tuple[FigureCache, ...]
    order: tuple[str, ...]
    """The same KPIs and those beside them, in the order of names."""
    text: list[bytes]
    """All KPIs as JSON, with every second item free for the figures of these."""


class Sheet:
    """Formulas resolved for a kind of window; ``figures`` runs those of which any input has been seen.

    ``beside``: figures of another sheet that are written among them and may be replaced; these are their values without input.
    ``left_out``: figures that no source reports.
    """

    __slots__ = ("_bits", "_composed", "_formulas", "_given", "_nothing", "_plans", "_read", "_seen", "_unseen", "_written")

    def __init__(
        self, kpis: Iterable[Kpi], how: How, beside: Mapping[str, Figure] = MappingProxyType({}), left_out: Collection[str] = ()
    ) -> None:
        #: Amounts that are added up of several sums before the formulas run.
        self._composed: dict[str, tuple[tuple[str, int], ...]] = {}
        self._formulas: list[_Formula] = []
        #: Name that is read but was not seen yet → a bit for each formula that reads it; names seen.
        self._unseen: dict[str, int] = {}
        self._read: set[str] = set()
        #: The figures of a window without input.
        self._nothing: dict[str, Figure] = {}
        for kpi in kpis:
            if kpi.id in left_out:
                self._nothing[kpi.id] = NOT_REPORTED
                continue
            formula = kpi.formula.of(how)
            bit = 1 << len(self._formulas)
            composed, names = _inputs_of(formula)
            self._composed |= composed
            maker, reads = formula.maker(), formula.reads()
            self._nothing[kpi.id] = maker(*[0] * len(reads))
            if reads:
                self._formulas.append(_Formula(kpi.id, reads, names, maker, _cache_of(maker)))
                for name in names:
                    self._unseen[name] = self._unseen.get(name, 0) | bit
        #: The same and those beside as JSON, in the order of names.
        self._written = {kpi: _encode(figure) for kpi, figure in sorted({**beside, **self._nothing}.items())}
        #: Keys of sets of names that have all been seen.
        self._seen: set[Hashable] = set()
        #: A bit for each formula with input, and the names that came as given amounts.
        self._bits = 0
        self._given: dict[str, None] = {}
        #: Figures put in beside → plan.
        self._plans: dict[tuple[str, ...], _Plan] = {}

    @property
    def kpis(self) -> Collection[str]:
        """The KPIs it computes."""
        return self._nothing.keys()

    def figures(
        self,
        sums: Mapping[str, int],
        given: Mapping[str, int] = _NO_VALUES,
        known: Hashable | None = None,
        beside: Mapping[str, Figure] = MappingProxyType({}),
    ) -> dict[str, Figure]:
        """Return KPI → figure from the sums of a window and its given amounts, and those of ``beside``.

        ``known``: a key, equal for equal names of sums.
        """
        figures = self._nothing.copy()
        plan, values = self._prepared(sums, given, known, ())
        for kpi, amounts, maker in zip(plan.kpis, plan.amounts, plan.makers, strict=True):
            read = amounts(values)
            figures[kpi] = maker(*read) if type(read) is tuple else maker(read)
        figures.update(beside)
        return figures

    def written(
        self,
        sums: Mapping[str, int],
        given: Mapping[str, int] = _NO_VALUES,
        known: Hashable | None = None,
        beside: Mapping[str, bytes] = MappingProxyType({}),
    ) -> bytes:
        """Return the same as JSON, in the order of names."""
        plan, values = self._prepared(sums, given, known, beside)
        # Most of the cost of a window: figure by figure it takes twice as long.
        figures: Iterable[bytes] = map(getitem, plan.written, map(call, plan.amounts, repeat(values)))
        if beside:
            by_kpi = {**dict(zip(plan.kpis, figures, strict=True)), **beside}
            figures = [by_kpi[kpi] for kpi in plan.order]
        text = plan.text.copy()
        text[1::2] = figures
        return b"".join(text)

    def written_by_kpi(self, sums: Mapping[str, int], given: Mapping[str, int] = _NO_VALUES) -> dict[str, bytes]:
        """Return KPI → figure as JSON, to be put in beside others."""
        plan, values = self._prepared(sums, given, None, ())
        return {**self._written, **dict(zip(plan.kpis, map(getitem, plan.written, map(call, plan.amounts, repeat(values))), strict=True))}

    def _prepared(
        self, sums: Mapping[str, int], given: Mapping[str, int], known: Hashable | None, beside: Iterable[str]
    ) -> tuple[_Plan, list[int]]:
        """Return the plan, and the amounts that the formulas read."""
        names = tuple(sums) if known is None else known
        if names not in self._seen:
            self._learn(names, sums, as_given=False)
        given_names = ("given", *given)
        if given_names not in self._seen:
            self._learn(given_names, given, as_given=True)
        key = tuple(beside)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._plan(key)
        # Sums first: a given amount precedes a sum of its name.
        values = [*map(sums.get, plan.sums, _ZEROS), *map(given.get, plan.given, map(sums.get, plan.given, _ZEROS)), 0]
        values += [*map(sum, map(call, plan.added, repeat(values)))]
        values += [factor * (sum(plus(values)) - sum(minus(values))) for factor, plus, minus in plan.weighted]
        return plan, values

    def _learn(self, key: Hashable, names: Iterable[str], *, as_given: bool) -> None:
        """Record names: the formulas that read any of them run from now on."""
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen.add(key)
        before = self._bits, len(self._given)
        for name in [*filter(self._unseen.__contains__, names)]:
            self._bits |= self._unseen.pop(name)
            self._read.add(name)
        if as_given:
            self._given |= dict.fromkeys(filter(self._read.__contains__, names))
        if before != (self._bits, len(self._given)):
            self._plans.clear()

    def _plan(self, beside: tuple[str, ...]) -> _Plan:
        """Return the plan of the formulas with input."""
        formulas = [formula for number, formula in enumerate(self._formulas) if self._bits >> number & 1]
        # In the order of names, the order in which figures are put in.
        formulas.sort(key=lambda formula: formula.kpi)
        given = tuple(self._given)
        sums = tuple(name for name in dict.fromkeys(name for formula in formulas for name in formula.names) if name not in self._given)
        index_of = {name: index for index, name in enumerate((*sums, *given))}
        zero = len(index_of)
        added: list[tuple[str, list[int]]] = []
        weighted: list[tuple[str, int, list[int], list[int]]] = []
        for name in dict.fromkeys(name for formula in formulas for name in formula.reads if name in self._composed):
            terms = self._composed[name]
            if all(factor == 1 for _, factor in terms):
                added.append((name, [index_of[term] for term, _ in terms]))
            else:
                common = gcd(*(factor for _, factor in terms))
                plus, minus = ([index_of[term] for term, factor in terms for _ in range(sign * factor // common)] for sign in (1, -1))
                weighted.append((name, common, plus, minus))
        index_of |= {name: index for index, name in enumerate([*(item[0] for item in added), *(item[0] for item in weighted)], zero + 1)}
        order = tuple(sorted([*(formula.kpi for formula in formulas), *beside]))
        return _Plan(
            sums,
            given,
            tuple(_all_of(indexes, zero) for _, indexes in added),
            tuple((factor, _all_of(plus, zero), _all_of(minus, zero)) for _, factor, plus, minus in weighted),
            tuple(formula.kpi for formula in formulas),
            tuple(itemgetter(*(index_of[name] for name in formula.reads)) for formula in formulas),
            tuple(formula.maker for formula in formulas),
            tuple(formula.written for formula in formulas),
            order,
            self._text(frozenset(order)),
        )

    def _text(self, with_room: Collection[str]) -> list[bytes]:
        text, fixed = list[bytes](), b"{"
        for number, (kpi, figure) in enumerate(self._written.items()):
            fixed += b'%b"%b":' % (b"," if number else b"", kpi.encode())
            if kpi in with_room:
                text += (fixed, b"")
                fixed = b""
            else:
                fixed += figure
        return [*text, fixed + b"}"]


def _inputs_of(formula: Formula) -> tuple[dict[str, tuple[tuple[str, int], ...]], tuple[str, ...]]:
    """Return the added amounts that a resolved formula reads, and the names of all sums and given amounts."""
    inputs = _inputs.get(id(formula))
    if inputs is None:
        if len(_inputs) >= _MOST_INPUTS:
            _inputs.clear()
        read = tuple(formula.quantities())
        names = dict.fromkeys(name for quantity in read for name in ([term for term, _ in quantity.terms] or [quantity.key]))
        inputs = _inputs[id(formula)] = formula, {quantity.key: quantity.terms for quantity in read if not quantity.is_plain}, tuple(names)
    return inputs[1:]


#: id of a formula → the formula, kept here so that the id stays its own, and its inputs.
_inputs: Final[dict[int, tuple[Formula, dict[str, tuple[tuple[str, int], ...]], tuple[str, ...]]]] = {}
_MOST_INPUTS: Final = 4096


def _all_of(indexes: Iterable[int], zero: int) -> Callable[[list[int]], tuple[int, ...]]:
    """Return the function that reads some indexes and zeros: two zeros, because only of several indexes it returns a tuple."""
    return itemgetter(*indexes, zero, zero)


class Make(NamedTuple):
    """The form of computed figures: objects, or JSON where they are only published."""

    complete: Callable[[Sheet, Mapping[str, int], Mapping[str, int], Hashable | None, Mapping[str, Any]], Any]
    """Compute all figures of a sheet, and put in those of another."""
    by_kpi: Callable[[Sheet, Mapping[str, int], Mapping[str, int]], dict[str, Any]]
    """Compute figures to be put in."""


FIGURES: Final = Make(Sheet.figures, Sheet.figures)
WRITTEN: Final = Make(Sheet.written, Sheet.written_by_kpi)


@lru_cache(maxsize=1024)
def sheet_of(kind: SheetKind, how: How, only: frozenset[str] | None = None, left_out: frozenset[str] = frozenset()) -> Sheet:
    """Return the sheet of the figures that are computed together in a kind of window.

    ``only``: some of the figures that a definition decides. ``left_out``: figures that no source reports.
    """
    kpis = [kpi for kpi in _of_kind("contacts" if kind == "definitions" else kind) if _is_served(kpi, how)]
    if kind == "definitions":
        return Sheet([kpi for kpi in kpis if kpi.formula.judged_by and (only is None or kpi.id in only)], how, left_out=left_out)
    # Intervals and days of contacts have figures about forecasts among their own.
    return Sheet(kpis, how, sheet_of("forecasts", How()).figures({}) if kind == "contacts" and how.by_offer else {}, left_out)


@cache
def _of_kind(kind: SheetKind) -> tuple[Kpi, ...]:
    return tuple(kpi for kpi in KPIS if sheet_kind_of(kpi) == kind)


def judged_by() -> dict[str, frozenset[str]]:
    """Return KPI → the keys of a definition that decide its figures in windows of contacts, for KPIs with any."""
    return {kpi.id: kpi.formula.judged_by for kpi in KPIS if kpi.formula.judged_by}


@lru_cache(maxsize=1)
def kpis_by_label() -> tuple[Kpi, ...]:
    """Return the KPIs that windows also have by label, or whose numerator they have by label."""
    labelled = (kpi for kpi in KPIS if kpi.formula.labels is not None or kpi.formula.labels_of_part is not None)
    return tuple(kpi for kpi in labelled if sheet_kind_of(kpi) == "contacts")


def sheet_kind_of(kpi: Kpi) -> SheetKind | None:
    """Return the kind of sheet that computes a KPI; None if it is no figure of sums."""
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
    """Return whether windows that are computed so have a KPI."""
    _, read = _inputs_of(kpi.formula.of(how))
    if (not how.live and WAITING_PAST_THRESHOLD.key in read) or (not how.has_length and WINDOW.key in read):
        return False
    if kpi.subject == "people":
        return "agent" in kpi.dimensions if how.individual else kpi.dimensions != ("agent",)
    return kpi.subject == "customers" or any(window in kpi.windows for window in (_DATED if how.by_offer else _TRAILING))
