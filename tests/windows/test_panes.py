"""Panes merged as columns give the sums of each pane."""

from __future__ import annotations

import sys

import orjson
from hypothesis import given
from hypothesis import strategies as st

from streams.windows.panes import PaneBlock, Panes
from streams.windows.slices import PANE_MS
from streams.windows.sums import Counts, add_counts
from tests.support.slices import by_pane

START_MS = 1_781_514_000_000
rows = st.dictionaries(
    st.integers(0, 29).map(lambda number: START_MS + number * PANE_MS),
    st.dictionaries(st.sampled_from(["offered", "handle_ms", "category=a=b: 料金"]), st.integers(-(10**12), 10**12)),
    min_size=1,
)


def without_zeros(panes: dict[int, Counts]) -> dict[int, Counts]:
    """Return panes that come to something, without zeros."""
    found = {pane: {field: amount for field, amount in counts.items() if amount} for pane, counts in panes.items()}
    return {pane: counts for pane, counts in found.items() if counts}


def plain(*several: dict[int, Counts]) -> dict[int, Counts]:
    """Add panes one by one."""
    total: dict[int, Counts] = {}
    for each in several:
        for pane, counts in each.items():
            add_counts(total.setdefault(pane, {}), counts)
    return without_zeros(total)


@given(rows, rows)
def test_added(one: dict[int, Counts], other: dict[int, Counts]) -> None:
    """Sums of two, added as columns or put together of rows, are those of each pane; neither is changed by it."""
    first, second = Panes.of(sorted(one.items())), Panes.of(sorted(other.items()))
    sums = first.plus(second)

    assert without_zeros(by_pane(sums)) == plain(one, other)
    assert without_zeros(by_pane(Panes.of(sorted([*one.items(), *other.items()], key=lambda row: row[0])))) == plain(one, other)
    assert without_zeros(by_pane(first)) == plain(one)
    assert without_zeros(by_pane(second)) == plain(other)


@given(rows, st.integers(-1, 31), st.integers(-1, 31))
def test_between(panes: dict[int, Counts], low: int, high: int) -> None:
    """What panes come to between two instants is the sum of those that begin between them."""
    low_ms, high_ms = START_MS + low * PANE_MS, START_MS + high * PANE_MS
    expected: Counts = {}
    for pane, counts in panes.items():
        if low_ms <= pane < high_ms:
            add_counts(expected, counts)
    found = Panes.of(sorted(panes.items())).between(low_ms, high_ms)

    assert {field: amount for field, amount in found.items() if amount} == expected


@given(rows)
def test_written_and_packed(panes: dict[int, Counts]) -> None:
    """Written or packed panes are equal when they are read again."""
    before = Panes.of(sorted(panes.items()))
    written = orjson.loads(orjson.dumps(before.written()))
    block = PaneBlock(before)
    block.pack()

    assert by_pane(Panes.read(written["start_ms"], written)) == by_pane(before)
    assert block.is_packed
    assert by_pane(block.panes) == by_pane(before)
    assert (block.first_ms, block.last_ms, block.length) == (min(panes), max(panes), len(panes))


def test_as_it_is_written() -> None:
    """One pane is written as it always was, several as columns: 10 and 30 s later means the panes of 10 and 30 s."""
    one = Panes.of([(START_MS, {"offered": 2, "answered": 0})])
    several = Panes.of([(START_MS + 10_000, {"offered": 2}), (START_MS + 30_000, {"answered": 1})])

    assert one.written() == {"start_ms": START_MS, "counts": {"offered": 2}}
    assert several.written() == {"start_ms": START_MS + 10_000, "panes": [0, 2], "counts": {"offered": [2, 0], "answered": [0, 1]}}


def test_room() -> None:
    """Packed, thirty panes of ten fields take a fifteenth of the room of as many dictionaries."""
    panes = [(START_MS + number * PANE_MS, {f"field_{field}": 300 + number + field for field in range(10)}) for number in range(30)]
    block = PaneBlock(Panes.of(panes))
    block.pack()
    # As CPython has it: a dictionary of ten entries and ten integers beyond the small ones, thirty times.
    before = 30 * (sys.getsizeof({f"field_{number}": number for number in range(10)}) + 10 * sys.getsizeof(300))

    assert sys.getsizeof(block._packed) < before / 15
