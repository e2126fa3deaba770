"""The fixtures that give tests a running Apache Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import kafka as apache

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["kafka", "kafka3"]


def _required() -> None:
    from tests.support.require import require

    reason = apache.missing()
    require(reason is None, reason or "")


@pytest.fixture(scope="session")
def kafka() -> Iterator[apache.Cluster]:
    """One node of Apache Kafka for the whole run; tests name their topics apart."""
    _required()
    with apache.cluster() as running:
        yield running


@pytest.fixture(scope="module")
def kafka3() -> Iterator[apache.Cluster]:
    """Three nodes of Apache Kafka that a module may kill."""
    _required()
    with apache.cluster(nodes=3) as running:
        yield running
