"""Keys, values and partitions of queue-panes records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

from msgspec.json import encode

if TYPE_CHECKING:
    from streams.tracking.scopes import Scope
    from streams.windows.panes import Panes

__all__ = ["PaneWriter", "pane_partition"]

#: Scopes in the cache of partitions.
_MAX_CACHED = 65_536


def pane_partition(scope: str, partitions: int) -> int:
    """Return the partition of queue-panes of a scope: by scope, so that one reader has all its records."""
    return crc32(scope.encode()) % partitions


class PaneWriter:
    """Writes the records of one source partition."""

    __slots__ = ("_middle", "_origin", "_partitions", "pane_partitions")

    def __init__(self, source_topic: str, source_partition: int, pane_partitions: int) -> None:
        self._origin = {"source_topic": source_topic, "source_partition": source_partition}
        self._middle = f"{source_topic}|{source_partition}"
        self.pane_partitions = pane_partitions
        self._partitions: dict[str, int] = {}

    def partition(self, scope: Scope) -> int:
        """Return the partition of a scope's records."""
        name = scope.scope
        partition = self._partitions.get(name)
        if partition is None:
            if len(self._partitions) >= _MAX_CACHED:
                self._partitions.clear()
            partition = self._partitions[name] = pane_partition(name, self.pane_partitions)
        return partition

    def key(self, kind: str, scope: Scope | None, start_ms: int | None) -> bytes:
        """Return ``kind|channel|source topic|source partition|start|scope``, a dash for what does not apply."""
        channel = scope.channel if scope is not None and scope.channel is not None else "-"
        name = scope.scope if scope is not None else "-"
        return f"{kind}|{channel}|{self._middle}|{'-' if start_ms is None else start_ms}|{name}".encode()

    def slice(self, kind: str, scope: Scope, start_ms: int, counts: dict[str, int] | Panes) -> bytes:
        """Return the value of a block of panes, or of a cell by outcome or by offer."""
        figures = {"start_ms": start_ms, "counts": counts} if isinstance(counts, dict) else counts.written()
        return self._value(kind, scope, figures)

    def now(self, scope: Scope, figures: dict[str, Any]) -> bytes:
        """Return the value of a scope's figures of now."""
        return self._value("now", scope, figures)

    def progress(self, figures: dict[str, Any]) -> bytes:
        """Return the value of the partition's progress."""
        return encode({"kind": "progress", **self._origin, **figures})

    def _value(self, kind: str, scope: Scope, figures: dict[str, Any]) -> bytes:
        return encode({"kind": kind, **self._origin, "scope": scope.scope, "channel": scope.channel, **figures})
