"""Queues with Poisson arrivals and exponential handling times: Erlang C with endless patience, and Erlang A with abandonment.

Formulas: A. K. Erlang, Solution of some problems in the theory of probabilities, 1917 (Erlang B, C); F. Baccelli and G. Hebuterne, On
queues with impatient customers, 1981, and A. Mandelbaum and S. Zeltyn, The Palm/Erlang-A queue, 2005 (Erlang A).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, expm1, isfinite, log
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_AGENTS", "Performance", "Workload", "agents_needed", "erlang_a", "erlang_b", "erlang_c"]

#: Beyond any queue of a contact center; workloads that need more are refused.
MAX_AGENTS: Final = 10_000

#: Pieces of an integral on either side of the peak, each half as long as the next one, by Gauss's rule of 16 points.
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
#: Terms below e to the power of minus this are negligible.
_NEGLIGIBLE: Final = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The workload of a queue.

    Raises:
        ValueError: a number is not finite, or is out of its range.
    """

    #: Contacts an hour; 0 is permitted.
    contacts_per_hour: float
    #: Average handle time in seconds.
    aht_seconds: float
    #: Average patience of waiting customers in seconds; None: endless.
    patience_seconds: float | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not (isfinite(self.contacts_per_hour) and self.contacts_per_hour >= 0):
            raise ValueError(f"contacts an hour are 0 or more, not {self.contacts_per_hour}")
        if not (isfinite(self.aht_seconds) and self.aht_seconds > 0):
            raise ValueError(f"the average handle time is above 0 seconds, not {self.aht_seconds}")
        if self.patience_seconds is not None and not (isfinite(self.patience_seconds) and self.patience_seconds > 0):
            raise ValueError(f"patience is above 0 seconds, not {self.patience_seconds}")

    @property
    def erlangs(self) -> float:
        """The load: the average number of busy agents if no contact ever waited."""
        return self.contacts_per_hour * self.aht_seconds / 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """The performance of a number of agents in the long run."""

    agents: int
    #: Share of contacts that wait at all.
    waiting_probability: float
    #: Share of contacts that are answered within the threshold.
    service_level: float
    #: Share of contacts that are abandoned.
    abandon_rate: float
    #: Average wait in seconds, of answered and abandoned contacts; None: the queue grows without limit.
    wait_seconds: float | None
    #: Share of time that agents are busy.
    occupancy: float


def erlang_b(agents: int, erlangs: float) -> float:
    """Return the probability that all of ``agents`` are busy where contacts cannot wait: Erlang's loss formula."""
    blocked = 1.0
    for number in range(1, agents + 1):
        blocked = erlangs * blocked / (number + erlangs * blocked)
    return blocked


def erlang_c(workload: Workload, agents: int, threshold_seconds: float) -> Performance:
    """Return the performance of ``agents`` where customers never hang up; patience is ignored."""
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
    """Return the performance of ``agents`` where waiting customers hang up after an exponential time, on average ``patience_seconds``."""
    if workload.patience_seconds is None:
        return erlang_c(workload, agents, threshold_seconds)
    load = workload.erlangs
    if load == 0:
        return _idle(agents)
    if agents == 0:
        return Performance(
            agents=0, waiting_probability=1, service_level=0, abandon_rate=1, wait_seconds=workload.patience_seconds, occupancy=0
        )
    # In units of the average handle time, the rates are `load` of arrivals, 1 of an agent, `leaving` of a waiting customer.
    leaving = workload.aht_seconds / workload.patience_seconds

    def exponent(at: float) -> float:
        """Return the exponent of the density of an endlessly patient customer's wait."""
        return -load * expm1(-leaving * at) / leaving - agents * at

    # The density peaks where arrivals that stay balance agents that become free.
    peak = log(load / agents) / leaving if load > agents else 0.0
    height = exponent(peak)
    start, end = _begin(exponent, peak, height), _end(exponent, peak, height)
    area = _integral(lambda at: exp(exponent(at) - height), start, peak, end)
    blocked = erlang_b(agents - 1, load)
    if blocked == 0:  # below the range of a float: no contact waits
        return replace(_idle(agents), occupancy=load / agents)
    # All is scaled by the height, which may exceed the range of a float.
    others = exp(-height) / blocked
    total = others + load * area
    waiting = load * area / total
    abandoned = max(0.0, (exp(-height) + (load - agents) * area) / total)
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
    """Return the performance of the fewest agents that reach a service level.

    Raises:
        ValueError: the service level is not between 0 and 1, or needs more than ``MAX_AGENTS``.
    """
    if not 0 < service_level < 1:
        raise ValueError(f"a service level to reach is above 0 and below 1, not {service_level}")
    # More agents are never worse, so bisect.
    low, high = 0, 1
    while (best := erlang_a(workload, high, threshold_seconds)).service_level < service_level:
        if high >= MAX_AGENTS:
            raise ValueError(
                f"{workload.contacts_per_hour:g} contacts an hour of {workload.aht_seconds:g} s need more than {MAX_AGENTS} agents"
            )
        low, high = high, min(2 * high, MAX_AGENTS)
    while high - low > 1:
        middle = (low + high) // 2
        performance = erlang_a(workload, middle, threshold_seconds)
        if performance.service_level < service_level:
            low = middle
        else:
            high, best = middle, performance
    return erlang_a(workload, 0, threshold_seconds) if workload.erlangs == 0 else best


def _idle(agents: int) -> Performance:
    return Performance(agents=agents, waiting_probability=0, service_level=1, abandon_rate=0, wait_seconds=0, occupancy=0)


def _begin(exponent: Callable[[float], float], peak: float, height: float) -> float:
    """Return the point up to which the density is negligible beside its peak."""
    low, high = 0.0, peak
    if exponent(low) > height - _NEGLIGIBLE:
        return low
    # Exact to 1 % of the distance to the peak, which is enough.
    while high - low > 0.01 * (peak - low):
        middle = (low + high) / 2
        low, high = (middle, high) if exponent(middle) <= height - _NEGLIGIBLE else (low, middle)
    return low


def _end(exponent: Callable[[float], float], peak: float, height: float) -> float:
    """Return the point from which on the density is negligible beside its peak."""
    width = 1e-6
    while exponent(peak + width) > height - _NEGLIGIBLE:
        width *= 1.5
    return peak + width


def _integral(function: Callable[[float], float], start: float, peak: float, end: float) -> float:
    """Return the integral of a smooth function that changes most around its peak; 0 if the end is before the start."""
    area = 0.0
    for far in (start, end):
        side = abs(far - peak) if start < end else 0.0
        inner = 0.0
        for piece in range(_PIECES):
            outer = side / 2 ** (_PIECES - 1 - piece)
            sign = 1 if far > peak else -1
            area += (outer - inner) * sum(weight * function(peak + sign * (inner + (outer - inner) * point)) for point, weight in _GAUSS)
            inner = outer
    return area
