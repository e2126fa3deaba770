"""Pending work in the now records of a scope, as of an instant: overdue replies and the age of the backlog."""

from __future__ import annotations

from bisect import bisect_left
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from schemas.base import REPLY_CHANNELS
from streams.catalogue.model import AGE_BANDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from streams.configuration import Configuration

__all__ = ["ages", "becomes_due", "has_replies", "may_become_due", "replies_overdue"]

_HOUR_MS = 3_600_000
#: Upper limits of the age bands.
_BELOW_MS = (*(hours * _HOUR_MS for hours in (4, 24, 72, 168)), inf)
_DUE = ("callback_due_ms", "reply_due_ms")


def has_replies(configuration: Configuration, scope: str, channel: str | None) -> bool:
    """Return whether replies have a target time in a scope and channel."""
    if channel is None or channel in REPLY_CHANNELS:
        return channel is not None
    kind, name = scope.split(":", 1)
    return any(
        queue.reply_target_seconds is not None
        and queue.channel in {None, channel}
        and (kind == "total" or name == (own if kind == "queue" else getattr(queue, kind, None)))
        for own, queue in configuration.queues.items()
    )


def may_become_due(figures: Mapping[str, Any]) -> bool:
    """Return whether time alone can make something fall due or age the backlog."""
    get = figures.get
    if get("backlog_hours"):
        return True
    for name in _DUE:  # noqa: SIM110 - called for each scope at each flush
        if get(name):
            return True
    return False


def becomes_due(figures: Mapping[str, Any], before_ms: int | None, as_of_ms: int, step_ms: int) -> bool:
    """Return whether something falls due, or a step of the backlog's age begins, between two instants."""
    if before_ms is None:
        return True
    if figures.get("backlog_hours") and before_ms // step_ms != as_of_ms // step_ms:
        return True
    return any(bisect_left(due, before_ms) != bisect_left(due, as_of_ms) for name in _DUE if (due := figures.get(name)))


def replies_overdue(partitions: Iterable[Mapping[str, Any]], as_of_ms: int) -> int:
    """Return the number of customers who wait for a reply that was due before as-of."""
    return sum(figures.get("replies_overdue", 0) + bisect_left(figures.get("reply_due_ms", ()), as_of_ms) for figures in partitions)


def ages(partitions: Iterable[Mapping[str, Any]], as_of_ms: int, age_ms: Callable[[int, int], int]) -> dict[str, int]:
    """Return age band → contacts of the backlog; ``age_ms`` returns an age from start and as-of, in ms."""
    numbers = dict.fromkeys(AGE_BANDS, 0)
    for figures in partitions:
        hours = figures.get("backlog_hours", ())
        end = len(hours)
        for band, below in zip(AGE_BANDS, _BELOW_MS, strict=True):
            # Hours ascend, so the youngest contacts are last.
            first = bisect_left(hours, 1, 0, end, key=partial(_is_younger, age_ms, as_of_ms, below))
            numbers[band] += sum(number for _, number in hours[first:end])
            end = first
    return numbers


def _is_younger(age_ms: Callable[[int, int], int], as_of_ms: int, below_ms: float, hour: tuple[int, int]) -> int:
    return int(age_ms(hour[0] * _HOUR_MS, as_of_ms) < below_ms)
