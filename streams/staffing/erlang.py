"""Queues with Poisson arrivals and exponential handling times: Erlang C, where everybody waits, and Erlang A, where patience ends.

Formulas: A. K. Erlang, Solution of some problems in the theory of probabilities, 1917 (Erlang B, C); F. Baccelli and G. Hebuterne, On
queues with impatient customers, 1981, and A. Mandelbaum and S. Zeltyn, The Palm/Erlang-A queue, 2005 (Erlang A).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, expm1, isfinite, log
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MOST_AGENTS", "Performance", "Workload", "agents_needed", "erlang_a", "erlang_b", "erlang_c"]

#: No queue of a contact center has more agents; what would need them is refused.
MOST_AGENTS: Final = 10_000

#: On either side of the peak an integral is taken in so many pieces, each half as long as the next one, by Gauss's rule of 16 points.
_PIECES: Final = 12
#: Points of Gauss's rule between 0 and 1, and their weights: M. Abramowitz, I. Stegun, Handbook of mathematical functions, 1964, 25.4.
_GAUSS: Final = tuple(
    (side, weight / 2)
    for point, weight in (
        (0.095012509837637, 0.189450610455069),
        (0.281603550779259, 0.182603415044924),
        (0.458016777657227, 0.169156519395003),
        (0.617876244402644, 0.149595988816577),
        (0.755404408355003, 0.124628971255534),
        (0.865631202387832, 0.095158511682493),
        (0.944575023073233, 0.062253523938648),
        (0.989400934991650, 0.027152459411754),
    )
    for side in ((1 - point) / 2, (1 + point) / 2)
)
#: What is smaller than e to the power of minus this adds nothing.
_NOTHING: Final = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What comes to a queue.

    Raises:
        ValueError: a number is not finite, or not positive where it has to be.
    """

    #: Contacts an hour; 0 is permitted.
    contacts_per_hour: float
    #: Average handle time in seconds.
    aht_seconds: float
    #: How long customers are ready to wait on average, in seconds; None: for ever.
    patience_seconds: float | None = None

    def __post_init__(self) -> None:
        """Refuse what is no workload."""
        if not (isfinite(self.contacts_per_hour) and self.contacts_per_hour >= 0):
            raise ValueError(f"contacts an hour are 0 or more, not {self.contacts_per_hour}")
        if not (isfinite(self.aht_seconds) and self.aht_seconds > 0):
            raise ValueError(f"the average handle time is above 0 seconds, not {self.aht_seconds}")
        if self.patience_seconds is not None and not (isfinite(self.patience_seconds) and self.patience_seconds > 0):
            raise ValueError(f"patience is above 0 seconds, not {self.patience_seconds}")

    @property
    def erlangs(self) -> float:
        """The load: how many agents would be busy if nobody ever waited."""
        return self.contacts_per_hour * self.aht_seconds / 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """What so many agents achieve in the long run; None where a queue would grow for ever."""

    agents: int
    #: Share of contacts that wait at all.
    waiting_probability: float
    #: Share of contacts that are answered within the threshold.
    service_level: float
    #: Share of contacts that are abandoned.
    abandon_rate: float
    #: Average wait in seconds, of the answered and the abandoned together; None without end.
    wait_seconds: float | None
    #: Share of time that agents are busy.
    occupancy: float


def erlang_b(agents: int, erlangs: float) -> float:
    """Return the probability that all of ``agents`` are busy where nobody waits: Erlang's loss formula."""
    blocked = 1.0
    for number in range(1, agents + 1):
        blocked = erlangs * blocked / (number + erlangs * blocked)
    return blocked


def erlang_c(workload: Workload, agents: int, threshold_seconds: float) -> Performance:
    """Return what ``agents`` achieve where nobody ever hangs up; patience is not looked at."""
    load = workload.erlangs
    if load == 0:
        return _idle(agents)
    if agents <= load:
        return Performance(agents=agents, waiting_probability=1, service_level=0, abandon_rate=0, wait_seconds=None, occupancy=1)
    blocked = erlang_b(agents, load)
    waiting = agents * blocked / (agents - load * (1 - blocked))
    beyond = waiting * exp(-(agents - load) * threshold_seconds / workload.aht_seconds)
    return Performance(
        agents=agents,
        waiting_probability=waiting,
        service_level=1 - beyond,
        abandon_rate=0,
        wait_seconds=waiting * workload.aht_seconds / (agents - load),
        occupancy=load / agents,
    )


def erlang_a(workload: Workload, agents: int, threshold_seconds: float) -> Performance:
    """Return what ``agents`` achieve where waiting customers hang up after an exponential time of ``patience_seconds`` on average."""
    if workload.patience_seconds is None:
        return erlang_c(workload, agents, threshold_seconds)
    load = workload.erlangs
    if load == 0:
        return _idle(agents)
    if agents == 0:
        return Performance(
            agents=0, waiting_probability=1, service_level=0, abandon_rate=1, wait_seconds=workload.patience_seconds, occupancy=0
        )
    # In units of the average handle time: arrivals come at `load`, each agent frees up at 1, each customer leaves at `leaving`.
    leaving = workload.aht_seconds / workload.patience_seconds

    def exponent(at: float) -> float:
        """Of the density of the wait that an endlessly patient customer would have."""
        return -load * expm1(-leaving * at) / leaving - agents * at

    # The density is highest where arrivals that stay are as many as agents that free up.
    peak = log(load / agents) / leaving if load > agents else 0.0
    height = exponent(peak)
    start, end = _begin(exponent, peak, height), _end(exponent, peak, height)
    whole = _integral(lambda at: exp(exponent(at) - height), start, peak, end)
    blocked = erlang_b(agents - 1, load)
    if blocked == 0:  # below what a float holds: nobody ever waits
        return replace(_idle(agents), occupancy=load / agents)
    # All is scaled by the height, which may be beyond what a float holds.
    others = exp(-height) / blocked
    total = others + load * whole
    waiting = load * whole / total
    abandoned = max(0.0, (exp(-height) + (load - agents) * whole) / total)
    within = threshold_seconds / workload.aht_seconds
    served = _integral(lambda at: exp(exponent(at) - height - leaving * at), start, min(peak, within), min(within, end))
    answered = 1 - waiting + load * served / total
    return Performance(
        agents=agents,
        waiting_probability=waiting,
        service_level=min(1.0, answered),
        abandon_rate=abandoned,
        wait_seconds=abandoned * workload.patience_seconds,
        occupancy=load * (1 - abandoned) / agents,
    )


def agents_needed(workload: Workload, service_level: float, threshold_seconds: float) -> Performance:
    """Return the fewest agents that reach a service level, and what they achieve.

    Raises:
        ValueError: the service level is not between 0 and 1, or takes more than ``MOST_AGENTS``.
    """
    if not 0 < service_level < 1:
        raise ValueError(f"a service level to reach is above 0 and below 1, not {service_level}")
    # More agents are never worse: halve the span that holds the answer.
    low, high = 0, 1
    while (found := erlang_a(workload, high, threshold_seconds)).service_level < service_level:
        if high >= MOST_AGENTS:
            raise ValueError(
                f"{workload.contacts_per_hour:g} contacts an hour of {workload.aht_seconds:g} s need more than {MOST_AGENTS} agents"
            )
        low, high = high, min(2 * high, MOST_AGENTS)
    while high - low > 1:
        middle = (low + high) // 2
        performance = erlang_a(workload, middle, threshold_seconds)
        if performance.service_level < service_level:
            low = middle
        else:
            high, found = middle, performance
    return erlang_a(workload, 0, threshold_seconds) if workload.erlangs == 0 else found


def _idle(agents: int) -> Performance:
    return Performance(agents=agents, waiting_probability=0, service_level=1, abandon_rate=0, wait_seconds=0, occupancy=0)


def _begin(exponent: Callable[[float], float], peak: float, height: float) -> float:
    """Return up to where the density is nothing beside its peak."""
    low, high = 0.0, peak
    if exponent(low) > height - _NOTHING:
        return low
    # To a part of the peak's width: more is not needed.
    while high - low > 0.01 * (peak - low):
        middle = (low + high) / 2
        low, high = (middle, high) if exponent(middle) <= height - _NOTHING else (low, middle)
    return low


def _end(exponent: Callable[[float], float], peak: float, height: float) -> float:
    """Return from where on the density is nothing beside its peak."""
    width = 1e-6
    while exponent(peak + width) > height - _NOTHING:
        width *= 1.5
    return peak + width


def _integral(function: Callable[[float], float], start: float, peak: float, end: float) -> float:
    """Return the integral of a function that is smooth, and changes the most about its peak; 0 where it ends before it starts."""
    whole = 0.0
    for far in (start, end):
        side = abs(far - peak) if start < end else 0.0
        inner = 0.0
        for piece in range(_PIECES):
            outer = side / 2 ** (_PIECES - 1 - piece)
            sign = 1 if far > peak else -1
            whole += (outer - inner) * sum(weight * function(peak + sign * (inner + (outer - inner) * point)) for point, weight in _GAUSS)
            inner = outer
    return whole
