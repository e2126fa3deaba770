"""The clients of the event stream, limited in total and per account or address."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

__all__ = ["Clients"]


class Clients:
    """The connections of open event streams, each with its owner."""

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

    def lacks(self, owner: str) -> Literal["own", "all"] | None:
        """Return the limit that leaves no room for one more: the owner's or that of all; None where there is room."""
        if self._of[owner] >= self.per_client:
            return "own"
        return "all" if len(self._open) >= self.total else None

    def add(self, transport: asyncio.Transport, owner: str) -> None:
        """Add a connection; the caller has checked that there is room."""
        self._open[transport] = owner
        self._of[owner] += 1

    def discard(self, transport: asyncio.Transport) -> None:
        """Remove a connection."""
        owner = self._open.pop(transport, None)
        if owner is not None:
            self._of[owner] -= 1
            if not self._of[owner]:
                del self._of[owner]
