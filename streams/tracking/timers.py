"""Timers of names by watermark: cheap, since most checks are postponed again."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

__all__ = ["Bucket", "Timers"]

#: Span of a bucket. Only timers in the current bucket are exact to the millisecond.
_BUCKET_MS = 600_000


class Bucket:
    """Names to check from an instant on."""

    __slots__ = ("names", "start_ms")

    def __init__(self, start_ms: int) -> None:
        self.start_ms = start_ms
        self.names: list[str] = []


class Timers:
    """Buckets of names by time; those in the current bucket by instant.

    The caller stores the bucket of each name: a name from another bucket was added again since.
    """

    def __init__(self) -> None:
        self._buckets: dict[int, Bucket] = {}
        self._starts: list[int] = []
        self._soon: list[tuple[int, str]] = []
        #: what ``add`` returns for a name in the current bucket
        self._current = Bucket(-1)

    def add(self, name: str, due_ms: int, current: Bucket | None) -> Bucket:
        """Schedule a name for ``due_ms``, unless it is due before; return the bucket to store."""
        start = due_ms - due_ms % _BUCKET_MS
        if start <= self._current.start_ms:
            heappush(self._soon, (due_ms, name))
            return self._current
        if current is not None and current.start_ms <= start:
            return current
        bucket = self._buckets.get(start)
        if bucket is None:
            bucket = self._buckets[start] = Bucket(start)
            heappush(self._starts, start)
        bucket.names.append(name)
        return bucket

    def add_all(self, due: Iterable[tuple[str, int]]) -> None:
        """Add names without a bucket, each with its instant."""
        buckets = self._buckets
        for name, due_ms in due:
            bucket = buckets.get(due_ms - due_ms % _BUCKET_MS)
            if bucket is None:
                self.add(name, due_ms, None)
            else:
                bucket.names.append(name)

    def passed(self, through_ms: int) -> Iterator[tuple[str, Bucket]]:
        """Yield the names due, each with its bucket; adding them again meanwhile is safe."""
        starts = self._starts
        while starts and starts[0] <= through_ms:
            bucket = self._buckets.pop(heappop(starts))
            self._current.start_ms = bucket.start_ms
            for name in bucket.names:
                yield name, bucket
        soon = self._soon
        while soon and soon[0][0] < through_ms:
            yield heappop(soon)[1], self._current

    def keep(self, names: Container[str]) -> None:
        """Remove all other names."""
        for bucket in self._buckets.values():
            bucket.names = [name for name in bucket.names if name in names]
        self._soon = [(due_ms, name) for due_ms, name in self._soon if name in names]
        heapify(self._soon)

    def __len__(self) -> int:
        return len(self._soon) + sum(len(bucket.names) for bucket in self._buckets.values())
