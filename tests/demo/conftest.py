"""A running demo that the tests of what it serves share: it takes half a minute to start."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.demo.test_run import Demo
from tests.support.require import require_embedded_broker

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A queue beside those of the demo, whose source speaks once and falls silent.
ADDED = """
queues:
  Helpdesk: {channel: voice, target: 0.8, sources: [helpdesk]}
counting: {source_timeout_seconds: 20}
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run a demo whose center has been open for two hours, caught up with the clock."""
    require_embedded_broker()
    added = tmp_path_factory.mktemp("demo") / "added.yaml"
    added.write_text(ADDED, encoding="utf-8")
    demo = Demo("--open-hours", "2", "--config", str(added))
    try:
        assert demo.prints("caught up", 120), demo.output
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.process.send_signal(signal.SIGINT)
            demo.process.wait(30)
        assert demo.process.stdout is not None
        demo._reader.join(5)
        demo.process.stdout.close()
