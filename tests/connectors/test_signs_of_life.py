"""The bound of silence fits the interval of heartbeats: no sound source is silent, and a dead feed soon is."""

from __future__ import annotations

import pytest

from streams.configuration import Configuration
from streams.connectors.connection.runner import ConnectionSettings
from streams.connectors.feed import FollowSettings
from streams.connectors.intake import GatewaySettings
from streams.connectors.pull.status import RunSettings
from streams.tracking.watermark import watermark_of

DEFAULT_SECONDS = Configuration().counting.source_timeout_seconds
START_MS = 1_795_305_600_000


@pytest.mark.parametrize(
    "settings", [RunSettings(), FollowSettings(), GatewaySettings(), ConnectionSettings()], ids=lambda each: type(each).__name__
)
def test_three_signs_may_be_missed(settings: RunSettings | FollowSettings | GatewaySettings | ConnectionSettings) -> None:
    """Of every way in that ships: who loses two of its heartbeats to a busy machine or a restart is not yet silent."""
    assert 4 * settings.heartbeat_seconds <= DEFAULT_SECONDS


def test_a_dead_feed_is_seen_within_45_seconds() -> None:
    """Two sources beat every second, and one dies: by default it is named when the other has reported 41 s, and not before."""
    watermark = watermark_of(Configuration())
    named = []
    for second in range(60):
        for source in ("pbx", "crm") if second <= 10 else ("pbx",):
            at_ms = START_MS + 1000 * second
            watermark.heartbeat(source, at_ms, at_ms)
        if watermark.stale():
            named.append((second - 10, watermark.stale()))

    assert named[0] == (41, ["crm"])
    assert all(each == ["crm"] for _, each in named)
