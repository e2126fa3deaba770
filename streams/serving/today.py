"""The day so far of every scope by channel: volume, results, and the contacts that would restore a target."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Final

from streams.configuration.judges import definition_at
from streams.serving.window_records import WindowRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.access.views import View
    from streams.configuration import Configuration
    from streams.serving.store import Entry, Store
    from streams.serving.window_records import Seen
    from streams.windows.targets import Terms

__all__ = ["CACHE_SECONDS", "figure_document", "is_running", "restoring", "service_level_goals", "shows_day", "sparing", "today_of"]

#: How long an answer is cached for all pages.
CACHE_SECONDS: Final = 5.0

_COUNTS: Final = ("offered", "answered", "abandoned", "handled")
_FIGURES: Final = ("answer_rate", "abandon_rate", "service_level", "asa", "aht")
#: Kind and name of a scope, and a channel, None for any.
_GoalKey = tuple[str, str, str | None]


def restoring(met: float, counted: float, target: Fraction) -> int | None:
    """Return how many contacts in a row must meet the service level to reach a target.

    The smallest k with (met + k) / (counted + k) ≥ target; 0 if it is reached; None if no number suffices.
    """
    short = target * Fraction(counted) - Fraction(met)
    if short <= 0:
        return 0
    return None if target >= 1 else ceil(short / (1 - target))


def sparing(met: float, counted: float, target: Fraction) -> int | None:
    """Return how many contacts in a row may miss the service level while the target is still reached.

    The largest m with met / (counted + m) ≥ target; 0 if it is not reached now; None if any number may.
    """
    return None if target <= 0 else max(0, floor(Fraction(met) / target - Fraction(counted)))


def service_level_goals(targets: Mapping[str, float], terms: Iterable[Terms]) -> dict[_GoalKey, Fraction]:
    """Return the goals of daily service levels, 0 to 1; ``targets`` are those of queues."""
    goals: dict[_GoalKey, Fraction] = {("queue", queue, None): Fraction(str(target)) for queue, target in targets.items()}
    for term in terms:
        if term.kpi == "service_level" and term.window == "day" and term.goal is not None:
            goals[term.scope_kind, term.scope, term.channel] = term.goal
    return goals


def shows_day(view: View, day: Mapping[str, Any]) -> bool:
    """Return whether a view shows the day of a scope."""
    return view.sees(day["scope_kind"], day["scope"])


def is_running(entry: Entry, as_of_ms: int) -> bool:
    """Return whether a window of contacts holds the instant; a scope without contacts today may have yesterday's window."""
    return entry.channel is not None and entry.window_start_ms <= as_of_ms < (entry.window_end_ms or 0)


def today_of(store: Store, configuration: Configuration, targets: Mapping[str, float], terms: Iterable[Terms]) -> dict[str, Any]:
    """Return the day of each scope and channel that holds the newest as-of."""
    goals = service_level_goals(targets, terms)
    as_of = max(store.as_of_ms or 0, store.newest_as_of_ms)
    days = []
    for entry in store.group("day"):
        if is_running(entry, as_of):
            record = entry.record
            if isinstance(record, WindowRecord):
                days.append(_day(entry, record, configuration, goals))
    return {"days": days}


def _day(entry: Entry, record: WindowRecord, configuration: Configuration, goals: Mapping[_GoalKey, Fraction]) -> dict[str, Any]:
    kind, name, kpis = record.scope_kind, record.scope, record.kpis
    goal = goals.get((kind, name, record.channel), goals.get((kind, name, None)))
    level = kpis.get("service_level")
    parts = None if goal is None or level is None or not level.denominator else (level.numerator or 0.0, level.denominator, goal)
    # The queues of a larger scope may have thresholds of their own.
    several = "," in record.definitions.get("service_level", "")
    definition = definition_at(configuration, name if kind == "queue" else None, record.channel, entry.window_start_ms)
    return {
        "scope_kind": kind,
        "scope": name,
        "channel": record.channel,
        "start": record.window_start,
        "end": record.window_end,
        **{kpi: None if (figure := kpis.get(kpi)) is None else figure.value for kpi in _COUNTS},
        **{kpi: figure_document(kpis.get(kpi)) for kpi in _FIGURES},
        "threshold_seconds": None if several else definition.threshold_s,
        "target": None if goal is None else float(goal),
        "met": None if parts is None else parts[0] >= parts[2] * Fraction(parts[1]),
        "contacts_to_restore": None if parts is None else restoring(*parts),
        "contacts_to_spare": None if parts is None else sparing(*parts),
        "events_uncounted": {reason: int(figure.value or 0) for reason, figure in record.by_label.get("events_uncounted", {}).items()},
        "coverage": {
            kpi: figure.coverage
            for kpi, figure in kpis.items()
            if figure.coverage is not None and figure.coverage < 1 and (figure.value is not None or figure.coverage == 0)
        },
    }


def figure_document(figure: Seen | None) -> dict[str, float | None] | None:
    """Return a figure with its parts as answers have it; None if there is none."""
    if figure is None:
        return None
    return {"value": figure.value, "numerator": figure.numerator, "denominator": figure.denominator, "coverage": figure.coverage}
