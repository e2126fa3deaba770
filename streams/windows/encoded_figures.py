"""The figures of a window as JSON, cached by its sums: scopes with the same contacts share them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec.json import Encoder

from streams.catalogue.sheets import WRITTEN
from streams.windows.judging import figures_of
from streams.windows.labels import written_by_label
from streams.windows.sum_names import sum_names_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from streams.windows.calendar import Span
    from streams.windows.scope_state import ScopeState
    from streams.windows.sums import Counts

__all__ = ["EncodedFigures", "encode_figures"]

#: Windows in the cache, some kilobytes each.
_MAX_WINDOWS: Final = 1024
_MAX_LABELS: Final = 4096


class EncodedFigures(NamedTuple):
    """The parts of a window's record that depend on its sums and definitions."""

    head: bytes
    """start of the record: figures by other definitions and by label"""
    counts: bytes
    """sums without a label, and the definition of each KPI"""
    kpis: bytes


def encode_figures(state: ScopeState, sums: Counts, span: Span, *, live_at: int | None, beside: Mapping[str, bytes]) -> EncodedFigures:
    """Return the figures of a window as JSON.

    Args:
        state: the scope and channel.

        sums: those of the window.

        span: the window.

        live_at: as-of, for trailing windows: waiting contacts count in the live service level.

        beside: figures about forecasts, as JSON.
    """
    if state.is_individual or beside:
        return _encoded(state, sums, span, live_at, beside)
    judged: Hashable
    if state.about_people:
        judged = state.fixed_per_hour, span.end_ms - span.start_ms
    else:
        judged = state.definitions.in_force(span.start_ms), None if live_at is None else state.missed_by(live_at, span.start_ms)
    key = sum_names_of(sums), tuple(sums.values()), state.channel, state.not_reported, judged
    figures = _cache.get(key)
    if figures is None:
        if len(_cache) >= _MAX_WINDOWS:
            _cache.clear()
        figures = _cache[key] = _encoded(state, sums, span, live_at, beside)
    return figures


def _encoded(state: ScopeState, sums: Counts, span: Span, live_at: int | None, beside: Mapping[str, bytes]) -> EncodedFigures:
    sum_names = sum_names_of(sums)
    figures = figures_of(
        state, sums, span.start_ms, by_offer=live_at is None, live_at=live_at, length_ms=span.end_ms - span.start_ms, beside=beside,
        make=WRITTEN,
    )  # fmt: skip
    head = b"{"
    others: Mapping[str, bytes] | None = figures.get("by_definition")
    if others:
        head += b'"by_definition":{%b},' % b",".join([_encode(label) + b":" + others[label] for label in sorted(others)])
    if not state.is_individual:
        head += b'"by_label":%b,' % (b"{}" if state.about_people else written_by_label(sums, sum_names))
    return EncodedFigures(head, b'%b,"definitions":%b' % (sum_names.plain(sums), _written_labels(figures["definitions"])), figures["kpis"])


def _written_labels(labels: dict[str, str]) -> bytes:
    """Return KPI → definition as JSON; many windows share one dictionary."""
    entry = _labels.get(id(labels))
    if entry is None:
        if len(_labels) >= _MAX_LABELS:
            _labels.clear()
        entry = _labels[id(labels)] = (labels, _encode(labels))
    return entry[1]


#: names and amounts of sums, channel and definitions → figures
_cache: Final[dict[tuple[Any, ...], EncodedFigures]] = {}
#: id of a dictionary, valid while the entry holds it → the dictionary and its JSON
_labels: Final[dict[int, tuple[dict[str, str], bytes]]] = {}
#: Sorted, as all published records: so a record read back from the topic compares equal.
_encode: Final = Encoder(order="sorted").encode
