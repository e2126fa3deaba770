"""A worker that takes a changed configuration up is killed while it starts again in place."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from schemas.times import format_ms
from streams.demo.simulator.load import load_events
from streams.worker import create_topics
from tests.integration.test_configuration_changes import (
    EVENTS,
    PREFIX,
    SEED,
    VALID,
    equal_to_the_recount,
    has_value,
    stable_latest,
    written,
)
from tests.integration.test_replay_equals_kafka import publish
from tests.support.kafka import cluster
from tests.support.product_load import final_ms
from tests.support.services import Services, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.nightly]


def test_killed_while_replacing_itself(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Whenever it dies between its last flush and its start in place, the next one has the changed file, and everything counts once."""
    request.getfixturevalue("kafka")  # is it here at all? The topics are those of a broker of our own
    file = tmp_path / "center.yaml"
    written(file)
    with cluster() as own, Services(tmp_path, own.bootstrap, PREFIX, file) as services:
        asyncio.run(kill_it(file, own.bootstrap, services))


async def kill_it(file: Path, bootstrap: str, services: Services) -> None:
    """Change the file while events flow, and kill the worker some moments after it has begun to take the change up."""
    await create_topics(bootstrap, PREFIX)
    services.run("worker", "--instance-id", "the-worker")
    events = list(load_events(EVENTS, SEED, rate=1))
    await services.ready("worker")
    parts, pauses = 4, (0.0, 0.3, 1.2)
    ends = [EVENTS * (number + 1) // parts for number in range(parts)]
    for number, pause in enumerate(pauses):
        begin = ends[number - 1] if number else 0
        written(file, target=0.5 + number / 10)
        os.kill(services.pid("worker"), signal.SIGHUP)
        await publish(bootstrap, events[begin : ends[number]], final_ms(events[ends[number] - 1]))
        await until(lambda: services.log("worker").count("The configuration has changed") == number + 1, 30)  # noqa: B023 - used at once
        await asyncio.sleep(pause)
        services.kill("worker")
        services.start("worker")
        await services.ready("worker")
    await publish(bootstrap, events[ends[-2] :], final_ms(events[-1]))
    latest = await stable_latest(bootstrap, format_ms(final_ms(events[-1])))
    assert await has_value(services, "worker", VALID, 1)
    assert not services.ended
    equal_to_the_recount(latest, events, file)
