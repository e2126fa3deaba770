"""Outlook on the next intervals of a queue: contacts, agents needed, and the service level with the present agents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from streams.staffing.erlang import MAX_AGENTS, Workload, agents_needed, erlang_a

if TYPE_CHECKING:
    from streams.staffing.forecast import Forecast

__all__ = ["Ahead", "Observed", "effective_agents", "outlook", "patience_seconds"]

_HOUR_MS: Final = 3_600_000
#: Fewer are too few to estimate patience, or the agents of a queue.
_MIN_ABANDONED: Final = 5
_MIN_CONTACTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Figures of a queue in a span of time; None where unknown."""

    length_ms: int
    offered: float
    abandoned: float
    aht_seconds: float | None
    #: Σ of the waits of answered and abandoned contacts.
    waited_seconds: float
    service_level: float | None
    #: The threshold and target of the service level.
    threshold_seconds: float
    target: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """One future interval."""

    start_ms: int
    contacts: float
    agents_needed: int | None
    #: With the estimated number of agents who work for the queue now.
    service_level: float | None


def patience_seconds(waited_seconds: float, abandoned: float) -> float | None:
    """Return the average patience of customers: waiting time ÷ abandoned contacts; None if too few abandoned.

    This is the maximum likelihood estimate for exponential patience; the waits of answered contacts are censored
    (A. Mandelbaum and S. Zeltyn, The Palm/Erlang-A queue, 2005, section 5).
    """
    return waited_seconds / abandoned if abandoned >= _MIN_ABANDONED and waited_seconds > 0 else None


def effective_agents(observed: Observed, patience: float | None) -> int | None:
    """Return the number of agents whose service level is nearest to the observed one; None if too few contacts."""
    if observed.aht_seconds is None or observed.service_level is None or observed.offered < _MIN_CONTACTS:
        return None
    if observed.service_level >= 1:
        return None  # all numbers from some point on reach it
    workload = _workload(observed.offered * _HOUR_MS / observed.length_ms, observed.aht_seconds, patience)
    seen, threshold = observed.service_level, observed.threshold_seconds

    def level(agents: int) -> float:
        return erlang_a(workload, agents, threshold).service_level

    low, high = 0, 1
    while high < MAX_AGENTS and level(high) < seen:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if level(middle) >= seen else (middle, high)
    return min((low, high), key=lambda agents: abs(level(agents) - seen))


def outlook(forecast: Forecast, observed: Observed, now_ms: int, intervals: int, patience: float | None) -> list[Ahead]:
    """Return the intervals that begin after ``now_ms`` and have an expected volume.

    Args:
        forecast: of the contacts.
        observed: recent figures of the queue.
        now_ms: end of the completed intervals.
        intervals: number of intervals.
        patience: average patience of customers in seconds; None: endless (Erlang C).
    """
    agents = effective_agents(observed, patience)
    first = (now_ms // forecast.interval_ms + 1) * forecast.interval_ms
    ahead = []
    for start in range(first, first + intervals * forecast.interval_ms, forecast.interval_ms):
        contacts = forecast.expected(start, now_ms)
        if contacts is None:
            continue
        needed = level = None
        if observed.aht_seconds is not None:
            workload = _workload(contacts * _HOUR_MS / forecast.interval_ms, observed.aht_seconds, patience)
            if observed.target is not None and 0 < observed.target < 1:
                needed = agents_needed(workload, observed.target, observed.threshold_seconds).agents
            if agents is not None:
                level = erlang_a(workload, agents, observed.threshold_seconds).service_level
        ahead.append(Ahead(start_ms=start, contacts=contacts, agents_needed=needed, service_level=level))
    return ahead


def _workload(contacts_per_hour: float, aht_seconds: float, patience: float | None) -> Workload:
    return Workload(contacts_per_hour=contacts_per_hour, aht_seconds=aht_seconds, patience_seconds=patience)
