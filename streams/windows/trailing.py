"""The trailing windows of one scope, updated by the panes that enter and leave them."""

from __future__ import annotations

from bisect import bisect_left
from itertools import compress
from typing import TYPE_CHECKING

from streams.catalogue.given import WORKED
from streams.windows.panes import LiveBlocks, PaneBlock, Panes, frame_of
from streams.windows.slices import MIN_CELL_MS, PANE_MS
from streams.windows.sums import Counts, add_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TrailingSums"]

_WORKED = tuple(name for name, _ in WORKED.terms)


class TrailingSums:
    """Sums over the panes in [hi − W, hi) for several W, from the blocks of all source partitions.

    ``staffed``: a pane in which any agent worked counts entirely as staffed, across all source partitions.
    """

    __slots__ = ("_expired", "_frames", "_live", "_longest", "_worked", "changed", "hi_ms", "sums")

    def __init__(self, lengths_ms: tuple[int, ...], *, staffed: bool = False) -> None:
        self.sums: dict[int, Counts] = {length: {} for length in sorted(lengths_ms)}
        self.hi_ms: int | None = None
        #: lengths of the windows whose sums have changed since the last flush
        self.changed: set[int] = set()
        self._longest = max(lengths_ms)
        #: frame → (start of the block, source partition) → block
        self._frames: dict[int, dict[tuple[int, int], PaneBlock]] = {}
        #: frame, start and source partition of blocks that have expired but are still in a window
        self._expired: set[tuple[int, int, int]] = set()
        self._live = LiveBlocks()
        #: pane → time worked in it; None without ``staffed``
        self._worked: dict[int, int] | None = {} if staffed else None

    def exchange(self, origin: int, panes: Panes) -> None:
        """Replace the block of the same start."""
        first = panes.starts[0]
        frame = frame_of(first)
        blocks = self._frames.get(frame)
        if blocks is None:
            blocks = self._frames[frame] = {}
        if self._expired:
            self._expired.discard((frame, first, origin))
        block = blocks.get((first, origin))
        if block is None:
            before = None
            block = blocks[first, origin] = PaneBlock(panes)
        else:
            before = block.panes
            block.panes = panes
        self._live.add(frame, block)
        if self._worked is not None:
            self._add_worked(self._worked, panes, before)
        if self.hi_ms is not None:
            self._add_difference(panes, before, self.hi_ms)

    def _add_difference(self, panes: Panes, before: Panes | None, hi: int) -> None:
        """Add the change of a block to the windows that overlap it; most hold all of it."""
        first, last = panes.starts[0], panes.starts[-1]
        if before is not None and before.starts[-1] > last:
            last = before.starts[-1]
        difference: Counts = {}
        known: tuple[int, int] | None = None
        for length, sums in self.sums.items():
            low = hi - length
            if last < low or first >= hi:
                continue
            bounds = (max(low, first), min(hi, last + PANE_MS))
            if bounds != known:
                known = bounds
                difference = panes.between(*bounds)
                if before is not None:
                    for field, amount in before.between(*bounds).items():
                        difference[field] = difference.get(field, 0) - amount
            if add_counts(sums, difference):
                self.changed.add(length)

    def discard(self, origin: int, first_ms: int) -> None:
        """Drop a block that has expired at a source partition, once no window holds any of it: other partitions may lag."""
        frame = frame_of(first_ms)
        block = self._frames.get(frame, {}).get((first_ms, origin))
        if block is None:
            return
        if self.hi_ms is None or block.last_ms >= self.hi_ms - self._longest:
            self._expired.add((frame, first_ms, origin))
        else:
            self._drop(frame, first_ms, origin)

    def _drop(self, frame: int, first_ms: int, origin: int) -> None:
        self._expired.discard((frame, first_ms, origin))
        blocks = self._frames[frame]
        self._live.discard(frame, blocks.pop((first_ms, origin)))
        if not blocks:
            del self._frames[frame]
            self._live.drop(frame)

    def _drop_expired(self, before_ms: int | None) -> None:
        """Drop the expired blocks whose panes all begin before an instant; None: all of them."""
        for frame, first, origin in list(self._expired):
            if before_ms is None or self._frames[frame][first, origin].last_ms < before_ms:
                self._drop(frame, first, origin)

    def advance(self, hi_ms: int) -> None:
        """Move the windows' end."""
        before = self.hi_ms
        if before is not None and hi_ms <= before:
            return
        self.hi_ms = hi_ms
        if before is None or hi_ms - before > MIN_CELL_MS:
            self._sum_up(hi_ms)
        else:
            entered: Counts = {}
            entered_from: int | None = None
            for length, sums in self.sums.items():
                low = max(hi_ms - length, before)
                if low != entered_from:
                    entered, entered_from = self._sum(low, hi_ms), low
                left = self._sum(before - length, min(hi_ms - length, before))
                # An equal amount that enters and leaves is no change.
                if left and entered:
                    left = {field: entered.get(field, 0) - left.get(field, 0) for field in (*entered, *left)}
                    changed = add_counts(sums, left)
                else:
                    changed = add_counts(sums, left, -1) or add_counts(sums, entered)
                if changed:
                    self.changed.add(length)
        if self._worked is not None:
            self._staff(self._worked, hi_ms)
        if self._expired:
            self._drop_expired(hi_ms - self._longest)

    def _sum_up(self, hi_ms: int) -> None:
        """Compute all windows: each pane once, because longer windows contain the shorter ones."""
        total: Counts = {}
        high = hi_ms
        for length, before in self.sums.items():
            add_counts(total, self._sum(hi_ms - length, high))
            high = hi_ms - length
            if total != before:
                self.changed.add(length)
            self.sums[length] = total.copy()

    def _sum(self, low_ms: int, high_ms: int) -> Counts:
        """Return the sums of the panes that begin in [low, high), possibly with zeros."""
        gathered: dict[str, list[int]] = {}
        for panes in self._between(low_ms, high_ms):
            panes.gather(gathered, low_ms, high_ms)
        return {field: sum(amounts) for field, amounts in gathered.items()}

    def _between(self, low_ms: int, high_ms: int) -> Iterator[Panes]:
        """Yield the blocks that may have panes in [low, high)."""
        frames = self._frames
        if not frames:
            return
        first = frame_of(low_ms)
        if (high_ms - first) // MIN_CELL_MS < len(frames):
            overlapping = [blocks for frame in range(first, high_ms, MIN_CELL_MS) if (blocks := frames.get(frame)) is not None]
        else:
            overlapping = [blocks for frame, blocks in frames.items() if first <= frame < high_ms]
        for blocks in overlapping:
            for block in blocks.values():
                if block.first_ms < high_ms and low_ms <= block.last_ms:
                    yield block.panes

    def reset(self) -> None:
        """Clear the windows and their end, but keep the panes."""
        self._drop_expired(None)
        self.hi_ms = None
        self.sums = {length: {} for length in self.sums}
        if self._worked is not None:
            self._worked.clear()
            for blocks in self._frames.values():
                for block in blocks.values():
                    self._add_worked(self._worked, block.panes, None)

    def _add_worked(self, worked: dict[int, int], panes: Panes, before: Panes | None) -> None:
        """Record the time worked in each pane, and add panes that become staffed or unstaffed to the windows."""
        difference = panes.by_pane(_WORKED)
        if before is not None:
            for pane, amount in before.by_pane(_WORKED).items():
                difference[pane] = difference.get(pane, 0) - amount
        hi = self.hi_ms
        for pane, amount in difference.items():
            if hi is not None and pane < hi - self._longest:
                continue
            had = worked.get(pane, 0)
            has = worked[pane] = had + amount
            if hi is not None and pane < hi and (had > 0) != (has > 0):
                staffed = {"staffed_ms": PANE_MS if has > 0 else -PANE_MS}
                for length, sums in self.sums.items():
                    if pane >= hi - length and add_counts(sums, staffed):
                        self.changed.add(length)

    def _staff(self, worked: dict[int, int], hi_ms: int) -> None:
        """Count the staffed panes of the windows, and drop older panes."""
        for pane in [*filter((hi_ms - self._longest).__gt__, worked)]:
            del worked[pane]
        panes = sorted(compress(worked, map((0).__lt__, worked.values())))
        end = bisect_left(panes, hi_ms)
        for length, sums in self.sums.items():
            staffed = end - bisect_left(panes, hi_ms - length)
            if sums.get("staffed_ms", 0) != PANE_MS * staffed:
                self.changed.add(length)
            if staffed:
                sums["staffed_ms"] = PANE_MS * staffed
            else:
                sums.pop("staffed_ms", None)

    def compact(self, watermark_ms: int) -> None:
        """Pack the blocks of frames that are well behind the watermark."""
        self._live.compact(watermark_ms)

    @property
    def is_empty(self) -> bool:
        """Whether all panes have expired at their source partitions."""
        return sum(map(len, self._frames.values())) == len(self._expired)

    @property
    def live(self) -> int:
        """Number of blocks that are not packed."""
        return len(self._live)

    def __len__(self) -> int:
        return sum(block.length for blocks in self._frames.values() for block in blocks.values())
