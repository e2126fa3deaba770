"""Forecasts by hand: spread over cells, the latest holds, held against the contacts once the window is over."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from schemas.decoding import Rejected, decode_customer_event
from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration
from streams.stages.customers import CustomerEventStage
from streams.stages.track import TrackTopics
from streams.tracking.forecasts import CustomerEventTracker
from streams.windows.kpis import forecast_kpis
from tests.support.slices import changed_slices

NINE = parse_time_ms("2026-06-15T09:00:00Z")
QUARTER_MS = 900_000
CENTER = Configuration.model_validate({"queues": {"A": {"department": "help", "channel": "voice"}, "B": {"department": "help"}}})


def forecast(number: int, minutes: float, length: float, *, set_at: float = 0, **fields: Any) -> bytes:
    """Return a forecast of queue A from a minute after nine on, set at another minute after nine."""
    moment = format_ms(NINE + round(60_000 * set_at))
    content = {
        "type": "forecast.set",
        "event_id": f"f{number}",
        "occurred_at": moment,
        "received_at": moment,
        "source": "plan",
        "queue": "A",
    }
    begin = format_ms(NINE + round(60_000 * minutes))
    return orjson.dumps({**content, "interval_start": begin, "interval_seconds": 60 * length, **fields})


def cells(*content: bytes) -> dict[tuple[str, str | None], dict[int, dict[str, int]]]:
    """Return what is booked, by scope, channel and quarter of an hour after nine."""
    tracker = CustomerEventTracker(CENTER, keep_everything=True)
    for value in content:
        tracker.apply(decode_customer_event(value))
    tracker.flush()
    found: dict[tuple[str, str | None], dict[int, dict[str, int]]] = {}
    for (_, scope, start), counts in changed_slices(tracker.slices):
        if counts:
            found.setdefault((scope.scope, scope.channel), {})[(start - NINE) // QUARTER_MS] = dict(counts)
    return found


def test_spread_over_cells_and_scopes() -> None:
    """Half an hour of 10 contacts of 90 s with 2.5 people: 5 contacts, 450 s and 2.5 people each quarter, in every scope."""
    found = cells(forecast(1, 0, 30, volume=10, handle_seconds=90, staff=2.5))

    assert found.keys() == {("queue:A", "voice"), ("department:help", "voice"), ("total:all", "voice")}
    for quarters in found.values():
        assert quarters.keys() == {0, 1}
        kpis = forecast_kpis(quarters.values(), QUARTER_MS, over=False)
        assert kpis["forecast_contacts"]["value"] == 10
        assert (kpis["staff_forecast"]["numerator"], kpis["staff_forecast"]["denominator"]) == (900, 1800)
        assert kpis["staff_required"]["value"] == 2.5
        assert kpis["forecast_accuracy"]["value"] is None


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "out of order"])
def test_the_latest_holds(order: tuple[int, int]) -> None:
    """Of two forecasts of a quarter the one set later counts, in any order of arrival; the earlier one keeps its other quarters."""
    content = [forecast(1, 0, 30, volume=10, set_at=-60), forecast(2, 15, 15, volume=9, set_at=-30)]

    found = cells(*(content[number] for number in order))

    assert {at: counts["forecast_milli"] for at, counts in found["queue:A", "voice"].items()} == {0: 5_000, 1: 9_000}


def test_across_the_edge_of_a_cell() -> None:
    """Ten minutes from 9:10 on with 6 contacts and 3 people: 3 contacts and 3 people for 5 of 15 minutes in either quarter."""
    found = cells(forecast(1, 10, 10, volume=6, staff=3))["queue:A", "voice"]

    assert {at: (counts["forecast_milli"], counts["staff_ms"]) for at, counts in found.items()} == {
        0: (3_000, 900_000),
        1: (3_000, 900_000),
    }


def test_accuracy() -> None:
    """12 contacts where 10 were forecast are 80 % accurate; a quarter without a forecast does not count; 25 of 10 are worse than none."""
    quarters = [{"forecasts": 1, "forecast_milli": 10_000, "offered": 12}, {"offered": 100}]
    assert forecast_kpis(quarters, QUARTER_MS, over=True)["forecast_accuracy"] == {
        "value": 0.8,
        "numerator": 8,
        "denominator": 10,
        "coverage": 1,
    }

    quarters[0]["offered"] = 25
    assert forecast_kpis(quarters, QUARTER_MS, over=True)["forecast_accuracy"]["value"] == -0.5


def test_nothing_is_known_and_nothing_is_expected() -> None:
    """Without a forecast all is null; a forecast of no contact is a number without an accuracy."""
    nothing = forecast_kpis([{"offered": 3}], QUARTER_MS, over=True)
    assert all(figure["value"] is None for figure in nothing.values())

    kpis = forecast_kpis(cells(forecast(1, 0, 15, volume=0))["queue:A", "voice"].values(), QUARTER_MS, over=True)
    assert kpis["forecast_contacts"]["value"] == 0
    assert kpis["forecast_accuracy"]["value"] is None


@pytest.mark.parametrize(("minutes", "length"), [(0, 0), (0, 32 * 24 * 60), (401 * 24 * 60, 15)])
def test_absurd_forecasts_are_dead_letters(minutes: float, length: float) -> None:
    """A forecast of no time, of more than a month, or for more than a year ahead is a dead letter."""
    stage = CustomerEventStage(0, CENTER, TrackTopics("customers", "panes", 1, "dead", "test", lambda: 0, "facts"))
    value = forecast(1, minutes, length, volume=1)
    with pytest.raises(Rejected):
        stage._decode(value)
