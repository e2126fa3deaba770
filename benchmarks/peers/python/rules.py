"""The rules of the five figures for the peers in Python: conversations become contributions, contributions become windows.

It imports nothing of the project, as each peer runs in an environment of its own. The recount shares no code with it.
"""

from __future__ import annotations

import argparse
import os
from datetime import datetime

import orjson

FIELDS = ("offered", "answered", "abandoned", "in_time", "wait_ms", "handle_ms")
KINDS = frozenset({"contact.queued", "contact.answered", "contact.transferred", "contact.ended", "contact.wrapped_up"})
IN_TIME_MS = 20_000
INTERVAL_MS = 900_000
PANE_MS = 10_000
NEVER = -1


def options() -> argparse.Namespace:
    """Return the options of the program."""
    parser = argparse.ArgumentParser()
    for name in ("id", "bootstrap", "source", "contributions", "output"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--commit-ms", type=int, required=True)
    return parser.parse_args()


class Marks:
    """Prints a mark when the first event has been read, half of them, and all: the benchmark reads the clock then."""

    def __init__(self, events):
        self.seen = 0
        self.marks = [(1, "first"), (max(1, events // 2), "half"), (events, "all")]

    def add(self, events):
        """Count ``events`` more."""
        self.seen += events
        while self.marks and self.seen >= self.marks[0][0]:
            # Not through sys.stdout, which Faust replaces by a logger.
            os.write(1, self.marks.pop(0)[1].encode() + b"\n")


def milliseconds(text):
    """Return the instant of an ISO text."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def take(state, event):
    """Return the new state of a conversation and its contributions.

    A state is ``[waiting since, talking since, wrapping since, queue|channel]`` or None, a contribution ``(scope, at, amounts)``.
    """
    kind = event["type"]
    at = milliseconds(event["occurred_at"])
    waiting, talking, wrapping, scope = state or (NEVER, NEVER, NEVER, "")
    found = []
    if kind == "contact.queued":
        if waiting == NEVER:
            waiting, scope = at, f"{event['queue']}|{event['channel']}"
            found.append((scope, at, (1, 0, 0, 0, 0, 0)))
    elif kind == "contact.answered":
        if waiting != NEVER:
            wait = max(0, at - waiting)
            waiting, talking = NEVER, at
            found.append((scope, at, (0, 1, 0, int(wait <= IN_TIME_MS), wait, 0)))
    elif kind == "contact.wrapped_up":
        if wrapping != NEVER:
            found.append((scope, at, (0, 0, 0, 0, 0, max(0, at - wrapping))))
            wrapping = NEVER
    else:
        if kind == "contact.ended" and waiting != NEVER:
            waiting = NEVER
            found.append((scope, at, (0, 0, 1, 0, 0, 0)))
        if talking != NEVER:
            found.append((scope, at, (0, 0, 0, 0, 0, max(0, at - talking))))
            talking = NEVER
            if kind == "contact.ended":
                wrapping = at
    if waiting == talking == wrapping == NEVER:
        return None, found
    return [waiting, talking, wrapping, scope], found


class Windows:
    """The intervals and panes of a queue and channel, and what of them has changed since it was last asked."""

    __slots__ = ("changed", "intervals", "newest", "panes")

    def __init__(self, intervals=(), panes=()):
        self.intervals = dict(intervals)
        self.panes = dict(panes)
        self.newest = max(self.panes, default=0)
        self.changed = set()

    def add(self, at, amounts):
        """Add a contribution."""
        start = at - at % INTERVAL_MS
        self.intervals[start] = [a + b for a, b in zip(self.intervals.get(start, (0,) * 6), amounts, strict=True)]
        self.changed.add(start)
        pane = at - at % PANE_MS
        self.newest = max(self.newest, pane)
        if pane > self.newest - INTERVAL_MS:
            self.panes[pane] = [a + b for a, b in zip(self.panes.get(pane, (0,) * 6), amounts, strict=True)]

    def records(self, scope):
        """Return keys and values of what has changed, as they are published."""
        oldest = self.newest - INTERVAL_MS
        for pane in [pane for pane in self.panes if pane <= oldest]:
            del self.panes[pane]
        found = [(f"15m|{scope}|{start}", value(self.intervals[start])) for start in self.changed]
        found.append((f"trailing|{scope}", value([sum(column) for column in zip(*self.panes.values(), strict=True)])))
        self.changed.clear()
        return found


def value(amounts):
    """Return sums as they are published."""
    return orjson.dumps(dict(zip(FIELDS, amounts, strict=True)))
