"""Merged cells give the same sums packed and unpacked, one by one and in the sum of a day."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.windows.calendar import Span
from streams.windows.cells import Cells
from streams.windows.packed_sums import CELL_PACK_AFTER_MS
from streams.windows.slices import MIN_CELL_MS
from streams.windows.sums import Counts, add_counts
from tests.windows.test_rollup import Stream

HOUR_MS = 3_600_000
DAY = Span(0, 24 * HOUR_MS)

starts = st.integers(0, 300).map(lambda number: number * MIN_CELL_MS)
spans = st.tuples(starts, st.sampled_from([1, 3, 12, 100, 288])).map(lambda each: Span(each[0], each[0] + each[1] * MIN_CELL_MS))
amounts = st.dictionaries(st.sampled_from(["offered", "forecasts", "forecasts_of_staff", "category=料金"]), st.integers(-3, 3))
steps: st.SearchStrategy[list[tuple[str, Any, Counts]]] = st.lists(
    st.one_of(
        st.tuples(st.just("add"), starts, amounts),
        st.tuples(st.just("compact"), starts, st.just({})),
        st.tuples(st.just("forget"), starts, st.just({})),
        st.tuples(st.just("look"), spans, st.just({})),
    ),
    max_size=40,
)


@given(steps)
def test_as_a_plain_dictionary(steps: list[tuple[str, Any, Counts]]) -> None:
    """With any order of adding, packing and dropping: cells, and sums of short and long spans, are those of a dictionary."""
    cells, plain = Cells(), dict[int, Counts]()
    floor = 0
    for what, where, counts in steps:
        if isinstance(where, Span):
            span = Span(max(where.start_ms, floor), max(where.end_ms, floor))
            total: Counts = {}
            for start, each in plain.items():
                if span.start_ms <= start < span.end_ms:
                    add_counts(total, each)
            assert cells.sums(span) == total
        elif what == "add" and where >= floor:
            cells.add(where, counts)
            add_counts(plain.setdefault(where, {}), counts)
        elif what == "compact":
            cells.compact(where)
        elif what == "forget":
            cells.forget(where)
            floor = max(floor, where)
            plain = {start: each for start, each in plain.items() if start >= where}
        assert dict(cells) == plain
        expected = [each for each in plain.values() if each.get("forecasts") or each.get("forecasts_of_staff")]
        assert sorted(map(str, cells.forecasts(Span(0, 400 * MIN_CELL_MS)))) == sorted(map(str, expected))


def test_a_day_is_kept_up() -> None:
    """An old cell is packed; the sum of its day still has it, also after a late event, and once the day is over."""
    cells = Cells()
    cells.add(0, {"offered": 2})
    cells.add(HOUR_MS, {"offered": 3})
    before = dict(cells.sums(DAY))
    cells.compact(HOUR_MS + CELL_PACK_AFTER_MS)
    packed = (list(cells._live), dict(cells.sums(DAY)))
    cells.add(0, {"offered": 1, "late_events": 1})
    late = cells.sums(DAY)
    cells.compact(DAY.end_ms + CELL_PACK_AFTER_MS + 1)

    assert (before, packed) == ({"offered": 5}, ([HOUR_MS], {"offered": 5}))
    assert late == cells.sums(DAY) == {"offered": 6, "late_events": 1}
    # Sums of past days are computed on demand, and not cached.
    assert (list(cells._live), cells._of_spans) == ([], {})


def test_what_is_forecast_stays_at_hand() -> None:
    """Forecasts are held against each cell of a day at every record of it."""
    cells = Cells()
    cells.add(0, {"forecasts": 1, "forecast_milli": 4_000})
    cells.add(MIN_CELL_MS, {"offered": 1})
    cells.compact(HOUR_MS)

    assert list(cells._live) == [0]
    assert list(cells.forecasts(DAY)) == [{"forecasts": 1, "forecast_milli": 4_000}]


def test_a_day_of_the_roll_up() -> None:
    """Four hours after 09:00 a call of the morning is handled: interval and day show it as if nothing had been packed."""
    stream = Stream()
    for hour in range(4):
        stream.slice("cohort", 3_600 * hour, {"offered": 2, "answered": 2, "handled": 2 - (hour == 0)})
        stream.as_of(3_600 * hour + 60)
    stream.as_of(4 * 3_600)
    live = list(stream.rollup.scopes["queue:A", "voice"].cells._live)
    stream.slice("cohort", 0, {"offered": 2, "answered": 2, "handled": 2})
    stream.as_of(4 * 3_600 + 60)

    morning = stream.rollup.scopes["queue:A", "voice"].calendar.day(1_781_514_000_000).start_ms
    assert live == []  # the newest begins at 12:00, an hour ago
    assert stream.latest["window|interval_15m|voice|queue:A|1781514000000"]["counts"]["handled"] == 2
    assert stream.latest[f"window|day|voice|queue:A|{morning}"]["counts"] == {"answered": 8, "handled": 8, "offered": 8}
