"""Figures of each way in one form: which part of which KPI, of which scope, and its value."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from schemas.times import parse_time_ms
from streams.catalogue import KPI_BY_ID, KPIS
from streams.demo.scrape import Scrape
from tests.agreement.center import CLOSED
from tests.demo.wallboard_reading import rounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.catalogue import Kpi

__all__ = ["Place", "aged", "figure_of_target", "of_open_metrics", "of_prometheus", "of_scrape", "of_topic", "page_text", "parts"]

#: Figures that grow while nothing happens, and the instant since when; every way computes their age at as-of.
AGING: Final = {"longest_wait": "waiting_since", "backlog_oldest": "backlog_oldest_since"}


class Place(NamedTuple):
    """Where a number belongs."""

    kpi: str
    part: str
    #: ``queue:Orders`` and the like.
    scope: str
    channel: str | None
    #: As labels have it, ``15m`` for trailing_15m; None for what is now.
    window: str | None
    #: A reason, category, state or band.
    label: str | None = None
    #: Of a target, the KPI that it is for.
    of: str | None = None


Figures = dict[Place, float]


def parts(kpi: Kpi) -> list[str]:
    """Return the parts of a KPI for which Prometheus has units."""
    if kpi.label is not None or kpi.numerator_unit is None or kpi.denominator_unit is None:
        return ["value"]
    return ["value", "numerator", "denominator", *(["coverage"] if kpi.measured else [])]


def aged(record: Mapping[str, Any], kpi: str, as_of_ms: int) -> float | None:
    """Return the seconds from an instant to as-of, without those in which the queue on the business clock is closed."""
    since = record.get(AGING[kpi])
    if since is None:
        return None
    since_ms = parse_time_ms(since)
    queue, closed_ms, open_ms = CLOSED
    off = record["scope_kind"] == "queue" and record["scope"] == queue and kpi == "backlog_oldest"
    closed = max(0, min(as_of_ms, open_ms) - max(since_ms, closed_ms)) if off else 0
    return (as_of_ms - since_ms - closed) / 1000


def now_value(record: Mapping[str, Any], kpi: str, as_of_ms: int) -> float | None:
    """Return a figure of now."""
    value: float | None = aged(record, kpi, as_of_ms) if kpi in AGING else record.get(kpi)
    return value


def of_topic(records: Iterable[dict[str, Any]], as_of_ms: int, hidden: Iterable[str] = ()) -> Figures:
    """Return what Prometheus has to have of the records: of each series the newest window, and no sample for null."""
    newest: dict[tuple[str, str | None, str], dict[str, Any]] = {}
    found: dict[Place, float | None] = {}
    for record in records:
        scope = f"{record.get('scope_kind')}:{record.get('scope')}"
        if record["kind"] == "window":
            series = (scope, record["channel"], record["window"])
            if series not in newest or parse_time_ms(record["window_end"]) > parse_time_ms(newest[series]["window_end"]):
                newest[series] = record
        elif record["kind"] == "now":
            for kpi in (each for each in KPIS if "now" in each.windows and (record["channel"] is None) == (each.subject == "people")):
                if kpi.split_by is None:
                    found[Place(kpi.id, "value", scope, record["channel"], None)] = now_value(record, kpi.id, as_of_ms)
                elif (counts := record.get(kpi.id)) is not None:
                    # A state that is not listed has no agents, which is known.
                    for name in {*kpi.members, *counts}:
                        found[Place(kpi.id, "value", scope, record["channel"], None, name)] = counts.get(name, 0)
    for (scope, channel, name), record in newest.items():
        window = name.removeprefix("trailing_")
        for id_, figure in record["kpis"].items():
            if KPI_BY_ID[id_].label is None:
                for part in parts(KPI_BY_ID[id_]):
                    found[Place(id_, part, scope, channel, window)] = figure[part]
        for id_, labels in record.get("by_label", {}).items():
            if KPI_BY_ID[id_].label is not None:
                for label, figure in labels.items():
                    found[Place(id_, "value", scope, channel, window, label)] = figure["value"]
    left_out = set(hidden)
    return {place: float(value) for place, value in found.items() if value is not None and place.kpi not in left_out}


def of_scrape(scrape: Scrape) -> Figures:
    """Return the figures of a scrape."""
    found = {
        Place(each.kpi, each.part, each.scope, each.channel or None, each.window, each.label, each.of): each.value
        for each in scrape.figures()
    }
    assert len(found) == len(scrape.figures()), "a series is there twice"
    return found


def of_open_metrics(text: str) -> Scrape:
    """Return the figures of a scrape in the other format."""
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    return _scrape(sample for family in families for sample in family.samples)


def of_prometheus(series: Iterable[dict[str, Any]]) -> Scrape:
    """Return the result of an instant query, without what Prometheus adds."""
    own = {"__name__", "job", "instance"}
    return _scrape(
        Sample(labels["__name__"], {name: text for name, text in labels.items() if name not in own}, float(each["value"][1]))
        for each in series
        for labels in [each["metric"]]
    )


def _scrape(samples: Iterable[Sample]) -> Scrape:
    scrape = Scrape("")
    scrape.samples = list(samples)
    return scrape


def figure_of_target(target: Any, records: Iterable[dict[str, Any]], as_of_ms: int) -> float | None:
    """Return what a target is about: of intervals the last one, of days the running one, which need not be final."""
    for record in records:
        if record.get("scope") != target.scope or record.get("scope_kind") != target.scope_kind or record["channel"] != target.channel:
            continue
        if target.window is None and record["kind"] == "now":
            return now_value(record, target.kpi, as_of_ms)
        if record["kind"] == "window" and record["window"] == target.window and target.kpi in record["kpis"]:
            begin, end = parse_time_ms(record["window_start"]), parse_time_ms(record["window_end"])
            running = begin <= as_of_ms < end and KPI_BY_ID[target.kpi].horizon is None
            last = target.window.startswith("interval") and end <= as_of_ms < 2 * end - begin
            if target.window.startswith("trailing") or last or (running and not target.window.startswith("interval")):
                value: float | None = record["kpis"][target.kpi]["value"]
                return value
    return None


def page_text(kpi: str, value: float | None, limit: float | None = None) -> str:
    """Return a figure as the English page has it: shares to a tenth of a percent by ``rounded``, times as m:ss, all else to two places."""
    if value is None:
        return "–"
    unit = KPI_BY_ID[kpi].unit
    if unit == "ratio":
        return f"{rounded(value, 1, limit)} %"
    if unit == "seconds":
        minutes, seconds = divmod(math.floor(value + 0.5), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else f"{minutes}:{seconds:02}"
    text = f"{Decimal(value).quantize(Decimal('0.01'), ROUND_HALF_UP):,f}"
    return text.rstrip("0").rstrip(".")
