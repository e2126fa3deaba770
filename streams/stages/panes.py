"""Keys, values and partitions of queue-panes records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

from msgspec.json import encode

if TYPE_CHECKING:
    from streams.tracking.scopes import Scope

__all__ = ["PaneWriter", "pane_partition"]


def pane_partition(scope: str, partitions: int) -> int:
    """Return the partition of queue-panes that a scope's records go to: by scope, so that one reader has it whole."""
    return crc32(scope.encode()) % partitions


class PaneWriter:
    """Writes the records of one source partition."""

    def __init__(self, source_topic: str, source_partition: int, pane_partitions: int) -> None:
        self._origin = {"source_topic": source_topic, "source_partition": source_partition}
        self._middle = f"{source_topic}|{source_partition}"
        self.pane_partitions = pane_partitions

    def partition(self, scope: Scope) -> int:
        """Return the partition that a scope's records go to."""
        return pane_partition(scope.scope, self.pane_partitions)

    def key(self, kind: str, scope: Scope | None, start_ms: int | None) -> bytes:
        """Return ``kind|channel|source topic|source partition|start|scope``, a dash for what does not apply."""
        channel = scope.channel if scope is not None and scope.channel is not None else "-"
        name = scope.scope if scope is not None else "-"
        return f"{kind}|{channel}|{self._middle}|{'-' if start_ms is None else start_ms}|{name}".encode()

    def slice(self, kind: str, scope: Scope, start_ms: int, counts: dict[str, int]) -> bytes:
        """Return the value of a pane, cell or cohort."""
        return self._value(kind, scope, {"start_ms": start_ms, "counts": counts})

    def now(self, scope: Scope, figures: dict[str, Any]) -> bytes:
        """Return the value of what is going on in a scope."""
        return self._value("now", scope, figures)

    def progress(self, figures: dict[str, Any]) -> bytes:
        """Return the value of the partition's progress."""
        return encode({"kind": "progress", **self._origin, **figures})

    def _value(self, kind: str, scope: Scope, figures: dict[str, Any]) -> bytes:
        return encode({"kind": kind, **self._origin, "scope": scope.scope, "channel": scope.channel, **figures})
