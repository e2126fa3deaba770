"""The guard for speed: an event costs the stages no more than a tenth above the figure in the repository."""

from __future__ import annotations

import json
import shutil

import pytest

from benchmarks.instructions import BUILD, FIGURES, dearer, measure
from tests.support.require import require

KEPT = {"plain": 100.0, "contacts": 1_000.0, "agents": 1_000.0, "customers": 500.0, "roll_up": 2_500.0, "total": 5_000.0}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, None),
        ({"roll_up": 2_740.0, "total": 5_240.0}, None),
        ({"plain": 90.0}, "total: 1.111 times the 50.00"),
        ({"roll_up": 3_010.0, "total": 5_510.0}, "total: 1.102 times the 50.00"),
        # One part hides behind the others.
        ({"customers": 560.0, "total": 5_060.0}, "customers: 1.120 times"),
        # Another build of Python takes more for everything, the plain loop included.
        ({name: 1.3 * value for name, value in KEPT.items()}, None),
        # Something became cheaper: no fault, and the next commit keeps it with --write.
        ({"contacts": 500.0, "total": 4_500.0}, None),
    ],
)
def test_excess_instructions_are_reported(changed: dict[str, float], found: str | None) -> None:
    """A tenth is the limit, of all parts together and of each."""
    answer = dearer({**KEPT, **changed}, KEPT)

    assert (answer is None) if found is None else (answer is not None and found in answer)


def test_an_event_has_not_become_dearer() -> None:
    """The stages over the fixed file, counted in instructions beside the plain loop in the same process."""
    require(shutil.which("valgrind"), "valgrind counts the instructions: apt-get install valgrind")
    kept = json.loads(FIGURES.read_text(encoding="utf-8"))
    reason = f"benchmarks/instructions.json has no figures for Python {BUILD}: `make guard ARGS=--write` on the commit before"
    require(BUILD in kept, reason)

    found = dearer(measure(), kept[BUILD])

    assert found is None, found
