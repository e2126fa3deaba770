"""Samples as text, formatted once per window record when it arrives, not at each scrape."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
from prometheus_client.utils import floatToGoString

from streams.catalogue import KPIS, Kpi, metrics_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from streams.serving.window_records import Seen, WindowRecord

__all__ = ["BY_DEFINITION", "DEFAULT_WINDOWS", "WINDOW_KPIS", "Row", "columns_of", "label", "row_of", "sample_labels", "value_text"]

#: The windows exported by default.
DEFAULT_WINDOWS = ("trailing_5m", "trailing_15m", "trailing_30m", "trailing_60m")
WINDOW_KPIS = tuple(kpi for kpi in KPIS if "now" not in kpi.windows and kpi.subject != "targets")
#: Parts of the service level by definition, and the suffixes of their metrics' names.
BY_DEFINITION = (("value", "ratio"), ("numerator", "numerator"), ("denominator", "denominator"))
#: Texts of the most frequent numbers.
_TEXTS = {float(number): b"%d.0\n" % number for number in range(4096)}


def columns_of(kpi: Kpi) -> list[tuple[str, str]]:
    """Return the columns of a row that a KPI fills: KPI and part, metric by metric."""
    return [] if kpi.label is not None else [(kpi.id, metric.part) for metric in metrics_of(kpi)]


def _layout(*, contacts: bool) -> list[tuple[str, list[str]]]:
    """Return the KPIs with their parts in the order of a row."""
    chosen = [kpi for kpi in WINDOW_KPIS if (kpi.subject == "contacts") == contacts and kpi.label is None]
    return [(kpi.id, [metric.part for metric in metrics_of(kpi)]) for kpi in chosen]


_LAYOUTS = {contacts: _layout(contacts=contacts) for contacts in (True, False)}
_LABELLED = {kpi.id for kpi in WINDOW_KPIS if kpi.label is not None}


class Row(msgspec.Struct, frozen=True, gc=False):
    """The values of a record as text, None if unknown: all records of contacts have the same columns, and all records of agents."""

    values: tuple[bytes | None, ...]
    #: Figures by label: KPI, text of the label, value.
    labelled: tuple[tuple[str, bytes, bytes], ...] = ()
    #: Service level by definition: part, name of the definition, value.
    defined: tuple[tuple[str, bytes, bytes], ...] = ()


def row_of(record: WindowRecord) -> Row:
    """Return the row of a window record."""
    values: list[bytes | None] = []
    for kpi, parts in _LAYOUTS[record.channel is not None]:
        figure = record.kpis.get(kpi)
        if figure is None:
            values.extend([None] * len(parts))
        else:
            values.extend([value_text(getattr(figure, part)) for part in parts])
    return Row(tuple(values), tuple(_labelled(record.by_label)), tuple(_defined(record)))


def _labelled(by_label: Mapping[str, Mapping[str, Seen]]) -> Iterator[tuple[str, bytes, bytes]]:
    for kpi, figures in by_label.items():
        if kpi in _LABELLED:
            for name, figure in figures.items():
                if (text := value_text(figure.value)) is not None:
                    yield kpi, escaped(name), text


def _defined(record: WindowRecord) -> Iterator[tuple[str, bytes, bytes]]:
    if not record.by_definition or record.channel is None:
        return
    first = {record.definitions.get("service_level", ""): record.kpis}
    for name, kpis in {**first, **record.by_definition}.items():
        if (figure := kpis.get("service_level")) is not None:
            for part, _ in BY_DEFINITION:
                if (text := value_text(getattr(figure, part))) is not None:
                    yield part, escaped(name), text


def value_text(value: float | None) -> bytes | None:
    """Return a value in exposition format, with its line end; None for None."""
    if value is None:
        return None
    return _TEXTS.get(value) or f"{floatToGoString(value)}\n".encode()  # type: ignore[no-untyped-call]


def escaped(text: str) -> bytes:
    """Return a label's value in exposition format."""
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"").encode()


# Each scope has some twelve current metrics and four windows.
@lru_cache(maxsize=16_384)
def label(name: str, text: str) -> bytes:
    """Return a label with its value."""
    return b'%b="%b"' % (name.encode(), escaped(text))


def sample_labels(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Return labels in the order of their names, as between the name and the value of a sample."""
    return b"{%b} " % b",".join(label(name, text) for name, text in sorted(pairs))
