"""The fixtures that give tests a running Apache Kafka, and a running Keycloak."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import kafka as apache
from tests.support import keycloak as provider

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["kafka", "kafka3", "keycloak"]


def _required() -> None:
    from tests.support.require import require

    reason = apache.missing()
    require(reason is None, reason or "")


@pytest.fixture(scope="session")
def kafka() -> Iterator[apache.Cluster]:
    """One node of Apache Kafka for the whole run; tests name their topics separately."""
    _required()
    with apache.cluster() as running:
        yield running


@pytest.fixture(scope="module")
def kafka3() -> Iterator[apache.Cluster]:
    """Three nodes of Apache Kafka that a module may kill."""
    _required()
    with apache.cluster(nodes=3) as running:
        yield running


@pytest.fixture(scope="session")
def keycloak() -> Iterator[provider.Keycloak]:
    """One Keycloak for the whole run; tests make realms of their own."""
    from tests.support.require import require

    reason = provider.missing()
    require(reason is None, reason or "")
    with provider.keycloak() as running:
        yield running
