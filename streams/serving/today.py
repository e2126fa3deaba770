"""Today so far of every queue and larger scope, channel by channel: what came in, how it went, and what would restore a target."""

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

#: What all pages ask for is made once in so many seconds.
CACHE_SECONDS: Final = 5.0

_COUNTS: Final = ("offered", "answered", "abandoned", "handled")
_FIGURES: Final = ("answer_rate", "abandon_rate", "service_level", "asa", "aht")
#: Kind and name of a scope, and a channel, None for whichever.
_Place = tuple[str, str, str | None]


def restoring(met: float, counted: float, target: Fraction) -> int | None:
    """Return how many contacts in a row have to meet the service level until it reaches a target.

    The smallest k with (met + k) / (counted + k) ≥ target; 0 if it does; None if no number suffices.
    """
    short = target * Fraction(counted) - Fraction(met)
    if short <= 0:
        return 0
    return None if target >= 1 else ceil(short / (1 - target))


def sparing(met: float, counted: float, target: Fraction) -> int | None:
    """Return how many contacts in a row may miss the service level while it still reaches a target.

    The largest m with met / (counted + m) ≥ target; 0 if it does not reach it now; None if any number may.
    """
    return None if target <= 0 else max(0, floor(Fraction(met) / target - Fraction(counted)))


def service_level_goals(targets: Mapping[str, float], terms: Iterable[Terms]) -> dict[_Place, Fraction]:
    """Return what service levels of days are to reach, 0 to 1; ``targets`` are those of queues."""
    goals: dict[_Place, Fraction] = {("queue", queue, None): Fraction(str(target)) for queue, target in targets.items()}
    for each in terms:
        if each.kpi == "service_level" and each.window == "day" and each.goal is not None:
            goals[each.scope_kind, each.scope, each.channel] = each.goal
    return goals


def shows_day(view: View, day: Mapping[str, Any]) -> bool:
    """Say whether a view shows the day of a scope."""
    return view.sees(day["scope_kind"], day["scope"])


def is_running(entry: Entry, as_of_ms: int) -> bool:
    """Say whether a window of contacts holds the instant; that of who had no contact today may be yesterday's."""
    return entry.channel is not None and entry.window_start_ms <= as_of_ms < (entry.window_end_ms or 0)


def today_of(store: Store, configuration: Configuration, targets: Mapping[str, float], terms: Iterable[Terms]) -> dict[str, Any]:
    """Return the day of each scope and channel that holds the newest instant that figures take in."""
    goals = service_level_goals(targets, terms)
    as_of = max(store.as_of_ms or 0, store.newest_as_of_ms)
    days = []
    for entry in store.group("day"):
        if is_running(entry, as_of):
            record = entry.record
            if isinstance(record, WindowRecord):
                days.append(_day(entry, record, configuration, goals))
    return {"days": days}


def _day(entry: Entry, record: WindowRecord, configuration: Configuration, goals: Mapping[_Place, Fraction]) -> dict[str, Any]:
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
        **{kpi: None if (found := kpis.get(kpi)) is None else found.value for kpi in _COUNTS},
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
    """Return a KPI with its parts as answers have it; None where there is none."""
    if figure is None:
        return None
    return {"value": figure.value, "numerator": figure.numerator, "denominator": figure.denominator, "coverage": figure.coverage}
