"""Expiry of idle scopes (``docs/counting.md``, 2).

It depends on the bookings and the watermark of the partition alone, and is stored with its state.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from streams.tracking.contacts import keep_ms
from streams.tracking.scopes import Scope
from streams.windows.scope_keys import permanent_scope_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.configuration import Configuration

__all__ = ["Expiry"]

_HOUR_MS = 3_600_000


class Expiry:
    """The hour of the last booking in each scope of one partition; ``is_open`` returns whether a scope has open work."""

    def __init__(self, configuration: Configuration, is_open: Callable[[Scope], bool]) -> None:
        self._is_open = is_open
        # Longer than any slice is retained.
        self._idle_ms = max(_HOUR_MS * configuration.source_limits.names_idle_hours, keep_ms(configuration)[1] + _HOUR_MS)
        self._lasting = permanent_scope_keys(configuration)
        #: scope → start of the hour of the last booking, in ms
        self._last: dict[Scope, int] = {}
        #: next check of each scope that may expire
        self._due: list[tuple[int, str, str]] = []
        self._changed: set[Scope] = set()
        #: scopes that need a now record, so that it can be withdrawn
        self._begun: set[Scope] = set()

    def note(self, scope: Scope, start_ms: int) -> None:
        """Record a booking in a slice of a scope that starts at ``start_ms``."""
        last = self._last.get(scope)
        if (last is not None and start_ms < last + _HOUR_MS) or scope.is_individual:
            return
        self._last[scope] = start_ms - start_ms % _HOUR_MS
        self._changed.add(scope)
        if last is None:
            self._begun.add(scope)
            self._schedule(scope, self._last[scope])

    def _schedule(self, scope: Scope, last_ms: int) -> None:
        if scope not in self._lasting:
            heappush(self._due, (last_ms + _HOUR_MS + self._idle_ms, scope.scope, scope.channel or ""))

    def begun(self) -> set[Scope]:
        """Return the scopes with their first booking since the last call."""
        begun, self._begun = self._begun, set()
        return begun

    def expired(self, through_ms: int | None) -> list[Scope]:
        """Expire and return the idle scopes; a scope with open work is checked again in an hour."""
        expired: list[Scope] = []
        while through_ms is not None and self._due and self._due[0][0] <= through_ms:
            due, name, channel = heappop(self._due)
            scope = Scope(name, channel or None)
            last = self._last[scope]
            if last + _HOUR_MS + self._idle_ms > through_ms:
                self._schedule(scope, last)
            elif self._is_open(scope):
                missed = (through_ms - due) // _HOUR_MS + 1
                heappush(self._due, (due + missed * _HOUR_MS, name, channel))
            else:
                del self._last[scope]
                self._changed.add(scope)
                expired.append(scope)
        return expired

    def set_back(self, to_ms: int) -> None:
        """Move later bookings to an instant to which the watermark was set back."""
        for scope, last in self._last.items():
            if last > to_ms:
                self._last[scope] = to_ms - to_ms % _HOUR_MS
                self._changed.add(scope)
        self._due = []
        for scope, last in self._last.items():
            self._schedule(scope, last)

    def changed_rows(self) -> Iterator[tuple[str, int | None]]:
        """Yield ``channel or -|scope`` and the hour of its last booking, None for expired scopes."""
        changed, self._changed = self._changed, set()
        for scope in changed:
            yield f"{scope.channel or '-'}|{scope.scope}", self._last.get(scope)

    def restore_row(self, key: str, last_ms: int) -> None:
        """Restore a row of ``changed_rows``."""
        channel, name = key.split("|", 1)
        scope = Scope(name, None if channel == "-" else channel)
        self._last[scope] = last_ms
        self._schedule(scope, last_ms)

    def __len__(self) -> int:
        return len(self._last)
