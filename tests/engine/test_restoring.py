"""A worker's heartbeats while it reads its state: who watches is not to take it for one that is gone."""

from __future__ import annotations

from streams.engine.health import Health
from streams.engine.heartbeats import Heartbeats
from streams.engine.settings import EngineSettings


def test_a_restoring_worker_reports_it() -> None:
    """From its start until all is restored, as long as it gets on with it: one that has read nothing for long waits for something else."""
    health = Health()
    heartbeats = Heartbeats(EngineSettings(app_id="a", bootstrap="127.0.0.1:1"), health, lambda: "")

    assert (heartbeats.restoring(), heartbeats.going_on()) == (True, {})
    health.last_progress -= 11
    assert not heartbeats.restoring()
    health.progressed()
    assert heartbeats.restoring()
    health.recovering = False
    assert not heartbeats.restoring()
