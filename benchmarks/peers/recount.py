"""The recount that peers are judged by: five figures of each queue and channel, counted in plain Python from the events themselves.

It shares no code with a peer. What is counted, by event and in topic order of each conversation:

* ``contact.queued`` is an offer and begins a wait, unless the conversation waits already;
* ``contact.answered`` ends a wait: answered, with its wait, and in time within 20 s; the talk begins;
* ``contact.transferred`` and ``contact.ended`` end a talk, which is handle time; an end also abandons a wait and begins the wrap-up;
* ``contact.wrapped_up`` ends a wrap-up after an end, which is handle time too.

Everything is booked when it happens, in the queue and channel waited in: in its interval of 15 minutes, and in a pane of 10 s of the
trailing 15 minutes, which end with the newest pane of that queue and channel.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FIELDS", "Recount", "difference"]

FIELDS: Final = ("offered", "answered", "abandoned", "in_time", "wait_ms", "handle_ms")

_IN_TIME_MS: Final = 20_000
_INTERVAL_MS: Final = 15 * 60_000
_PANE_MS: Final = 10_000


class Recount:
    """Counts events in the order of their topic and returns the five figures."""

    def __init__(self) -> None:
        """Begin without events."""
        self._since: dict[tuple[str, str], int] = {}
        self._queue_of: dict[str, tuple[str, str]] = {}
        self._intervals: dict[tuple[str, str, int], dict[str, int]] = defaultdict(lambda: dict.fromkeys(FIELDS, 0))
        self._panes: dict[tuple[str, str], dict[int, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: dict.fromkeys(FIELDS, 0)))

    def take(self, event: Mapping[str, Any]) -> None:
        """Count one event of a contact; others are ignored."""
        kind: str = event["type"]
        if kind not in {"contact.queued", "contact.answered", "contact.transferred", "contact.ended", "contact.wrapped_up"}:
            return
        contact: str = event["conversation_id"]
        at = round(datetime.fromisoformat(event["occurred_at"]).timestamp() * 1000)
        if kind == "contact.queued" and (contact, "wait") not in self._since:
            self._queue_of[contact] = (event["queue"], event["channel"])
            self._since[contact, "wait"] = at
            self._book(contact, at, offered=1)
        elif kind == "contact.answered":
            wait_ms = self._ended(contact, "wait", at)
            if wait_ms is not None:
                self._since[contact, "talk"] = at
                self._book(contact, at, answered=1, in_time=int(wait_ms <= _IN_TIME_MS), wait_ms=wait_ms)
        elif kind in {"contact.transferred", "contact.ended"}:
            if kind == "contact.ended" and self._ended(contact, "wait", at) is not None:
                self._book(contact, at, abandoned=1)
            talk_ms = self._ended(contact, "talk", at)
            if talk_ms is not None:
                self._book(contact, at, handle_ms=talk_ms)
                if kind == "contact.ended":
                    self._since[contact, "wrap"] = at
        elif kind == "contact.wrapped_up":
            wrap_ms = self._ended(contact, "wrap", at)
            if wrap_ms is not None:
                self._book(contact, at, handle_ms=wrap_ms)

    def _ended(self, contact: str, what: str, at: int) -> int | None:
        since = self._since.pop((contact, what), None)
        return None if since is None else max(0, at - since)

    def _book(self, contact: str, at: int, **amounts: int) -> None:
        queue, channel = self._queue_of[contact]
        interval = self._intervals[queue, channel, at // _INTERVAL_MS * _INTERVAL_MS]
        pane = self._panes[queue, channel][at // _PANE_MS]
        for name, amount in amounts.items():
            interval[name] += amount
            pane[name] += amount

    def records(self) -> dict[str, dict[str, int]]:
        """Return what the output topic of a peer must hold in the end, by key."""
        found = {f"15m|{queue}|{channel}|{start}": dict(sums) for (queue, channel, start), sums in self._intervals.items()}
        for (queue, channel), panes in self._panes.items():
            newest = max(panes)
            recent = [sums for pane, sums in panes.items() if pane > newest - _INTERVAL_MS // _PANE_MS]
            found[f"trailing|{queue}|{channel}"] = {name: sum(sums[name] for sums in recent) for name in FIELDS}
        return found


def difference(expected: Mapping[str, Mapping[str, int]], published: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return a line for each record that a peer has published otherwise, not at all, or for nothing; empty if all are right."""
    lines = [
        f"{key}: {dict(published[key]) if key in published else 'missing'} in place of {dict(sums)}"
        for key, sums in expected.items()
        if published.get(key) != sums
    ]
    return lines + [f"{key}: nothing is to be counted there" for key in published if key not in expected]
