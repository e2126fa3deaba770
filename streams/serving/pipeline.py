"""A worker's own metrics and health over HTTP: its throughput, not the figures."""

from __future__ import annotations

from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING, Protocol, get_args

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from schemas.limits import (
    ENDS_WORKERS,
    SOURCE_QUARANTINED,
    TOO_MANY_EVENTS,
    TOO_MANY_OPEN,
    TOO_MANY_OUT_OF_ORDER,
    TOO_MANY_PEOPLE,
    TOO_MANY_SOURCES,
    UNREADABLE_BATCH,
    TimeReason,
)
from schemas.rejection import REJECT_REASONS
from schemas.topics import topic as topic_of
from streams.serving.reload import configuration_families

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric

    from streams.configuration.file import ConfigurationFile
    from streams.listening import Connections

__all__ = ["PipelineCollector", "pipeline_app"]

_TOO_MANY = (TOO_MANY_EVENTS, TOO_MANY_OPEN, TOO_MANY_OUT_OF_ORDER, TOO_MANY_PEOPLE, TOO_MANY_SOURCES)
_NONE_REJECTED = dict.fromkeys((*REJECT_REASONS, *get_args(TimeReason), *_TOO_MANY, SOURCE_QUARANTINED, ENDS_WORKERS, UNREADABLE_BATCH), 0)
#: The source topic of customers, without prefix.
_CUSTOMERS = topic_of("customer-facts.v2").name


class _Counters(Protocol):
    events: int
    late: int
    repeated: int
    rejected: dict[str, int]
    overfull: dict[int, int]
    links_refused: int
    quarantined: dict[tuple[str, int], tuple[str, ...]]
    beyond_limits: dict[tuple[str, int], dict[str, int]]


class _Health(Protocol):
    flushes: int
    rows: int
    outputs: int
    last_flush_seconds: float
    last_progress: float
    recovering: bool

    @property
    def partitions(self) -> Mapping[tuple[str, int], _Partition]: ...

    @property
    def kafka_answers(self) -> bool: ...

    def alive(self) -> tuple[bool, str]: ...

    def ready(self) -> tuple[bool, str]: ...


class _Partition(Protocol):
    committed_offset: int
    restored_rows: int
    restore_seconds: float
    end_offset: int


class PipelineCollector:
    """Reads a worker's counters at each scrape."""

    def __init__(self, health: _Health, counters: Mapping[str, _Counters], file: ConfigurationFile | None = None) -> None:
        self._health = health
        self._counters = counters
        self._file = file

    def collect(self) -> Iterator[Metric]:
        """Yield the worker's metric families."""
        processed = CounterMetricFamily("contact_center_events_processed", "Records ingested, by flow.", labels=["flow"])
        late = CounterMetricFamily(
            "contact_center_events_late", "Events received after their pane's grace; they change no figure.", labels=["flow"]
        )
        repeated = CounterMetricFamily("contact_center_events_repeated", "Events that were already known.", labels=["flow"])
        dead = CounterMetricFamily("contact_center_events_dead_lettered", "Records dead-lettered, by reason.", labels=["flow", "reason"])
        for flow, counters in self._counters.items():
            processed.add_metric([flow], counters.events)
            if flow == "roll-up":
                continue
            late.add_metric([flow], counters.late)
            repeated.add_metric([flow], counters.repeated)
            # From 0 on: Prometheus sees no increase where a series begins.
            for reason, number in sorted(({**_NONE_REJECTED, **counters.rejected}).items()):
                dead.add_metric([flow, reason], number)
        yield from (processed, late, repeated, dead)
        health = self._health
        yield CounterMetricFamily("contact_center_flushes", "Committed transactions.", value=health.flushes)
        yield CounterMetricFamily("contact_center_flushed_rows", "Rows of state written.", value=health.rows)
        yield CounterMetricFamily(
            "contact_center_flushed_records", "Records published: panes, metrics, dead letters.", value=health.outputs
        )
        yield GaugeMetricFamily(
            "contact_center_last_flush_duration_seconds", "How long the last flush took.", value=health.last_flush_seconds
        )
        yield GaugeMetricFamily("contact_center_recovering", "1 until every owned partition is restored.", value=int(health.recovering))
        committed = GaugeMetricFamily(
            "contact_center_committed_offset", "Next source offset after the last flush.", labels=["topic", "partition"]
        )
        lag = GaugeMetricFamily(
            "contact_center_consumer_lag_records",
            "Records between the last flush and the end of the partition, transaction markers included; absent while Kafka is silent.",
            labels=["topic", "partition"],
        )
        restored = GaugeMetricFamily(
            "contact_center_restore_duration_seconds", "How long the partition's restore took.", labels=["topic", "partition"]
        )
        for (topic, partition), state in sorted(health.partitions.items()):
            committed.add_metric([topic, str(partition)], state.committed_offset)
            if health.kafka_answers:
                lag.add_metric([topic, str(partition)], max(0, state.end_offset - state.committed_offset))
            restored.add_metric([topic, str(partition)], state.restore_seconds)
        yield from (committed, lag, restored)
        # The new owner reports a partition that was taken over.
        quarantined = GaugeMetricFamily(
            "contact_center_source_quarantined_partitions",
            "Partitions of this worker on which records of a source are dead-lettered because it is quarantined.",
            labels=["flow", "source"],
        )
        for flow, counters in self._counters.items():
            numbers = Counter(
                name
                for source_partition, names in list(counters.quarantined.items())
                if source_partition in health.partitions
                for name in names
            )
            for name, number in sorted(numbers.items()):
                quarantined.add_metric([flow, name], number)
        yield quarantined
        beyond = CounterMetricFamily(
            "contact_center_beyond_source_limits",
            "What exceeded the limits of its source: names and channels of queues, which count as (other), contacts and agents, "
            "which become dead letters, and snapshots, which are skipped.",
            labels=["flow", "kind"],
        )
        for flow, counters in self._counters.items():
            kinds: Counter[str] = Counter()
            for source_partition, numbers_by_kind in list(counters.beyond_limits.items()):
                if source_partition in health.partitions:
                    kinds.update(numbers_by_kind)
            for kind, number in sorted(kinds.items()):
                beyond.add_metric([flow, kind], number)
        yield beyond
        owned = {number for source, number in health.partitions if source.endswith(_CUSTOMERS)}
        yield GaugeMetricFamily(
            "contact_center_customers_overfull",
            "Customer keys with more facts than a single customer has, among those of this worker; they are not counted.",
            value=sum(keys for number, keys in list(self._counters["customers"].overfull.items()) if number in owned)
            if "customers" in self._counters
            else 0,
        )
        yield CounterMetricFamily(
            "contact_center_customer_links_refused",
            "Links that would join more keys to one customer than the limit; they are skipped.",
            value=self._counters["customer-links"].links_refused if "customer-links" in self._counters else 0,
        )
        yield from configuration_families(self._file)


def pipeline_app(
    health: _Health,
    counters: Mapping[str, _Counters],
    file: ConfigurationFile | None = None,
    connections: Connections | None = None,
) -> web.Application:
    """Return the app with ``/metrics``, ``/healthz`` (progress) and ``/readyz`` (restored and caught up)."""
    registry = CollectorRegistry()
    registry.register(PipelineCollector(health, counters, file))
    if connections is not None:
        registry.register(connections)

    def configured() -> dict[str, str]:
        listening = {} if connections is None else connections.status
        return {**({} if file is None else {"configuration": file.status}), **listening}

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    async def alive(_request: web.Request) -> web.Response:
        good, status = health.alive()
        age = round(monotonic() - health.last_progress, 3)
        return web.json_response({"status": status, "seconds_since_progress": age, **configured()}, status=200 if good else 503)

    async def ready(_request: web.Request) -> web.Response:
        good, status = health.ready()
        return web.json_response({"status": status, "recovering": health.recovering, **configured()}, status=200 if good else 503)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", alive), web.get("/readyz", ready)])
    return app
