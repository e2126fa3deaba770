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
_NOTHING: Final = dict.fromkeys(("value", "numerator", "denominator", "coverage"))

#: start of a day → what its records of the FAQ and the bot say by label
_Days = dict[int, list[dict[str, Any]]]


def faq_answers(configuration: Configuration, records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return for every change both rates of its category in equal spans before and after, in the order of the configuration.

    Args:
        configuration: names the changes.

        records: metric records, of each key the newest; other than those of days of the total are passed over.
    """
    days: _Days = defaultdict(list)
    through: int | None = None
    for record in records:
        if record["kind"] != "window" or record["window"] != "day" or record["scope_kind"] != "total":
            continue
        labels = days[parse_time_ms(record["window_start"])]
        if record["channel"] in _CHANNELS:
            labels.append(record["by_label"])
        if record["complete_through"] is not None:
            complete = parse_time_ms(record["complete_through"])
            through = complete if through is None else max(through, complete)
    counting = configuration.counting
    settled = None if through is None else through - 1000 * (counting.grace_seconds + counting.rejoin_seconds)
    calendar = Calendar(configuration.zone_of_site(None))
    return [_answer(change, days, settled, calendar) for change in configuration.faq_changes]


def _answer(change: FaqChange, days: _Days, settled_ms: int | None, calendar: Calendar) -> dict[str, Any]:
    changed = calendar.day(change.at_ms - change.at_ms % 60_000)
    before, after = _spans(changed, change.days, calendar)
    first = min(days, default=None)
    known = 0
    while known < change.days and settled_ms is not None and first is not None:
        if after[known].end_ms > settled_ms or before[known].start_ms < first:
            break
        known += 1
    return {
        "name": change.name,
        "category": change.category,
        "at": format_ms(change.at_ms),
        "days": known or None,
        "before": _side(change.category, before[:known][::-1], days),
        "after": _side(change.category, after[:known], days),
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
    found: dict[str, Any] = {"start": format_ms(spans[0].start_ms), "end": format_ms(spans[-1].end_ms)}
    labelled = [by_label for span in spans for by_label in days.get(span.start_ms, ())]
    for kpi in RATES:
        of_kpi = [by_label.get(kpi, {}) for by_label in labelled]
        if any(OTHER in labels and category not in labels for labels in of_kpi):
            found[kpi] = _NOTHING  # It may be among the others.
            continue
        figures = [labels[category] for labels in of_kpi if category in labels]
        found[kpi] = ratio(sum(each["numerator"] for each in figures), sum(each["denominator"] for each in figures))
    return found
