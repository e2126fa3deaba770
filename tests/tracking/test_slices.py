"""Slices are absolute, are given up once, and never come back."""

from __future__ import annotations

from streams.configuration import Configuration
from streams.tracking.postings import Postings
from streams.tracking.scopes import Scope, Targets
from streams.tracking.slices import Slices
from streams.windows.panes import Panes
from tests.support.slices import by_pane

SCOPE = Scope("total:all", "voice")


class _Booking:
    """Slices that keep panes for 60 s and cells for an hour if not longer, booked straight from postings."""

    def __init__(self, cell_keep_ms: int = 3_600_000) -> None:
        self.targets = Targets(Configuration())
        self.slices = Slices(self.targets, 60_000, cell_keep_ms)

    def book(self, at_ms: int, offered_ms: int, *, amount: int = 1) -> None:
        """Book an amount of offered contacts."""
        postings = Postings()
        postings.book(self.targets.number(SCOPE), at_ms, offered_ms, (("offered", amount),))
        self.slices.book(postings)

    def changes(self) -> dict[tuple[str, int], dict[str, int] | None]:
        """Return copies of the changed panes and offer cells; of dropped ones, blocks by their first pane."""
        found: dict[tuple[str, int], dict[str, int] | None] = {}
        for (kind, _, start), counts in self.slices.changes():
            if isinstance(counts, Panes):
                found |= {(kind, pane): each for pane, each in by_pane(counts).items()}
            elif kind != "cell":
                found[kind, start] = None if counts is None else dict(counts)
        return found


def test_absolute() -> None:
    """What is reported is the whole slice, not what was added to it; what did not change is not reported."""
    booking = _Booking()
    booking.book(910_000, 890_000)
    first = booking.changes()
    booking.book(912_000, 900_000)

    assert first == {("pane", 910_000): {"offered": 1}, ("cohort", 0): {"offered": 1}}
    assert booking.changes() == {("pane", 910_000): {"offered": 2}, ("cohort", 900_000): {"offered": 1}}
    assert booking.changes() == {}


def test_taken_back() -> None:
    """An amount that comes to zero leaves an empty slice, not a zero."""
    booking = _Booking()
    booking.book(910_000, 910_000)
    booking.book(910_000, 910_000, amount=-1)

    assert booking.changes()["pane", 910_000] == {}


def test_into_an_old_offer_cell() -> None:
    """An offer cell without bookings for hours continues from its sums."""
    booking = _Booking(cell_keep_ms=36_000_000)
    booking.book(910_000, 910_000, amount=3)
    booking.slices.evict(20_000_000)
    booking.changes()
    booking.book(19_999_000, 910_000)
    booking.book(19_999_000, 910_000)

    assert booking.changes()["cohort", 900_000] == {"offered": 5}


def test_eviction_leaves_tombstones() -> None:
    """What is too old is reported once more, as gone, five minutes of panes at a time; younger ones stay."""
    booking = _Booking()
    booking.book(910_000, 910_000)
    booking.changes()
    booking.book(1_190_000, 1_190_000)
    booking.book(1_200_000, 1_200_000)
    booking.changes()
    # 1,269,999 - 60,000 = 1,209,999 is in the pane of 1,200,000, with which five minutes begin. Those of 900,000 are over a pane before.
    booking.slices.evict(1_259_999)
    nothing = booking.changes()
    booking.slices.evict(1_269_999)

    assert nothing == {}
    assert booking.changes() == {("pane", 910_000): None, ("pane", 1_190_000): None}
    assert booking.changes() == {}


def test_a_dropped_slice_is_not_recreated() -> None:
    """A booking into a dropped slice is dropped: the slice is not recreated with part of its sums."""
    booking = _Booking()
    booking.book(910_000, 890_000)
    booking.book(920_000, 920_000)
    booking.slices.evict(5_000_000)
    gone = booking.changes()
    booking.book(910_000, 890_000)
    booking.book(920_000, 920_000)

    # Floors: panes 5,000,000 - 60,000 = 4,940,000; cohorts 5,000,000 - 3,600,000 = 1,400,000, down to 900,000.
    assert gone == {("pane", 910_000): None, ("pane", 920_000): None, ("cohort", 0): None, ("cohort", 900_000): {"offered": 1}}
    assert booking.changes() == {("cohort", 900_000): {"offered": 2}}


def test_taken_back_in() -> None:
    """A stored slice is no change when it is read again, and continues from its sums."""
    booking = _Booking()
    booking.slices.put("pane", SCOPE, 910_000, {"counts": {"offered": 5}})
    nothing = booking.changes()
    booking.book(911_000, 911_000)

    assert nothing == {}
    assert booking.changes()["pane", 910_000] == {"offered": 6}


def test_forgotten_at_the_next_eviction_after_a_restart() -> None:
    """A slice that is read again although it is too old is given up with a tombstone."""
    booking = _Booking()
    booking.slices.put("pane", SCOPE, 0, {"counts": {"offered": 5}})
    booking.slices.evict(1_000_000)

    assert booking.changes() == {("pane", 0): None}
    assert len(booking.slices) == 0
