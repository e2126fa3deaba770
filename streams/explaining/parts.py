"""Split a figure into parts: met, missed, abandoned, not counted; each amount goes into exactly one."""

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

__all__ = ["PartAmount", "Role", "parts_of"]

#: In the numerator and so in the denominator; in the denominator alone; in neither, though it is of the window.
Role = str

#: The ways out of a queue, in the order of the answer.
_WAYS = ("answered", "abandoned", *sorted(FLOW_OUT.name(reason=reason) for reason in WAYS_OUT))
#: Field → the way out of the queue that it counts.
_WAY_OF = {
    **dict.fromkeys((each.key for each in (ANSWERED, ANSWERED_WAIT_MS, ANSWERED_WAITS)), "answered"),
    **dict.fromkeys((each.key for each in (ABANDONED, ABANDONED_WAIT_MS, ABANDONED_WAITS, SHORT_ABANDONED_WAITS)), "abandoned"),
}
_LEVELS = frozenset({"service_level", "service_level_live"})
_RATES = {"answer_rate": "answered", "abandon_rate": "abandoned"}


class PartAmount(NamedTuple):
    """An amount of a contact in one part of a figure; amounts of one part add up."""

    part: str
    amount: float


def parts_of(kpi: str, counts: Counts, figures: Callable[[Counts], Mapping[str, Figure]]) -> Iterator[PartAmount]:
    """Yield the parts of a figure that one contact is in; ``figures`` computes figures from sums."""
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
                yield PartAmount("counted", figure["numerator"])
            return
        if figure["numerator"]:
            yield PartAmount("numerator", figure["numerator"])
        if figure["denominator"]:
            yield PartAmount("denominator", figure["denominator"])


def _level(counts: Counts, figures: Callable[[Counts], Mapping[str, Figure]]) -> Iterator[PartAmount]:
    """Yield answered, abandoned and left contacts separately, each as met, missed or not counted."""
    decided = 0
    for name, mine in _ways(counts):
        number = mine.get(name, 0)
        decided += number
        figure = figures(mine)["service_level"]
        met, counted = figure["numerator"] or 0, figure["denominator"] or 0
        for role, amount in (("met", met), ("missed", counted - met), ("not_counted", number - counted)):
            if amount:
                yield PartAmount(f"{name}_{role}", amount)
    if (open_ := counts.get("offered", 0) - decided) > 0:
        yield PartAmount("undecided", open_)


def _rate(counts: Counts) -> Iterator[PartAmount]:
    decided = 0
    for name, mine in _ways(counts):
        decided += mine.get(name, 0)
        if mine.get(name, 0):
            yield PartAmount(name, mine[name])
    if (open_ := counts.get("offered", 0) - decided) > 0:
        yield PartAmount("undecided", open_)


def _ways(counts: Counts) -> Iterator[tuple[str, Counts]]:
    """Yield the ways in which contacts left a queue, each with its own counts."""
    by_way: dict[str, Counts] = {name: {} for name in _WAYS}
    for name, amount in counts.items():
        parsed = parse(name)
        way = None if parsed is None or parsed.definition is not None else _way(parsed)
        if way in by_way:
            by_way[way][name] = amount
    yield from ((name, mine) for name, mine in by_way.items() if mine)


def _way(amount: Sum) -> str | None:
    """Return the way out of the queue that a sum counts."""
    reason = amount.values.get("reason")
    return _WAY_OF.get(amount.field.key) if reason is None else FLOW_OUT.name(reason=reason)
