"""The Prometheus exporter: gauges built from the store at each scrape, with the names of the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from schemas.metrics import NowFigures, WindowFigures
from streams.catalogue import KPI_BY_ID, KPIS, SERVING_METRICS, Kpi, labels_of, metrics_of, window_label
from streams.serving.reload import configuration_families
from streams.serving.store import Store
from streams.serving.targets import judged_targets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from prometheus_client.core import Metric as Family

    from schemas.metrics import FigureValue
    from streams.configuration.file import ConfigurationFile
    from streams.serving.alerts import Alerts
    from streams.serving.deliveries import Delivered
    from streams.serving.store import Entry
    from streams.windows.targets import Terms

__all__ = ["DEFAULT_WINDOWS", "FigureCollector", "Standing", "exposition"]

#: The windows exported unless others are asked for.
DEFAULT_WINDOWS = ("trailing_5m", "trailing_15m", "trailing_30m", "trailing_60m")

_WINDOW_KPIS = tuple(kpi for kpi in KPIS if "now" not in kpi.windows and kpi.subject != "targets")
_NOW_KPIS = tuple(kpi for kpi in KPIS if "now" in kpi.windows and kpi.metric is not None)
#: What grows while nothing happens is reckoned at each scrape.
_AGING = {"longest_wait": Store.longest_wait_seconds, "backlog_oldest": Store.backlog_oldest_seconds}
_HELP = {metric.name: metric.help for metric in SERVING_METRICS}


class Standing(Protocol):
    """How the store stands to the topic that feeds it."""

    @property
    def ready(self) -> bool:
        """Whether the topic was read to its end once."""

    @property
    def connected(self) -> bool:
        """Whether the store follows the topic at this moment."""


class FigureCollector(Collector):
    """All metrics of the serving process. What nothing can be said about has no sample; nothing is remembered between scrapes."""

    def __init__(
        self,
        store: Store,
        standing: Standing,
        *,
        windows: Collection[str],
        version: str,
        clients: int = 0,
        targets: Mapping[str, float] | None = None,
        kpi_targets: Sequence[Terms] = (),
        alerts: Alerts | None = None,
        delivered: Delivered | None = None,
        file: ConfigurationFile | None = None,
        connections: Collection[Family] = (),
        recovering: int = 0,
    ) -> None:
        self._store = store
        self._standing = standing
        self._windows = frozenset(windows)
        self._version = version
        self._clients = clients
        self._targets = targets or {}
        self._kpi_targets = kpi_targets
        self._alerts = alerts
        self._delivered = delivered
        self._file = file
        self._connections = connections
        self._recovering = recovering

    def describe(self) -> list[Family]:
        """Name no family ahead: registering must not read the store."""
        return []

    def collect(self) -> Iterator[Family]:
        """Yield the families, those of the figures only once the topic was read to its end."""
        if self._standing.ready:
            yield from self._figures()
            yield from self._freshness()
            if self._alerts is not None and self._alerts.known:
                yield _firing(self._alerts)
        yield _gauge("contact_center_reader_connected", float(self._standing.ready and self._standing.connected))
        rejected = "contact_center_metric_records_rejected_total"
        yield CounterMetricFamily(rejected, _HELP[rejected], value=self._rejected)
        if self._delivered is not None:
            yield from _deliveries(self._delivered)
        yield _gauge("contact_center_event_stream_clients", self._clients)
        yield from self._connections
        yield from configuration_families(self._file)
        build = "contact_center_build_info"
        yield InfoMetricFamily(build.removesuffix("_info"), _HELP[build], value={"version": self._version})

    @property
    def _rejected(self) -> int:
        return self._store.rejected + (self._alerts.rejected if self._alerts else 0) + (self._delivered.rejected if self._delivered else 0)

    def _figures(self) -> Iterator[Family]:
        entries = self._store.entries()
        windows = _newest_windows(entries, self._windows)
        for kpi in _WINDOW_KPIS:
            yield from _window_families(kpi, windows)
        yield from _definition_families(windows)
        nows = [entry for entry in entries if isinstance(entry.record, NowFigures)]
        for kpi in _NOW_KPIS:
            yield self._now_family(kpi, nows)
        yield self._target_family(nows)
        yield from self._attainments()

    def _target_family(self, nows: list[Entry]) -> Family:
        family = _labelled("contact_center_service_level_target_ratio")
        for entry in nows:
            record = entry.record
            if isinstance(record, NowFigures) and record.scope_kind == "queue" and record.channel and record.scope in self._targets:
                family.add_metric([record.scope_kind, record.scope, record.channel], self._targets[record.scope])
        return family

    def _attainments(self) -> Iterator[Family]:
        kpi = KPI_BY_ID["target_attainment"]
        judged = judged_targets(self._store, self._kpi_targets)
        for metric in metrics_of(kpi):
            family = GaugeMetricFamily(metric.name, metric.help, labels=labels_of(kpi), unit=metric.unit)
            for terms, judgment, *_ in judged:
                if (value := judgment.attainment[metric.part]) is not None:
                    window = "now" if terms.window is None else window_label(terms.window)
                    family.add_metric([terms.kpi, terms.scope_kind, terms.scope, terms.channel or "", window], value)
            yield family

    def _now_family(self, kpi: Kpi, nows: list[Entry]) -> Family:
        family = _family(kpi)
        for entry in nows:
            record = entry.record
            assert isinstance(record, NowFigures)  # noqa: S101 - chosen by the caller, said for the type checker
            scope = [record.scope_kind, record.scope]
            channel = [] if record.channel is None else [record.channel]
            if kpi.split_by is not None:
                if (counts := getattr(record, kpi.id)) is not None:
                    # What is not listed is not there: 0, not unknown.
                    for member in dict.fromkeys((*kpi.members, *sorted(counts))):
                        family.add_metric([*scope, *channel, member], counts.get(member, 0))
                continue
            aging = _AGING.get(kpi.id)
            value = getattr(record, kpi.id) if aging is None else aging(self._store, entry)
            if value is not None and channel:
                family.add_metric([*scope, *channel], value)
        return family

    def _freshness(self) -> Iterator[Family]:
        store = self._store
        yield _gauge("contact_center_as_of_timestamp_seconds", _seconds(store.as_of_ms))
        yield _gauge("contact_center_complete_through_timestamp_seconds", _seconds(store.complete_through_ms))
        yield _gauge("contact_center_figures_recovering", self._recovering)
        seen = _labelled("contact_center_source_last_seen_timestamp_seconds")
        stale = _labelled("contact_center_source_stale")
        for name, source in store.sources.items():
            if source.last_seen_ms is not None:
                seen.add_metric([name], source.last_seen_ms / 1000)
            stale.add_metric([name], float(source.stale))
        yield seen
        yield stale


def _firing(alerts: Alerts) -> Family:
    family = _labelled("contact_center_alert_firing")
    # A record under a foreign key must not void the scrape with a second sample of a series.
    firing: dict[tuple[str, ...], bool] = {}
    for entry in alerts.entries():
        alert = entry.record
        labels: tuple[str, ...] = (alert.rule, alert.severity, alert.scope_kind, alert.scope, alert.channel or "")
        firing[labels] = firing.get(labels, False) or alert.state == "firing"
    for labels, fires in firing.items():
        family.add_metric(labels, float(fires))
    return family


def _deliveries(delivered: Delivered) -> Iterator[Family]:
    attempts = "contact_center_alert_delivery_attempts_total"
    family = CounterMetricFamily(attempts, _HELP[attempts], labels=["result"])
    for result, number in delivered.attempts.items():
        family.add_metric([result], number)
    yield family
    yield _gauge("contact_center_alert_oldest_undelivered_seconds", delivered.oldest_seconds)


def exposition(collector: Collector, accept: str) -> tuple[bytes, str]:
    """Return the metrics and their content type, as OpenMetrics or text, whichever the ``Accept`` header asks for."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _newest_windows(entries: list[Entry], windows: frozenset[str]) -> list[WindowFigures]:
    """Return the records of the wanted windows, of each series the newest: two samples of one series would void the scrape."""
    newest: dict[tuple[str, str, str, str], tuple[int, WindowFigures]] = {}
    for entry in entries:
        record = entry.record
        if isinstance(record, WindowFigures) and record.window in windows:
            series = (record.scope_kind, record.scope, record.channel or "", record.window)
            end = entry.window_end_ms or 0
            if series not in newest or end > newest[series][0]:
                newest[series] = (end, record)
    return [newest[series][1] for series in sorted(newest)]


def _window_families(kpi: Kpi, windows: list[WindowFigures]) -> Iterator[Family]:
    labels = labels_of(kpi)
    for metric in metrics_of(kpi):
        family = GaugeMetricFamily(metric.name, metric.help, labels=labels, unit=metric.unit)
        for record in windows:
            figure = record.kpis.get(kpi.id)
            if figure is None or ("channel" in labels) != (record.channel is not None):
                continue
            channel = [] if record.channel is None else [record.channel]
            series = [record.scope_kind, record.scope, *channel, window_label(record.window)]
            if kpi.label is not None:  # The labels' sum is the figure as a whole.
                for label, of_label in record.by_label.get(kpi.id, {}).items():
                    if of_label.value is not None:
                        family.add_metric([*series, label], of_label.value)
            elif (value := _part(figure, metric.part)) is not None:
                family.add_metric(series, value)
        yield family


def _definition_families(windows: list[WindowFigures]) -> Iterator[Family]:
    """Yield the service level of scopes with several definitions by each of them."""
    for part, suffix in (("value", "ratio"), ("numerator", "numerator"), ("denominator", "denominator")):
        family = _labelled(f"contact_center_service_level_by_definition_{suffix}")
        for record in windows:
            if not record.by_definition or record.channel is None:
                continue
            first = {record.definitions.get("service_level", ""): record.kpis}
            for name, kpis in {**first, **record.by_definition}.items():
                figure = kpis.get("service_level")
                value = None if figure is None else _part(figure, part)
                if value is not None:
                    family.add_metric([record.scope_kind, record.scope, record.channel, window_label(record.window), name], value)
        yield family


def _part(figure: FigureValue, part: str) -> float | None:
    value: float | None = getattr(figure, part)
    return value


def _family(kpi: Kpi) -> GaugeMetricFamily:
    metric = metrics_of(kpi)[0]
    return GaugeMetricFamily(metric.name, metric.help, labels=labels_of(kpi), unit=metric.unit)


def _labelled(name: str) -> GaugeMetricFamily:
    metric = next(metric for metric in SERVING_METRICS if metric.name == name)
    return GaugeMetricFamily(name, metric.help, labels=metric.labels, unit=metric.unit)


def _gauge(name: str, value: float | None) -> GaugeMetricFamily:
    family = _labelled(name)
    if value is not None:
        family.add_metric([], value)
    return family


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000
