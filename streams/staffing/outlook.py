"""What the next intervals of a queue will be like: contacts, agents needed, and the service level with the staff that there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from streams.staffing.erlang import MOST_AGENTS, Workload, agents_needed, erlang_a

if TYPE_CHECKING:
    from streams.staffing.forecast import Forecast

__all__ = ["Ahead", "Observed", "effective_agents", "outlook", "patience_seconds"]

_HOUR_MS: Final = 3_600_000
#: Fewer say nothing of how long customers are ready to wait, or of how many work for a queue.
_FEWEST_ABANDONED: Final = 5
_FEWEST_CONTACTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was seen of a queue in a span of time; None where it is not known."""

    length_ms: int
    offered: float
    abandoned: float
    aht_seconds: float | None
    #: Σ of the waits of the answered and of the abandoned.
    waited_seconds: float
    service_level: float | None
    #: The wait up to which an answer is in time, and the service level to reach.
    threshold_seconds: float
    target: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """One interval to come."""

    start_ms: int
    contacts: float
    agents_needed: int | None
    #: With as many agents as seem to work for the queue now.
    service_level: float | None


def patience_seconds(waited_seconds: float, abandoned: float) -> float | None:
    """Return how long customers are ready to wait on average: all waiting time ÷ abandoned; None of too few.

    That is the maximum likelihood for exponential patience, of which the wait of the answered is only known to be longer
    (A. Mandelbaum and S. Zeltyn, The Palm/Erlang-A queue, 2005, section 5).
    """
    return waited_seconds / abandoned if abandoned >= _FEWEST_ABANDONED and waited_seconds > 0 else None


def effective_agents(observed: Observed, patience: float | None) -> int | None:
    """Return the number of agents whose service level comes nearest to what was observed; None of too few contacts."""
    if observed.aht_seconds is None or observed.service_level is None or observed.offered < _FEWEST_CONTACTS:
        return None
    if observed.service_level >= 1:
        return None  # any number from some on gives that
    workload = _workload(observed.offered * _HOUR_MS / observed.length_ms, observed.aht_seconds, patience)
    seen, threshold = observed.service_level, observed.threshold_seconds

    def level(agents: int) -> float:
        return erlang_a(workload, agents, threshold).service_level

    low, high = 0, 1
    while high < MOST_AGENTS and level(high) < seen:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if level(middle) >= seen else (middle, high)
    return min((low, high), key=lambda agents: abs(level(agents) - seen))


def outlook(forecast: Forecast, observed: Observed, now_ms: int, intervals: int, patience: float | None) -> list[Ahead]:
    """Return the intervals that begin after ``now_ms``, those of which a volume can be expected.

    Args:
        forecast: expects the contacts.
        observed: the last while.
        now_ms: what was over then is known.
        intervals: how many to look ahead.
        patience: of customers, in seconds; None: they wait for ever (Erlang C).
    """
    agents = effective_agents(observed, patience)
    first = (now_ms // forecast.interval_ms + 1) * forecast.interval_ms
    found = []
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
        found.append(Ahead(start_ms=start, contacts=contacts, agents_needed=needed, service_level=level))
    return found


def _workload(contacts_per_hour: float, aht_seconds: float, patience: float | None) -> Workload:
    return Workload(contacts_per_hour=contacts_per_hour, aht_seconds=aht_seconds, patience_seconds=patience)
