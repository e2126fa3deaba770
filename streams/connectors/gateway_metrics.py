"""The metrics of the gateway; label values are names from the configuration and from this program, never input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streams.connectors.admission import REASONS
from streams.connectors.kit.translating import REASONS as RECORD_REASONS
from streams.connectors.kit.verifying import VERIFYING_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HOOK_OUTCOMES", "GatewayMetrics"]

#: Why a permitted sender's request is refused: its share of requests or of bytes is taken, or its body is too slow.
_REFUSED: Final = ("places", "bytes", "slow")

#: What becomes of a delivery by webhook: it is accepted; nothing in it can be read; Kafka does not take it; its sender is not verified.
HOOK_OUTCOMES: Final = ("taken", "unreadable", "not_published", *VERIFYING_REASONS)

#: What becomes of a record of an accepted delivery.
_BECAME: Final = ("events", "ignored", "rejected")


@dataclass(slots=True)
class GatewayMetrics:
    """The series of one gateway."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        prefix, registry = "contact_center_gateway", self.registry
        self.accepted = Counter(f"{prefix}_events_accepted", "Events that Kafka acknowledged.", ["sender"], registry=registry)
        self.rejected = Counter(f"{prefix}_events_rejected", "Events refused.", ["sender", "reason"], registry=registry)
        self.requests = Counter(
            f"{prefix}_requests", "Requests for /v1/events by the status they were answered with.", ["status"], registry=registry
        )
        self.publish = Histogram(
            f"{prefix}_publish_seconds",
            "From the first event handed to Kafka until all of a request's were acknowledged.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=registry,
        )
        self.refused = Counter(
            f"{prefix}_requests_refused",
            "Requests that found no room in their sender's share, or whose body came too slowly.",
            ["sender", "reason"],
            registry=registry,
        )
        self.in_flight = Gauge(f"{prefix}_requests_in_flight", "Requests being read or published.", registry=registry)
        self.deliveries = Counter(
            f"{prefix}_hook_deliveries", "Deliveries by webhook by what became of them.", ["source", "outcome"], registry=registry
        )
        self.pages = Counter(
            f"{prefix}_page_requests", "Requests for pages of customers by what became of them.", ["source", "outcome"], registry=registry
        )
        self.records = Counter(
            f"{prefix}_hook_records",
            "What the records of taken deliveries became: events, nothing for a stated reason, dead letters.",
            ["source", "became"],
            registry=registry,
        )

    def begin(self, senders: Iterable[str]) -> None:
        """Create every expected series with 0: Prometheus sees no increase where a series begins."""
        self.requests.labels("200")
        for sender in senders:
            self._begin(sender, REASONS)

    def begin_hooks(self, senders: Iterable[tuple[str, str]]) -> None:
        """Create the series of webhooks: source and its name as a sender."""
        for source, sender in senders:
            self._begin(sender, RECORD_REASONS)
            for outcome in HOOK_OUTCOMES:
                self.deliveries.labels(source, outcome)
            for became in _BECAME:
                self.records.labels(source, became)

    def begin_pages(self, senders: Iterable[tuple[str, str]], outcomes: Iterable[str]) -> None:
        """Create the series of pages that customers open: source and its name as a sender."""
        listed = tuple(outcomes)
        for source, sender in senders:
            self._begin(sender, RECORD_REASONS)
            for outcome in listed:
                self.pages.labels(source, outcome)

    def _begin(self, sender: str, reasons: Iterable[str]) -> None:
        self.accepted.labels(sender)
        for reason in reasons:
            self.rejected.labels(sender, reason)
        for reason in _REFUSED:
            self.refused.labels(sender, reason)

    accepted: Counter = field(init=False)
    rejected: Counter = field(init=False)
    requests: Counter = field(init=False)
    refused: Counter = field(init=False)
    publish: Histogram = field(init=False)
    in_flight: Gauge = field(init=False)
    deliveries: Counter = field(init=False)
    pages: Counter = field(init=False)
    records: Counter = field(init=False)
