"""A replay of a file of a million events takes no more memory than one of a quarter of it."""

# ruff: noqa: T201 - prints its figures.

from __future__ import annotations

import pytest

from benchmarks.replay import measured

EVENTS = 1_000_000


@pytest.mark.alone
@pytest.mark.nightly
@pytest.mark.parametrize("rate", [1, 200])
def test_memory_stays(rate: int) -> None:
    """One center's days, and 200 centers' hour: at the end as much is resident as after the first half, and 40,000 a second are counted."""
    found = measured(EVENTS, rate, pipe=True)
    print(f"\n{found}")
    looks = [mib for _, mib in sorted((int(number), mib) for number, mib in found["resident_mib"].items())]
    middle, last = looks[len(looks) // 2], looks[-1]
    assert last < 1.1 * middle
    assert last < 250
    assert found["offered"] > EVENTS / 30
    assert found["events_per_second"] > 40_000
