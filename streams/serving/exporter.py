"""The Prometheus exporter: gauges built from the store at each scrape, with the catalogue's names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder

from schemas.metrics import NowFigures
from streams.access.views import EVERYTHING
from streams.catalogue import KPI_BY_ID, KPIS, SERVING_METRICS, Kpi, labels_of, metrics_of, window_label
from streams.configuration.file import ConfigurationFile
from streams.serving.deliveries import Delivered
from streams.serving.reload import configuration_families
from streams.serving.rows import BY_DEFINITION, DEFAULT_WINDOWS, WINDOW_KPIS, Row, columns_of, label, row_of, sample_labels, value_text
from streams.serving.store import Store
from streams.serving.targets import judged_targets
from streams.serving.window_records import WindowRecord
from streams.serving.workers import COUNTED

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    from schemas.alerts import AlertRecord
    from streams.access.views import View
    from streams.serving.alerts import Alerts
    from streams.serving.latest import Entry as LatestEntry
    from streams.serving.reading import Reading
    from streams.serving.store import Entry
    from streams.windows.exceptions import Exceptions
    from streams.windows.targets import Terms

__all__ = ["DEFAULT_WINDOWS", "FigureCollector", "Lines", "Process", "ReaderStatus", "exposition"]

_NOW_KPIS = tuple(kpi for kpi in KPIS if "now" in kpi.windows and kpi.metric is not None)
#: KPIs that grow without events are recomputed at each scrape.
_AGING = {"longest_wait": Store.longest_wait_seconds, "backlog_oldest": Store.backlog_oldest_seconds}
_HELP = {metric.name: metric.help for metric in SERVING_METRICS}
_SERVING = {metric.name: metric for metric in SERVING_METRICS}
_END = b"# EOF\n"


class Lines(NamedTuple):
    """A gauge whose samples are already text, because they are many."""

    name: str
    help: str
    unit: str
    samples: bytes


class ReaderStatus(Protocol):
    """The state of the readers that feed the store."""

    @property
    def ready(self) -> bool:
        """Whether the topic has been read to its end once."""

    @property
    def connected(self) -> bool:
        """Whether the topic is followed at this moment."""

    @property
    def missing(self) -> bool:
        """Whether the topic does not exist."""

    @property
    def reached(self) -> bool:
        """Whether the brokers have described the topic."""

    @property
    def since_ms(self) -> int:
        """Since when the topic has been followed, or not."""

    @property
    def reading(self) -> Reading | None:
        """The progress of the first read; None when it is complete or not running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The metrics of the serving process, and of the entire stream."""

    clients: int = 0
    #: Unreadable records.
    rejected: int = 0
    stalled: Mapping[str, Collection[int]] | None = None
    delivered: Delivered | None = None
    file: ConfigurationFile | None = None
    connections: Collection[Family] = ()
    audit: Collection[Family] = ()

    def families(self) -> Iterator[Family]:
        """Yield the families that do not depend on the figures."""
        rejected = "contact_center_metric_records_rejected_total"
        of_deliveries = 0 if self.delivered is None else self.delivered.rejected
        yield CounterMetricFamily(rejected, _HELP[rejected], value=self.rejected + of_deliveries)
        if self.delivered is not None:
            yield from _deliveries(self.delivered)
        yield _gauge("contact_center_event_stream_clients", self.clients)
        yield from self.connections
        yield from self.audit
        yield from configuration_families(self.file)


class FigureCollector:
    """All metrics of the serving process. An unknown value has no sample; nothing is stored between scrapes."""

    def __init__(
        self,
        store: Store,
        readers: ReaderStatus,
        *,
        windows: Collection[str],
        version: str,
        targets: Mapping[str, float] | None = None,
        kpi_targets: Sequence[Terms] = (),
        exceptions: Exceptions | None = None,
        alerts: Alerts | None = None,
        recovering: int = 0,
        view: View = EVERYTHING,
        sources: Container[str] | None = None,
        process: Process | None = Process(),
    ) -> None:
        """Set what is exported; figures as far as ``view`` shows them.

        ``sources`` are the exported sources, None for all; without ``process`` its metrics are left out. Targets are those to export.
        """
        self._store = store
        self._readers = readers
        self._windows = frozenset(windows)
        self._version = version
        self._targets = targets or {}
        self._kpi_targets = kpi_targets
        self._exceptions = exceptions
        self._alerts = alerts
        self._recovering = recovering
        self._view = view
        self._sources = sources
        self._process = process

    def collect(self) -> Iterator[Family | Lines]:
        """Yield the families; those of figures only once the topic has been read to its end."""
        if self._readers.ready:
            yield from self._figures()
            yield from self._freshness()
            if self._alerts is not None and self._alerts.known:
                yield _firing(self._alerts.seen(self._alerts.entries(), self._view))
        yield _gauge("contact_center_reader_connected", float(self._readers.ready and self._readers.connected))
        if self._process is not None:
            yield from self._process.families()
        build = "contact_center_build_info"
        yield InfoMetricFamily(build.removesuffix("_info"), _HELP[build], value={"version": self._version})

    def _figures(self) -> Iterator[Family | Lines]:
        store, view = self._store, self._view
        windows = _newest_windows(store.seen(store.group(*self._windows), view))
        for_contacts, for_agents = (_Series([row for row in windows if (row[0].channel is not None) == has]) for has in (True, False))
        for kpi in WINDOW_KPIS:
            yield from (for_contacts if kpi.subject == "contacts" else for_agents).families(kpi)
        yield from for_contacts.definitions()
        nows = [(entry, entry.unpacked) for entry in store.seen(store.group("now"), view) if isinstance(entry.unpacked, NowFigures)]
        for kpi in _NOW_KPIS:
            yield self._now_family(kpi, nows)
        yield self._target_family(nows)
        yield self._exception_family(nows)
        yield from self._attainments()

    def _target_family(self, nows: list[tuple[Entry, NowFigures]]) -> Lines:
        name = "contact_center_service_level_target_ratio"
        samples = [
            (_scope_of(record), self._targets[record.scope])
            for _, record in nows
            if record.scope_kind == "queue" and record.channel and record.scope in self._targets
        ]
        return _lines(name, _SERVING[name].help, _SERVING[name].unit, samples)

    def _exception_family(self, nows: list[tuple[Entry, NowFigures]]) -> Family:
        family = _labelled("contact_center_calendar_exception")
        if self._exceptions is not None and (as_of := self._store.as_of_ms) is not None:
            for queue in dict.fromkeys(record.scope for _, record in nows if record.scope_kind == "queue" and record.channel):
                for name in dict.fromkeys(self._exceptions.of_queue(queue, as_of)):
                    family.add_metric(["queue", queue, name], 1)
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

    def _now_family(self, kpi: Kpi, nows: list[tuple[Entry, NowFigures]]) -> Lines:
        samples: list[tuple[list[tuple[str, str]], float]] = []
        aging = _AGING.get(kpi.id)
        for entry, record in nows:
            if kpi.split_by is not None:
                if (counts := getattr(record, kpi.id)) is not None:
                    scope = _scope_of(record)
                    # A state that is not listed has no agents: 0, not unknown.
                    samples += [
                        ([*scope, (kpi.split_by, member)], counts.get(member, 0))
                        for member in dict.fromkeys((*kpi.members, *sorted(counts)))
                    ]
            elif record.channel is not None:
                value = getattr(record, kpi.id) if aging is None else aging(self._store, entry)
                if value is not None:
                    samples.append((_scope_of(record), value))
        metric = metrics_of(kpi)[0]
        return _lines(metric.name, metric.help, metric.unit, samples)

    def _freshness(self) -> Iterator[Family]:
        store = self._store
        yield _gauge("contact_center_as_of_timestamp_seconds", _seconds(store.as_of_ms))
        yield _gauge("contact_center_complete_through_timestamp_seconds", _seconds(store.complete_through_ms))
        yield _gauge("contact_center_figures_recovering", self._recovering)
        if self._process is not None and self._process.stalled is not None:
            still = _labelled("contact_center_partitions_standing_still")
            for name in COUNTED:
                still.add_metric([name], len(self._process.stalled.get(name, ())))
            yield still
        seen = _labelled("contact_center_source_last_seen_timestamp_seconds")
        stale = _labelled("contact_center_source_stale")
        quarantined = _labelled("contact_center_source_quarantined")
        for name, source in store.sources.items():
            if self._sources is not None and name not in self._sources:
                continue
            if source.last_seen_ms is not None:
                seen.add_metric([name], source.last_seen_ms / 1000)
            stale.add_metric([name], float(source.stale))
            quarantined.add_metric([name], float(source.quarantined is not None))
        yield from (seen, stale, quarantined)


def _firing(alerts: Iterable[LatestEntry[AlertRecord]]) -> Family:
    family = _labelled("contact_center_alert_firing")
    # A record under a wrong key must not void the scrape with a second sample of a series.
    firing: dict[tuple[str, ...], bool] = {}
    for entry in alerts:
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


def exposition(collector: FigureCollector, accept: str) -> tuple[Iterator[bytes], str]:
    """Return the metrics in pieces and their content type, OpenMetrics or text by the ``Accept`` header."""
    # All names are plain: no escaping scheme applies.
    encode, content_type = choose_encoder(re.sub(r";\s*escaping=[^;,]*", "", accept))
    return _pieces(collector, encode, opened=content_type.startswith("application/openmetrics-text")), content_type


def _pieces(collector: FigureCollector, encode: Callable[[Any], bytes], *, opened: bool) -> Iterator[bytes]:
    for family in collector.collect():
        if isinstance(family, Lines):
            unit = f"# UNIT {family.name} {family.unit}\n" if opened and family.unit else ""
            text = family.help.replace("\\", r"\\").replace("\n", r"\n")
            text = text.replace('"', r"\"") if opened else text
            yield f"# HELP {family.name} {text}\n# TYPE {family.name} gauge\n{unit}".encode()
            yield family.samples
        else:
            yield encode(_One(family)).removesuffix(_END)
    if opened:
        yield _END


class _One(NamedTuple):
    """A registry of one family, for encoders."""

    family: Family

    def collect(self) -> tuple[Family]:
        """Return the family."""
        return (self.family,)


def _newest_windows(entries: list[Entry]) -> list[tuple[Entry, Row]]:
    """Return the newest window record of each series: two samples of one series would void the scrape."""
    newest: dict[tuple[str, str, str, str], Entry] = {}
    for entry in entries:
        series = (entry.scope_kind or "", entry.scope, entry.channel or "", entry.group)
        if series not in newest or (entry.window_end_ms or 0) > (newest[series].window_end_ms or 0):
            newest[series] = entry
    return [(newest[series], _row(newest[series])) for series in sorted(newest)]


def _row(entry: Entry) -> Row:
    if entry.row is not None:
        return entry.row
    record = entry.record
    assert isinstance(record, WindowRecord)  # noqa: S101 - chosen by the caller, stated for the type checker
    return row_of(record)


class _Series:
    """Window records of contacts, or of agents, column by column."""

    def __init__(self, windows: list[tuple[Entry, Row]]) -> None:
        self._rows = [row for _, row in windows]
        #: The labels of each record, in the order of their names.
        self._pairs = [_window_labels(entry) for entry, _ in windows]
        self._labels = [b"{%b} " % b",".join(text for _, text in pairs) for pairs in self._pairs]
        parts = _PARTS[not windows or windows[0][0].channel is not None]
        columns = zip(*(row.values for row in self._rows), strict=True)
        self._columns = dict(zip(parts, columns, strict=True)) if windows else {}

    def families(self, kpi: Kpi) -> Iterator[Lines]:
        """Yield a KPI's gauges."""
        for metric in metrics_of(kpi):
            if kpi.label is not None:  # The sum over the labels is the figure.
                samples = [[(text, value) for id_, text, value in row.labelled if id_ == kpi.id] for row in self._rows]
                yield Lines(metric.name, metric.help, metric.unit, self._beside(metric.name, kpi.label, samples))
                continue
            column = self._columns.get((kpi.id, metric.part), ())
            if None in column:
                lines = [labels + value for labels, value in zip(self._labels, column, strict=True) if value is not None]
            else:
                lines = list(map(add, self._labels, column))
            name = metric.name.encode()
            yield Lines(metric.name, metric.help, metric.unit, name + name.join(lines) if lines else b"")

    def definitions(self) -> Iterator[Lines]:
        """Yield the service level by definition, of scopes with several definitions."""
        for part, suffix in BY_DEFINITION:
            name = f"contact_center_service_level_by_definition_{suffix}"
            samples = [[(text, value) for of, text, value in row.defined if of == part] for row in self._rows]
            yield Lines(name, _SERVING[name].help, _SERVING[name].unit, self._beside(name, "definition", samples))

    def _beside(self, name: str, label_name: str, samples: list[list[tuple[bytes, bytes]]]) -> bytes:
        """Return samples with one more label."""
        lines = []
        for pairs, values in zip(self._pairs, samples, strict=True):
            if values:
                before = b",".join(text for other, text in pairs if other < label_name)
                after = b",".join(text for other, text in pairs if other > label_name)
                head = b'%b{%b%b%b="' % (name.encode(), before, b"," if before else b"", label_name.encode())
                tail = b'"%b%b} ' % (b"," if after else b"", after)
                lines += [head + text + tail + value for text, value in values]
        return b"".join(lines)


_PARTS = {
    contacts: [part for kpi in WINDOW_KPIS if (kpi.subject == "contacts") == contacts for part in columns_of(kpi)]
    for contacts in (True, False)
}


def _window_labels(entry: Entry) -> list[tuple[str, bytes]]:
    channel = [] if entry.channel is None else [("channel", entry.channel)]
    pairs = [*channel, ("scope", entry.scope), ("scope_kind", entry.scope_kind or ""), ("window", window_label(entry.group))]
    return [(name, label(name, text)) for name, text in pairs]


def _scope_of(record: NowFigures) -> list[tuple[str, str]]:
    channel = [] if record.channel is None else [("channel", record.channel)]
    return [("scope_kind", record.scope_kind), ("scope", record.scope), *channel]


def _lines(name: str, text: str, unit: str, samples: Iterable[tuple[list[tuple[str, str]], float]]) -> Lines:
    start = name.encode()
    return Lines(name, text, unit, b"".join(start + sample_labels(pairs) + (value_text(value) or b"") for pairs, value in samples))


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
