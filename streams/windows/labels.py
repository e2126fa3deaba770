"""Figures by label: reasons and categories, in total and by label (``docs/counting.md`` section 12)."""

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
from streams.windows.sum_names import sum_names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from streams.catalogue.model import Kpi
    from streams.windows.sum_names import SumNames

__all__ = [
    "COUNTED_BY_LABEL",
    "MAX_LABELS",
    "OTHER",
    "RATES",
    "figures_by_label",
    "horizon_ms_of",
    "horizons_of",
    "ratio",
    "sessions_open",
    "totals_over_labels",
    "written_by_label",
]

#: Labels of a KPI that one scope and window names; the remaining ones are together under ``OTHER``.
MAX_LABELS = 100
OTHER = "(other)"

#: The fields that are booked by label alone.
_BY_LABEL_ALONE = frozenset(field.key for field in FIELD_BY_ID.values() if not field.has_total)


def _labelled() -> Iterator[tuple[str, str | None, str]]:
    """Yield the KPIs by label: id, the field of the numerator of a ratio of each label or None, and the field that is counted."""
    for kpi in kpis_by_label():
        formula = kpi.formula.of(How())
        if isinstance(formula, Count):
            yield kpi.id, None, formula.counted.key
        elif isinstance(formula, Ratio) and formula.labels_of_part is None:
            yield kpi.id, formula.part.key, formula.whole.key
        elif isinstance(formula, Ratio):
            yield kpi.id, None, formula.part.key


#: Sorted, as all published records.
_encode: Final = Encoder(order="sorted").encode

_LABELLED: Final = tuple(_labelled())
#: KPI → the field with labels of the contacts that it counts: of ratios those in the numerator.
COUNTED_BY_LABEL: Final = {kpi: part or whole for kpi, part, whole in _LABELLED}
#: KPIs that have labels in the numerator alone: a label has no value.
_NUMERATORS: Final = frozenset(kpi.id for kpi in kpis_by_label() if kpi.formula.labels_of_part is not None)
#: ``_LABELLED`` in the order of names.
_IN_ORDER: Final = tuple(sorted(_LABELLED, key=lambda entry: entry[0]))
#: KPIs that have a ratio for each label.
RATES: Final = tuple(sorted(kpi for kpi, part, _ in _LABELLED if part is not None))


def sessions_open(sums: Mapping[str, int]) -> bool:
    """Return whether sessions of a window are undecided."""
    return sums.get("sessions_decided", 0) < sums.get("sessions", 0)


def horizons_of(kpis: Iterable[Kpi]) -> tuple[tuple[int, frozenset[str] | None], ...]:
    """Return how long figures stay provisional, in ms after their window, with the sums of which a window that has them holds one.

    None: no sum shows it, as for counts, and for fields without a total or with dimensions.
    """
    horizons: dict[tuple[int, frozenset[str] | None], None] = {}
    for kpi in kpis:
        if kpi.horizon_ms is not None and not set(kpi.windows).isdisjoint(DATED):
            fields = [FIELD_BY_ID[key] for base in kpi.formula.bases for key in base.fields]
            has_sums = all(field.has_total and not field.dimensions for field in fields)
            horizons[kpi.horizon_ms, frozenset(field.name() for field in fields) if fields and has_sums else None] = None
    return tuple(horizons)


_HORIZONS: Final = horizons_of(KPIS)


def horizon_ms_of(sums: Mapping[str, int], horizons: tuple[tuple[int, frozenset[str] | None], ...] = _HORIZONS) -> int:
    """Return how much longer a window is provisional because of figures with a horizon."""
    return max((horizon_ms for horizon_ms, names in horizons if names is None or any(sums.get(name) for name in names)), default=0)


def totals_over_labels(sums: Mapping[str, int], sum_names: SumNames | None = None) -> dict[str, int]:
    """Return the sums over all labels of fields that are booked by label alone; ``sum_names``: parsed names of the sums."""
    labels = (sum_names_of(sums) if sum_names is None else sum_names).labels
    return {what: sum(map(sums.__getitem__, names.values())) for what, names in labels.items() if what in _BY_LABEL_ALONE}


def figures_by_label(sums: Mapping[str, int], sum_names: SumNames | None = None) -> dict[str, dict[str, Figure]]:
    """Return KPI → label → figure of one window, without KPIs that have no label."""
    labels = (sum_names_of(sums) if sum_names is None else sum_names).labels
    figures: dict[str, dict[str, Figure]] = {}
    for kpi, part, whole in _LABELLED:
        if whole in labels:
            parts = None if part is None else {label: sums[name] for label, name in labels.get(part, {}).items()}
            figures[kpi] = _figures(kpi, {label: sums[name] for label, name in labels[whole].items()}, parts)
    return figures


def written_by_label(sums: Mapping[str, int], sum_names: SumNames) -> bytes:
    """Return ``figures_by_label`` as JSON, in the order of names."""
    if not sum_names.labels:
        return b"{}"
    if sum_names.labelled is None:
        sum_names.labelled = _labelled_by(sum_names.labels)
    return b"{%b}" % b",".join([written[amounts(sums)] for amounts, written in sum_names.labelled])


def _labelled_by(labels: Mapping[str, Mapping[str, str]]) -> list[tuple[Callable[[Mapping[str, int]], tuple[int, ...]], _Labelled]]:
    """Return for each KPI by label, in the order of names, a getter of its amounts and a cache of its figures as JSON."""
    entries = []
    for kpi, part, whole in _IN_ORDER:
        if whole in labels:
            names, parts = labels[whole], None if part is None else labels.get(part, {})
            written = _labelled_of(kpi, tuple(names), None if parts is None else tuple(parts))
            entries.append((values_of([*names.values(), *(parts or {}).values()]), written))
    return entries


class _Labelled(dict[tuple[int, ...], bytes]):
    """Amounts of the labels of a KPI → its name and figures as JSON, cached: they change rarely."""

    def __init__(self, kpi: str, labels: tuple[str, ...], parts: tuple[str, ...] | None) -> None:
        super().__init__()
        self._kpi, self._labels, self._parts = kpi, labels, parts

    def __missing__(self, amounts: tuple[int, ...]) -> bytes:
        if len(self) >= _MAX_WRITTEN:
            self.clear()
        sizes = dict(zip(self._labels, amounts, strict=False))
        parts = None if self._parts is None else dict(zip(self._parts, amounts[len(self._labels) :], strict=True))
        written = self[amounts] = b"%b:%b" % (encode(self._kpi), _encode(_figures(self._kpi, sizes, parts)))
        return written


#: Sets of labels in the cache, and figures for each.
_labelled_of: Final = lru_cache(maxsize=1024)(_Labelled)
_MAX_WRITTEN: Final = 16


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
    """Return a ratio of one label, without coverage."""
    return {"value": part / whole if whole else None, "numerator": part, "denominator": whole, "coverage": None}


def _named(numbers: Mapping[str, int], sizes: Mapping[str, int]) -> dict[str, int]:
    """Return the numbers of the labels with the largest sizes, in the order of names, and of the others together."""
    if len(sizes) <= MAX_LABELS and OTHER not in sizes:
        return {label: numbers.get(label, 0) for label in sorted(sizes)}
    largest = sorted((label for label in sizes if label != OTHER), key=lambda label: (-sizes[label], label))
    named = {label: numbers.get(label, 0) for label in sorted(largest[:MAX_LABELS])}
    if len(named) < len(sizes):
        named[OTHER] = sum(numbers.values()) - sum(named.values())
    return named
