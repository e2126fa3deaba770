"""Where a report and our figures differ, and the cause of each gap where one can be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from schemas.times import format_ms, parse_time_ms
from streams.catalogue import KPI_BY_ID
from streams.catalogue.percent import percent
from streams.configuration.judges import definitions_of
from streams.reconciling.alternatives import alternatives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from streams.configuration import Configuration
    from streams.configuration.models import ServiceLevelDefinition
    from streams.reconciling.report import Cell, Row

__all__ = ["CAUSES", "Cause", "Gap", "Record", "Recounts", "compared"]

Cause = Literal["rounding", "definition", "attribution", "excluded", "late", "coverage", "unexplained"]
CAUSES: Final[tuple[Cause, ...]] = ("rounding", "definition", "attribution", "excluded", "late", "coverage", "unexplained")

#: A window record of the metric topics.
Record = dict[str, Any]
_Key = tuple[str, str, int]

#: Floats of equal meaning differ by less.
_TINY: Final = 1e-9


class Gap(NamedTuple):
    """A figure of the report that is not ours."""

    line: int | None
    queue: str
    channel: str | None
    start: str
    kpi: str
    ours: float | None
    theirs: float | None
    cause: Cause
    detail: str

    @property
    def difference(self) -> float | None:
        """Theirs less ours."""
        return None if self.ours is None or self.theirs is None else self.theirs - self.ours


class Recounts(Protocol):
    """Window records from recounts of the same events under other rules."""

    def without_exclusions(self) -> Sequence[Record] | None:
        """Return the records as if nothing had been excluded; None without events."""

    def with_late_events(self) -> Sequence[Record] | None:
        """Return the records as if no event had been late; None without events."""


class _Ours:
    """Window records by queue, channel and start."""

    def __init__(self, records: Iterable[Mapping[str, Any]], minutes: int) -> None:
        self.by_key: dict[_Key, Mapping[str, Any]] = {}
        self.channels: dict[str, set[str]] = {}
        #: (channel, start) → contacts that were offered to no queue, such as calls that found the line busy
        self._not_offered: dict[tuple[str, int], int] = {}
        for record in records:
            if (record.get("kind"), record.get("window")) != ("window", f"interval_{minutes}m"):
                continue
            if record["scope_kind"] == "total" and record["channel"] is not None:
                key = (record["channel"], parse_time_ms(record["window_start"]))
                self._not_offered[key] = _counted(record, "not_offered")
            elif record["scope_kind"] == "queue":
                self.by_key[record["scope"], record["channel"], parse_time_ms(record["window_start"])] = record
                self.channels.setdefault(record["scope"], set()).add(record["channel"])

    def channel_of(self, row: Row) -> str | None:
        """Return the channel of a row; None if it is ambiguous."""
        channels = self.channels.get(row.queue, set())
        return row.channel or (next(iter(channels)) if len(channels) == 1 else None)

    def not_offered(self, key: _Key) -> int:
        """Return the number of contacts of the interval and channel that were offered to no queue."""
        return self._not_offered.get(key[1:], 0)

    def of(self, key: _Key | None) -> Mapping[str, Any] | None:
        return None if key is None else self.by_key.get(key)


def compared(
    rows: Sequence[Row], records: Iterable[Mapping[str, Any]], configuration: Configuration, minutes: int, recounts: Recounts
) -> tuple[int, list[Gap]]:
    """Return the number of compared figures, and the gaps in the order of the report; intervals that it lacks come last."""
    comparison = _Comparison(rows, _Ours(records, minutes), configuration, minutes, recounts)
    gaps = [gap for row in rows for gap in comparison.row(row)]
    return comparison.number, [*gaps, *comparison.missing_intervals()]


class _Comparison:
    def __init__(self, rows: Sequence[Row], ours: _Ours, configuration: Configuration, minutes: int, recounts: Recounts) -> None:
        self.number = 0
        self._rows = rows
        self._ours = ours
        self._configuration = configuration
        self._minutes = minutes
        self._recounts = recounts
        self._others: dict[str, _Ours | None] = {}
        self._theirs = {key: row for row in rows if (key := self._key(row)) is not None}

    def _key(self, row: Row) -> _Key | None:
        channel = self._ours.channel_of(row)
        return None if channel is None else (row.queue, channel, row.start_ms)

    def row(self, row: Row) -> list[Gap]:
        """Return the gaps of one row."""
        key = self._key(row)
        record = self._ours.of(key)
        gaps = []
        for kpi, cell in row.cells.items():
            self.number += 1
            if record is None or key is None:
                if cell.value:
                    gaps.append(self._gap(row, kpi, cell, None, "unexplained", self._why_missing(row)))
                continue
            figure = record["kpis"].get(kpi) or {}
            if not _equal(cell, figure.get("value")):
                cause, detail = self._cause(key, kpi, cell, record)
                gaps.append(self._gap(row, kpi, cell, figure.get("value"), cause, detail))
        return gaps

    def missing_intervals(self) -> list[Gap]:
        """Return the intervals with contacts that the report lacks for its queues, between its first and last interval."""
        if not self._rows:
            return []
        first, last = min(row.start_ms for row in self._rows), max(row.start_ms for row in self._rows)
        queues = {key[:2] for key in self._theirs}
        gaps = []
        for (queue, channel, start), record in sorted(self._ours.by_key.items(), key=lambda item: item[0][::-1]):
            offered = record["kpis"]["offered"]["value"]
            if (queue, channel) in queues and first <= start <= last and offered and (queue, channel, start) not in self._theirs:
                gaps.append(Gap(None, queue, channel, format_ms(start), "offered", offered, None, "unexplained", "not in the report"))
        return gaps

    def _gap(self, row: Row, kpi: str, cell: Cell, ours: float | None, cause: Cause, detail: str) -> Gap:
        return Gap(row.line, row.queue, self._ours.channel_of(row), format_ms(row.start_ms), kpi, ours, cell.value, cause, detail)

    def _why_missing(self, row: Row) -> str:
        channels = self._ours.channels.get(row.queue)
        if channels is None:
            return f"unknown queue; known: {', '.join(sorted(self._ours.channels)) or 'none'}"
        if row.channel is None and len(channels) > 1:
            return f"the queue has several channels; the report must name one: {', '.join(sorted(channels))}"
        return "we have no such interval"

    def _cause(self, key: _Key, kpi: str, cell: Cell, record: Mapping[str, Any]) -> tuple[Cause, str]:
        """Return the first cause that can be shown; if the counts of contacts differ, other contacts come before other definitions."""
        value = (record["kpis"].get(kpi) or {}).get("value")
        if value is not None and cell.step and abs(cell.value - value) < cell.step + _TINY:
            return "rounding", "within one of its last digit"
        names = [name for name, other in alternatives(kpi, record["counts"], self._definition(key)) if _equal(cell, other)]
        by_definition: tuple[Cause, str] | None = ("definition", ", ".join(names)) if names else None
        by_contacts = self._other_contacts(key, kpi, cell, record)
        same_contacts = not any(self._difference(key, counted) for counted in ("offered", "answered", "abandoned"))
        first, second = (by_definition, by_contacts) if same_contacts else (by_contacts, by_definition)
        return first or second or self._by_counts(key, kpi, cell, record)

    def _other_contacts(self, key: _Key, kpi: str, cell: Cell, record: Mapping[str, Any]) -> tuple[Cause, str] | None:
        """Return the cause if the figure equals ours for other contacts: of another interval, excluded or late."""
        by_outcome = ((record.get("by_outcome") or {}).get("kpis") or {}).get(kpi)
        if by_outcome is not None and _equal(cell, by_outcome["value"]):
            return "attribution", "equals ours by outcome"
        if (neighbor := self._offset_in(key, kpi)) is not None:
            return "attribution", f"offset by the interval of {format_ms(neighbor)}"
        if self._equals_in("excluded", self._recounts.without_exclusions, key, kpi, cell):
            return "excluded", "equals ours with what was excluded"
        if self._equals_in("late", self._recounts.with_late_events, key, kpi, cell):
            return "late", "equals ours with what was late"
        return None

    def _by_counts(self, key: _Key, kpi: str, cell: Cell, record: Mapping[str, Any]) -> tuple[Cause, str]:
        """Return the cause that the counts suggest, without a recount."""
        figure = record["kpis"].get(kpi) or {}
        value, coverage = figure.get("value"), figure.get("coverage")
        counted = KPI_BY_ID[kpi].denominator_unit is None
        more = cell.value - value if counted and value is not None else 0
        excluded, not_offered = _counted(record, "excluded"), self._ours.not_offered(key)
        if excluded and more == excluded:
            return "excluded", f"{excluded} excluded in this interval"
        if not_offered and kpi == "offered" and more == not_offered:
            return "excluded", f"{not_offered} not offered to any queue in this interval"
        late = record.get("late_events") or 0
        if late and self._others.get("late") is None and (not counted or 0 < abs(more) <= late):
            return "late", f"{late} late events in this interval"
        if coverage is not None and coverage < 1:
            return "coverage", f"ours is of {percent(coverage)} % of the contacts"
        return "unexplained", ""

    def _definition(self, key: _Key) -> ServiceLevelDefinition:
        chosen = definitions_of(self._configuration, key[0], key[1])
        versions = chosen.versions[chosen.first]
        in_force = [version for version in versions if (version.from_ms or 0) <= key[2]]
        return in_force[-1] if in_force else versions[0]

    def _offset_in(self, key: _Key, kpi: str) -> int | None:
        """Return the start of the neighboring interval whose difference of a count offsets this one's."""
        if KPI_BY_ID[kpi].denominator_unit is not None:
            return None
        mine = self._difference(key, kpi)
        for step in (1, -1):
            neighbor = (*key[:2], key[2] + step * 60_000 * self._minutes)
            theirs = self._difference(neighbor, kpi)
            if mine and theirs is not None and mine + theirs == 0:
                return neighbor[2]
        return None

    def _difference(self, key: _Key, kpi: str) -> float | None:
        row, record = self._theirs.get(key), self._ours.of(key)
        if row is None or record is None or kpi not in row.cells:
            return None
        value = (record["kpis"].get(kpi) or {}).get("value")
        return None if value is None else row.cells[kpi].value - value

    def _equals_in(self, name: str, recount: Callable[[], Sequence[Record] | None], key: _Key, kpi: str, cell: Cell) -> bool:
        if name not in self._others:
            records = recount()
            self._others[name] = None if records is None else _Ours(records, self._minutes)
        other = self._others[name]
        record = other.of(key) if other is not None else None
        return record is not None and _equal(cell, (record["kpis"].get(kpi) or {}).get("value"))


def _counted(record: Mapping[str, Any], kpi: str) -> int:
    return int((record["kpis"].get(kpi) or {}).get("value") or 0)


def _equal(cell: Cell, value: float | None) -> bool:
    """Return whether a figure equals the written one to its last digit."""
    return value is not None and abs(cell.value - value) <= cell.step / 2 + _TINY
