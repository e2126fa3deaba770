"""Server-sent events: a snapshot, then changes, at most four times a second, to any number of clients at their own speed.

Progress without changed figures is sent once a second.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import orjson

from streams.access.views import EVERYTHING

if TYPE_CHECKING:
    from streams.access.views import View
    from streams.serving.figures import Figures

__all__ = ["QUIET_SECONDS", "Feed"]

#: Shortest pause between two messages to a client.
INTERVAL_SECONDS = 0.25
#: How often age and connection are checked while no record arrives.
_CHECK_SECONDS = 0.5
#: Pause between two messages of progress alone; partitions report it at different moments.
QUIET_SECONDS = 0.9
_PROGRESS = "progress|"
#: Clients at the same version share the cached bytes.
_MAX_CACHED = 64


class Feed:
    """The messages to the clients of the event stream.

    No client has a queue. A client passes the version it has seen and gets what changed since, so that a slow client skips
    superseded changes and costs no memory. Use it within one event loop.
    """

    def __init__(self, figures: Figures, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._figures = figures
        self._interval_seconds = interval_seconds
        #: Grows with every change.
        self.tick = 0
        self.closed = False
        self._ticked = asyncio.Event()
        self._changed = asyncio.Event()
        self._cache: dict[tuple[int | None, frozenset[str] | None, View, bool], tuple[float, int, bytes]] = {}
        self._began: float | None = None

    async def run(self) -> None:
        """Wake clients on changes until cancelled."""
        unsubscribe = [table.subscribe(self._changed.set) for table in (self._figures.store, self._figures.alerts)]
        sent = self._state()
        now = asyncio.get_running_loop().time
        woke = now()
        try:
            while True:
                # Not wait_for, which in Python 3.11 continues when it is cancelled at the moment of a change.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_CHECK_SECONDS):
                        await self._changed.wait()
                self._changed.clear()
                state = self._state()
                if state == sent or (state[1:] == sent[1:] and now() - woke < QUIET_SECONDS and self._is_quiet(sent[0])):
                    continue
                sent, woke = state, now()
                self._wake()
                await asyncio.sleep(self._interval_seconds)
        finally:
            for end in unsubscribe:
                end()

    def close(self) -> None:
        """End all streams."""
        self.closed = True
        self._wake()

    async def next_tick(self, seen: int, timeout_seconds: float) -> bool:
        """Wait for news for a client that saw tick ``seen``; return whether there are any in time."""
        if self.tick != seen:
            return True
        try:
            async with asyncio.timeout(timeout_seconds):  # unlike wait_for, it creates no task for each client
                await self._ticked.wait()
        except TimeoutError:
            return False
        return True

    def message(
        self, since: int | None, windows: frozenset[str] | None, view: View = EVERYTHING, *, silent_seconds: float = 0.0
    ) -> tuple[int, bytes]:
        """Return the current version and the event that brings a client there from version ``since``, or from nothing.

        Equal views get the same bytes. A restricted view gets no event while nothing in it has changed, for up to ``silent_seconds`` of
        silence: the rate of hidden changes must not show.
        """
        store = self._figures.store
        now = asyncio.get_running_loop().time()
        quiet = view.scopes is not None and silent_seconds < QUIET_SECONDS
        created, version, event = self._cache.get((since, windows, view, quiet), (-1.0, -1, b""))
        if version == store.version and now - created < self._interval_seconds:  # the event states the age of the figures
            return version, event
        event = self._message(since, windows, view, now, quiet=quiet)
        if len(self._cache) < _MAX_CACHED:
            self._cache[since, windows, view, quiet] = (now, store.version, event)
        return store.version, event

    def _message(self, since: int | None, windows: frozenset[str] | None, view: View, now: float, *, quiet: bool) -> bytes:
        figures = self._figures
        changes = None if since is None else figures.store.changes_since(since, view)
        if changes is None:
            kind, body = "snapshot", figures.everything(figures.chosen(windows, view), view)
        else:
            kind = "change"
            records = figures.records(changes.changed, windows)
            if quiet and not records and not changes.removed:
                return b""
            body = {**figures.header(view), "records": records, "removed": changes.removed}
        return _event(kind, self._number(figures.store.version, view, now), body)

    def _number(self, version: int, view: View, now: float) -> int:
        """Return the id of an event: the table's version, or the time for restricted views, to hide the rate of other changes."""
        if view.scopes is None:
            return version
        if self._began is None:
            self._began = now
        return int(1000 * (now - self._began))

    def alerts(self, since: int | None, view: View = EVERYTHING) -> tuple[int | None, bytes]:
        """Return the version of the alerts and the event that brings a client there; no event if it is current."""
        alerts = self._figures.alerts
        number = self._number(alerts.version, view, asyncio.get_running_loop().time())
        if not alerts.known:
            return None, b"" if since is None else _event("alerts", number, {"whole": True, "firing": None, "ended": []})
        changes = None if since is None else alerts.changes_since(since, view)
        entries = alerts.seen(alerts.entries(), view) if changes is None else changes.changed
        firing = {entry.key: self._figures.alert_document(entry) for entry in entries if entry.record.state == "firing"}
        ended: list[str] = []
        if changes is not None:
            ended = [entry.key for entry in entries if entry.key not in firing] + changes.removed
            if not firing and not ended:
                return alerts.version, b""
        return alerts.version, _event("alerts", number, {"whole": changes is None, "firing": firing, "ended": ended})

    def _is_quiet(self, since: int) -> bool:
        """Return whether nothing but progress has changed since a version."""
        changes = self._figures.store.changes_since(since)
        return changes is not None and not changes.removed and all(entry.key.startswith(_PROGRESS) for entry in changes.changed)

    def _wake(self) -> None:
        self.tick += 1
        self._cache.clear()
        self._ticked.set()
        self._ticked = asyncio.Event()

    def _state(self) -> tuple[int, *tuple[object, ...]]:
        figures, alerts = self._figures, self._figures.alerts
        reading = figures.reading
        percent = None if reading is None else reading.percent
        status = (figures.stale, figures.stalled, figures.readers.ready, figures.readers.connected, percent)
        return (figures.store.version, alerts.version, alerts.known, *status)


def _event(kind: str, version: int, body: dict[str, Any]) -> bytes:
    # orjson writes no line breaks, so one data line is enough; records from the topic may be pretty-printed JSON.
    data = orjson.dumps({"version": version, **body}).replace(b"\r", b" ").replace(b"\n", b" ")
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (version, kind.encode(), data)
