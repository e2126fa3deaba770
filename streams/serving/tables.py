"""Figures as a table, one figure a row: what is chosen of the store, as far as a view shows it; no clock, no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

from schemas.agent_metrics import AgentFigures
from schemas.metrics import NowFigures
from streams.access.views import EVERYTHING
from streams.catalogue import KPI_BY_ID, KPIS
from streams.serving.store import Store
from streams.serving.window_records import WindowRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from streams.access.views import View
    from streams.serving.store import Entry

__all__ = ["COLUMNS", "NOW", "Choice", "Row", "agent_rows", "rows"]

#: The name of what is no window, where windows are chosen.
NOW: Final = "now"


class Row(NamedTuple):
    """One figure. Times are RFC 3339 texts, durations seconds, ratios 0 to 1; None where nothing can be said or it does not apply."""

    scope_kind: str
    scope: str
    channel: str | None
    window: str
    window_start: str | None
    window_end: str | None
    final: bool | None
    as_of: str
    kpi: str
    name: str
    #: A reason, a category or a state that the figure is of.
    label: str | None
    definition: str | None
    unit: str
    value: float | None
    numerator: float | None
    denominator: float | None
    coverage: float | None


COLUMNS: Final = Row._fields

_NOW_KPIS: Final = tuple(kpi for kpi in KPIS if NOW in kpi.windows)
_AGING: Final = {"longest_wait": Store.longest_wait_seconds, "backlog_oldest": Store.backlog_oldest_seconds}


class _Figure(Protocol):
    @property
    def value(self) -> float | None: ...
    @property
    def numerator(self) -> float | None: ...
    @property
    def denominator(self) -> float | None: ...
    @property
    def coverage(self) -> float | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is wanted; what names nothing wants all there is."""

    #: As records name them, and ``now``.
    windows: frozenset[str] = frozenset()
    scope_kinds: frozenset[str] = frozenset()
    #: ``KIND:NAME``
    scopes: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    kpis: frozenset[str] = frozenset()
    lang: Literal["en", "ja"] = "en"

    def wants_scope(self, kind: str, name: str) -> bool:
        """Say whether a scope is wanted."""
        return (not self.scope_kinds or kind in self.scope_kinds) and (not self.scopes or f"{kind}:{name}" in self.scopes)

    @property
    def wants_agents(self) -> bool:
        """Whether single people are asked for; they come only to who says so."""
        return "agent" in self.scope_kinds or any(scope.startswith("agent:") for scope in self.scopes)

    def wants_window(self, name: str) -> bool:
        """Say whether a window is wanted."""
        return not self.windows or name in self.windows

    def wants(self, kpi: str) -> bool:
        """Say whether a KPI is wanted, and known."""
        return kpi in KPI_BY_ID and (not self.kpis or kpi in self.kpis)


def rows(store: Store, choice: Choice, view: View = EVERYTHING) -> Iterator[Row]:
    """Yield the chosen figures that the view shows, in the order of the records' keys."""
    for entry in store.group(*choice.windows) if choice.windows else store.entries():
        kind, channel = entry.scope_kind, entry.channel
        # What is not shown is not looked at, whether it is asked for or not: it takes no longer.
        if kind is None or not view.shows(*store.scope_key(entry)):
            continue
        if not choice.wants_scope(kind, entry.scope) or (choice.channels and channel not in choice.channels):
            continue
        record = entry.record
        if isinstance(record, WindowRecord):
            yield from _of_window(record, choice)
        elif isinstance(record, NowFigures):
            yield from _of_now(store, entry, record, choice)


def agent_rows(records: Iterable[AgentFigures], choice: Choice, view: View = EVERYTHING) -> Iterator[Row]:
    """Yield the chosen figures of single people that the view shows."""
    for record in records:
        wanted = choice.wants_agents and choice.wants_scope("agent", record.scope) and choice.wants_window(record.window)
        if wanted and not choice.channels and view.shows("agent", record.scope, None):
            yield from _of_window(record, choice)


def _of_window(record: WindowRecord | AgentFigures, choice: Choice) -> Iterator[Row]:
    yield from _figures(record, record.kpis, record.definitions, choice)
    if isinstance(record, AgentFigures):
        return
    for kpi, by_label in record.by_label.items():
        if choice.wants(kpi):
            for label, figure in by_label.items():
                yield _row(record, kpi, figure, choice, label=label)
    for definition, kpis in (record.by_definition or {}).items():
        yield from _figures(record, kpis, dict.fromkeys(kpis, definition), choice)


def _figures(
    record: WindowRecord | AgentFigures, kpis: Mapping[str, _Figure], definitions: Mapping[str, str], choice: Choice
) -> Iterator[Row]:
    for kpi, figure in kpis.items():
        if choice.wants(kpi):
            yield _row(record, kpi, figure, choice, definition=definitions.get(kpi))


def _row(
    record: WindowRecord | AgentFigures,
    kpi: str,
    figure: _Figure,
    choice: Choice,
    *,
    label: str | None = None,
    definition: str | None = None,
) -> Row:
    about = KPI_BY_ID[kpi]
    return Row(
        record.scope_kind,
        record.scope,
        record.channel,
        record.window,
        record.window_start,
        record.window_end,
        record.final,
        record.as_of,
        kpi,
        about.name(choice.lang, record.channel),
        label,
        definition,
        about.unit,
        figure.value,
        figure.numerator,
        figure.denominator,
        figure.coverage,
    )


def _of_now(store: Store, entry: Entry, record: NowFigures, choice: Choice) -> Iterator[Row]:
    for kpi in _NOW_KPIS:
        if not choice.wants(kpi.id):
            continue
        aging = _AGING.get(kpi.id)
        found = getattr(record, kpi.id, None) if aging is None else aging(store, entry)
        if found is None:
            continue
        values: Iterable[tuple[str | None, float]] = found.items() if isinstance(found, dict) else [(None, found)]
        name = kpi.name(choice.lang, record.channel)
        for label, value in values:
            yield Row(
                record.scope_kind,
                record.scope,
                record.channel,
                NOW,
                None,
                None,
                None,
                record.as_of,
                kpi.id,
                name,
                label,
                None,
                kpi.unit,
                value,
                None,
                None,
                None,
            )
