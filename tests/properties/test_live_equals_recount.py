"""In any order, with repeats, chunks and restarts, the figures are the recount's."""

from __future__ import annotations

from random import Random

import pytest

from tests.oracle.recount import recount
from tests.oracle.worlds import random_world, repeated, shuffled_within_grace
from tests.properties.compare import differences
from tests.properties.pipeline import MemoryPipeline

SEEDS = range(4)


@pytest.mark.parametrize("seed", SEEDS)
def test_figures_equal_the_recount(seed: int) -> None:
    """A world's events in the order received give exactly the oracle's figures."""
    world = random_world(seed)
    pipeline = MemoryPipeline(world.configuration, Random(seed))
    pipeline.run(world.events)

    assert differences(pipeline.latest, recount(world.events, world.configuration), agents=pipeline.agents) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_any_order_within_the_grace(seed: int) -> None:
    """Shuffled within the grace and repeated one to three times, with restarts in between, the figures are those of the facts."""
    random = Random(seed)
    world = random_world(seed)
    events = repeated(shuffled_within_grace(world.events, random), random)
    pipeline = MemoryPipeline(world.configuration, random, contacts=3, agents=1, panes=2)
    pipeline.run(events, restarts=1 / 20)

    assert differences(pipeline.latest, recount(events, world.configuration), agents=pipeline.agents) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_late_events_change_nothing_but_their_count(seed: int) -> None:
    """Events beyond the grace are counted as late, exactly as by the oracle, and change no other figure."""
    world = random_world(seed, late=True)
    pipeline = MemoryPipeline(world.configuration, Random(seed))
    pipeline.run(world.events, restarts=1 / 20)
    oracle = recount(world.events, world.configuration)

    assert differences(pipeline.latest, oracle, agents=pipeline.agents) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_roll_up_that_takes_over_publishes_nothing(seed: int) -> None:
    """Ten times in a world roll-ups start from what others wrote: no record differs, so they publish none."""
    random = Random(seed)
    world = random_world(seed)
    pipeline = MemoryPipeline(world.configuration, random)
    events = shuffled_within_grace(world.events, random)
    step = -(-len(events) // 10)
    for begin in range(0, len(events), step):
        pipeline.run(events[begin : begin + step])

        assert len(pipeline.latest) > 1
        assert list(pipeline.records_after_takeover()) == []


def test_late_events_are_counted() -> None:
    """Every event beyond the grace is counted as late, none is dropped without a trace."""
    world = random_world(5, late=True)
    pipeline = MemoryPipeline(world.configuration, Random(5))
    pipeline.run(world.events)
    oracle = recount(world.events, world.configuration)

    assert oracle.late_contacts.total() + oracle.late_people > 0
    assert pipeline.late() == oracle.late_contacts.total() + oracle.late_people
