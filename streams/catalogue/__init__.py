"""What every figure is: names, meaning, formula, unit, direction and Prometheus names, as data; no clock, no network."""

from __future__ import annotations

from streams.catalogue.kpis import AGENT_STATES, KPI_BY_ID, KPIS, Direction, Kpi, Subject, Unit, WindowKind, kind_of_window, window_label
from streams.catalogue.prometheus import SERVING_METRICS, Metric, ServingMetric, labels_of, metrics_of
from streams.catalogue.words import LANGUAGES, WORDS

__all__ = [
    "AGENT_STATES",
    "KPIS",
    "KPI_BY_ID",
    "LANGUAGES",
    "SERVING_METRICS",
    "WORDS",
    "Direction",
    "Kpi",
    "Metric",
    "ServingMetric",
    "Subject",
    "Unit",
    "WindowKind",
    "kind_of_window",
    "labels_of",
    "metrics_of",
    "window_label",
]
