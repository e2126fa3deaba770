"""What formulas read is booked: worlds of every kind of event leave a sum of every field, under names that the catalogue declares."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from streams.catalogue import KPI_BY_ID
from streams.catalogue.fields import FIELD_BY_ID, parse
from tests.oracle.customer_worlds import customer_world
from tests.oracle.worlds import random_world
from tests.properties.pipeline import MemoryPipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Booked, but not in these worlds: field → where it is seen instead.
ELSEWHERE: dict[str, str] = {}


def _names(records: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield the names of all sums of window records, those by label by the fields of their figures."""
    for record in records.values():
        if record["kind"] == "window":
            yield from (name for name, number in record["counts"].items() if number)
            for kpi in record.get("by_label", ()):
                yield from (FIELD_BY_ID[key].name(label="any") for key in KPI_BY_ID[kpi].formula.fields if FIELD_BY_ID[key].label)


@pytest.fixture(scope="module")
def booked() -> frozenset[str]:
    """Return the names of the sums that some worlds leave."""
    found: set[str] = set()
    for seed in (*range(7), 11):  # worlds that together have everything
        world = random_world(seed, late=seed == 0)
        pipeline = MemoryPipeline(world.configuration, Random(seed))
        pipeline.run(world.events)
        found.update(_names(pipeline.latest), _names(pipeline.agents))
    for seed in range(4):
        configuration, events, _ = customer_world(seed)
        pipeline = MemoryPipeline(configuration, Random(seed))
        pipeline.run(events)
        found.update(_names(pipeline.latest))
    return frozenset(found)


def test_every_name_is_declared(booked: frozenset[str]) -> None:
    """Everything booked is a field of the catalogue."""
    undeclared = sorted(name for name in booked if parse(name) is None)

    assert not undeclared, f"booked but not declared: {', '.join(undeclared)}"


def test_every_field_is_booked(booked: frozenset[str]) -> None:
    """No field is declared, and read by a formula, that nothing books."""
    fields = {found.field.key for name in booked if (found := parse(name)) is not None}
    never = sorted(FIELD_BY_ID.keys() - fields - ELSEWHERE.keys())

    assert not never, f"declared but never booked: {', '.join(never)}"
    assert fields.isdisjoint(ELSEWHERE)


def test_what_has_a_whole_is_booked_without_its_label(booked: frozenset[str]) -> None:
    """A field by label is booked without one too, or declares that it is not: its total would be 0."""
    wholes = {found.field.key for name in booked if (found := parse(name)) is not None and found.label is None}
    silent = sorted(field.key for field in FIELD_BY_ID.values() if field.label and field.has_total and field.key not in wholes)

    assert not silent, f"booked by label alone; declare it with has_total=False: {', '.join(silent)}"


def test_fields_needed_by_definitions_alone_are_marked(booked: frozenset[str]) -> None:
    """A world of the default definition books none of the fields that only other definitions need."""
    world = random_world(1)
    default = world.configuration.model_copy(update={"definitions": {}, "default_definitions": None, "queues": {}})
    pipeline = MemoryPipeline(default, Random(1))
    pipeline.run(world.events)
    needed = {key for key, field in FIELD_BY_ID.items() if field.needed}

    assert needed.isdisjoint(found.field.key for name in _names(pipeline.latest) if (found := parse(name)) is not None)
    assert needed <= {found.field.key for name in booked if (found := parse(name)) is not None}
