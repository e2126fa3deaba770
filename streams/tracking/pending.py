"""What waits in each scope: contacts in queues, callbacks to be made, replies to be written, the backlog of the reply channels.

Each change is added to the scopes that it is in, so that a look at a scope costs by what is written of it and not by its queues.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from streams.tracking.scopes import Scope, Targets

Key = TypeVar("Key", str, int, "Scope")

__all__ = ["HOUR_MS", "Open", "OpenItem", "Pending", "ScopeLoad"]

HOUR_MS = 3_600_000


class ScopeLoad:
    """Waiting and active contacts by scope."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        #: scope → entries of waiting contacts, ascending, in ms
        self._waiting: dict[Scope, list[int]] = {}
        #: larger scope → name of another definition → entries of waiting contacts judged by it
        self._judged: dict[Scope, dict[str, list[int]]] = {}
        self._active: dict[Scope, int] = {}

    def begin_wait(self, target: int, since_ms: int) -> None:
        """Add a waiting contact to the scopes of a target."""
        judged = self._targets.judged.get(target)
        for scope in self._targets.scopes[target]:
            _put_in(self._waiting, scope, since_ms)
            if judged is not None and not scope.scope.startswith("queue:"):
                _put_in(self._judged.setdefault(scope, {}), judged, since_ms)

    def begin_waits(self, by_target: dict[int, list[int]]) -> None:
        """Add waiting contacts of targets in one pass: single inserts cost by the length of the lists."""
        lists: dict[int, list[int]] = {}
        for target, since_ms in by_target.items():
            judged = self._targets.judged.get(target)
            for scope in self._targets.scopes[target]:
                into = [self._waiting.setdefault(scope, [])]
                if judged is not None and not scope.scope.startswith("queue:"):
                    into.append(self._judged.setdefault(scope, {}).setdefault(judged, []))
                for entries in into:
                    entries.extend(since_ms)
                    lists[id(entries)] = entries
        for entries in lists.values():
            entries.sort()

    def end_wait(self, target: int, since_ms: int) -> None:
        """Remove a waiting contact from the scopes of a target."""
        judged = self._targets.judged.get(target)
        for scope in self._targets.scopes[target]:
            _take_out(self._waiting, scope, since_ms)
            if judged is not None and not scope.scope.startswith("queue:"):
                _take_out(self._judged[scope], judged, since_ms)

    def add_active(self, target: int, change: int) -> None:
        """Change the number of active contacts in the scopes of a target."""
        for scope in self._targets.scopes[target]:
            _add(self._active, scope, change)

    def waiting(self, scope: Scope) -> list[int]:
        """Return the entries of the contacts waiting in a scope, ascending, in ms."""
        return [*self._waiting.get(scope, ())]

    def waiting_by_definition(self, scope: Scope) -> dict[str, list[int]]:
        """Return, by its name, the entries in a larger scope that another definition judges."""
        return {name: [*since] for name, since in sorted(self._judged.get(scope, {}).items())}

    def active(self, scope: Scope) -> int:
        """Return the number of active contacts in a scope."""
        return self._active.get(scope, 0)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))


class Open(NamedTuple):
    """Pending work of one conversation, and the group of its place."""

    group: int
    backlog: str | None
    start: int | None
    callback: bool
    due: int | None
    reply_due: int | None = None


#: An ``Open`` without its group.
OpenItem = tuple[str | None, int | None, bool, int | None, int | None]


class _Tally:
    """Pending work of one scope."""

    __slots__ = ("backlog", "callback_due", "callbacks", "hours", "number", "reply_due", "starts")

    def __init__(self) -> None:
        self.number = 0
        self.backlog: dict[str, int] = {}
        #: start in hours since the epoch → number of the backlog
        self.hours: dict[int, int] = {}
        #: starts of the backlog, ascending, in ms
        self.starts: list[int] = []
        self.callbacks = 0
        self.callback_due: list[int] = []
        self.reply_due: list[int] = []

    def count(self, item: Open, sign: int) -> None:
        """Add or remove an item."""
        change = insort if sign > 0 else _remove
        self.number += sign
        if item.backlog is not None:
            _add(self.backlog, item.backlog, sign)
            if item.start is not None:
                _add(self.hours, item.start // HOUR_MS, sign)
                change(self.starts, item.start)
        if item.callback:
            self.callbacks += sign
            if item.due is not None:
                change(self.callback_due, item.due)
        if item.reply_due is not None:
            change(self.reply_due, item.reply_due)

    def add(self, items: list[OpenItem]) -> None:
        """Add items in any order."""
        self.number += len(items)
        states, starts, callbacks, dues, replies = zip(*items, strict=True)
        begun = [start for start, state in zip(starts, states, strict=True) if state is not None and start is not None]
        for state, number in Counter(states).items():
            if state is not None:
                _add(self.backlog, state, number)
        begun.sort()
        at = 0
        while at < len(begun):
            hour = begun[at] // HOUR_MS
            end = bisect_left(begun, (hour + 1) * HOUR_MS, at)
            _add(self.hours, hour, end - at)
            at = end
        self.starts += begun
        if any(callbacks):
            self.callbacks += sum(callbacks)
            self.callback_due += [due for due, callback in zip(dues, callbacks, strict=True) if callback and due is not None]
        self.reply_due += [due for due in replies if due is not None]
        self._sort()

    def _sort(self) -> None:
        for times in (self.starts, self.callback_due, self.reply_due):
            times.sort()

    def take(self, others: list[_Tally]) -> None:
        """Add the items of other tallies."""
        for other in others:
            self.number += other.number
            self.callbacks += other.callbacks
            for state, number in other.backlog.items():
                _add(self.backlog, state, number)
            for hour, number in other.hours.items():
                _add(self.hours, hour, number)
            self.starts += other.starts
            self.callback_due += other.callback_due
            self.reply_due += other.reply_due
        self._sort()


class Pending:
    """Pending work of all conversations by scope."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._tallies: dict[Scope, _Tally] = {}

    def note(self, before: Open | None, after: Open | None) -> None:
        """Replace the pending work of a conversation."""
        for item, sign in ((before, -1), (after, 1)):
            if item is None:
                continue
            for scope in self._targets.scopes[item.group]:
                tally = self._tallies.get(scope)
                if tally is None:
                    tally = self._tallies[scope] = _Tally()
                tally.count(item, sign)
                if not tally.number:
                    del self._tallies[scope]

    def add(self, by_group: dict[int, list[OpenItem]]) -> None:
        """Add new conversations in one pass: single changes cost by what a scope contains."""
        of_scope: defaultdict[Scope, list[_Tally]] = defaultdict(list)
        for group, items in by_group.items():
            tally = _Tally()
            tally.add(items)
            for scope in self._targets.scopes[group]:
                of_scope[scope].append(tally)
        for scope, tallies in of_scope.items():
            self._tallies.setdefault(scope, _Tally()).take(tallies)

    def is_open(self, scope: Scope) -> bool:
        """Return whether a scope has pending work."""
        return scope in self._tallies

    def figures(self, scope: Scope, overdue_before_ms: int | None = None) -> dict[str, Any]:
        """Return pending work of a scope as fields of a now record; empty if there is none.

        Replies due before ``overdue_before_ms``, an instant that as-of has passed, are only counted: thousands may be overdue.
        """
        tally = self._tallies.get(scope)
        figures: dict[str, Any] = {}
        if tally is None:
            return figures
        if tally.backlog:
            oldest = tally.starts[0] if tally.starts else None
            hours = sorted(map(list, tally.hours.items()))
            figures |= {"backlog": dict(sorted(tally.backlog.items())), "backlog_oldest_ms": oldest, "backlog_hours": hours}
        if tally.callbacks:
            figures |= {"callbacks_waiting": tally.callbacks, "callback_due_ms": [*tally.callback_due]}
        due = tally.reply_due
        if due:
            overdue = 0 if overdue_before_ms is None else bisect_left(due, overdue_before_ms)
            figures |= {"replies_overdue": overdue, "reply_due_ms": due[overdue:]}
        return figures

    def __len__(self) -> int:
        return sum(tally.number for tally in self._tallies.values())


def _add(counts: dict[Key, int], key: Key, change: int) -> None:
    """Change a count; remove the key at zero."""
    number = counts.get(key, 0) + change
    if number:
        counts[key] = number
    else:
        del counts[key]


def _put_in(lists: dict[Key, list[int]], key: Key, value: int) -> None:
    values = lists.get(key)
    if values is None:
        lists[key] = [value]
    else:
        insort(values, value)


def _take_out(lists: dict[Key, list[int]], key: Key, value: int) -> None:
    values = lists[key]
    _remove(values, value)
    if not values:
        del lists[key]


def _remove(values: list[int], value: int) -> None:
    del values[bisect_left(values, value)]
