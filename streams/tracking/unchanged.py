"""The time of people of whom there is nothing new: all who stand alike are booked at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.tracking.ledger import Ledger
    from streams.tracking.plans import Plans
    from streams.tracking.standing import Stand

__all__ = ["Unchanged"]


class Unchanged:
    """How many people stand where from one instant to another, and how many of them have what planned."""

    def __init__(self, start_ms: int, end_ms: int) -> None:
        self._start_ms, self._end_ms = start_ms, end_ms
        self._people: dict[Stand, int] = {}
        #: stand, whether it is work, from ms, to ms → people
        self._planned: dict[tuple[Stand, bool, int, int], int] = {}

    def add(self, stand: Stand, plans: Plans | None) -> None:
        """Take in a person who stands so all the time."""
        self._people[stand] = self._people.get(stand, 0) + 1
        if plans is not None:
            for begin, end, is_work in plans.between(self._start_ms, self._end_ms):
                key = (stand, is_work, begin, end)
                self._planned[key] = self._planned.get(key, 0) + 1

    def book(self, ledger: Ledger) -> None:
        """Book the time of all of them."""
        for stand, people in self._people.items():
            for target, rates in stand.bookings:
                ledger.book_time(target, self._start_ms, self._end_ms, rates, people)
        for (stand, is_work, begin, end), people in self._planned.items():
            ledger.book_time(stand.group, begin, end, stand.planned[is_work], people)
