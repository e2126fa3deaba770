"""The clients of the event stream: how many there may be, in all and of one address."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

__all__ = ["Clients"]


class Clients:
    """The connections of open event streams, each with whose it is."""

    def __init__(self, total: int = 500, per_client: int = 250) -> None:
        self.total = total
        self.per_client = per_client
        self._open: dict[asyncio.Transport, str] = {}
        self._of: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[asyncio.Transport]:
        return iter([*self._open])

    def __contains__(self, transport: asyncio.Transport) -> bool:
        return transport in self._open

    def lacks(self, whose: str) -> Literal["own", "all"] | None:
        """Say what leaves no room for one more: its own number or that of all; None where there is room."""
        if self._of[whose] >= self.per_client:
            return "own"
        return "all" if len(self._open) >= self.total else None

    def add(self, transport: asyncio.Transport, whose: str) -> None:
        """Take in one that there is room for."""
        self._open[transport] = whose
        self._of[whose] += 1

    def discard(self, transport: asyncio.Transport) -> None:
        """Make room again."""
        whose = self._open.pop(transport, None)
        if whose is not None:
            self._of[whose] -= 1
            if not self._of[whose]:
                del self._of[whose]
