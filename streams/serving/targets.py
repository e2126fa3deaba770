"""Targets with their judgments, from the records that each is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.metrics import NowFigures
from schemas.times import format_ms, parse_time_ms
from streams.catalogue import KPI_BY_ID, kind_of_window
from streams.serving.store import Store
from streams.serving.window_records import WindowRecord
from streams.windows.targets import Judgment, Terms, judged, together

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.access.views import View
    from streams.catalogue.formulas import Figure
    from streams.serving.store import Entry

__all__ = ["CACHE_SECONDS", "Judged", "judged_targets", "shows_target", "shows_terms", "targets_of"]

#: How long an answer is cached for all pages.
CACHE_SECONDS = 2.0
#: Kind and name of a scope, and a window, None for current figures.
_RecordKey = tuple[str, str, str | None]
_AGING = {"longest_wait": Store.longest_wait_seconds, "backlog_oldest": Store.backlog_oldest_seconds}


class Judged(NamedTuple):
    """A target and its judgment."""

    terms: Terms
    judgment: Judgment
    #: Whether the figure may still change; None without a window.
    provisional: bool | None
    #: The start of its window, the earliest if channels differ; None for current figures.
    window_start: str | None


#: Kinds of windows that are judged while they are current.
_DAYS = frozenset({"day", "customers_day", "customers_month"})


def judged_targets(store: Store, targets: Iterable[Terms]) -> list[Judged]:
    """Return every target with its judgment as of the newest as-of."""
    targets = list(targets)
    if not targets:
        return []
    wanted = {_record_key(terms) for terms in targets}
    records: dict[_RecordKey, list[tuple[Entry, NowFigures | WindowRecord]]] = {}
    as_of = max(store.as_of_ms or 0, store.newest_as_of_ms)
    for entry in store.group(*{window or "now" for *_, window in wanted}):
        key = (entry.scope_kind or "", entry.scope, entry.window)
        if key in wanted and isinstance(record := entry.record, NowFigures | WindowRecord):
            records.setdefault(key, []).append((entry, record))
    return [_judged(store, terms, records.get(_record_key(terms), ()), as_of) for terms in targets]


def _record_key(terms: Terms) -> _RecordKey:
    return terms.scope_kind, terms.scope, terms.window


def _judged(store: Store, terms: Terms, entries: Iterable[tuple[Entry, NowFigures | WindowRecord]], as_of_ms: int) -> Judged:
    has_horizon = KPI_BY_ID[terms.kpi].horizon is not None
    newest: dict[str | None, tuple[tuple[bool, int], Figure, WindowRecord | None]] = {}
    for entry, record in entries:
        if terms.channel not in {None, record.channel} or (
            isinstance(record, WindowRecord) and not _counts(record, entry, as_of_ms, has_horizon=has_horizon)
        ):
            continue
        figure, end = _figure(store, terms.kpi, entry, record), entry.window_end_ms or 0
        if figure is None:
            continue
        of = record if isinstance(record, WindowRecord) else None
        # A KPI with a horizon changes after its window: a final record is preferred.
        is_final = has_horizon and of is not None and of.final
        if record.channel not in newest or (is_final, end) > newest[record.channel][0]:
            newest[record.channel] = ((is_final, end), figure, of)
    figure = together(terms, [figure for _, figure, _ in newest.values()])
    windows = [of for *_, of in newest.values() if of is not None]
    provisional = not all(of.final for of in windows) if windows else None
    start = min((of.window_start for of in windows), key=parse_time_ms, default=None)
    return Judged(terms, judged(terms, figure, as_of_ms), provisional, start)


def _counts(record: WindowRecord, entry: Entry, as_of_ms: int, *, has_horizon: bool) -> bool:
    """Return whether a target's figure may come from a window: the current or last complete day, or the last complete interval."""
    kind = kind_of_window(record.window)
    if kind == "trailing":
        return True
    start, end = parse_time_ms(record.window_start), entry.window_end_ms or 0
    if kind in _DAYS:
        return end <= as_of_ms if has_horizon else start <= as_of_ms < end
    return end <= as_of_ms < end + (end - start)


def _figure(store: Store, kpi: str, entry: Entry, record: NowFigures | WindowRecord) -> Figure | None:
    """Return the record's figure; None if the record is about something else."""
    if isinstance(record, WindowRecord):
        figure = record.kpis.get(kpi)
        if figure is None:
            return None
        return {"value": figure.value, "numerator": figure.numerator, "denominator": figure.denominator, "coverage": figure.coverage}
    aging = _AGING.get(kpi)
    value = getattr(record, kpi, None) if aging is None else aging(store, entry)
    return None if value is None else {"value": value, "numerator": value, "denominator": None, "coverage": None}


def shows_terms(view: View, terms: Terms) -> bool:
    """Return whether a view shows a target."""
    sees = view.sees_people if KPI_BY_ID[terms.kpi].subject == "people" else view.sees
    return sees(terms.scope_kind, terms.scope)


def shows_target(view: View, target: Mapping[str, Any]) -> bool:
    """Return whether a view shows a target of an answer."""
    sees = view.sees_people if KPI_BY_ID[target["kpi"]].subject == "people" else view.sees
    return sees(target["scope_kind"], target["scope"])


def targets_of(store: Store, targets: Iterable[Terms]) -> dict[str, Any]:
    """Return all targets with their judgments as the API has them; numbers in the unit of the KPI."""
    return {"targets": [_document(target) for target in judged_targets(store, targets)]}


def _document(target: Judged) -> dict[str, Any]:
    terms, judgment = target.terms, target.judgment
    kpi = KPI_BY_ID[terms.kpi]
    numbers = {"target": terms.goal, "stretch": terms.stretch, "low": terms.low, "high": terms.high, "start_value": terms.start}
    progress = judgment.progress
    return {
        "kpi": terms.kpi,
        "scope_kind": terms.scope_kind,
        "scope": terms.scope,
        "channel": terms.channel,
        "window": terms.window,
        "of_queue": terms.of_queue,
        "unit": kpi.unit,
        "direction": kpi.direction,
        **{name: None if number is None else float(number) for name, number in numbers.items()},
        "start_date": terms.start_date,
        "due": terms.due,
        "figure": judgment.figure,
        "window_start": target.window_start,
        "provisional": target.provisional,
        "attainment": judgment.attainment,
        "standing": judgment.standing,
        "met": judgment.met,
        "stretch_met": judgment.stretch_met,
        "margin": judgment.margin,
        "progress": None
        if progress is None
        else {
            **progress.figure,
            "expected": progress.expected,
            "on_track": progress.on_track,
            "ahead": progress.ahead,
            "projected_at": None if progress.projected_ms is None else format_ms(progress.projected_ms),
        },
    }
