"""What a worker takes while little comes, and the whole demo: its polls, heartbeats and rounds."""

# ruff: noqa: T201 - prints its figures.

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.require import require_embedded_broker

ROOT = Path(__file__).parents[2]

#: Of a core.
WORKER_MOST = 0.05
DEMO_MOST = 0.5


def _measured(*arguments: str) -> dict[str, Any]:
    output = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600, check=True).stdout
    print(f"\n{output}")
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


@pytest.mark.alone
@pytest.mark.kafka
@pytest.mark.nightly
def test_an_idle_worker_uses_little_of_a_core(request: pytest.FixtureRequest) -> None:
    """With 10 events a second for a minute, of CPU seconds, everything counted."""
    request.getfixturevalue("kafka")
    (found,) = _measured("benchmarks.latency", "--rates", "10", "--seconds", "60")["latency"]
    assert found["rate"] == 10
    assert found["offers"] > 0
    assert found["share"] <= WORKER_MOST


@pytest.mark.alone
@pytest.mark.embedded
@pytest.mark.nightly
def test_the_demo_uses_half_a_core() -> None:
    """Its broker, worker, serve, gateway and connectors, once the figures have caught up."""
    require_embedded_broker()
    found = _measured("benchmarks.idle", "--seconds", "60")
    assert {"streams worker", "streams serve"} <= found["by_process"].keys()
    assert found["all"] <= DEMO_MOST
