"""Publish what pages send: translated by its connector, counted, and answered only once Kafka has it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import orjson

from streams.connectors.kit.translating import translate
from streams.connectors.publishing import NotPublishedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from streams.connectors.configured import Configured
    from streams.connectors.gateway_metrics import GatewayMetrics
    from streams.connectors.publishing import Publisher

__all__ = ["PAGE_OUTCOMES", "PagePublisher", "page_sender"]

logger = logging.getLogger(__name__)

#: Outcomes of a request for a page: it is shown; its answer is in Kafka; or why not.
PAGE_OUTCOMES: Final = ("shown", "taken", "not_valid", "expired", "too_often", "not_permitted", "not_published")


def page_sender(source: str) -> str:
    """Return the sender name of a source's pages at the gateway."""
    return f"/pages/{source}"


class PagePublisher:
    """Publishes what pages send.

    Args:
        publisher: where events go.
        metrics: counts them.
        now: the wall clock.
    """

    def __init__(self, publisher: Publisher, metrics: GatewayMetrics, now: Callable[[], datetime]) -> None:
        self._publisher = publisher
        self._metrics = metrics
        self.now = now

    def count(self, configured: Configured, outcome: str) -> None:
        """Count the outcome of a request."""
        self._metrics.pages.labels(configured.source, outcome).inc()

    async def publish(self, configured: Configured, content: Mapping[str, object]) -> bool:
        """Publish what a page sent; return whether Kafka has it. Its content has been checked: nothing of it is rejected."""
        source = configured.source
        translated = translate(
            configured.connector, orjson.dumps(content), configured.context, origin=f"pages/{source}", now=self.now(), site=configured.site
        )
        if not translated.events:
            self.count(configured, "not_valid")
            return False
        try:
            await self._publisher.publish(translated.events, [], source=source)
        except NotPublishedError as error:
            logger.warning("An event of a page could not be published; the page was asked to retry. source=%s reason=%s", source, error)
            self.count(configured, "not_published")
            return False
        self._metrics.accepted.labels(page_sender(source)).inc(len(translated.events))
        self.count(configured, "taken")
        return True
