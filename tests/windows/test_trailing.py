"""Trailing sums kept up by differences are those of a plain recount."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.windows.panes import Panes
from streams.windows.slices import MIN_CELL_MS, PANE_MS
from streams.windows.sums import Counts
from streams.windows.trailing import TrailingSums

LENGTHS_MS = (3 * PANE_MS, 7 * PANE_MS, 45 * PANE_MS)

#: Sums of up to four panes of a frame that begin at the same pane each time.
pane_sums = st.dictionaries(
    st.integers(0, 3), st.dictionaries(st.sampled_from(["a", "idle_ms"]), st.integers(-3, 3), min_size=1), min_size=1
)
changes = st.tuples(st.just("change"), st.integers(0, 1), st.integers(0, 20), pane_sums)
moves = st.tuples(st.sampled_from(["advance", "compact", "again"]), st.just(0), st.integers(0, 130), st.just({0: {"a": 0}}))
losses = st.tuples(st.just("give up"), st.integers(0, 1), st.integers(0, 20), st.just({0: {"a": 0}}))

#: (source partition, first pane) → pane → sums
Blocks = dict[tuple[int, int], dict[int, Counts]]


def block(first: int, rows: dict[int, Counts]) -> dict[int, Counts]:
    """Return panes of a block by start: at most four, ten seconds each, from a multiple of 50 s, so in one frame."""
    start = first * 5 * PANE_MS
    filled = {0: {"a": 0, "idle_ms": 0}, **rows}
    return {start + offset * PANE_MS: counts for offset, counts in sorted(filled.items())}


def plain(blocks: Blocks, hi_ms: int, length_ms: int, *, staffed: bool) -> Counts:
    """Sum up the panes of a window one by one."""
    total: Counts = {}
    worked: dict[int, int] = {}
    for panes in blocks.values():
        for pane, counts in panes.items():
            if hi_ms - length_ms <= pane < hi_ms:
                worked[pane] = worked.get(pane, 0) + counts.get("idle_ms", 0)
                for field, amount in counts.items():
                    total[field] = total.get(field, 0) + amount
    if staffed:
        total["staffed_ms"] = PANE_MS * sum(time > 0 for time in worked.values())
    return {field: amount for field, amount in total.items() if amount}


@given(st.booleans(), st.lists(st.one_of(changes, moves, losses), max_size=40))
def test_as_a_plain_recount(staffed: bool, steps: list[tuple[str, int, int, dict[int, Counts]]]) -> None:
    """With any changes, expirations and moves of the end, each sum is that of the panes in its window, and reports its changes.

    What is given up counts while a window holds any of it.
    """
    trailing = TrailingSums(LENGTHS_MS, staffed=staffed)
    blocks: Blocks = {}
    given_up: set[tuple[int, int]] = set()
    hi: int | None = None
    for step, origin, number, rows in steps:
        before = {length: dict(sums) for length, sums in trailing.sums.items()}
        trailing.changed.clear()
        if step == "advance":
            trailing.advance(number * PANE_MS)
            hi = max(number * PANE_MS, -1 if hi is None else hi)
        elif step == "compact":
            trailing.compact(number * PANE_MS)
        elif step == "again" and hi is not None:
            trailing.reset()
            trailing.advance(hi)
            blocks = {place: panes for place, panes in blocks.items() if place not in given_up}
        elif step == "give up" and (origin, number) in blocks:
            trailing.discard(origin, min(blocks[origin, number]))
            given_up.add((origin, number))
        elif step == "change":
            panes = block(number, rows)
            trailing.exchange(origin, Panes.of(list(panes.items())))
            blocks[origin, number] = panes
            given_up.discard((origin, number))
        if hi is not None:
            passed = {place for place in given_up if place in blocks and max(blocks[place]) < hi - max(LENGTHS_MS)}
            blocks = {place: panes for place, panes in blocks.items() if place not in passed}
        given_up &= blocks.keys()

        assert trailing.is_empty == (blocks.keys() == given_up)
        assert len(trailing) == sum(map(len, blocks.values()))
        if hi is not None:
            assert trailing.sums == {length: plain(blocks, hi, length, staffed=staffed) for length in LENGTHS_MS}
        assert all(before[length] == sums for length, sums in trailing.sums.items() if length not in trailing.changed)


def test_the_edges_of_a_window() -> None:
    """A window of 30 s that ends at 60 s holds the panes of 30, 40 and 50 s."""
    trailing = TrailingSums((30_000,))
    for pane in (20_000, 30_000, 50_000, 60_000):
        trailing.exchange(0, Panes.of([(pane, {"n": pane})]))
    trailing.advance(60_000)

    assert trailing.sums[30_000] == {"n": 80_000}


def test_panes_of_the_future_wait() -> None:
    """What lies beyond the end is in no sum until the end has passed it."""
    trailing = TrailingSums((30_000,))
    trailing.advance(60_000)
    trailing.exchange(0, Panes.of([(60_000, {"n": 1})]))

    assert (trailing.changed, trailing.sums[30_000]) == (set(), {})
    trailing.advance(70_000)
    assert (trailing.changed, trailing.sums[30_000]) == ({30_000}, {"n": 1})


def test_a_dropped_block_is_forgotten() -> None:
    """A block that a source partition gives up behind all windows takes no room, and changes nothing."""
    trailing = TrailingSums((30_000,))
    trailing.exchange(0, Panes.of([(0, {"n": 1}), (10_000, {"n": 2})]))
    trailing.exchange(1, Panes.of([(0, {"n": 4})]))
    trailing.advance(MIN_CELL_MS)
    trailing.discard(0, 0)

    assert len(trailing) == 1
    trailing.discard(1, 0)
    assert trailing.is_empty
    assert trailing.sums[30_000] == {}


def test_a_dropped_block_counts_until_it_has_left_the_window() -> None:
    """A source partition ahead of others drops a block while a window of 30 s still holds its pane of 10 s."""
    trailing = TrailingSums((20_000, 30_000))
    trailing.exchange(0, Panes.of([(0, {"n": 1}), (10_000, {"n": 2})]))
    trailing.exchange(1, Panes.of([(30_000, {"n": 4})]))
    trailing.advance(40_000)
    trailing.discard(0, 0)
    trailing.discard(1, 30_000)

    # Source partitions hold nothing any more, and the window does.
    assert [trailing.is_empty, len(trailing)] == [True, 3]
    assert trailing.sums == {20_000: {"n": 4}, 30_000: {"n": 6}}
    trailing.advance(50_000)
    assert trailing.sums == {20_000: {"n": 4}, 30_000: {"n": 4}}
    # Read again it is stored again, and replaces the former block.
    trailing.exchange(1, Panes.of([(30_000, {"n": 5})]))
    assert [trailing.is_empty, len(trailing)] == [False, 1]
    assert trailing.sums[20_000] == {"n": 5}
    trailing.advance(70_000)
    assert trailing.sums == {20_000: {}, 30_000: {}}
    assert len(trailing) == 1


def test_windows_after_a_reset_hold_no_expired_blocks() -> None:
    """After progress was set back the windows are those of what source partitions hold."""
    trailing = TrailingSums((30_000,))
    trailing.exchange(0, Panes.of([(10_000, {"n": 2})]))
    trailing.exchange(1, Panes.of([(10_000, {"n": 3})]))
    trailing.advance(30_000)
    trailing.discard(0, 10_000)
    trailing.reset()
    trailing.advance(30_000)

    assert trailing.sums == {30_000: {"n": 3}}


def test_a_jump_over_everything() -> None:
    """After a gap longer than the window the sums are empty, not what was left over."""
    trailing = TrailingSums((30_000,))
    trailing.exchange(0, Panes.of([(0, {"n": 1})]))
    trailing.advance(10_000)
    trailing.changed.clear()
    trailing.advance(10_000_000)

    assert (trailing.changed, trailing.sums[30_000]) == ({30_000}, {})
