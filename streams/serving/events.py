"""Server-sent events: everything once, then what changed, at most four times a second, to any number of clients at their own speed.

That time has passed and no figure changed is told once a second.
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

#: Between two messages to the same client.
INTERVAL_SECONDS = 0.25
#: How often age and connection are looked at when no record comes.
_LOOK_SECONDS = 0.5
#: Between two messages that tell of nothing but how far the figures have come; the partitions say so at moments of their own.
QUIET_SECONDS = 0.9
_PROGRESS = "progress|"
#: Clients at the same speed get the same bytes; those at an odd one their own, not kept.
_MAX_CACHED = 64


class Feed:
    """What clients of the event stream are told, and when.

    No client has a queue. A client says which version it has seen and is told what changed since, so that a slow one skips
    what was overtaken meanwhile and costs no memory. Use it within one event loop.
    """

    def __init__(self, figures: Figures, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._figures = figures
        self._interval_seconds = interval_seconds
        #: Grows whenever there is something to tell.
        self.tick = 0
        self.closed = False
        self._ticked = asyncio.Event()
        self._changed = asyncio.Event()
        self._cache: dict[tuple[int | None, frozenset[str] | None, View, bool], tuple[float, int, bytes]] = {}
        self._began: float | None = None

    async def run(self) -> None:
        """Tell clients of changes until cancelled."""
        unsubscribe = [table.subscribe(self._changed.set) for table in (self._figures.store, self._figures.alerts)]
        told = self._state()
        now = asyncio.get_running_loop().time
        woke = now()
        try:
            while True:
                # Not wait_for, which in Python 3.11 goes on when it is cancelled in the moment that something changes.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._changed.wait()
                self._changed.clear()
                state = self._state()
                if state == told or (state[1:] == told[1:] and now() - woke < QUIET_SECONDS and self._is_quiet(told[0])):
                    continue
                told, woke = state, now()
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
        """Wait until there is something to tell to a client that saw tick ``seen``; False when nothing came in time."""
        if self.tick != seen:
            return True
        try:
            async with asyncio.timeout(timeout_seconds):  # unlike wait_for, it makes no task for each client
                await self._ticked.wait()
        except TimeoutError:
            return False
        return True

    def message(
        self, since: int | None, windows: frozenset[str] | None, view: View = EVERYTHING, *, silent_seconds: float = 0.0
    ) -> tuple[int, bytes]:
        """Return the version told and the event that brings a client there from version ``since``, or from nothing.

        Equal views are told the same bytes. To who sees a part of the scopes, no event is told where nothing of it has changed, unless
        nothing was told for a while (``silent_seconds``): how often the others change is not to be seen.
        """
        store = self._figures.store
        now = asyncio.get_running_loop().time()
        quiet = view.scopes is not None and silent_seconds < QUIET_SECONDS
        made, version, event = self._cache.get((since, windows, view, quiet), (-1.0, -1, b""))
        if version == store.version and now - made < self._interval_seconds:  # it says how old the figures are
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
        """Return what an event is numbered by: a table's version, but time for who is not to see how often others change."""
        if view.scopes is None:
            return version
        if self._began is None:
            self._began = now
        return int(1000 * (now - self._began))

    def alerts(self, since: int | None, view: View = EVERYTHING) -> tuple[int | None, bytes]:
        """Return the version of the alerts told and the event that brings a client there; no event where it is there already."""
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
        """Say whether time has passed since a version and no figure changed."""
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
    # orjson writes no line breaks, so one data line is enough; records from the topic are whole lines of JSON but may be pretty-printed.
    data = orjson.dumps({"version": version, **body}).replace(b"\r", b" ").replace(b"\n", b" ")
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (version, kind.encode(), data)
