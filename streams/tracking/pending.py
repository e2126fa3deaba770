"""What waits for agents beyond the queues: callbacks to be made, replies to be written, and the backlog of the reply channels."""

from __future__ import annotations

from bisect import bisect_left
from heapq import merge
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

Key = TypeVar("Key", str, int)

__all__ = ["HOUR_MS", "Open", "Pending"]

HOUR_MS = 3_600_000


class Open(NamedTuple):
    """What of one conversation is pending, and the group of its place."""

    group: int
    backlog: str | None
    start: int | None
    callback: bool
    due: int | None
    reply_due: int | None = None


class _Tally:
    """What the open matters of one group come to."""

    def __init__(self, matters: Iterable[Open]) -> None:
        self.backlog: dict[str, int] = {}
        #: start in whole hours since the epoch → how many of the backlog
        self.hours: dict[int, int] = {}
        self.oldest: int | None = None
        self.callbacks = 0
        self.callback_due: list[int] = []
        self.reply_due: list[int] = []
        for each in matters:
            if each.backlog is not None:
                self.backlog[each.backlog] = self.backlog.get(each.backlog, 0) + 1
                if each.start is not None:
                    hour = each.start // HOUR_MS
                    self.hours[hour] = self.hours.get(hour, 0) + 1
                    if self.oldest is None or each.start < self.oldest:
                        self.oldest = each.start
            if each.callback:
                self.callbacks += 1
                if each.due is not None:
                    self.callback_due.append(each.due)
            if each.reply_due is not None:
                self.reply_due.append(each.reply_due)
        self.callback_due.sort()
        self.reply_due.sort()


class Pending:
    """The open matters of all conversations by group."""

    def __init__(self) -> None:
        self._open: dict[int, dict[str, Open]] = {}
        #: of the groups that have not changed since they were last counted: a group is in several scopes
        self._tallies: dict[int, _Tally] = {}

    def note(self, name: str, before: Open | None, after: Open | None) -> None:
        """Replace what is known of a conversation."""
        if before is not None:
            del self._open[before.group][name]
            self._tallies.pop(before.group, None)
        if after is not None:
            self._open.setdefault(after.group, {})[name] = after
            self._tallies.pop(after.group, None)

    def is_open(self, group: int) -> bool:
        """Say whether anything is open in a group."""
        return bool(self._open.get(group))

    def figures(self, groups: Iterable[int], overdue_before_ms: int | None = None) -> dict[str, Any]:
        """Return what is pending in some groups together, as fields of a now record; nothing for nothing.

        Replies due before ``overdue_before_ms``, which as-of has passed already, are written as their number: thousands may be overdue.
        """
        tallies = [self._tally(group) for group in groups if self._open.get(group)]
        found: dict[str, Any] = {}
        backlog, hours = _together(tally.backlog for tally in tallies), _together(tally.hours for tally in tallies)
        if backlog:
            oldest = min((tally.oldest for tally in tallies if tally.oldest is not None), default=None)
            found |= {"backlog": backlog, "backlog_oldest_ms": oldest, "backlog_hours": sorted(map(list, hours.items()))}
        callbacks = sum(tally.callbacks for tally in tallies)
        if callbacks:
            found |= {"callbacks_waiting": callbacks, "callback_due_ms": list(merge(*(tally.callback_due for tally in tallies)))}
        due = list(merge(*(tally.reply_due for tally in tallies)))
        if due:
            overdue = 0 if overdue_before_ms is None else bisect_left(due, overdue_before_ms)
            found |= {"replies_overdue": overdue, "reply_due_ms": due[overdue:]}
        return found

    def _tally(self, group: int) -> _Tally:
        tally = self._tallies.get(group)
        if tally is None:
            tally = self._tallies[group] = _Tally(self._open[group].values())
        return tally


def _together(each: Iterable[dict[Key, int]]) -> dict[Key, int]:
    total: dict[Key, int] = {}
    for counts in each:
        for key, number in counts.items():
            total[key] = total.get(key, 0) + number
    return total
