"""Intervals of every length, both attributions, business clocks and calendar exceptions: equal to the slow recount."""

from __future__ import annotations

from random import Random

import pytest

from tests.oracle.recount import recount
from tests.oracle.timed import timed_world
from tests.oracle.worlds import repeated, shuffled_within_grace
from tests.properties.compare import differences
from tests.properties.pipeline import MemoryPipeline

WINDOWS = ("trailing_15m", "day", "interval_5m", "interval_15m", "interval_30m", "interval_60m")


@pytest.mark.parametrize("seed", range(4))
def test_time_is_counted_as_it_is_recounted(seed: int) -> None:
    """In any order within the grace, with repeats and restarts, every interval and day is the oracle's, by offer and by outcome."""
    random = Random(seed)
    world = timed_world(seed)
    counting = world.configuration.counting
    events = repeated(shuffled_within_grace(world.events, random), random)
    pipeline = MemoryPipeline(world.configuration, random)
    pipeline.run(events, restarts=1 / 20)

    lengths = {f"interval_{minutes}m" for minutes in counting.interval_minutes}
    windows = tuple(name for name in WINDOWS if not name.startswith("interval") or name in lengths)
    assert differences(pipeline.latest, recount(events, world.configuration), windows=windows) == []
