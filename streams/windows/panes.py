"""Consecutive panes of one scope as columns, so that a sum over panes is one sum a field."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from msgspec import msgpack

from streams.windows.packed_sums import PANE_PACK_AFTER_MS, field_number, field_of
from streams.windows.slices import MIN_CELL_MS, PANE_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.windows.sums import Counts

__all__ = ["LiveBlocks", "PaneBlock", "Panes", "added", "frame_of"]

#: ``Panes.of`` iterates by field where at least one in this many amounts is present.
_DENSE = 2

_decode = msgpack.Decoder(tuple[list[int], dict[int | str, list[int]]]).decode


def frame_of(pane_ms: int) -> int:
    """Return the start of the frame of a pane: five minutes of panes that are stored, written and expired together."""
    return pane_ms - pane_ms % MIN_CELL_MS


class Panes:
    """Sums of some panes of a frame: ascending starts in ms, and by field one amount for each start.

    Scopes share lists: do not change them.
    """

    __slots__ = ("columns", "starts")

    def __init__(self, starts: list[int], columns: dict[str, list[int]]) -> None:
        self.starts = starts
        self.columns = columns

    @classmethod
    def of(cls, rows: list[tuple[int, Counts]]) -> Panes:
        """Return panes from rows of start and sums, by ascending start; rows of one start are added, zeros are dropped."""
        if len(rows) == 1:
            start, counts = rows[0]
            return cls([start], {field: [amount] for field, amount in counts.items() if amount})
        starts = list(dict.fromkeys([start for start, _ in rows]))
        columns: dict[str, list[int]] = {}
        length, index, at = len(starts), -1, None
        if length == len(rows):
            sums = [counts for _, counts in rows]
            fields: dict[str, int] = {}
            for counts in sums:
                fields.update(counts)
            # Fields of agents are in nearly every pane, fields of contacts in few.
            if length * len(fields) <= _DENSE * sum(map(len, sums)):
                dense = ((field, [counts.get(field, 0) for counts in sums]) for field in fields)
                return cls(starts, {field: amounts for field, amounts in dense if any(amounts)})
        for start, counts in rows:
            if start != at:
                at, index = start, index + 1
            for field, amount in counts.items():
                if amount:
                    column = columns.get(field)
                    if column is None:
                        column = columns[field] = [0] * length
                    column[index] += amount
        if length < len(rows):
            columns = {field: column for field, column in columns.items() if any(column)}
        return cls(starts, columns)

    @classmethod
    def read(cls, start_ms: int, value: Mapping[str, Any]) -> Panes:
        """Return the panes of a record of queue-panes; a record of a single pane has no list of panes."""
        offsets, counts = value.get("panes"), value["counts"]
        if offsets is None:
            return cls([start_ms], {field: [amount] for field, amount in counts.items() if amount})
        return cls([start_ms + PANE_MS * offset for offset in offsets], counts)

    def written(self) -> dict[str, Any]:
        """Return the fields of a record that ``read`` reads, and the start."""
        first = self.starts[0]
        if len(self.starts) == 1:
            return {"start_ms": first, "counts": {field: amounts[0] for field, amounts in self.columns.items()}}
        return {"start_ms": first, "panes": [(start - first) // PANE_MS for start in self.starts], "counts": self.columns}

    def cut(self, begin: int, end: int) -> Panes:
        """Return the panes of a range of indexes."""
        columns = {field: part for field, amounts in self.columns.items() if any(part := amounts[begin:end])}
        return Panes(self.starts[begin:end], columns)

    def plus(self, other: Panes) -> Panes:
        """Return the sums of both."""
        if self.starts == other.starts:
            return Panes(self.starts, added([self.columns, other.columns]))
        starts = sorted({*self.starts, *other.starts})
        return Panes(starts, added([self._on(starts), other._on(starts)]))

    def _on(self, starts: list[int]) -> dict[str, list[int]]:
        """Return the columns extended to ``starts``, which include the own ones."""
        if len(starts) == len(self.starts):
            return self.columns
        indexes = [bisect_left(starts, start) for start in self.starts]
        columns: dict[str, list[int]] = {}
        for field, amounts in self.columns.items():
            column = columns[field] = [0] * len(starts)
            for index, amount in zip(indexes, amounts, strict=True):
                column[index] = amount
        return columns

    def between(self, low_ms: int, high_ms: int) -> Counts:
        """Return the sums of the panes that begin in [low, high), possibly with zeros."""
        starts = self.starts
        if low_ms <= starts[0] and starts[-1] < high_ms:
            if len(starts) == 1:
                return {field: amounts[0] for field, amounts in self.columns.items()}
            return {field: sum(amounts) for field, amounts in self.columns.items()}
        begin, end = bisect_left(starts, low_ms), bisect_left(starts, high_ms)
        if begin == end:
            return {}
        return {field: sum(amounts[begin:end]) for field, amounts in self.columns.items()}

    def gather(self, into: dict[str, list[int]], low_ms: int, high_ms: int) -> None:
        """Append the amounts of the panes that begin in [low, high) to lists by field, for one sum over all blocks."""
        starts, get = self.starts, into.get
        columns = self.columns
        if low_ms > starts[0] or starts[-1] >= high_ms:
            begin, end = bisect_left(starts, low_ms), bisect_left(starts, high_ms)
            if begin == end:
                return
            columns = {field: amounts[begin:end] for field, amounts in columns.items()}
        for field, amounts in columns.items():
            gathered = get(field)
            if gathered is None:
                into[field] = amounts.copy()
            else:
                gathered += amounts

    def by_pane(self, fields: Iterable[str]) -> dict[int, int]:
        """Return pane → sum of some fields."""
        columns = [column for field in fields if (column := self.columns.get(field)) is not None]
        return dict(zip(self.starts, map(sum, zip(*columns, strict=True)), strict=True)) if columns else {}

    def __len__(self) -> int:
        return len(self.starts)


def added(parts: list[dict[str, list[int]]]) -> dict[str, list[int]]:
    """Return the sums of columns of the same panes."""
    columns = dict(parts[0])
    for part in parts[1:]:
        for field, amounts in part.items():
            mine = columns.get(field)
            if mine is None:
                columns[field] = amounts
                continue
            total = [one + another for one, another in zip(mine, amounts, strict=True)]
            if any(total):
                columns[field] = total
            else:
                del columns[field]
    return columns


class PaneBlock:
    """Panes that are written together; packed once further bookings are rare."""

    __slots__ = ("_packed", "_panes", "first_ms", "last_ms", "length")

    def __init__(self, panes: Panes) -> None:
        self.first_ms, self.last_ms, self.length = panes.starts[0], panes.starts[-1], len(panes.starts)
        self._panes: Panes | None = panes
        self._packed = b""

    @property
    def panes(self) -> Panes:
        """The panes; reading them does not unpack the block."""
        if self._panes is not None:
            return self._panes
        offsets, columns = _decode(self._packed)
        starts = [self.first_ms + PANE_MS * offset for offset in offsets]
        return Panes(starts, {field_of(number): amounts for number, amounts in columns.items()})

    @panes.setter
    def panes(self, panes: Panes) -> None:
        self._panes, self._packed = panes, b""
        self.last_ms, self.length = panes.starts[-1], len(panes.starts)

    @property
    def is_packed(self) -> bool:
        """Whether the block is packed."""
        return self._panes is None

    def pack(self) -> None:
        """Pack the block; only this process can unpack it."""
        panes = self._panes
        if panes is not None:
            offsets = [(start - self.first_ms) // PANE_MS for start in panes.starts]
            self._packed = msgpack.encode((offsets, {field_number(field): amounts for field, amounts in panes.columns.items()}))
            self._panes = None


class LiveBlocks:
    """The blocks that are not packed, by frame."""

    __slots__ = ("_frames", "_watermark_ms")

    def __init__(self) -> None:
        self._frames: dict[int, set[PaneBlock]] = {}
        self._watermark_ms: int | None = None

    def add(self, frame_ms: int, block: PaneBlock) -> None:
        """Add a block of a frame that is not packed."""
        blocks = self._frames.get(frame_ms)
        if blocks is None:
            blocks = self._frames[frame_ms] = set()
        blocks.add(block)

    def discard(self, frame_ms: int, block: PaneBlock) -> None:
        """Remove a block."""
        blocks = self._frames.get(frame_ms)
        if blocks is not None:
            blocks.discard(block)

    def drop(self, frame_ms: int) -> None:
        """Remove a frame."""
        self._frames.pop(frame_ms, None)

    def compact(self, watermark_ms: int) -> None:
        """Pack the frames that are well behind the watermark; not while catching up, when they expire soon."""
        before, self._watermark_ms = self._watermark_ms, watermark_ms
        if before is not None and watermark_ms - before > MIN_CELL_MS:
            return
        for frame in [frame for frame in self._frames if frame + MIN_CELL_MS <= watermark_ms - PANE_PACK_AFTER_MS]:
            for block in self._frames.pop(frame):
                block.pack()

    def __len__(self) -> int:
        return sum(map(len, self._frames.values()))
