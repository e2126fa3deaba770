"""What the sums of a window come to as JSON, remembered: a scope that has the same contacts as another one says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec.json import Encoder

from streams.catalogue.sheets import WRITTEN
from streams.windows.judging import figures_of
from streams.windows.known import known_of
from streams.windows.labels import written_by_label

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from streams.windows.calendar import Span
    from streams.windows.scope_state import ScopeState
    from streams.windows.sums import Counts

__all__ = ["EncodedFigures", "encode_figures"]

#: So many windows are remembered, some kilobytes each.
_MOST: Final = 1024
_MOST_LABELS: Final = 4096


class EncodedFigures(NamedTuple):
    """What a window says that depends on its sums and on what judges it."""

    head: bytes
    """what other definitions give, and figures by label: the begin of the record"""
    counts: bytes
    """the sums without a label, and what judges each KPI"""
    kpis: bytes


def encode_figures(state: ScopeState, sums: Counts, span: Span, *, live_at: int | None, beside: Mapping[str, bytes]) -> EncodedFigures:
    """Return what a window says.

    Args:
        state: the scope and channel.

        sums: what was counted in the window.

        span: the window.

        live_at: as-of, for trailing windows: who waits counts in the live service level.

        beside: figures about forecasts, as JSON.
    """
    if state.is_individual or beside:
        return _said(state, sums, span, live_at, beside)
    judged: Hashable
    if state.about_people:
        judged = state.fixed_per_hour, span.end_ms - span.start_ms
    else:
        # Those who wait count by what judges the window.
        judged = state.definitions.in_force(span.start_ms), None if live_at is None else state.missed_by(live_at, span.start_ms)
    key = known_of(sums), tuple(sums.values()), state.channel, state.not_reported, judged
    found = _remembered.get(key)
    if found is None:
        if len(_remembered) >= _MOST:
            _remembered.clear()
        found = _remembered[key] = _said(state, sums, span, live_at, beside)
    return found


def _said(state: ScopeState, sums: Counts, span: Span, live_at: int | None, beside: Mapping[str, bytes]) -> EncodedFigures:
    known = known_of(sums)
    figures = figures_of(
        state, sums, span.start_ms, by_offer=live_at is None, live_at=live_at, length_ms=span.end_ms - span.start_ms, beside=beside,
        make=WRITTEN,
    )  # fmt: skip
    head = b"{"
    others: Mapping[str, bytes] | None = figures.get("by_definition")
    if others:
        head += b'"by_definition":{%b},' % b",".join([_encode(label) + b":" + others[label] for label in sorted(others)])
    if not state.is_individual:
        head += b'"by_label":%b,' % (b"{}" if state.about_people else written_by_label(sums, known))
    return EncodedFigures(head, b'%b,"definitions":%b' % (known.plain(sums), _written_labels(figures["definitions"])), figures["kpis"])


def _written_labels(labels: dict[str, str]) -> bytes:
    """Return KPI → what judges it as JSON; the dictionaries are shared by many windows."""
    found = _labels.get(id(labels))
    if found is None:
        if len(_labels) >= _MOST_LABELS:
            _labels.clear()
        found = _labels[id(labels)] = (labels, _encode(labels))
    return found[1]


#: the names of sums and their amounts, and what makes figures of them → what the window says
_remembered: Final[dict[tuple[Any, ...], EncodedFigures]] = {}
#: id of a dictionary, which stays what it is for as long as it stands here → the dictionary and its JSON
_labels: Final[dict[int, tuple[dict[str, str], bytes]]] = {}
#: As everything that is published: what comes back from the topic may have been written in another order.
_encode: Final = Encoder(order="sorted").encode
