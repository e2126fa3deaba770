"""Shares of a gateway's capacity among its senders, and how long a body may take: a slow sender blocks no other."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiohttp import StreamReader

__all__ = ["NoRoomError", "Pace", "Share", "SlowBodyError", "TooLargeError", "read_body"]

#: Each sender is guaranteed a reserve of the total divided by this, but at least one part, however many others send.
_RESERVED_DIVISOR: Final = 8


class NoRoomError(Exception):
    """There is no capacity left: in the sender's own share or in all."""

    def __init__(self, whose: Literal["own", "all"]) -> None:
        super().__init__(whose)
        self.whose = whose


class SlowBodyError(Exception):
    """A body arrives too slowly."""


class TooLargeError(Exception):
    """A body exceeds the limit of a request."""


@dataclass(slots=True)
class Share:
    """A ``total`` of requests or bytes: no sender has more than half, and a reserve is left for each that has few.

    A single sender may have all.
    """

    total: int
    taken: int = 0
    _held: Counter[str] = field(default_factory=Counter)

    def lacks(self, sender: str, senders: Collection[str], amount: int = 1) -> Literal["own", "all"] | None:
        """Return which limit prevents ``amount`` more for a sender: its own share or that of all; None if neither does."""
        count = len(senders) + (sender not in senders)
        if count > 1 and self._held[sender] + amount > max(1, self.total // 2):
            return "own"
        reserved = min(max(1, self.total // _RESERVED_DIVISOR), self.total // (2 * count))
        held = self._held
        for_others = sum(reserved - held[other] for other in senders if other != sender and held[other] < reserved) if reserved else 0
        return "all" if self.taken + amount + for_others > self.total else None

    def take(self, sender: str, amount: int = 1) -> None:
        """Add an amount to a sender's share."""
        self._held[sender] += amount
        self.taken += amount

    def release(self, sender: str, amount: int = 1) -> None:
        """Give back an amount of a sender's share."""
        self.taken -= amount
        self._held[sender] -= amount
        if not self._held[sender]:
            del self._held[sender]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a body has to arrive."""

    #: How long it may take to begin.
    grace_seconds: float = 3.0
    #: From then on, on average.
    bytes_per_second: float = 1024.0
    #: How long all of it may take.
    body_seconds: float = 10.0

    def seconds_for(self, received: int) -> float:
        """Return the deadline of the next bytes of a body, in seconds after its begin."""
        return min(self.body_seconds, self.grace_seconds + received / self.bytes_per_second)


async def read_body(content: StreamReader, pace: Pace, max_bytes: int, share: Share, sender: str, senders: Collection[str]) -> bytearray:
    """Return a body; its bytes are counted in ``share`` until the caller releases them.

    Raises:
        SlowBodyError, TooLargeError, NoRoomError: it is refused; nothing of it is left in ``share``.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    body = bytearray()
    taken = 0
    try:
        while True:
            try:
                async with asyncio.timeout_at(begun + pace.seconds_for(taken)):
                    chunk = await content.readany()
            except TimeoutError:
                raise SlowBodyError from None
            if not chunk:
                taken = 0
                return body
            if taken + len(chunk) > max_bytes:
                raise TooLargeError
            if (whose := share.lacks(sender, senders, len(chunk))) is not None:
                raise NoRoomError(whose)
            share.take(sender, len(chunk))
            taken += len(chunk)
            body += chunk
    finally:
        if taken:
            share.release(sender, taken)
