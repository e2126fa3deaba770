"""Names to look at again once progress has passed an instant: cheap to hold, since most are looked at only to be put off."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

__all__ = ["Bucket", "Timers"]

#: How much of the future shares a list. Only what falls due in the list that progress is in is held to the millisecond.
_BUCKET_MS = 600_000


class Bucket:
    """Names to look at from an instant on."""

    __slots__ = ("names", "start_ms")

    def __init__(self, start_ms: int) -> None:
        self.start_ms = start_ms
        self.names: list[str] = []


class Timers:
    """Buckets of names by time, and those in the current bucket by their instant.

    The caller keeps the bucket that a name was given: a name that comes out of another one was added again since.
    """

    def __init__(self) -> None:
        self._buckets: dict[int, Bucket] = {}
        self._starts: list[int] = []
        self._soon: list[tuple[int, str]] = []
        #: what ``add`` returns for a name in the current bucket
        self._current = Bucket(-1)

    def add(self, name: str, due_ms: int, kept: Bucket | None) -> Bucket:
        """Have a name come out once ``due_ms`` has passed, unless it will before; return the bucket to keep."""
        start = due_ms - due_ms % _BUCKET_MS
        if start <= self._current.start_ms:
            heappush(self._soon, (due_ms, name))
            return self._current
        if kept is not None and kept.start_ms <= start:
            return kept
        bucket = self._buckets.get(start)
        if bucket is None:
            bucket = self._buckets[start] = Bucket(start)
            heappush(self._starts, start)
        bucket.names.append(name)
        return bucket

    def add_all(self, due: Iterable[tuple[str, int]]) -> None:
        """Add names that were given no bucket, each with its instant."""
        buckets = self._buckets
        for name, due_ms in due:
            bucket = buckets.get(due_ms - due_ms % _BUCKET_MS)
            if bucket is None:
                self.add(name, due_ms, None)
            else:
                bucket.names.append(name)

    def passed(self, through_ms: int) -> Iterator[tuple[str, Bucket]]:
        """Yield the names to look at, each with the bucket it comes out of; adding them again meanwhile is safe."""
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
        """Forget all other names."""
        for bucket in self._buckets.values():
            bucket.names = [name for name in bucket.names if name in names]
        self._soon = [(due_ms, name) for due_ms, name in self._soon if name in names]
        heapify(self._soon)

    def __len__(self) -> int:
        return len(self._soon) + sum(len(bucket.names) for bucket in self._buckets.values())
