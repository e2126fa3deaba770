"""Figures of customers are the recount's, in any chunks and order, and through restarts."""

from __future__ import annotations

import gzip
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import orjson
import pytest

from schemas.other import CustomerLinked, CustomerModel
from streams.stages import customers_before
from tests.oracle.customer_worlds import customer_world
from tests.oracle.recount import recount
from tests.properties.compare import customer_differences
from tests.properties.pipeline import MemoryPipeline

if TYPE_CHECKING:
    from schemas.base import Event


@pytest.mark.parametrize("partitions", [1, 2, 5])
@pytest.mark.parametrize("seed", range(6))
def test_figures_equal_the_recount(seed: int, partitions: int) -> None:
    """Every day and month of customers, whatever the partitions, chunks, flushes, lost flushes and restarts."""
    configuration, events, end = customer_world(seed)
    pipeline = MemoryPipeline(configuration, Random(seed), customers=partitions)

    pipeline.run(events, restarts=0.1)

    assert customer_differences(pipeline.latest, recount(events, configuration, end, end)) == []
    assert pipeline.dead == []


@pytest.mark.parametrize("seed", range(3))
def test_late_and_repeated_events_of_customers(seed: int) -> None:
    """Orders and links arrive long after they happened, in another order, and twice: they are never late, so figures are the same."""
    configuration, events, end = customer_world(seed)
    random = Random(~seed)
    of_customers = [event for event in events if isinstance(event, CustomerModel)]
    others: list[Event] = [event for event in events if not isinstance(event, CustomerModel)]
    for event in of_customers + random.sample(of_customers, len(of_customers) // 4):
        others.insert(random.randrange(len(others)), event)
    pipeline = MemoryPipeline(configuration, random)

    pipeline.run(others, restarts=0.05)

    assert customer_differences(pipeline.latest, recount(events, configuration, end, end)) == []


@pytest.mark.parametrize("seed", range(20, 26))
def test_links_across_partitions(seed: int) -> None:
    """Most keys are linked, in any order, before and after their events, through lost flushes of each partition."""
    configuration, events, end = customer_world(seed, links=10)
    random = Random(seed)
    links = [event for event in events if isinstance(event, CustomerLinked)]
    others: list[Event] = [event for event in events if not isinstance(event, CustomerLinked)]
    for link in links:
        others.insert(random.randrange(len(others)), link)
    pipeline = MemoryPipeline(configuration, random, customers=3)

    pipeline.run(others, restarts=0.2)

    assert pipeline.restarts > 3
    assert customer_differences(pipeline.latest, recount(events, configuration, end, end)) == []


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("restarts", [0.0, 0.3])
def test_state_of_the_last_release(number: int, restarts: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Customers, links and uncounted facts of the last release are migrated once, and counting continues from there."""
    monkeypatch.setattr(customers_before, "_AT_ONCE", 7)
    kept = orjson.loads(gzip.decompress((Path(__file__).parent / "customers-of-before.json.gz").read_bytes()))[number]
    configuration, events, end = customer_world(kept["seed"])
    rows = {tuple(name.rsplit("/", 1)): _bytes(entries) for name, entries in kept["rows"].items()}
    before = {"state": rows.pop(("facts", "0")), "facts": _bytes(kept["facts_left"])}
    pipeline = MemoryPipeline(configuration, Random(number), customers=3, before=before)
    pipeline.start_from({(name, int(partition)): content for (name, partition), content in rows.items()}, kept["panes"], kept["latest"])

    pipeline.run(events[kept["taken"] :], restarts=restarts)

    assert customer_differences(pipeline.latest, recount(events, configuration, end, end)) == []


def _bytes(rows: list[list[str]]) -> dict[bytes, bytes]:
    return {key.encode(): value.encode() for key, value in rows}
