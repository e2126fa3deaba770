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

__all__ = ["FIGURES", "WRITTEN", "Make", "Remembered", "Sheet", "SheetKind", "judged_by", "kpis_by_label", "sheet_kind_of", "sheet_of"]

#: What is computed together; of what a definition decides in contacts, each by itself too.
SheetKind = Literal["contacts", "definitions", "people", "forecasts", "cohorts", "customers_day", "customers_month"]

#: So many sets of names are remembered for each sheet, and so many figures as JSON of each kind of formula.
_MOST_MET: Final = 2048
_MOST_WRITTEN: Final = 4096
_ZEROS: Final = repeat(0)

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
    names: tuple[str, ...]
    """what the amounts that it reads are made of: sums, and what is given"""
    maker: Maker
    written: Remembered


class _Plan(NamedTuple):
    """What is to be done: amounts stand in a list, those of sums first, then what is given, then 0, then what is added up of them."""

    sums: tuple[str, ...]
    given: tuple[str, ...]
    added: tuple[Callable[[list[int]], tuple[int, ...]], ...]
    """takes what is added up out of the amounts"""
    weighted: tuple[tuple[int, Callable[[list[int]], tuple[int, ...]], Callable[[list[int]], tuple[int, ...]]], ...]
    """a factor, and takes what is added up and what is subtracted from it"""
    kpis: tuple[str, ...]
    """those whose formulas run"""
    amounts: tuple[Callable[[list[int]], Any], ...]
    """takes what the formula reads: a tuple, or the only one"""
    makers: tuple[Maker, ...]
    written: tuple[Remembered, ...]
    order: tuple[str, ...]
    """the same KPIs in the order of names, and those that are put in beside"""
    text: list[bytes]
    """all KPIs as JSON, with room at every second place for the figures of these"""


class Sheet:
    """Formulas resolved for a kind of window; ``figures`` runs those of which anything was ever known.

    ``beside``: others that are written among them, and may be put in; with their figures where nothing is known of them.
    ``left_out``: those that no source reports.
    """

    __slots__ = ("_bits", "_composed", "_formulas", "_given", "_met", "_nothing", "_plans", "_read", "_unmet", "_written")

    def __init__(
        self, kpis: Iterable[Kpi], how: How, beside: Mapping[str, Figure] = MappingProxyType({}), left_out: Collection[str] = ()
    ) -> None:
        #: what is added up of several sums before the formulas run
        self._composed: dict[str, tuple[tuple[str, int], ...]] = {}
        self._formulas: list[_Formula] = []
        #: name that is read, and was not met yet → a bit for each formula that reads it; those met
        self._unmet: dict[str, int] = {}
        self._read: set[str] = set()
        #: the figures of a window of which nothing is known
        self._nothing: dict[str, Figure] = {}
        for kpi in kpis:
            if kpi.id in left_out:
                self._nothing[kpi.id] = NOT_REPORTED
                continue
            formula = kpi.formula.of(how)
            bit = 1 << len(self._formulas)
            composed, of = _made_of(formula)
            self._composed |= composed
            maker, reads = formula.maker(), formula.reads()
            self._nothing[kpi.id] = maker(*[0] * len(reads))
            if reads:
                self._formulas.append(_Formula(kpi.id, reads, of, maker, _written_by(maker)))
                for name in of:
                    self._unmet[name] = self._unmet.get(name, 0) | bit
        #: the same, and those of others, as JSON in the order of names
        self._written = {kpi: _encode(figure) for kpi, figure in sorted({**beside, **self._nothing}.items())}
        #: what says which names there are, of those whose names have all been met
        self._met: set[Hashable] = set()
        #: a bit for each formula of which anything was ever known, and the names that came with windows, and not as sums
        self._bits = 0
        self._given: dict[str, None] = {}
        #: what is put in beside → what is to be done
        self._plans: dict[tuple[str, ...], _Plan] = {}

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
        """Return what is to be done, and the amounts that the formulas read."""
        names = tuple(sums) if known is None else known
        if names not in self._met:
            self._meet(names, sums, as_given=False)
        told = ("given", *given)
        if told not in self._met:
            self._meet(told, given, as_given=True)
        key = tuple(beside)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._plan(key)
        # One dictionary after the other: what is given comes before a sum of its name.
        values = [*map(sums.get, plan.sums, _ZEROS), *map(given.get, plan.given, map(sums.get, plan.given, _ZEROS)), 0]
        values += [*map(sum, map(call, plan.added, repeat(values)))]
        values += [factor * (sum(plus(values)) - sum(minus(values))) for factor, plus, minus in plan.weighted]
        return plan, values

    def _meet(self, key: Hashable, names: Iterable[str], *, as_given: bool) -> None:
        """Take note of names: the formulas that read any of them run from now on."""
        if len(self._met) >= _MOST_MET:
            self._met.clear()
        self._met.add(key)
        before = self._bits, len(self._given)
        for name in [*filter(self._unmet.__contains__, names)]:
            self._bits |= self._unmet.pop(name)
            self._read.add(name)
        if as_given:
            self._given |= dict.fromkeys(filter(self._read.__contains__, names))
        if before != (self._bits, len(self._given)):
            self._plans.clear()

    def _plan(self, beside: tuple[str, ...]) -> _Plan:
        """Work out what is to be computed."""
        formulas = [each for number, each in enumerate(self._formulas) if self._bits >> number & 1]
        # In the order of names, so that figures are put in as they come.
        formulas.sort(key=lambda each: each.kpi)
        given = tuple(self._given)
        sums = tuple(name for name in dict.fromkeys(name for each in formulas for name in each.names) if name not in self._given)
        places = {name: place for place, name in enumerate((*sums, *given))}
        zero = len(places)
        added: list[tuple[str, list[int]]] = []
        weighted: list[tuple[str, int, list[int], list[int]]] = []
        for name in dict.fromkeys(name for each in formulas for name in each.reads if name in self._composed):
            terms = self._composed[name]
            if all(factor == 1 for _, factor in terms):
                added.append((name, [places[term] for term, _ in terms]))
            else:
                common = gcd(*(factor for _, factor in terms))
                plus, minus = ([places[term] for term, factor in terms for _ in range(sign * factor // common)] for sign in (1, -1))
                weighted.append((name, common, plus, minus))
        places |= {name: place for place, name in enumerate([*(each[0] for each in added), *(each[0] for each in weighted)], zero + 1)}
        order = tuple(sorted([*(each.kpi for each in formulas), *beside]))
        return _Plan(
            sums,
            given,
            tuple(_all_of(of, zero) for _, of in added),
            tuple((factor, _all_of(plus, zero), _all_of(minus, zero)) for _, factor, plus, minus in weighted),
            tuple(each.kpi for each in formulas),
            tuple(itemgetter(*(places[name] for name in each.reads)) for each in formulas),
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


def _made_of(formula: Formula) -> tuple[dict[str, tuple[tuple[str, int], ...]], tuple[str, ...]]:
    """Return what a resolved formula reads that is added up of sums, and the names of all sums, and of what is given."""
    found = _made.get(id(formula))
    if found is None:
        if len(_made) >= _MOST_MADE:
            _made.clear()
        read = tuple(formula.quantities())
        names = dict.fromkeys(name for each in read for name in ([term for term, _ in each.terms] if each.terms else (each.key,)))
        found = _made[id(formula)] = formula, {each.key: each.terms for each in read if not each.is_plain}, tuple(names)
    return found[1:]


#: id of a formula, which stays what it is for as long as it stands here → the formula and what it is made of
_made: Final[dict[int, tuple[Formula, dict[str, tuple[tuple[str, int], ...]], tuple[str, ...]]]] = {}
_MOST_MADE: Final = 4096


def _all_of(places: Iterable[int], zero: int) -> Callable[[list[int]], tuple[int, ...]]:
    """Return what takes what stands at some places, and zeros: of at least two places it is a tuple."""
    return itemgetter(*places, zero, zero)


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
    kpis = [kpi for kpi in _of_kind("contacts" if kind == "definitions" else kind) if _is_served(kpi, how)]
    if kind == "definitions":
        return Sheet([kpi for kpi in kpis if kpi.formula.judged_by and (only is None or kpi.id in only)], how, left_out=left_out)
    # Intervals and days of contacts have figures about forecasts among their own.
    return Sheet(kpis, how, sheet_of("forecasts", How()).figures({}) if kind == "contacts" and how.by_offer else {}, left_out)


@cache
def _of_kind(kind: SheetKind) -> tuple[Kpi, ...]:
    return tuple(kpi for kpi in KPIS if sheet_kind_of(kpi) == kind)


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
    _, read = _made_of(kpi.formula.of(how))
    if (not how.live and WAITING_PAST_THRESHOLD.key in read) or (not how.has_length and WINDOW.key in read):
        return False
    if kpi.subject == "people":
        return "agent" in kpi.dimensions if how.individual else kpi.dimensions != ("agent",)
    return kpi.subject == "customers" or any(window in kpi.windows for window in (_DATED if how.by_offer else _TRAILING))
