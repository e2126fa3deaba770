"""Names, labels and help texts of all metrics that the serving process exports, derived from the catalogue."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from streams.catalogue.kpis import KPIS, Kpi, Unit
from streams.catalogue.model import Part

__all__ = ["SERVING_METRICS", "Metric", "Part", "ServingMetric", "describe", "labels_of", "metrics_of"]

_NOT_SUMMABLE = "Per window and scope: never sum or average it over either."
_PARTS_HELP = "To aggregate queues, divide the sum of numerators by the sum of denominators; never sum over windows or kinds of scope."


@dataclass(frozen=True, slots=True)
class Metric:
    """One gauge that carries one part of one KPI."""

    name: str
    part: Part
    unit: str
    help: str


@dataclass(frozen=True, slots=True)
class ServingMetric:
    """One metric about all figures or about the serving process."""

    name: str
    type: Literal["gauge", "counter", "info"]
    labels: tuple[str, ...]
    unit: str
    help: str


def labels_of(kpi: Kpi) -> tuple[str, ...]:
    """Return the label names of a KPI's gauges."""
    labels = ["scope_kind", "scope"]
    if kpi.subject == "targets":
        labels.insert(0, "kpi")
    if kpi.subject in {"contacts", "targets"}:
        labels.append("channel")
    labels += [kpi.split_by] if kpi.split_by is not None else [] if "now" in kpi.windows else ["window"]
    return (*labels, kpi.label) if kpi.label is not None else tuple(labels)


def metrics_of(kpi: Kpi) -> tuple[Metric, ...]:
    """Return a KPI's gauges: its value, then the parts that a ratio or mean never travels without; none if it is not exported."""
    if kpi.metric is None:
        return ()
    unit = kpi.unit if kpi.unit in {"seconds", "ratio", "score"} else ""
    advice = "" if "now" in kpi.windows else f" {_NOT_SUMMABLE}"
    if kpi.label is not None and "now" not in kpi.windows:
        advice += f" Sum it over {kpi.label}; what did not occur has no sample."
    metrics = [Metric(kpi.metric, "value", unit, f"{_capitalized(kpi.en)}: {kpi.text}.{advice}")]
    if kpi.numerator_unit is None or kpi.denominator_unit is None:
        return tuple(metrics)
    stem = kpi.metric.removesuffix(f"_{kpi.unit}")
    units: tuple[tuple[Part, Unit], ...] = (("numerator", kpi.numerator_unit), ("denominator", kpi.denominator_unit))
    for part, part_unit in units:
        suffix = "seconds" if part_unit == "seconds" else ""
        name = "_".join(filter(None, (stem, part, suffix)))
        about = f"in the unit of the figure. {_NOT_SUMMABLE}" if kpi.subject == "targets" else f"({part_unit}). {_PARTS_HELP}"
        metrics.append(Metric(name, part, suffix, f"{_capitalized(part)} of {kpi.metric} {about}"))
    if kpi.measured:
        text = f"Measured share of what {kpi.metric} is about, 0 to 1; below 1 some sources do not report it. {_NOT_SUMMABLE}"
        metrics.append(Metric(f"{stem}_coverage_ratio", "coverage", "ratio", text))
    return tuple(metrics)


def describe(kpi: Kpi) -> dict[str, Any]:
    """Return the complete description of a KPI, for the API and ``contact-streams metrics --json``."""
    facts = {name: getattr(kpi, name) for name in _DESCRIBED}
    metrics = [asdict(metric) for metric in metrics_of(kpi)]
    return {**facts, "formula": kpi.text, "prometheus": bool(metrics), "metrics": metrics}


#: The description of a KPI in the API, beside its formula and its metrics.
_DESCRIBED = (
    "id", "en", "ja", "ja_calls", "meaning_en", "meaning_ja", "unit", "direction", "windows", "subject", "metric", "source",
    "numerator_unit", "denominator_unit", "measured", "per_channel", "definition_dependent", "horizon", "split_by", "members", "label",
    "parts", "dimensions",
)  # fmt: skip


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


_BY_DEFINITION = ("scope_kind", "scope", "channel", "window", "definition")

SERVING_METRICS: tuple[ServingMetric, ...] = (
    ServingMetric(
        "contact_center_service_level_target_ratio",
        "gauge",
        ("scope_kind", "scope", "channel"),
        "ratio",
        "Target of the queue's service level, from the configuration; absent for queues without one.",
    ),
    ServingMetric(
        "contact_center_service_level_by_definition_ratio",
        "gauge",
        _BY_DEFINITION,
        "ratio",
        "Service level by each definition of a scope that has several, as name@version; "
        f"the first is that of contact_center_service_level_ratio. {_NOT_SUMMABLE}",
    ),
    ServingMetric(
        "contact_center_service_level_by_definition_numerator",
        "gauge",
        _BY_DEFINITION,
        "",
        f"Numerator of contact_center_service_level_by_definition_ratio (contacts). {_PARTS_HELP}",
    ),
    ServingMetric(
        "contact_center_service_level_by_definition_denominator",
        "gauge",
        _BY_DEFINITION,
        "",
        f"Denominator of contact_center_service_level_by_definition_ratio (contacts). {_PARTS_HELP}",
    ),
    ServingMetric(
        "contact_center_calendar_exception",
        "gauge",
        ("scope_kind", "scope", "exception"),
        "",
        "1 while a calendar exception of the configuration, such as an outage, is on for a queue; absent otherwise.",
    ),
    ServingMetric(
        "contact_center_as_of_timestamp_seconds",
        "gauge",
        (),
        "seconds",
        "Newest instant that the figures include; alert on time() minus this.",
    ),
    ServingMetric(
        "contact_center_complete_through_timestamp_seconds",
        "gauge",
        (),
        "seconds",
        "Nothing earlier than this is still to come; absent while part of the stream has reported nothing.",
    ),
    ServingMetric(
        "contact_center_figures_recovering",
        "gauge",
        (),
        "",
        "Scopes (queues, teams, totals) whose figures are stalled while others continue: no worker has restored them yet.",
    ),
    ServingMetric(
        "contact_center_partitions_standing_still",
        "gauge",
        ("topic",),
        "",
        "Partitions that no live worker counts: none has reported for 2 s that it counts them. "
        "Absent while no worker is known to send heartbeats.",
    ),
    ServingMetric(
        "contact_center_source_last_seen_timestamp_seconds",
        "gauge",
        ("source",),
        "seconds",
        "Last sign of life of a source.",
    ),
    ServingMetric(
        "contact_center_source_stale",
        "gauge",
        ("source",),
        "",
        "1 if a source has been silent for longer than it may be, or was never seen though the configuration expects it, else 0.",
    ),
    ServingMetric(
        "contact_center_source_quarantined",
        "gauge",
        ("source",),
        "",
        "1 while records of a source become dead letters on some partition because it is quarantined, else 0.",
    ),
    ServingMetric(
        "contact_center_reader_connected",
        "gauge",
        (),
        "",
        "1 if the serving process has read the metric topic to its end and still reaches it, else 0.",
    ),
    ServingMetric(
        "contact_center_metric_records_rejected_total",
        "counter",
        (),
        "",
        "Records of the metric and alert topics that could not be read and were left out.",
    ),
    ServingMetric(
        "contact_center_alert_firing",
        "gauge",
        ("rule", "severity", "scope_kind", "scope", "channel"),
        "",
        "1 while the alert fires, 0 while it is pending or once it has cleared; channel is empty for rules about agents.",
    ),
    ServingMetric(
        "contact_center_alert_delivery_attempts_total",
        "counter",
        ("result",),
        "",
        "Alerts posted to the webhook: delivered, failed (tried again) or refused (dropped). Absent without a webhook.",
    ),
    ServingMetric(
        "contact_center_alert_oldest_undelivered_seconds",
        "gauge",
        (),
        "seconds",
        "How long the oldest alert that this process is to deliver has been in the topic; 0 if there is none. Absent without a webhook.",
    ),
    ServingMetric(
        "contact_center_audit_records_total",
        "counter",
        ("result",),
        "",
        "Audit records: written, dropped (no room while Kafka accepted none) or withdrawn (the request was answered with 503). "
        "Absent without an access file.",
    ),
    ServingMetric(
        "contact_center_audit_records_waiting",
        "gauge",
        (),
        "",
        "Audit records that Kafka has not acknowledged yet. Absent without an access file.",
    ),
    ServingMetric(
        "contact_center_event_stream_clients",
        "gauge",
        (),
        "",
        "Open streams of server-sent events.",
    ),
    ServingMetric(
        "contact_center_http_connections",
        "gauge",
        (),
        "",
        "Open HTTP connections.",
    ),
    ServingMetric(
        "contact_center_http_connections_refused_total",
        "counter",
        ("reason",),
        "",
        "Connections refused because there were too many, in total or from one address.",
    ),
    ServingMetric(
        "contact_center_http_connections_dropped_total",
        "counter",
        ("reason",),
        "",
        "Connections ended: unread (the client read nothing), slow_answer, slow_request, slow_handshake (TLS), "
        "or memory (all clients together left too much unread).",
    ),
    ServingMetric(
        "contact_center_http_requests_refused_total",
        "counter",
        ("reason",),
        "",
        "Requests refused unread: host (a name not listed), origin (a change from another site's page), proxy (past the proxy).",
    ),
    ServingMetric(
        "contact_center_tls_certificate_expiry_timestamp_seconds",
        "gauge",
        (),
        "seconds",
        "When the TLS certificate in force expires; alert on this minus time(). Absent without TLS.",
    ),
    ServingMetric(
        "contact_center_tls_files_valid",
        "gauge",
        (),
        "",
        "1 if the present certificate files are in force, 0 if they are refused and the previous certificate stays. Absent without TLS.",
    ),
    ServingMetric(
        "contact_center_configuration_valid",
        "gauge",
        (),
        "",
        "1 if the configuration file is valid, 0 if it is refused and the last valid one stays in force. Absent without a file.",
    ),
    ServingMetric(
        "contact_center_configuration_changed_timestamp_seconds",
        "gauge",
        (),
        "seconds",
        "When the configuration file was last applied or refused. Absent without a file.",
    ),
    ServingMetric(
        "contact_center_build_info",
        "info",
        ("version",),
        "",
        "Version of the serving process.",
    ),
)


def _unique() -> None:
    names = [metric.name for kpi in KPIS for metric in metrics_of(kpi)] + [metric.name for metric in SERVING_METRICS]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"the catalogue names a metric twice: {', '.join(repeated)}")


_unique()
