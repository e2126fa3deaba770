"""Self-service before and after a change of the FAQ, from records of days (``docs/judging.md``)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from schemas.times import format_ms, parse_time_ms
from streams.windows.calendar import Calendar, Span
from streams.windows.labels import OTHER, RATES, ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streams.configuration import Configuration
    from streams.configuration.faq import FaqChange

__all__ = ["faq_answers"]

_CHANNELS: Final = frozenset({"faq", "bot"})
_NO_FIGURE: Final = dict.fromkeys(("value", "numerator", "denominator", "coverage"))

#: start of a day → figures by label of its FAQ and bot records
_Days = dict[int, list[dict[str, Any]]]


def faq_answers(configuration: Configuration, records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return for every change the rates of its category in equal spans before and after, in the order of the configuration.

    Args:
        configuration: names the changes.

        records: metric records, the newest of each key; only days of the total are used.
    """
    days: _Days = defaultdict(list)
    watermark: int | None = None
    for record in records:
        if record["kind"] != "window" or record["window"] != "day" or record["scope_kind"] != "total":
            continue
        labels = days[parse_time_ms(record["window_start"])]
        if record["channel"] in _CHANNELS:
            labels.append(record["by_label"])
        if record["complete_through"] is not None:
            complete = parse_time_ms(record["complete_through"])
            watermark = complete if watermark is None else max(watermark, complete)
    counting = configuration.counting
    complete_ms = None if watermark is None else watermark - 1000 * (counting.grace_seconds + counting.rejoin_seconds)
    calendar = Calendar(configuration.zone_of_site(None))
    return [_answer(change, days, complete_ms, calendar) for change in configuration.faq_changes]


def _answer(change: FaqChange, days: _Days, complete_ms: int | None, calendar: Calendar) -> dict[str, Any]:
    changed = calendar.day(change.at_ms - change.at_ms % 60_000)
    before, after = _spans(changed, change.days, calendar)
    first = min(days, default=None)
    number = 0
    while number < change.days and complete_ms is not None and first is not None:
        if after[number].end_ms > complete_ms or before[number].start_ms < first:
            break
        number += 1
    return {
        "name": change.name,
        "category": change.category,
        "at": format_ms(change.at_ms),
        "days": number or None,
        "before": _side(change.category, before[:number][::-1], days),
        "after": _side(change.category, after[:number], days),
    }


def _spans(changed: Span, number: int, calendar: Calendar) -> tuple[list[Span], list[Span]]:
    """Return the days before a day, the nearest first, and those after it."""
    before, after = [changed], [changed]
    for _ in range(number):
        before.append(calendar.day(before[-1].start_ms - 60_000))
        after.append(calendar.day(after[-1].end_ms))
    return before[1:], after[1:]


def _side(category: str, spans: Sequence[Span], days: _Days) -> dict[str, Any] | None:
    if not spans:
        return None
    rates: dict[str, Any] = {"start": format_ms(spans[0].start_ms), "end": format_ms(spans[-1].end_ms)}
    labelled = [by_label for span in spans for by_label in days.get(span.start_ms, ())]
    for kpi in RATES:
        of_kpi = [by_label.get(kpi, {}) for by_label in labelled]
        if any(OTHER in labels and category not in labels for labels in of_kpi):
            rates[kpi] = _NO_FIGURE  # The category may be among the others.
            continue
        figures = [labels[category] for labels in of_kpi if category in labels]
        rates[kpi] = ratio(sum(each["numerator"] for each in figures), sum(each["denominator"] for each in figures))
    return rates
