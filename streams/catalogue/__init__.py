"""Definitions of every figure: names, meaning, formula, unit, direction and Prometheus names, as data; no clock, no network."""

from __future__ import annotations

from streams.catalogue.kpis import (
    AGENT_STATES,
    DIMENSIONS,
    KPI_BY_ID,
    KPIS,
    Dimension,
    Direction,
    Kpi,
    Subject,
    Unit,
    WindowKind,
    kind_of_window,
    window_label,
)
from streams.catalogue.prometheus import SERVING_METRICS, Metric, ServingMetric, describe, labels_of, metrics_of
from streams.catalogue.words import LANGUAGES, WORDS

__all__ = [
    "AGENT_STATES",
    "DIMENSIONS",
    "KPIS",
    "KPI_BY_ID",
    "LANGUAGES",
    "SERVING_METRICS",
    "WORDS",
    "Dimension",
    "Direction",
    "Kpi",
    "Metric",
    "ServingMetric",
    "Subject",
    "Unit",
    "WindowKind",
    "describe",
    "kind_of_window",
    "labels_of",
    "metrics_of",
    "window_label",
]
