"""The metrics of the running demo, read with Prometheus' own parser, and their figures by the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from streams.catalogue.kpis import KPIS
from streams.catalogue.prometheus import Part, metrics_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client.samples import Sample


__all__ = ["Scrape", "Served"]


@dataclass(frozen=True, slots=True)
class Served:
    """One sample of a figure: which part of which KPI, of what and when."""

    kpi: str
    part: Part
    #: ``queue:Orders`` and the like.
    scope: str
    channel: str | None
    #: The window, or None for current state.
    window: str | None
    #: Of a figure by label: the state of agents, the band of the backlog by age, a reason, a category.
    label: str | None
    #: Of a target, the figure that it is for.
    of: str | None
    value: float


class Scrape:
    """The samples of one ``/metrics``."""

    def __init__(self, text: str) -> None:
        """Parse the text; raise ValueError if it is not in Prometheus' format."""
        self.samples: list[Sample] = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def total(self, name: str, labels: Mapping[str, str] | None = None) -> float:
        """Return the sum of a metric over its series with these labels, 0 without any."""
        wanted = (labels or {}).items()
        return sum(sample.value for sample in self.samples if sample.name == name and wanted <= sample.labels.items())

    def value(self, name: str) -> float | None:
        """Return the value of a metric without labels, None if it is not there."""
        return next((sample.value for sample in self.samples if sample.name == name), None)

    def figures(self) -> list[Served]:
        """Return every sample that the catalogue knows as a part of a KPI."""
        known = {metric.name: (kpi, metric.part) for kpi in KPIS for metric in metrics_of(kpi)}
        found = []
        for sample in self.samples:
            if sample.name in known:
                kpi, part = known[sample.name]
                labels = sample.labels
                scope = f"{labels.get('scope_kind')}:{labels.get('scope')}"
                label = labels.get(kpi.split_by or kpi.label or "")
                found.append(
                    Served(kpi.id, part, scope, labels.get("channel"), labels.get("window"), label, labels.get("kpi"), sample.value)
                )
        return found
