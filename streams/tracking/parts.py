"""How far the parts that customers come from are complete: sources, links, and the other partitions of customers."""

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
    """What each part has said last; instants are those of the data, in ms."""

    def __init__(self, required: Iterable[Part], homes: Collection[Part] = (), moved: Part | None = None) -> None:
        #: these must have said something before anything is complete, the others only if they have sent something
        self._required = (*required, *(() if moved is None else (moved,)))
        self._homes = frozenset(homes)
        self._moved = moved
        self.reported: dict[Part, Report] = {}

    def take(self, fact: dict[str, Any]) -> bool:
        """Take a record of progress; say whether the part was set back."""
        part = fact["source_topic"], fact["source_partition"]
        before = self.reported.get(part, (None, None))[0]
        self.reported[part] = (fact["progress_ms"], fact["received_through_ms"])
        return before is not None and (fact["progress_ms"] or 0) < before

    def awaits_moved(self) -> bool:
        """Say whether customers of the last release may still be on their way."""
        return self._moved is not None and self._moved not in self.reported

    def as_of_ms(self) -> int | None:
        """Return the newest instant that has been received."""
        return max((received for _, received in self.reported.values() if received is not None), default=None)

    def taken_in_ms(self) -> int | None:
        """Return before which nothing is still to come but from homes; None while one of those required has said nothing."""
        return self._least(self._required, self._homes)

    def through_ms(self) -> int | None:
        """Return before which nothing is still to come, from the other partitions of customers neither."""
        return self._least((*self._required, *self._homes), frozenset())

    def _least(self, required: Iterable[Part], without: Collection[Part]) -> int | None:
        if any(self.reported.get(part, (None, None))[0] is None for part in required):
            return None
        return min(
            (watermark for part, (watermark, _) in self.reported.items() if watermark is not None and part not in without), default=None
        )

    def row(self) -> list[list[Any]]:
        """Return what ``restore`` takes."""
        return [[*part, *report] for part, report in sorted(self.reported.items())]

    def restore(self, row: list[list[Any]]) -> None:
        """Go on from a kept state."""
        self.reported = {(topic, number): (watermark, received) for topic, number, watermark, received in row}
