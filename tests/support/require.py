"""What a test needs from its surroundings: a laptop may lack it, CI may not."""

from __future__ import annotations

import os

import pytest

from streams.demo.broker import BrokerError, broker_binary

__all__ = ["require", "require_embedded_broker"]


def require(condition: object, reason: str) -> None:
    """Skip the running test with the reason unless the condition holds; in CI (``CI=true``) fail it instead.

    The reason names what is missing and how to get it: ``"Apache Kafka needs Java 17: apt-get install openjdk-17-jre-headless"``.
    """
    if condition:
        return
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"missing in CI, where nothing may be missing: {reason}", pytrace=False)
    pytest.skip(reason)


def require_embedded_broker() -> None:
    """Skip the running test, in CI fail it, where the embedded broker cannot run."""
    try:
        broker_binary()
    except BrokerError as missing:
        require(condition=False, reason=str(missing))
