"""Older sums are packed, and unpack to the same."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.windows.packed_sums import SumsByStart, pack, unpack
from streams.windows.sums import Counts, add_counts
from tests.windows.test_rollup import Stream

KEYS = ("queue:A", "team:注文")
amounts = st.dictionaries(st.sampled_from(["offered", "handle_ms", "category=a=b: 料金"]), st.integers(-(10**6), 10**12))
touches = st.tuples(st.sampled_from(["own", "exchange", "discard", "drop", "compact"]), st.integers(0, 5), st.sampled_from(KEYS), amounts)


def test_packed() -> None:
    """Labels come out of packed counts as they went in, whatever is in their names."""
    counts = {"offered": 3, "category=a=b: 料金": 2, "not_offered=busy": 1}

    assert unpack(pack(counts)) == counts


@given(st.lists(touches, max_size=40))
def test_as_a_plain_dictionary(steps: list[tuple[str, int, str, Counts]]) -> None:
    """Whatever is added, replaced, forgotten and packed, in whatever order: the sums are those of a dictionary that packs nothing."""
    sums: SumsByStart[str] = SumsByStart()
    plain: dict[tuple[int, str], Counts] = {}
    for what, start, key, counts in steps:
        match what:
            case "own":
                add_counts(sums.own(start, key), counts)
                add_counts(plain.setdefault((start, key), {}), counts)
            case "exchange":
                assert sums.exchange(start, key, dict(counts)) == plain.get((start, key), {})
                plain[start, key] = dict(counts)
            case "discard":
                sums.discard(key, start)
                plain.pop((start, key), None)
            case "drop":
                sums.drop(start)
                plain = {place: kept for place, kept in plain.items() if place[0] != start}
            case _:
                sums.compact(start)
                assert all(at >= start for at in sums._live)

        assert sums.starts() == sorted({place[0] for place in plain})
        assert {(at, name) for at in sums.starts() for name in sums.keys(at)} == set(plain)
        assert len(sums) == len(plain)
    for (start, key), counts in plain.items():
        assert sums.own(start, key) == counts


def test_room() -> None:
    """Twenty scopes' sums of twenty fields take a sixteenth of the room of dictionaries once they are packed: scopes are alike."""
    # The more fields this process has met, the longer the numbers of further ones: after three hundred they are as long as they get.
    pack({f"earlier_{number}": 0 for number in range(300)})
    sums: SumsByStart[str] = SumsByStart()
    for number in range(20):
        sums.exchange(0, f"queue:{number}", {f"field_{field}": 300 + 7 * number + field for field in range(20)})
    # As CPython has it: a dictionary of twenty entries and twenty integers beyond the small ones, twenty times.
    before = 20 * (sys.getsizeof({f"field_{number}": number for number in range(20)}) + 20 * sys.getsizeof(300))
    sums.compact(1)

    assert sum(map(sys.getsizeof, sums._packed.values())) < before / 16


@pytest.mark.parametrize("kind", ["pane", "cohort"])
def test_a_late_revision(kind: str) -> None:
    """A contact is handled 45 minutes after its slice began: its first sums are packed by then, and are subtracted correctly."""
    key = "window|trailing_60m|voice|queue:A" if kind == "pane" else "window|interval_15m|voice|queue:A|1781514000000"
    stream = Stream()
    stream.slice(kind, 0, {"offered": 3, "answered": 1, "handled": 1})
    stream.as_of(60)
    stream.slice(kind, 900, {"offered": 1})
    stream.as_of(2_600)
    stream.as_of(2_700)
    parts = stream.rollup.scopes["queue:A", "voice"]
    live = (parts.trailing if kind == "pane" else parts.cell_parts).live
    stream.slice(kind, 0, {"offered": 3, "answered": 2, "handled": 2})
    stream.as_of(2_701)

    # The slice of 09:00 is packed; a pane of 09:15 is too, a cell of 09:15 that begins less than half an hour before 09:45 is not.
    assert live == (0 if kind == "pane" else 1)
    counts = stream.latest[key]["counts"]
    assert (counts["offered"], counts["answered"], counts["handled"]) == ((4, 2, 2) if kind == "pane" else (3, 2, 2))
