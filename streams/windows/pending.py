"""What is pending in the now records of a scope, as of an instant: replies overdue and the age of the backlog."""

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
#: The age below which a contact is in a band; the last one takes all.
_BELOW_MS = (*(hours * _HOUR_MS for hours in (4, 24, 72, 168)), inf)
_DUE = ("callback_due_ms", "reply_due_ms")


def has_replies(configuration: Configuration, scope: str, channel: str | None) -> bool:
    """Say whether customers of a scope and channel are to have replies in some time."""
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
    """Say whether anything falls due, or the backlog grows older, as time goes on."""
    get = figures.get
    if get("backlog_hours"):
        return True
    for name in _DUE:  # noqa: SIM110 - asked of each scope at each flush
        if get(name):
            return True
    return False


def becomes_due(figures: Mapping[str, Any], before_ms: int | None, as_of_ms: int, step_ms: int) -> bool:
    """Say whether between two instants anything falls due, or a step begins by which the backlog grows older."""
    if before_ms is None:
        return True
    if figures.get("backlog_hours") and before_ms // step_ms != as_of_ms // step_ms:
        return True
    return any(bisect_left(due, before_ms) != bisect_left(due, as_of_ms) for name in _DUE if (due := figures.get(name)))


def replies_overdue(partitions: Iterable[Mapping[str, Any]], as_of_ms: int) -> int:
    """Return how many customers wait for a reply that was due before as-of."""
    return sum(figures.get("replies_overdue", 0) + bisect_left(figures.get("reply_due_ms", ()), as_of_ms) for figures in partitions)


def ages(partitions: Iterable[Mapping[str, Any]], as_of_ms: int, age_ms: Callable[[int, int], int]) -> dict[str, int]:
    """Return how many contacts of the backlog are in each band of age; ``age_ms`` tells the age of what began at an instant."""
    found = dict.fromkeys(AGE_BANDS, 0)
    for figures in partitions:
        hours = figures.get("backlog_hours", ())
        end = len(hours)
        for band, below in zip(AGE_BANDS, _BELOW_MS, strict=True):
            # The later it began, the younger it is: those below an age are the last ones.
            first = bisect_left(hours, 1, 0, end, key=partial(_is_younger, age_ms, as_of_ms, below))
            found[band] += sum(number for _, number in hours[first:end])
            end = first
    return found


def _is_younger(age_ms: Callable[[int, int], int], as_of_ms: int, below_ms: float, hour: tuple[int, int]) -> int:
    return int(age_ms(hour[0] * _HOUR_MS, as_of_ms) < below_ms)
