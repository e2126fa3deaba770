"""Dead letters in moderation: counts the bad records of one source partition and stops when there are too many of them.

The counts are a function of the partition's records alone. They are kept with the state, in the transaction that moves the offset, so
that a worker stops at the same record however the records came in chunks and however often it was started again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.engine.stage import DeadLetterFloodError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.configuration.dead_letters import DeadLetterLimits
    from streams.engine.stage import Record

__all__ = ["FloodGauge"]


class FloodGauge:
    """How many records of a partition were bad: in a row, and among the last ones. A limit that is off counts nothing."""

    def __init__(self, limits: DeadLetterLimits) -> None:
        """Begin with nothing counted."""
        self._max_run = limits.max_run or 0
        self._max_ratio = limits.max_ratio or 0.0
        self._window = limits.ratio_window
        self._mask = (1 << self._window) - 1
        #: Records taken before the chunk at hand.
        self._taken = 0
        #: The run under way: its bad records by reason, the offset of its first, and the place of the record that would go on with it.
        self._run: dict[str, int] = {}
        self._run_from = 0
        self._run_next = 0
        #: By reason, a bit for each of the last records, the lowest for the one before place ``_bits_at``.
        self._bits: dict[str, int] = {}
        self._bits_at = 0

    def bad(self, index: int, record: Record, reason: str) -> None:
        """Count a bad record, the one at ``index`` of the chunk at hand.

        Raises:
            DeadLetterFloodError: it is one too many.
        """
        place = self._taken + index
        if self._max_run:
            self._count_run(place, record, reason)
        if self._max_ratio:
            self._count_share(place, record, reason)

    def took(self, records: int) -> None:
        """Take note that the chunk of so many records is over. Good records cost nothing but this."""
        self._taken += records

    def state(self) -> dict[str, Any]:
        """Return what a restart must not forget, as JSON has it."""
        found: dict[str, Any] = {}
        if self._max_run and self._run and self._run_next == self._taken:
            found |= {"run": self._run, "run_from": self._run_from}
        if self._max_ratio:
            self._shift(self._taken)
            found["seen"] = min(self._taken, self._window)
            if self._bits:
                found["bits"] = {reason: f"{bits:x}" for reason, bits in self._bits.items()}
        return found

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take back what ``state`` returned, perhaps under other limits."""
        self._taken = self._run_next = self._bits_at = min(kept.get("seen", 0), self._window)
        self._run, self._run_from = dict(kept.get("run", {})), kept.get("run_from", 0)
        cut = {reason: int(bits, 16) & self._mask for reason, bits in kept.get("bits", {}).items()}
        self._bits = {reason: bits for reason, bits in cut.items() if bits}

    def _count_run(self, place: int, record: Record, reason: str) -> None:
        if not self._run or self._run_next != place:
            self._run, self._run_from = {}, record.offset
        self._run[reason] = self._run.get(reason, 0) + 1
        self._run_next = place + 1
        length = sum(self._run.values())
        if length > self._max_run:
            what = f"{length} records in a row, from offset {self._run_from} on, cannot be used, and max_run permits {self._max_run}"
            raise _flood(record, what, self._run)

    def _count_share(self, place: int, record: Record, reason: str) -> None:
        self._shift(place + 1)
        self._bits[reason] = self._bits.get(reason, 0) | 1
        if place + 1 < self._window:
            return
        reasons = {name: bits.bit_count() for name, bits in self._bits.items()}
        bad = sum(reasons.values())
        if bad > self._max_ratio * self._window:
            what = f"{bad} of the last {self._window} records cannot be used, and max_ratio permits a share of {self._max_ratio:g}"
            raise _flood(record, what, reasons)

    def _shift(self, place: int) -> None:
        """Let the lowest bit stand for the record before ``place``."""
        gap, self._bits_at = place - self._bits_at, place
        if gap >= self._window:
            self._bits = {}
        elif gap:
            shifted = {reason: bits << gap & self._mask for reason, bits in self._bits.items()}
            self._bits = {reason: bits for reason, bits in shifted.items() if bits}


def _flood(record: Record, what: str, reasons: Mapping[str, int]) -> DeadLetterFloodError:
    by_count = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items(), key=lambda each: (-each[1], each[0])))
    return DeadLetterFloodError(
        f"{record.topic} partition {record.partition} is not read beyond offset {record.offset}: {what} ({by_count}). Mend the sender; "
        "then raise that limit under dead_letters in the configuration file, or turn it off with 0, and start again: the records "
        "become dead letters. See docs/runbooks/dead-letters.md."
    )
