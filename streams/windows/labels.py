"""Figures by label: reasons and categories, as wholes and each by itself (``docs/counting.md`` section 12)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec.json import Encoder, encode

from streams.catalogue.fields import FIELD_BY_ID
from streams.catalogue.formulas import Count, Figure, How, Ratio
from streams.catalogue.kpis import KPIS
from streams.catalogue.model import DATED
from streams.catalogue.quantities import values_of
from streams.catalogue.sheets import kpis_by_label
from streams.windows.known import known_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from streams.catalogue.model import Kpi
    from streams.windows.known import Known

__all__ = [
    "COUNTED_BY_LABEL",
    "MOST_LABELS",
    "OTHER",
    "RATES",
    "figures_by_label",
    "horizon_ms_of",
    "horizons_of",
    "ratio",
    "sessions_open",
    "wholes",
    "written_by_label",
]

#: In one scope and window so many labels of a KPI are named; the rest are together under this name.
MOST_LABELS = 100
OTHER = "(other)"

#: The fields that are booked by label alone.
_BY_LABEL_ALONE = frozenset(field.key for field in FIELD_BY_ID.values() if not field.has_total)


def _labelled() -> Iterator[tuple[str, str | None, str]]:
    """Yield the KPIs that there are by label: what is counted, of ratios maybe in the numerator alone, or of each label both parts."""
    for kpi in kpis_by_label():
        formula = kpi.formula.of(How())
        if isinstance(formula, Count):
            yield kpi.id, None, formula.counted.key
        elif isinstance(formula, Ratio) and formula.labels_of_part is None:
            yield kpi.id, formula.part.key, formula.whole.key
        elif isinstance(formula, Ratio):
            yield kpi.id, None, formula.part.key


#: As what is published is: in the order of names.
_encode: Final = Encoder(order="sorted").encode

_LABELLED: Final = tuple(_labelled())
#: KPI → the field that tells by label which contacts it counts: of ratios those in the numerator.
COUNTED_BY_LABEL: Final = {kpi: part or whole for kpi, part, whole in _LABELLED}
#: The KPIs of which the numerator alone is told by label: they have no value of one.
_NUMERATORS: Final = frozenset(kpi.id for kpi in kpis_by_label() if kpi.formula.labels_of_part is not None)
#: The same in the order of names.
_IN_ORDER: Final = tuple(sorted(_LABELLED, key=lambda each: each[0]))
#: The KPIs that are ratios of each label.
RATES: Final = tuple(sorted(kpi for kpi, part, _ in _LABELLED if part is not None))


def sessions_open(sums: Mapping[str, int]) -> bool:
    """Say whether sessions of a window are still to be decided."""
    return sums.get("sessions_decided", 0) < sums.get("sessions", 0)


def horizons_of(kpis: Iterable[Kpi]) -> tuple[tuple[int, frozenset[str] | None], ...]:
    """Return how long figures stay provisional, in ms after their window, and of which sums one is there if a window has something of them.

    None: no sum says so, as for counts, and for what is booked by label alone or told apart by more.
    """
    found: dict[tuple[int, frozenset[str] | None], None] = {}
    for kpi in kpis:
        if kpi.horizon_ms is not None and not set(kpi.windows).isdisjoint(DATED):
            fields = [FIELD_BY_ID[key] for base in kpi.formula.bases for key in base.fields]
            seen = all(field.has_total and not field.dimensions for field in fields)
            found[kpi.horizon_ms, frozenset(field.name() for field in fields) if fields and seen else None] = None
    return tuple(found)


_WAITED_FOR: Final = horizons_of(KPIS)


def horizon_ms_of(sums: Mapping[str, int], waited: tuple[tuple[int, frozenset[str] | None], ...] = _WAITED_FOR) -> int:
    """Return how much longer than others a window is provisional: what it is about may still change figures that have a horizon."""
    return max((later for later, names in waited if names is None or any(sums.get(name) for name in names)), default=0)


def wholes(sums: Mapping[str, int], known: Known | None = None) -> dict[str, int]:
    """Return the sums over all labels of what is booked by label alone; ``known``: what their names say."""
    labels = (known_of(sums) if known is None else known).labels
    return {what: sum(map(sums.__getitem__, names.values())) for what, names in labels.items() if what in _BY_LABEL_ALONE}


def figures_by_label(sums: Mapping[str, int], known: Known | None = None) -> dict[str, dict[str, Figure]]:
    """Return KPI → label → figure of one window; KPIs without a label are left out."""
    labels = (known_of(sums) if known is None else known).labels
    found: dict[str, dict[str, Figure]] = {}
    for kpi, part, whole in _LABELLED:
        if whole in labels:
            parts = None if part is None else {label: sums[name] for label, name in labels.get(part, {}).items()}
            found[kpi] = _figures(kpi, {label: sums[name] for label, name in labels[whole].items()}, parts)
    return found


def written_by_label(sums: Mapping[str, int], known: Known) -> bytes:
    """Return the same as JSON, in the order of names."""
    if not known.labels:
        return b"{}"
    if known.labelled is None:
        known.labelled = _labelled_by(known.labels)
    return b"{%b}" % b",".join([written[amounts(sums)] for amounts, written in known.labelled])


def _labelled_by(labels: Mapping[str, Mapping[str, str]]) -> list[tuple[Callable[[Mapping[str, int]], tuple[int, ...]], _Labelled]]:
    """Return what takes the amounts of each KPI that there is by label, in the order of names, and what writes its figures."""
    found = []
    for kpi, part, whole in _IN_ORDER:
        if whole in labels:
            names, parts = labels[whole], None if part is None else labels.get(part, {})
            written = _labelled_of(kpi, tuple(names), None if parts is None else tuple(parts))
            found.append((values_of([*names.values(), *(parts or {}).values()]), written))
    return found


class _Labelled(dict[tuple[int, ...], bytes]):
    """Amounts of the labels of a KPI → its name and figures as JSON: they change more seldom than others."""

    def __init__(self, kpi: str, labels: tuple[str, ...], parts: tuple[str, ...] | None) -> None:
        super().__init__()
        self._kpi, self._labels, self._parts = kpi, labels, parts

    def __missing__(self, amounts: tuple[int, ...]) -> bytes:
        if len(self) >= _MOST_WRITTEN:
            self.clear()
        sizes = dict(zip(self._labels, amounts, strict=False))
        parts = None if self._parts is None else dict(zip(self._parts, amounts[len(self._labels) :], strict=True))
        written = self[amounts] = b"%b:%b" % (encode(self._kpi), _encode(_figures(self._kpi, sizes, parts)))
        return written


#: So many sets of labels are remembered, and of each so many figures.
_labelled_of: Final = lru_cache(maxsize=1024)(_Labelled)
_MOST_WRITTEN: Final = 16


def _figures(kpi: str, sizes: Mapping[str, int], parts: Mapping[str, int] | None) -> dict[str, Figure]:
    """Return label → figure: counts of labels, or with ``parts`` ratios."""
    named = _named(sizes, sizes)
    if parts is None:
        return {label: _count(number, is_value=kpi not in _NUMERATORS) for label, number in named.items()}
    of = _named(parts, sizes)
    return {label: ratio(of.get(label, 0), number) for label, number in named.items()}


def _count(number: int, *, is_value: bool) -> Figure:
    return {"value": number if is_value else None, "numerator": number, "denominator": None, "coverage": None}


def ratio(part: int, whole: int) -> Figure:
    """Return a ratio of one label; nothing says how much of it is measured."""
    return {"value": part / whole if whole else None, "numerator": part, "denominator": whole, "coverage": None}


def _named(numbers: Mapping[str, int], sizes: Mapping[str, int]) -> dict[str, int]:
    """Return the numbers of the labels with the largest sizes by their names, in order, and the others together."""
    if len(sizes) <= MOST_LABELS and OTHER not in sizes:
        return {label: numbers.get(label, 0) for label in sorted(sizes)}
    largest = sorted((label for label in sizes if label != OTHER), key=lambda label: (-sizes[label], label))
    named = {label: numbers.get(label, 0) for label in sorted(largest[:MOST_LABELS])}
    if len(named) < len(sizes):
        named[OTHER] = sum(numbers.values()) - sum(named.values())
    return named
