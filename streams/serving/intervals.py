"""The intervals of one queue in the store; of today also the waits, and the ways in which contacts left unanswered."""

from __future__ import annotations

from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schemas.times import parse_time_ms
from streams.catalogue.fields import ABANDONED_WAITS, ANSWERED_WAITS, FLOW_OUT, parse
from streams.configuration.judges import definition_at
from streams.serving.definition_text import judging
from streams.serving.store import TRENDS, Entry
from streams.serving.today import figure_document, is_running
from streams.serving.window_records import WindowRecord
from streams.windows.slices import pane_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.access.views import View
    from streams.configuration import Configuration
    from streams.serving.store import Store
    from streams.serving.window_records import Seen

__all__ = ["Held", "held_of", "interval_document", "intervals_of"]

_TRAILING: Final = "trailing_"
#: Shortest complete part of an interval with an average of agents: below it, partitions' different watermarks distort the average.
_LEAST_MS: Final = 60_000
#: KPIs of sessions with a bot or a FAQ, which have no waits, agents or service level.
_SELF_SERVICE: Final = ("self_service_rate", "containment_rate")
#: Histogram of waits → its key in answers.
_WAITS: Final = {ANSWERED_WAITS.key: "answered", ABANDONED_WAITS.key: "abandoned"}


class Held(NamedTuple):
    """The entries of a queue in the store; they do not change."""

    queue: str
    as_of_ms: int
    intervals: list[Entry]
    days: list[Entry]
    #: The scope of its agents: its site, or the total.
    staff_scope: tuple[str, str]
    staff: list[Entry]
    #: The watermark of agents' time, if known.
    people_through_ms: int | None


def held_of(store: Store, queue: str, site: str | None, view: View) -> Held | None:
    """Return the entries of a queue that a view shows; None if there are none or the view does not show the queue."""
    if not view.sees("queue", queue):
        return None
    own = store.of_scope("queue", queue)
    if not own:
        return None
    scope = ("total", "all") if site is None else ("site", site)
    people = [entry for entry in store.of_scope(*scope) if entry.channel is None] if view.sees_people(*scope) else []
    # Agents' trailing windows end at their watermark, and are published when their figures change.
    through = [entry.window_end_ms for entry in people if entry.group.startswith(_TRAILING)]
    return Held(
        queue,
        max([store.as_of_ms or 0, *(entry.as_of_ms or 0 for entry in own)]),
        [entry for entry in own if entry.group == TRENDS and entry.channel is not None],
        [entry for entry in own if entry.group == "day" and entry.channel is not None],
        scope,
        [entry for entry in people if entry.group == TRENDS],
        max((ms for ms in (store.complete_through_ms, *through) if ms is not None), default=None),
    )


def intervals_of(held: Held, configuration: Configuration, target: float | None) -> dict[str, Any]:
    """Return the intervals of a queue by channel in order of time, with the agents at work; ``target`` is its service level."""
    channels = sorted({entry.channel or "" for entry in (*held.intervals, *held.days)})
    staff = [interval for entry in _in_time(held.staff) if (interval := _staff(entry, held)) is not None]
    return {
        "queue": held.queue,
        "window": TRENDS,
        "channels": [_of_channel(held, channel, configuration, target) for channel in channels],
        "staff": {"scope_kind": held.staff_scope[0], "scope": held.staff_scope[1], "intervals": staff} if staff else None,
    }


def _of_channel(held: Held, channel: str, configuration: Configuration, target: float | None) -> dict[str, Any]:
    days = (entry for entry in held.days if entry.channel == channel and is_running(entry, held.as_of_ms))
    day = max(days, key=lambda entry: entry.window_start_ms, default=None)
    counts = {} if day is None else _window(day).counts
    kpis = {} if day is None else _window(day).kpis
    self_service = {kpi: figure_document(kpis.get(kpi)) for kpi in _SELF_SERVICE}
    at_ms = held.as_of_ms if day is None else day.window_start_ms
    return {
        "channel": channel,
        "target": target,
        "threshold_seconds": definition_at(configuration, held.queue, channel, at_ms).threshold_s,
        "definitions": judging(configuration, held.queue, channel, at_ms),
        "self_service": self_service if any(self_service.values()) else None,
        "today": None if day is None else interval_document(day, held.as_of_ms),
        "waits": _waits(counts),
        "flow_outs": _flow_outs(counts),
        "intervals": [interval_document(entry, held.as_of_ms) for entry in _in_time(held.intervals) if entry.channel == channel],
    }


def _in_time(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.window_start_ms)


def interval_document(entry: Entry, as_of_ms: int) -> dict[str, Any]:
    """Return the figures of one window of contacts as answers have them."""
    record = _window(entry)
    value = partial(_value, record)
    length_seconds = ((entry.window_end_ms or 0) - entry.window_start_ms) / 1000
    aht, handled = value("aht"), value("handled")
    # An incomplete window understates the workload. Contacts without a handle time get the average.
    is_complete = aht is not None and handled is not None and (entry.window_end_ms or 0) <= as_of_ms
    return {
        "start": record.window_start,
        "end": record.window_end,
        "final": record.final,
        "exceptions": record.exceptions or [],
        **{kpi: value(kpi) for kpi in ("offered", "answered", "abandoned", "handled")},
        **{kpi: figure_document(record.kpis.get(kpi)) for kpi in ("answer_rate", "service_level")},
        "asa_seconds": value("asa"),
        "aht_seconds": aht,
        "workload_agents": (aht or 0) * (handled or 0) / length_seconds if is_complete else None,
        "staff_required": value("staff_required"),
    }


def _window(entry: Entry) -> WindowRecord:
    record = entry.record
    if not isinstance(record, WindowRecord):
        raise TypeError(f"{entry.key} is not a window")
    return record


def _value(record: WindowRecord, kpi: str) -> float | None:
    figure = record.kpis.get(kpi)
    return None if figure is None else figure.value


def _staff(entry: Entry, held: Held) -> dict[str, Any] | None:
    record = _window(entry)
    complete_ms = _complete_ms(entry, record, held)
    actual, scheduled = (_average(record.kpis.get(kpi), complete_ms) for kpi in ("staff_actual", "staff_scheduled"))
    if actual is None and scheduled is None:
        return None
    return {"start": record.window_start, "end": record.window_end, "actual": actual, "scheduled": scheduled}


def _complete_ms(entry: Entry, record: WindowRecord, held: Held) -> int | None:
    """Return the counted part of a running window of agents' time; None if the window is complete."""
    end_ms = entry.window_end_ms or 0
    own_ms = None if record.complete_through is None else parse_time_ms(record.complete_through)
    watermark_ms = max((ms for ms in (held.people_through_ms, own_ms) if ms is not None), default=held.as_of_ms)
    return None if watermark_ms >= end_ms else pane_of(watermark_ms) - entry.window_start_ms


def _average(seconds: Seen | None, complete_ms: int | None) -> float | None:
    """Return the average in the complete part of a window: records divide by the entire window."""
    if seconds is None or seconds.value is None or complete_ms is None:
        return None if seconds is None else seconds.value
    return None if seconds.numerator is None or complete_ms < _LEAST_MS else 1000 * seconds.numerator / complete_ms


def _waits(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the histogram of waits: answered and abandoned contacts per bucket."""
    buckets: dict[float, dict[str, Any]] = {}
    for name, number in counts.items():
        parsed = parse(name)
        if parsed is None or parsed.definition is not None or parsed.field.key not in _WAITS:
            continue
        edge = parsed.values["edge"]
        at = inf if edge == "inf" else int(edge) / 1000
        bucket = buckets.setdefault(at, {"up_to_seconds": None if at == inf else at, "answered": 0, "abandoned": 0})
        bucket[_WAITS[parsed.field.key]] += number
    return [buckets[at] for at in sorted(buckets)]


def _flow_outs(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the contacts that left in each way other than an answer or abandonment, the most frequent first."""
    named = ((parse(name), number) for name, number in counts.items() if number)
    numbers = {parsed.values["reason"]: number for parsed, number in named if parsed is not None and parsed.field is FLOW_OUT}
    return dict(sorted(numbers.items(), key=lambda item: (-item[1], item[0])))
