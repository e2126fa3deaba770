"""The metrics of a polling connector; label values come from the configuration or this program."""

from __future__ import annotations

from collections import Counter as Tally
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from streams.connectors.kit.translating import REASONS
from streams.connectors.pull.failures import FAILURES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from streams.connectors.lines import Rejected

__all__ = ["PullMetrics"]

_WAITS_FOR: Final = (*FAILURES, "kafka", "starting")


class PullMetrics:
    """Counts of one source."""

    def __init__(self, source: str) -> None:
        self.registry = CollectorRegistry()
        prefix, registry = "contact_center_connector", self.registry
        labels = ["source"]
        self._records = Counter(f"{prefix}_records", "Records that the platform answered.", labels, registry=registry).labels(source)
        self._events = Counter(f"{prefix}_events", "Events that are in Kafka.", labels, registry=registry).labels(source)
        self._ignored = Counter(f"{prefix}_records_ignored", "Records of which nothing counts.", labels, registry=registry).labels(source)
        rejected = Counter(f"{prefix}_records_rejected", "Dead letters.", [*labels, "reason"], registry=registry)
        self._rejected = {reason: rejected.labels(source, reason) for reason in REASONS}
        failures = Counter(
            f"{prefix}_failures", "Questions without a usable answer, and failures of Kafka.", [*labels, "reason"], registry=registry
        )
        self._failures = {reason: failures.labels(source, reason) for reason in (*FAILURES, "kafka")}
        waiting = Gauge(
            f"{prefix}_waiting", "1 for what the source waits for, shown as stale meanwhile.", [*labels, "reason"], registry=registry
        )
        self._waiting = {reason: waiting.labels(source, reason) for reason in _WAITS_FOR}
        self._through = Gauge(
            f"{prefix}_complete_through_seconds",
            "Everything before this is in Kafka, in seconds since the epoch.",
            labels,
            registry=registry,
        ).labels(source)
        self._states = Gauge(f"{prefix}_remembered_records", "Records remembered to compare.", labels, registry=registry).labels(source)
        self.waiting("starting")

    def page(self, records: int, events: int, ignored: int, rejected: Sequence[Rejected]) -> None:
        """Count an answer."""
        self._records.inc(records)
        self._events.inc(events)
        self._ignored.inc(ignored)
        for reason, count in Tally(rejection.reason for rejection in rejected).items():
            self._rejected.get(reason, self._rejected["not_understood"]).inc(count)

    def failed(self, reason: str) -> None:
        """Count a failure."""
        self._failures[reason].inc()

    def waiting(self, reason: str | None) -> None:
        """Show why the source waits, None if it does not."""
        for name, gauge in self._waiting.items():
            gauge.set(name == reason)

    def complete_through(self, through: datetime | None) -> None:
        """Show how far the source is complete."""
        if through is not None:
            self._through.set(through.timestamp())

    def states(self, count: int) -> None:
        """Show how many records are remembered."""
        self._states.set(count)
