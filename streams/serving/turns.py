"""A fair queue for work that is served one at a time: askers take turns, whatever each asks, and few may wait."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["SCRAPES_WAITING", "NoTurnError", "Turns"]

#: Several Prometheus servers may scrape with one account.
SCRAPES_WAITING: Final = 8


class NoTurnError(Exception):
    """Too many requests wait; ``ahead`` is their number, ``own`` whether the asker's own exceed its limit.

    ``late``: the turn did not come in time.
    """

    def __init__(self, ahead: int, *, own: bool = False, late: bool = False) -> None:
        super().__init__(ahead)
        self.ahead = ahead
        self.own = own
        self.late = late


class Turns:
    """One turn at a time. Each asker may have a few requests waiting; waiting askers are served in rotation, one turn each.

    Use it within one event loop.
    """

    def __init__(self, *, waiting_each: int = 3, waiting: int = 32, waiting_seconds: float = 60.0) -> None:
        self.waiting_each = waiting_each
        self.most_waiting = waiting
        self.waiting_seconds = waiting_seconds
        self._taken = False
        #: Asker → its waiting requests, in the order in which askers are served.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def waiting(self) -> int:
        """The number of waiting requests."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def turn(self, asker: str) -> AsyncIterator[None]:
        """Wait for the turn and hold it; a cancelled request is skipped.

        Raises:
            NoTurnError: too many requests wait, raised at once; or the turn did not come in time.
        """
        if self._taken:
            await self._wait(asker)
        self._taken = True
        try:
            yield
        finally:
            self._next()

    async def _wait(self, asker: str) -> None:
        ahead, own = self.waiting, len(self._waiting.get(asker, ()))
        if own >= self.waiting_each or ahead >= self.most_waiting:
            raise NoTurnError(ahead, own=own >= self.waiting_each)
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(asker, deque()).append(called)
        try:
            async with asyncio.timeout(self.waiting_seconds):
                await called
        except (asyncio.CancelledError, TimeoutError) as error:
            if called.done() and not called.cancelled():
                self._next()  # the turn had come: pass it on
            else:
                self._leave(asker, called)
            if isinstance(error, TimeoutError):
                raise NoTurnError(self.waiting, late=True) from None
            raise

    def _leave(self, asker: str, called: asyncio.Future[None]) -> None:
        mine = self._waiting.get(asker)
        if mine is not None and called in mine:
            mine.remove(called)
            if not mine:
                del self._waiting[asker]

    def _next(self) -> None:
        while self._waiting:
            asker = next(iter(self._waiting))
            mine = self._waiting.pop(asker)
            called = mine.popleft()
            if mine:
                self._waiting[asker] = mine  # behind all others
            if not called.done():
                called.set_result(None)
                return  # still taken, by the next request
        self._taken = False
