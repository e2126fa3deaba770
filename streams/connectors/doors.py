"""How the room of a gateway is shared out among its senders, and how long one may take to send: a slow sender keeps nobody else out."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiohttp import StreamReader

__all__ = ["NoRoomError", "Pace", "Share", "SlowBodyError", "TooLargeError", "read_body"]

#: Of so much in all, so much is there for each sender that has less, however many others come: an eighth, but at least one part.
_KEPT_OF: Final = 8


class NoRoomError(Exception):
    """There is no room for more of what a sender sends: in its own share or in all of it."""

    def __init__(self, whose: Literal["own", "all"]) -> None:
        super().__init__(whose)
        self.whose = whose


class SlowBodyError(Exception):
    """A body comes too slowly."""


class TooLargeError(Exception):
    """A body is larger than a request may be."""


@dataclass(slots=True)
class Share:
    """Places or bytes, of which there are ``total``: no sender has more than half, and for each that has few some are left.

    Who is the only sender has all.
    """

    total: int
    taken: int = 0
    _held: Counter[str] = field(default_factory=Counter)

    def lacks(self, sender: str, senders: Collection[str], amount: int = 1) -> Literal["own", "all"] | None:
        """Say what a sender cannot have ``amount`` more of: its own share or what is there for all; None if it can."""
        count = len(senders) + (sender not in senders)
        if count > 1 and self._held[sender] + amount > max(1, self.total // 2):
            return "own"
        kept = min(max(1, self.total // _KEPT_OF), self.total // (2 * count))
        held = self._held
        for_others = sum(kept - held[other] for other in senders if other != sender and held[other] < kept) if kept else 0
        return "all" if self.taken + amount + for_others > self.total else None

    def take(self, sender: str, amount: int = 1) -> None:
        """Give a sender so much."""
        self._held[sender] += amount
        self.taken += amount

    def give_back(self, sender: str, amount: int = 1) -> None:
        """Have so much again."""
        self.taken -= amount
        self._held[sender] -= amount
        if not self._held[sender]:
            del self._held[sender]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a body has to come."""

    #: How long it may take to begin.
    grace_seconds: float = 3.0
    #: From then on, on average.
    bytes_per_second: float = 1024.0
    #: How long all of it may take.
    body_seconds: float = 10.0

    def seconds_for(self, received: int) -> float:
        """Return for how long after its begin more of a body is waited for."""
        return min(self.body_seconds, self.grace_seconds + received / self.bytes_per_second)


async def read_body(content: StreamReader, pace: Pace, max_bytes: int, share: Share, sender: str, senders: Collection[str]) -> bytearray:
    """Return a body; its bytes are the sender's in ``share``, and remain so for the caller to give back.

    Raises:
        SlowBodyError, TooLargeError, NoRoomError: it is not taken; nothing of it is left in ``share``.
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
            share.give_back(sender, taken)
