"""All pages that a gateway serves to customers, as one."""

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
        intake: lets requests in, as it does those of senders.
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
        """Go by these from the next request on."""
        for each in self._kinds:
            each.take(connectors)
        self._metrics.begin_pages([(source, page_sender(source)) for source in self.sources], PAGE_OUTCOMES)

    @property
    def sources(self) -> frozenset[str]:
        """The sources that the gateway speaks for."""
        return frozenset().union(*(each.sources for each in self._kinds))

    @property
    def names(self) -> list[str]:
        """What they are called among those that share the gateway."""
        return sorted(page_sender(source) for source in self.sources)

    def sender_of(self, source: str) -> list[str]:
        """Return what may hold events of a source."""
        return [page_sender(source)] if source in self.sources else []

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Declare the routes."""
        for each in self._kinds:
            each.add_routes(router)
