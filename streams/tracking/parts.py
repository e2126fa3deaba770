"""Completeness of the inputs of customers: sources, links, and the other partitions of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["Part", "Parts"]

#: (topic, partition)
Part = tuple[str, int]
#: (complete before, newest received), both in ms
Report = tuple[int | None, int | None]


class Parts:
    """The last report of each part; instants are those of the data, in ms."""

    def __init__(self, required: Iterable[Part], homes: Collection[Part] = (), moved: Part | None = None) -> None:
        #: nothing is complete before these have reported; others count once they report
        self._required = (*required, *(() if moved is None else (moved,)))
        self._homes = frozenset(homes)
        self._moved = moved
        self.reported: dict[Part, Report] = {}

    def take(self, fact: dict[str, Any]) -> bool:
        """Apply a progress record; return whether the part was set back."""
        part = fact["source_topic"], fact["source_partition"]
        before = self.reported.get(part, (None, None))[0]
        self.reported[part] = (fact["progress_ms"], fact["received_through_ms"])
        return before is not None and (fact["progress_ms"] or 0) < before

    def awaits_moved(self) -> bool:
        """Return whether customers of the last release may still arrive."""
        return self._moved is not None and self._moved not in self.reported

    def as_of_ms(self) -> int | None:
        """Return the newest instant that has been received."""
        return max((received for _, received in self.reported.values() if received is not None), default=None)

    def taken_in_ms(self) -> int | None:
        """Return the instant up to which all but homes are complete; None before all required parts report."""
        return self._least(self._required, self._homes)

    def through_ms(self) -> int | None:
        """Return the instant up to which all parts are complete, with the other partitions of customers."""
        return self._least((*self._required, *self._homes), frozenset())

    def _least(self, required: Iterable[Part], without: Collection[Part]) -> int | None:
        if any(self.reported.get(part, (None, None))[0] is None for part in required):
            return None
        return min(
            (watermark for part, (watermark, _) in self.reported.items() if watermark is not None and part not in without), default=None
        )

    def row(self) -> list[list[Any]]:
        """Return the row for ``restore``."""
        return [[*part, *report] for part, report in sorted(self.reported.items())]

    def restore(self, row: list[list[Any]]) -> None:
        """Restore a row."""
        self.reported = {(topic, number): (watermark, received) for topic, number, watermark, received in row}
