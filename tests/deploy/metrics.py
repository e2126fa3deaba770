"""The metrics that the processes export, found by collecting from them, and those that a PromQL expression asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from streams.catalogue import KPIS, SERVING_METRICS, labels_of, metrics_of
from streams.connectors.gateway_metrics import GatewayMetrics
from streams.engine.health import Health, PartitionHealth
from streams.serving.exporter import DEFAULT_WINDOWS, FigureCollector, exposition
from streams.serving.pipeline import PipelineCollector
from streams.stages.counters import StageCounters
from tests.serving.records import Backend, small_center

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

__all__ = ["RECORDED", "known_metrics", "selectors"]

_RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules"

#: The names that rules record.
RECORDED: frozenset[str] = frozenset(
    rule["record"]
    for path in _RULES.glob("*.yml")
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
    if "record" in rule
)

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",)}


def known_metrics() -> dict[str, set[str]]:
    """Return the names of all samples that serve, workers and gateway export, with their labels; `up` is Prometheus' own."""
    known: dict[str, set[str]] = {"up": set()}
    for family in _families():
        for suffix in _SUFFIXES.get(family.type, ("",)):
            known.setdefault(family.name + suffix, set())
        for sample in family.samples:
            known.setdefault(sample.name, set()).update(sample.labels)
    for kpi in KPIS:  # a figure that the small center does not know has no sample, and so no labels above
        for metric in metrics_of(kpi):
            assert metric.name in known
            known[metric.name].update(labels_of(kpi))
    for about in SERVING_METRICS:  # nor one of what this process has nothing to do with, such as a webhook
        known.setdefault(about.name, set()).update(about.labels)
    return known


def _families() -> Iterable[Metric]:
    backend = Backend.fed(small_center())
    pieces, _ = exposition(FigureCollector(backend.store, backend, windows=DEFAULT_WINDOWS, version="1"), "application/openmetrics-text")
    yield from text_string_to_metric_families(b"".join(pieces).decode())  # type: ignore[no-untyped-call]
    counters = StageCounters()
    health = Health(partitions={("contact-events.v1", 0): PartitionHealth(7, 0, 0.5)}, last_answer=monotonic())
    yield from PipelineCollector(health, {"track-contacts": counters}).collect()
    gateway = GatewayMetrics()
    gateway.begin_hooks([("desk", "/hooks/desk")])
    gateway.begin(["pbx"])
    yield from gateway.registry.collect()


_TOKEN = re.compile(
    r"""
      (?P<space>\s+ | \#[^\n]*)
    | (?P<string>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*')
    | (?P<range>\[[^\]]*\])
    | (?P<number>\d[\w.]*)
    | (?P<name>[a-zA-Z_:$][\w:$]*)
    | (?P<other>.)
    """,
    re.VERBOSE,
)
#: Words followed by a list of labels in parentheses.
_WITH_LABELS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"}


@dataclass(slots=True)
class _Reading:
    """Position of the reader in an expression."""

    tokens: list[tuple[str, str]]
    place: int = 0
    found: list[tuple[str, set[str]]] = field(default_factory=list)

    def text(self, ahead: int = 0) -> str:
        """Return a token's text, empty beyond the end."""
        index = self.place + ahead
        return self.tokens[index][1] if index < len(self.tokens) else ""

    def skip_to(self, closing: str) -> list[tuple[str, str]]:
        """Move beyond the next ``closing`` and return the text before it."""
        start = self.place
        while self.text() != closing:
            self.place += 1
            assert self.place < len(self.tokens), f"no {closing}"
        self.place += 1
        return self.tokens[start : self.place - 1]


def selectors(expression: str) -> list[tuple[str, set[str]]]:
    """Return each metric that a PromQL expression names, with the labels that it selects by."""
    tokens = [(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(expression) if match.lastgroup != "space"]
    reading = _Reading(tokens)
    while reading.place < len(tokens):
        kind, text = tokens[reading.place]
        reading.place += 1
        if kind != "name":
            continue
        if text.lower() in _WITH_LABELS:
            if reading.text() == "(":
                reading.skip_to(")")
        elif text.lower() not in _WORDS and reading.text() not in {"(", "by", "without"}:
            labels: set[str] = set()
            if reading.text() == "{":
                labels = {token for kind, token in reading.skip_to("}") if kind == "name"}
            reading.found.append((text, labels))
    return reading.found
