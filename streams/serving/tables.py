"""Selected figures of the store as a table, one figure a row, as far as a view shows them; no clock, no network."""

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

#: The value of ``windows`` that selects current figures.
NOW: Final = "now"


class Row(NamedTuple):
    """One figure. Times are RFC 3339 texts, durations seconds, ratios 0 to 1; None if unknown or not applicable."""

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
    #: The reason, category or state of the figure.
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
    """A selection of figures; an empty set selects all."""

    #: Names of windows as in records, and ``now``.
    windows: frozenset[str] = frozenset()
    scope_kinds: frozenset[str] = frozenset()
    #: ``KIND:NAME``
    scopes: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    kpis: frozenset[str] = frozenset()
    lang: Literal["en", "ja"] = "en"

    def wants_scope(self, kind: str, name: str) -> bool:
        """Return whether a scope is selected."""
        return (not self.scope_kinds or kind in self.scope_kinds) and (not self.scopes or f"{kind}:{name}" in self.scopes)

    @property
    def wants_agents(self) -> bool:
        """Whether individual agents are selected, which only an explicit selection does."""
        return "agent" in self.scope_kinds or any(scope.startswith("agent:") for scope in self.scopes)

    def wants_window(self, name: str) -> bool:
        """Return whether a window is selected."""
        return not self.windows or name in self.windows

    def wants(self, kpi: str) -> bool:
        """Return whether a KPI is selected, and known."""
        return kpi in KPI_BY_ID and (not self.kpis or kpi in self.kpis)


def rows(store: Store, choice: Choice, view: View = EVERYTHING) -> Iterator[Row]:
    """Yield the selected figures that the view shows, in the order of the records' keys."""
    for entry in store.group(*choice.windows) if choice.windows else store.entries():
        kind, channel = entry.scope_kind, entry.channel
        # Hidden records are skipped unread, selected or not: the duration reveals nothing.
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
    """Yield the selected figures of individual agents that the view shows."""
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
        figure = getattr(record, kpi.id, None) if aging is None else aging(store, entry)
        if figure is None:
            continue
        values: Iterable[tuple[str | None, float]] = figure.items() if isinstance(figure, dict) else [(None, figure)]
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
