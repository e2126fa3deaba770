"""What the stages say of customers is what the recount says, however the stream is cut and ordered, and through restarts."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from schemas.other import CustomerModel
from tests.oracle.customer_worlds import customer_world
from tests.oracle.recount import recount
from tests.properties.compare import customer_differences
from tests.properties.pipeline import MemoryPipeline

if TYPE_CHECKING:
    from schemas.base import Event


@pytest.mark.parametrize("seed", range(6))
def test_figures_equal_the_recount(seed: int) -> None:
    """Every day and month of customers, whatever the chunks, flushes, lost flushes and restarts."""
    configuration, events, end = customer_world(seed)
    pipeline = MemoryPipeline(configuration, Random(seed))

    pipeline.run(events, restarts=0.1)

    assert customer_differences(pipeline.latest, recount(events, configuration, end, end)) == []
    assert pipeline.dead == []


@pytest.mark.parametrize("seed", range(3))
def test_customers_told_of_late_and_twice(seed: int) -> None:
    """Orders and links come long after they happened, in another order, and twice: figures are the same, for they are never late."""
    configuration, events, end = customer_world(seed)
    random = Random(~seed)
    told = [event for event in events if isinstance(event, CustomerModel)]
    others: list[Event] = [event for event in events if not isinstance(event, CustomerModel)]
    for event in told + random.sample(told, len(told) // 4):
        others.insert(random.randrange(len(others)), event)
    pipeline = MemoryPipeline(configuration, random)

    pipeline.run(others, restarts=0.05)

    assert customer_differences(pipeline.latest, recount(events, configuration, end, end)) == []
