"""Trailing sums kept up by differences are those of a plain recount."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.windows.slices import PANE_MS
from streams.windows.sums import Counts, TrailingSums, add_counts

LENGTHS_MS = (3 * PANE_MS, 7 * PANE_MS)

changes = st.tuples(st.just("change"), st.integers(0, 40), st.dictionaries(st.sampled_from("ab"), st.integers(-3, 3), min_size=1))
advances = st.tuples(st.just("advance"), st.integers(0, 40), st.builds(dict[str, int]))


def plain(panes: dict[int, Counts], hi_ms: int, length_ms: int) -> Counts:
    """Sum up the panes of a window one by one."""
    total: Counts = {}
    for pane, counts in panes.items():
        if hi_ms - length_ms <= pane < hi_ms:
            for field, amount in counts.items():
                total[field] = total.get(field, 0) + amount
    return {field: amount for field, amount in total.items() if amount}


@given(st.lists(st.one_of(changes, advances), max_size=60))
def test_as_a_plain_recount(steps: list[tuple[str, int, Counts]]) -> None:
    """Whatever changes and however the end moves: each sum is that of the panes in its window, and says when it changed."""
    trailing = TrailingSums(LENGTHS_MS)
    panes: dict[int, Counts] = {}
    hi: int | None = None
    for step, number, counts in steps:
        before = {length: dict(sums) for length, sums in trailing.sums.items()}
        if step == "advance":
            changed = trailing.advance(number * PANE_MS)
            hi = max(number * PANE_MS, -1 if hi is None else hi)
        else:
            changed = trailing.change(number * PANE_MS, counts)
            if hi is None or number * PANE_MS >= hi - LENGTHS_MS[1]:
                add_counts(panes.setdefault(number * PANE_MS, {}), counts)

        if hi is not None:
            assert trailing.sums == {length: plain(panes, hi, length) for length in LENGTHS_MS}
        assert changed or before == trailing.sums


def test_the_edges_of_a_window() -> None:
    """A window of 30 s that ends at 60 s holds the panes of 30, 40 and 50 s."""
    trailing = TrailingSums((30_000,))
    for pane in (20_000, 30_000, 50_000, 60_000):
        trailing.change(pane, {"n": pane})
    trailing.advance(60_000)

    assert trailing.sums[30_000] == {"n": 80_000}


def test_panes_of_the_future_wait() -> None:
    """What lies beyond the end is in no sum until the end has passed it."""
    trailing = TrailingSums((30_000,))
    trailing.advance(60_000)
    outside = trailing.change(60_000, {"n": 1})

    assert (outside, trailing.sums[30_000]) == (False, {})
    assert trailing.advance(70_000)
    assert trailing.sums[30_000] == {"n": 1}


def test_old_panes_are_forgotten() -> None:
    """Panes behind the longest window take no room, and changes to them change nothing."""
    trailing = TrailingSums((30_000,))
    trailing.change(0, {"n": 1})
    trailing.advance(60_000)

    assert trailing.panes == {}
    assert not trailing.change(0, {"n": 1})
    assert trailing.panes == {}


def test_a_jump_over_everything() -> None:
    """After a gap longer than the window the sums are empty, not what was left over."""
    trailing = TrailingSums((30_000,))
    trailing.change(0, {"n": 1})
    trailing.advance(10_000)

    assert trailing.advance(10_000_000)
    assert trailing.sums[30_000] == {}
