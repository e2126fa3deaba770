"""The time of all agents of a partition: number in each state, and changes between states (``docs/counting.md`` 6, 13)."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from streams.windows.slices import MIN_CELL_MS, PANE_MS

if TYPE_CHECKING:
    from streams.tracking.postings import Postings, Rates

__all__ = ["Timed", "Timeline"]


class Timed:
    """Number of agents in one state with one plan, and the amounts of a millisecond of one."""

    __slots__ = ("agents", "bookings")

    def __init__(self, bookings: tuple[tuple[int, Rates], ...]) -> None:
        self.agents = 0
        #: by target; empty: the time counts nowhere
        self.bookings = bookings


class Timeline:
    """Books time pane by pane for all agents at once: only changes of state cost."""

    __slots__ = ("_ahead", "_present")

    def __init__(self) -> None:
        #: states with agents at the end of the booked time
        self._present: set[Timed] = set()
        #: later pane → state → change of agents at its end, and change of ms in it
        self._ahead: dict[int, dict[Timed, tuple[int, int]]] = {}

    def change(self, timed: Timed, at_ms: int, agents: int) -> None:
        """Change the agents in a state from an instant on that is not booked yet."""
        pane = at_ms - at_ms % PANE_MS
        changes = self._ahead.get(pane)
        if changes is None:
            changes = self._ahead[pane] = {}
        now = changes.get(timed)
        length = agents * (pane + PANE_MS - at_ms)
        changes[timed] = (agents, length) if now is None else (now[0] + agents, now[1] + length)

    def move(self, before: Timed, after: Timed, at_ms: int, agents: int = 1) -> None:
        """Move agents between states at an instant that is not booked yet."""
        if before is not after:
            if before.bookings:
                self.change(before, at_ms, -agents)
            if after.bookings:
                self.change(after, at_ms, agents)

    def add(self, timed: Timed, agents: int) -> None:
        """Change the agents in a state at the end of the booked time."""
        if timed.bookings:
            timed.agents += agents
            if timed.agents:
                self._present.add(timed)
            else:
                self._present.discard(timed)

    def clear(self) -> None:
        """Remove all agents and changes."""
        for timed in self._present:
            timed.agents = 0
        self._present.clear()
        self._ahead.clear()

    def book(self, postings: Postings, start_ms: int | None, end_ms: int, keep_ms: int | None, panes_from: int | None) -> None:
        """Book the panes from start to end; without a start, from the first change on.

        ``keep_ms``: longest distance behind the end that counts. ``panes_from``: time before it goes into cells alone.
        """
        ahead = self._ahead
        changed = sorted(pane for pane in ahead if pane < end_ms)
        low = start_ms if start_ms is not None else changed[0] if changed else end_ms
        first = low if keep_ms is None else max(low, end_ms - keep_ms)
        if panes_from is not None and panes_from > low:
            split = min(panes_from, end_ms)
            into_cells = bisect_left(changed, split)
            self._book_into_cells(postings, max(low, first), split, changed[:into_cells])
            low, changed = split, changed[into_cells:]
        for pane in changed:
            self._book_alike(postings, max(low, first), pane)
            changes = ahead.pop(pane)
            if pane >= first:
                for timed in self._present:
                    if timed not in changes:
                        for target, rates in timed.bookings:
                            postings.book_time(target, pane, pane + PANE_MS, rates, timed.agents)
                for timed, (_, length) in changes.items():
                    total = timed.agents * PANE_MS + length
                    if total:
                        for target, rates in timed.bookings:
                            postings.book_length(target, pane, total, rates)
            for timed, (agents, _) in changes.items():
                if agents:
                    self.add(timed, agents)
            low = pane + PANE_MS
        self._book_alike(postings, max(low, first), end_ms)

    def _book_into_cells(self, postings: Postings, low_ms: int, end_ms: int, changed: list[int]) -> None:
        """Book time without panes, of each state from change to change; time before ``low_ms`` does not count."""
        booked_to: dict[Timed, int] = {}
        for pane in changed:
            for timed, (agents, length) in self._ahead.pop(pane).items():
                begin, total = booked_to.get(timed, low_ms), timed.agents * PANE_MS + length
                for target, rates in timed.bookings:
                    if timed.agents and begin < pane:
                        postings.book_time(target, begin, pane, rates, timed.agents, MIN_CELL_MS)
                    if total and pane >= low_ms:
                        postings.book_length(target, pane, total, rates)
                if agents:
                    self.add(timed, agents)
                booked_to[timed] = max(low_ms, pane + PANE_MS)
        for timed in self._present:
            for target, rates in timed.bookings:
                postings.book_time(target, booked_to.get(timed, low_ms), end_ms, rates, timed.agents, MIN_CELL_MS)

    def _book_alike(self, postings: Postings, low_ms: int, high_ms: int) -> None:
        """Book time without changes."""
        if low_ms < high_ms:
            for timed in self._present:
                for target, rates in timed.bookings:
                    postings.book_time(target, low_ms, high_ms, rates, timed.agents)
