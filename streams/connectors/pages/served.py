"""All pages that a gateway serves to customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.connectors.pages.beacon import FaqBeacons
from streams.connectors.pages.publishing import PAGE_OUTCOMES, PagePublisher, page_sender
from streams.connectors.pages.survey import SurveyPages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from aiohttp import web

    from streams.connectors.configured import Configured
    from streams.connectors.gateway_metrics import GatewayMetrics
    from streams.connectors.intake import Intake
    from streams.connectors.publishing import Publisher

__all__ = ["Pages"]


class Pages:
    """The pages of a gateway.

    Args:
        publisher: where events go.
        intake: admits requests, as for senders.
        metrics: counts them.
        now: the wall clock.
        monotonic: seconds, for rates.
    """

    def __init__(
        self,
        publisher: Publisher,
        intake: Intake,
        metrics: GatewayMetrics,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        pages = PagePublisher(publisher, metrics, now)
        self._metrics = metrics
        self._kinds = (SurveyPages(pages, intake, monotonic), FaqBeacons(pages, intake, monotonic))

    def take(self, connectors: Mapping[str, Configured]) -> None:
        """Apply these connectors from the next request on."""
        for kind in self._kinds:
            kind.take(connectors)
        self._metrics.begin_pages([(source, page_sender(source)) for source in self.sources], PAGE_OUTCOMES)

    @property
    def sources(self) -> frozenset[str]:
        """The sources whose pages the gateway serves."""
        return frozenset().union(*(kind.sources for kind in self._kinds))

    @property
    def names(self) -> list[str]:
        """Their sender names at the gateway."""
        return sorted(page_sender(source) for source in self.sources)

    def sender_of(self, source: str) -> list[str]:
        """Return the sender names that may hold events of a source."""
        return [page_sender(source)] if source in self.sources else []

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Declare the routes."""
        for kind in self._kinds:
            kind.add_routes(router)
