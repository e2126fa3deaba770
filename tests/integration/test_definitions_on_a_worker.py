"""Versions of a definition on a running worker: intervals keep the version they began under, and a version changed in place is refused."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from schemas.times import format_ms, parse_time_ms
from streams.demo.broker import EmbeddedBroker
from streams.demo.simulator.emission import Emission
from streams.engine.exits import ExitCode
from streams.worker import create_topics
from tests.integration.test_configuration_changes import stable_latest
from tests.integration.test_replay_equals_kafka import PREFIX, publish
from tests.support.require import require_embedded_broker
from tests.support.services import Services, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.embedded

NOON = parse_time_ms("2026-03-02T12:00:00Z")
QUARTER_MS = 900_000

ONE = "  standard:\n  - {version: 1, threshold_s: 20}\n"
TWO = "  - {version: 2, threshold_s: 10, effective_from: '2026-03-02T12:15:00Z'}\n"
STRICT = "  strict: {threshold_s: 10, abandon: positive}\n"
QUEUES = "queues:\n  sales: {channel: voice, definitions: [standard, strict]}\n"


def write(file: Path, standard: str) -> None:
    """Write a configuration with these versions of ``standard``, in one step as careful tools do."""
    beside = file.with_suffix(".new")
    beside.write_text(f"definitions:\n{standard}{STRICT}{QUEUES}", encoding="utf-8")
    beside.replace(file)


def call(second: int) -> list[Emission]:
    """Return a call that begins ``second`` seconds after noon and waits 15 s."""
    name = f"call-{second}"
    steps = (
        (second, {"type": "contact.queued", "queue": "sales", "channel": "voice"}),
        (second + 15, {"type": "contact.answered", "agent": "a"}),
    )
    found = []
    for at, fields in steps:
        time = format_ms(NOON + 1000 * at)
        common = {"event_id": f"{name}-{at}", "conversation_id": name, "source": "pbx", "occurred_at": time, "received_at": time}
        found.append(Emission(NOON + 1000 * at, "contact-events", name, {**common, **fields}))
    return found


def test_versions_on_a_running_worker(tmp_path: Path) -> None:
    """Must-show 6: figures computed under version 1 still name version 1 when 2 has taken effect, and after the worker starts again."""
    require_embedded_broker()
    file = tmp_path / "center.yaml"
    write(file, ONE)
    with EmbeddedBroker() as broker, Services(tmp_path, broker.bootstrap_servers, PREFIX, file) as services:
        asyncio.run(run_on(file, broker.bootstrap_servers, services))


async def run_on(file: Path, bootstrap: str, services: Services) -> None:
    """Announce a version while events flow, let it take effect, start again, and then change one in place."""
    await create_topics(bootstrap, PREFIX)
    services.run("worker")
    await services.ready("worker")
    await publish(bootstrap, [*call(60), *call(400)], NOON + 500_000)
    await stable_latest(bootstrap, format_ms(NOON + 500_000))

    write(file, ONE + TWO)
    os.kill(services.pid("worker"), signal.SIGHUP)
    await until(lambda: "The configuration has changed" in services.log("worker"), 20)
    await publish(bootstrap, [*call(960), *call(1000)], NOON + 1_100_000)
    latest = await stable_latest(bootstrap, format_ms(NOON + 1_100_000))
    expected = [
        ("standard@1", (2, 2), (0, 2)),
        ("standard@2", (0, 2), (0, 2)),
    ]
    assert [level(latest, number) for number in range(2)] == expected
    versions = {key.partition("|")[2].partition("|")[2]: each for key, each in latest.items() if each["kind"] == "definition"}
    assert {name: each["known_since"] for name, each in versions.items()} == {
        "standard@1": None,
        "standard@2": "2026-03-02T12:15:00.000Z",
        "strict@1": None,
    }

    # Another process restores, and both keep their versions.
    assert services.terminate("worker") == 0
    services.run("worker")
    await services.ready("worker")
    await publish(bootstrap, call(1150), NOON + 1_200_000)
    latest = await stable_latest(bootstrap, format_ms(NOON + 1_200_000))
    assert [level(latest, number) for number in range(2)] == [expected[0], ("standard@2", (0, 3), (0, 3))]

    # Changed in place: a worker that starts names the difference, and stops.
    assert services.terminate("worker") == 0
    write(file, ONE.replace("20", "25") + TWO)
    services.run("worker")
    assert services.wait("worker", 30) == ExitCode.CONFIGURATION_REFUSED
    assert "definition standard@1 was published with threshold_s 20.0 and is configured with 25.0" in services.log("worker")
    assert "Leave it unchanged and add version 2 with an effective_from" in services.log("worker")


def level(latest: dict[str, dict[str, Any]], number: int) -> tuple[str, tuple[float, float], tuple[float, float]]:
    """Return what judges a quarter of an hour after noon, its service level, and that by the definition beside."""
    record = latest[f"window|interval_15m|voice|queue:sales|{NOON + number * QUARTER_MS}"]
    figures = record["kpis"]["service_level"], record["by_definition"]["strict@1"]["service_level"]
    first, other = ((each["numerator"], each["denominator"]) for each in figures)
    return record["definitions"]["service_level"], first, other
