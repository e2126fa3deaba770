"""How contacts fall into the parts of a figure: met, missed, abandoned, not counted; each amount goes into exactly one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.catalogue.fields import (
    ABANDONED,
    ABANDONED_WAIT_MS,
    ABANDONED_WAITS,
    ANSWERED,
    ANSWERED_WAIT_MS,
    ANSWERED_WAITS,
    FLOW_OUT,
    SHORT_ABANDONED_WAITS,
    WAYS_OUT,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from streams.catalogue.formulas import Figure
    from streams.catalogue.quantities import Sum
    from streams.windows.sums import Counts

__all__ = ["Parted", "Role", "parts_of"]

#: In the numerator and so in the denominator; in the denominator alone; in neither, though it is of the window.
Role = str

#: The ways out of a queue, in the order in which they are told.
_WAYS = ("answered", "abandoned", *sorted(FLOW_OUT.name(reason=reason) for reason in WAYS_OUT))
#: Field → the way out of the queue that it tells of.
_WAY_OF = {
    **dict.fromkeys((each.key for each in (ANSWERED, ANSWERED_WAIT_MS, ANSWERED_WAITS)), "answered"),
    **dict.fromkeys((each.key for each in (ABANDONED, ABANDONED_WAIT_MS, ABANDONED_WAITS, SHORT_ABANDONED_WAITS)), "abandoned"),
}
_LEVELS = frozenset({"service_level", "service_level_live"})
_RATES = {"answer_rate": "answered", "abandon_rate": "abandoned"}


class Parted(NamedTuple):
    """An amount of a contact in one part of a figure; amounts of one part add up."""

    part: str
    amount: float


def parts_of(kpi: str, counts: Counts, figures: Callable[[Counts], Mapping[str, Figure]]) -> Iterator[Parted]:
    """Yield the parts of a figure that one contact is in; ``figures`` makes figures of sums."""
    if kpi in _LEVELS:
        yield from _level(counts, figures)
    elif kpi in _RATES:
        yield from _rate(counts)
    else:
        figure = figures(counts).get(kpi)
        if figure is None:
            return
        if figure["denominator"] is None:
            if figure["numerator"]:
                yield Parted("counted", figure["numerator"])
            return
        if figure["numerator"]:
            yield Parted("numerator", figure["numerator"])
        if figure["denominator"]:
            yield Parted("denominator", figure["denominator"])


def _level(counts: Counts, figures: Callable[[Counts], Mapping[str, Figure]]) -> Iterator[Parted]:
    """Yield answered, abandoned and left contacts apart, each as met, missed or not counted."""
    decided = 0
    for name, mine in _ways(counts):
        number = mine.get(name, 0)
        decided += number
        figure = figures(mine)["service_level"]
        met, counted = figure["numerator"] or 0, figure["denominator"] or 0
        for role, amount in (("met", met), ("missed", counted - met), ("not_counted", number - counted)):
            if amount:
                yield Parted(f"{name}_{role}", amount)
    if (open_ := counts.get("offered", 0) - decided) > 0:
        yield Parted("undecided", open_)


def _rate(counts: Counts) -> Iterator[Parted]:
    decided = 0
    for name, mine in _ways(counts):
        decided += mine.get(name, 0)
        if mine.get(name, 0):
            yield Parted(name, mine[name])
    if (open_ := counts.get("offered", 0) - decided) > 0:
        yield Parted("undecided", open_)


def _ways(counts: Counts) -> Iterator[tuple[str, Counts]]:
    """Yield the ways in which contacts left a queue, each with its own counts."""
    found: dict[str, Counts] = {name: {} for name in _WAYS}
    for name, amount in counts.items():
        told = parse(name)
        way = None if told is None or told.definition is not None else _way(told)
        if way in found:
            found[way][name] = amount
    yield from ((name, mine) for name, mine in found.items() if mine)


def _way(told: Sum) -> str | None:
    """Return of which way out of the queue a sum tells."""
    reason = told.values.get("reason")
    return _WAY_OF.get(told.field.key) if reason is None else FLOW_OUT.name(reason=reason)
