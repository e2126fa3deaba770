"""State continues when the configuration has other cells than it was written with, and figures by outcome."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from schemas.contact import ContactQueued
from schemas.times import parse_time_ms, to_ms
from streams.configuration.models import Configuration
from tests.oracle.recount import recount
from tests.oracle.reporting import beat, call
from tests.properties.compare import differences
from tests.properties.pipeline import MemoryPipeline

if TYPE_CHECKING:
    from schemas.base import Event

MINUTE_MS = 60_000
START = "2026-06-15T07:00:00Z"


def center(intervals: list[int], *attribution: str) -> Configuration:
    """Return a center with intervals of a number of minutes."""
    counting = {"interval_minutes": intervals, "attribution": attribution or ("offer",)}
    return Configuration.model_validate({"queues": {"A": {}}, "counting": counting})


def with_fault(configuration: Configuration) -> Configuration:
    """Return a center in which a fault is noticed a while after it began, at 07:20, and lasts."""
    fault = {"name": "fault 障害", "kind": "outage", "from": "2026-06-15T07:20", "queues": ["A"]}
    return Configuration.model_validate({**configuration.model_dump(by_alias=True, exclude_unset=True), "calendar_exceptions": [fault]})


def calls() -> list[Event]:
    """Return a call every 70 seconds for an hour and a half, answered after 130 seconds."""
    return sorted((each for n in range(77) for each in call(f"c{n}", 130, at=70 * n)), key=lambda each: each.received_at)


def run(before: Configuration, after: Configuration) -> tuple[MemoryPipeline, list[Event], int]:
    """Return a pipeline that takes half of the calls with one configuration and half with another, the calls, and when that changed."""
    events, end = calls(), beat(6000)
    middle = len(events) // 2
    changed_ms = to_ms(events[middle - 1].received_at)
    pipeline = MemoryPipeline(before, Random(1), contacts=1, agents=1, panes=1)
    pipeline.run([*events[:middle], beat((changed_ms - parse_time_ms(START)) / 1000)])
    pipeline._configuration = after
    pipeline._restart()
    pipeline.run([*events[middle:], end])
    return pipeline, [*events, end], changed_ms


def intervals(pipeline: MemoryPipeline, window: str) -> dict[int, dict[str, Any]]:
    """Return the records of an interval of the queue by their begins."""
    prefix = f"window|{window}|voice|queue:A|"
    return {int(key.removeprefix(prefix)): record for key, record in pipeline.latest.items() if key.startswith(prefix)}


def test_from_15_to_5_minutes() -> None:
    """Longer intervals and days are complete; short ones are served from the first complete one on."""
    after = center([5, 15, 60])
    pipeline, events, changed_ms = run(center([15, 60]), after)
    recounted = recount(events, after)
    short = intervals(pipeline, "interval_5m")
    # What the last cell of 15 minutes has is of a call that was offered, and the rest of it is still coming.
    offered_ms = max(
        to_ms(each.occurred_at) for each in events if isinstance(each, ContactQueued) and to_ms(each.received_at) <= changed_ms
    )
    whole_from = (offered_ms // (15 * MINUTE_MS) + 1) * 15 * MINUTE_MS

    assert differences(pipeline.latest, recounted, windows=("trailing_15m", "day", "interval_15m", "interval_60m")) == []
    assert sorted(short) == list(range(whole_from, parse_time_ms("2026-06-15T08:30:00Z"), 5 * MINUTE_MS))
    assert all(record["kpis"] == recounted.window("queue:A", "voice", "interval_5m", start) for start, record in short.items())


def test_from_5_to_15_minutes() -> None:
    """Cells of 5 minutes continue in intervals of 15 and in the day, also those of the change."""
    after = center([15, 60])
    pipeline, events, _ = run(center([5, 15]), after)

    assert differences(pipeline.latest, recount(events, after), windows=("trailing_15m", "day", "interval_15m", "interval_60m")) == []


@pytest.mark.parametrize("lengths", [[15], [5, 15]], ids=str)
def test_by_outcome_from_when_it_was_asked_for(lengths: list[int]) -> None:
    """Earlier events were not booked by outcome: their intervals and day have no figures by outcome, not too small ones."""
    after = center(lengths, "offer", "outcome")
    pipeline, events, changed_ms = run(center(lengths), after)
    recounted = recount(events, after)
    by_outcome = {start: record.get("by_outcome") for start, record in intervals(pipeline, "interval_15m").items()}
    day = next(record for key, record in pipeline.latest.items() if key.startswith("window|day|voice|queue:A"))

    assert "by_outcome" not in day
    assert any(each is None for each in by_outcome.values())
    assert any(each is not None for each in by_outcome.values())
    for start, each in by_outcome.items():
        whole = start >= -(-changed_ms // (15 * MINUTE_MS)) * 15 * MINUTE_MS
        assert each == ({"kpis": recounted.by_outcome("queue:A", "voice", "interval_15m", start)} if whole else None)


def test_an_exception_that_began_today() -> None:
    """Configured while it lasts, it also marks earlier records, and the day is served with and without it."""
    after = with_fault(center([15]))
    pipeline, events, _ = run(center([15]), after)
    found = {start: record.get("exceptions") for start, record in intervals(pipeline, "interval_15m").items()}

    assert differences(pipeline.latest, recount(events, after), windows=("trailing_15m", "day", "interval_15m")) == []
    seven = parse_time_ms(START)
    assert found == {seven + n * 15 * MINUTE_MS: ["fault 障害"] if n else None for n in range(6)}


def test_an_exception_that_was_a_mistake() -> None:
    """Taken out again, it leaves no mark."""
    pipeline, events, _ = run(with_fault(center([15])), center([15]))

    assert differences(pipeline.latest, recount(events, center([15])), windows=("trailing_15m", "day", "interval_15m")) == []
    assert not any("exceptions" in record or "without_exceptions" in record for record in pipeline.latest.values())
