"""The panes of one source partition by scope, in the blocks that are written."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from streams.windows.panes import LiveBlocks, PaneBlock, Panes, frame_of
from streams.windows.slices import MIN_CELL_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.tracking.scopes import Scope

__all__ = ["PaneBlocks"]


class PaneBlocks:
    """Frame → scope → blocks, ascending.

    Panes added together form one block, within a frame and between existing blocks. Catching up thus writes few records, and a live
    block is one pane, which is written often.
    """

    def __init__(self) -> None:
        self._frames: dict[int, dict[Scope, list[PaneBlock]]] = {}
        self._live = LiveBlocks()

    def add(self, scope: Scope, frame_ms: int, panes: Panes) -> Iterator[PaneBlock]:
        """Add panes of a frame; yield their blocks."""
        by_scope = self._frames.get(frame_ms)
        if by_scope is None:
            by_scope = self._frames[frame_ms] = {}
        blocks = by_scope.get(scope)
        if blocks is None:
            block = PaneBlock(panes)
            by_scope[scope] = [block]
            self._live.add(frame_ms, block)
            yield block
            return
        starts = panes.starts
        begin, end = 0, len(starts)
        while begin < end:
            index = bisect_right(blocks, starts[begin], key=_first_ms)
            # To the end of the block that holds the pane, or else to the beginning of the next one.
            owner = blocks[index - 1] if index and starts[begin] <= blocks[index - 1].last_ms else None
            if owner is not None:
                until = bisect_right(starts, owner.last_ms)
            else:
                until = end if index == len(blocks) else bisect_left(starts, blocks[index].first_ms)
            part = panes if until - begin == end else panes.cut(begin, until)
            if owner is None:
                owner = PaneBlock(part)
                blocks.insert(index, owner)
            else:
                owner.panes = owner.panes.plus(part)
            self._live.add(frame_ms, owner)
            yield owner
            begin = until

    def put(self, scope: Scope, panes: Panes) -> None:
        """Restore a block."""
        frame = frame_of(panes.starts[0])
        blocks = self._frames.setdefault(frame, {}).setdefault(scope, [])
        block = PaneBlock(panes)
        index = bisect_left(blocks, block.first_ms, key=_first_ms)
        if index < len(blocks) and blocks[index].first_ms == block.first_ms:
            self._live.discard(frame, blocks.pop(index))
        blocks.insert(index, block)
        self._live.add(frame, block)

    def empty(self, from_ms: int | None = None) -> Iterator[tuple[Scope, PaneBlock]]:
        """Clear the panes from an instant on; yield the changed blocks."""
        for frame, by_scope in self._frames.items():
            for scope, blocks in by_scope.items():
                for block in blocks:
                    if from_ms is None or block.last_ms >= from_ms:
                        panes = block.panes
                        end = 0 if from_ms is None else bisect_left(panes.starts, from_ms)
                        block.panes = Panes(panes.starts, {}).plus(panes.cut(0, end))
                        self._live.add(frame, block)
                        yield scope, block

    def evict(self, floor_ms: int) -> Iterator[tuple[Scope, PaneBlock]]:
        """Evict the frames that end by an instant; yield their blocks."""
        for frame in [frame for frame in self._frames if frame + MIN_CELL_MS <= floor_ms]:
            self._live.drop(frame)
            for scope, blocks in self._frames.pop(frame).items():
                for block in blocks:
                    yield scope, block

    def compact(self, through_ms: int) -> None:
        """Compact the blocks that are complete."""
        self._live.compact(through_ms)

    def starts(self) -> list[int]:
        """Return the starts of the last panes of all blocks."""
        return [block.last_ms for by_scope in self._frames.values() for blocks in by_scope.values() for block in blocks]

    def __len__(self) -> int:
        return sum(block.length for by_scope in self._frames.values() for blocks in by_scope.values() for block in blocks)


def _first_ms(block: PaneBlock) -> int:
    return block.first_ms
