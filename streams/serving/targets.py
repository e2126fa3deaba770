"""Targets beside the served figures: which records a target is about, and how its judgment is told."""

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

#: What all pages ask for is made once in so many seconds.
CACHE_SECONDS = 2.0
#: Kind and name of a scope, and a window, None for what is now.
_Place = tuple[str, str, str | None]
_AGING = {"longest_wait": Store.longest_wait_seconds, "backlog_oldest": Store.backlog_oldest_seconds}


class Judged(NamedTuple):
    """A target, and what its figure makes of it."""

    terms: Terms
    judgment: Judgment
    #: Whether the figure may still change; None where there is none.
    provisional: bool | None
    #: The begin of the window that it is of, the earliest if channels differ; None for figures of now.
    window_start: str | None


#: Kinds of windows of which the one that holds as-of is meant.
_DAYS = frozenset({"day", "customers_day", "customers_month"})


def judged_targets(store: Store, targets: Iterable[Terms]) -> list[Judged]:
    """Return every target with its judgment as of the newest instant that any figure takes in."""
    targets = list(targets)
    if not targets:
        return []
    wanted = {_place(each) for each in targets}
    found: dict[_Place, list[tuple[Entry, NowFigures | WindowRecord]]] = {}
    as_of = max(store.as_of_ms or 0, store.newest_as_of_ms)
    for entry in store.group(*{window or "now" for *_, window in wanted}):
        place = (entry.scope_kind or "", entry.scope, entry.window)
        if place in wanted and isinstance(record := entry.record, NowFigures | WindowRecord):
            found.setdefault(place, []).append((entry, record))
    return [_judged(store, terms, found.get(_place(terms), ()), as_of) for terms in targets]


def _place(terms: Terms) -> _Place:
    return terms.scope_kind, terms.scope, terms.window


def _judged(store: Store, terms: Terms, entries: Iterable[tuple[Entry, NowFigures | WindowRecord]], as_of_ms: int) -> Judged:
    settling = KPI_BY_ID[terms.kpi].horizon is not None
    newest: dict[str | None, tuple[tuple[bool, int], Figure, WindowRecord | None]] = {}
    for entry, record in entries:
        if terms.channel not in {None, record.channel} or (
            isinstance(record, WindowRecord) and not _counts(record, entry, as_of_ms, settling=settling)
        ):
            continue
        figure, end = _figure(store, terms.kpi, entry, record), entry.window_end_ms or 0
        if figure is None:
            continue
        of = record if isinstance(record, WindowRecord) else None
        # What goes on changing after its window is judged once it does no more, if that is still there.
        settled = settling and of is not None and of.final
        if record.channel not in newest or (settled, end) > newest[record.channel][0]:
            newest[record.channel] = ((settled, end), figure, of)
    figure = together(terms, [figure for _, figure, _ in newest.values()])
    windows = [of for *_, of in newest.values() if of is not None]
    provisional = not all(of.final for of in windows) if windows else None
    start = min((of.window_start for of in windows), key=parse_time_ms, default=None)
    return Judged(terms, judged(terms, figure, as_of_ms), provisional, start)


def _counts(record: WindowRecord, entry: Entry, as_of_ms: int, *, settling: bool) -> bool:
    """Say whether a target's figure may come from a window: of days the running one, or one that is over; of intervals the last one."""
    kind = kind_of_window(record.window)
    if kind == "trailing":
        return True
    start, end = parse_time_ms(record.window_start), entry.window_end_ms or 0
    if kind in _DAYS:
        return end <= as_of_ms if settling else start <= as_of_ms < end
    return end <= as_of_ms < end + (end - start)


def _figure(store: Store, kpi: str, entry: Entry, record: NowFigures | WindowRecord) -> Figure | None:
    """Return the record's figure; None if the record is about something else."""
    if isinstance(record, WindowRecord):
        found = record.kpis.get(kpi)
        if found is None:
            return None
        return {"value": found.value, "numerator": found.numerator, "denominator": found.denominator, "coverage": found.coverage}
    aging = _AGING.get(kpi)
    value = getattr(record, kpi, None) if aging is None else aging(store, entry)
    return None if value is None else {"value": value, "numerator": value, "denominator": None, "coverage": None}


def shows_terms(view: View, terms: Terms) -> bool:
    """Say whether a view shows what a target is about."""
    sees = view.sees_people if KPI_BY_ID[terms.kpi].subject == "people" else view.sees
    return sees(terms.scope_kind, terms.scope)


def shows_target(view: View, told: Mapping[str, Any]) -> bool:
    """Say whether a view shows a target as the API says it."""
    sees = view.sees_people if KPI_BY_ID[told["kpi"]].subject == "people" else view.sees
    return sees(told["scope_kind"], told["scope"])


def targets_of(store: Store, targets: Iterable[Terms]) -> dict[str, Any]:
    """Return all targets with their judgments, as the API says them; numbers in the unit of the KPI."""
    return {"targets": [_document(each) for each in judged_targets(store, targets)]}


def _document(each: Judged) -> dict[str, Any]:
    terms, judgment = each.terms, each.judgment
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
        "window_start": each.window_start,
        "provisional": each.provisional,
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
