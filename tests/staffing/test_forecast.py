"""Expected contacts: worked out by hand, and over a simulated month beside the naive method."""

from __future__ import annotations

from random import Random
from typing import Final

import pytest

from streams.demo.simulator.arrivals import volume
from streams.staffing import Forecast, Observed, effective_agents, outlook, patience_seconds
from streams.staffing.erlang import Workload, agents_needed, erlang_a
from streams.staffing.forecast import naive, weighted_error

QUARTER: Final = 900_000
HOUR: Final = 3_600_000
DAY: Final = 86_400_000
#: A Monday at midnight.
MONDAY: Final = 1_767_571_200_000


def test_the_mean_of_weeks_at_todays_level() -> None:
    """Two Mondays with 10 and 14 in each interval, today 18 in each of the last eight: 12 · (8·18 + 20) ÷ (8·12 + 20)."""
    today = MONDAY + 2 * 7 * DAY
    history: dict[int, float] = {}
    for at in range(0, 4 * HOUR, QUARTER):
        history[MONDAY + at] = 10
        history[MONDAY + 7 * DAY + at] = 14
    for at in range(0, 2 * HOUR, QUARTER):
        history[today + at] = 18
    forecast = Forecast(history, QUARTER)

    assert forecast.expected(today + 3 * HOUR, today + 2 * HOUR) == pytest.approx(12 * (8 * 18 + 20) / (8 * 12 + 20))
    assert forecast.expected(today + 5 * HOUR, today + 2 * HOUR) is None, "nothing is known of that hour"
    assert naive(history, today + HOUR) == 14


def test_yesterday_where_no_week_is_known() -> None:
    """A queue of two days: yesterday's, as today is just as busy."""
    history = {MONDAY + at: 6.0 for at in range(0, DAY, QUARTER)} | {MONDAY + DAY + at: 6.0 for at in range(0, 2 * HOUR, QUARTER)}
    forecast = Forecast(history, QUARTER)

    assert forecast.expected(MONDAY + DAY + 3 * HOUR, MONDAY + DAY + 2 * HOUR) == 6
    assert forecast.error(MONDAY + DAY + 2 * HOUR, 4) == 0
    assert Forecast({}, QUARTER).error(MONDAY, 4) is None


def month(seed: int) -> dict[int, float]:
    """Return five weeks of contacts by quarter of an hour: the demo's day, weekdays of their own, and days busier or quieter as a whole."""
    random = Random(seed)
    found: dict[int, float] = {}
    for day in range(35):
        busy = (1.25, 1.0, 0.95, 0.95, 1.1, 0.5, 0.35)[day % 7] * random.gammavariate(25, 1 / 25)
        for at in range(0, DAY, QUARTER):
            mean = 40 * volume(at) * busy
            # A Poisson number by counting exponential gaps.
            number, passed = 0, random.expovariate(1)
            while passed < mean:
                number, passed = number + 1, passed + random.expovariate(1)
            found[MONDAY + day * DAY + at] = number
    return found


def test_a_simulated_month_beside_the_naive_method() -> None:
    """In the fifth week an hour ahead is missed by a quarter less than by last week's figures; the figures are printed."""
    ours: list[float] = []
    theirs: list[float] = []
    for seed in range(3):
        history = month(seed)
        forecast = Forecast(history, QUARTER)
        starts = range(MONDAY + 28 * DAY, MONDAY + 35 * DAY, QUARTER)
        missed = weighted_error(history, starts, lambda start, forecast=forecast: forecast.expected(start, start - HOUR))  # type: ignore[misc]
        by_naive = weighted_error(history, starts, lambda start, history=history: naive(history, start))  # type: ignore[misc]
        assert missed is not None
        assert by_naive is not None
        ours.append(missed)
        theirs.append(by_naive)
    print(f"missed by {sum(ours) / 3:.1%}, by the naive method {sum(theirs) / 3:.1%}")  # noqa: T201 - it is for people to read
    assert all(one < 0.75 * other for one, other in zip(ours, theirs, strict=True)), (ours, theirs)


def test_patience() -> None:
    """Nine answered after 20 s each and six who left after 30 s: (180 + 180) ÷ 6; four are too few."""
    assert patience_seconds(9 * 20 + 6 * 30, 6) == 60
    assert patience_seconds(9 * 20 + 4 * 30, 4) is None


def test_what_is_ahead() -> None:
    """A queue of 8 agents whose volume doubles: as many agents as needed, and what becomes of it with those who are there."""
    now = MONDAY + DAY + 10 * HOUR
    history = {MONDAY + at: (20.0 if at < 11 * HOUR else 40.0) for at in range(0, DAY, QUARTER)}
    history |= {MONDAY + DAY + at: 20.0 for at in range(0, 10 * HOUR, QUARTER)}
    workload = Workload(contacts_per_hour=80, aht_seconds=300, patience_seconds=120)
    seen = erlang_a(workload, 8, 20)
    observed = Observed(
        length_ms=HOUR,
        offered=80,
        abandoned=80 * seen.abandon_rate,
        aht_seconds=300,
        waited_seconds=80 * (seen.wait_seconds or 0),
        service_level=seen.service_level,
        threshold_seconds=20,
        target=0.8,
    )

    assert effective_agents(observed, 120) == 8
    ahead = outlook(Forecast(history, QUARTER), observed, now, 6, 120)

    assert [each.start_ms - now for each in ahead] == [QUARTER * number for number in range(1, 7)]
    assert [each.contacts for each in ahead] == pytest.approx([20, 20, 20, 40, 40, 40])
    assert ahead[0].service_level == pytest.approx(seen.service_level)
    double = Workload(contacts_per_hour=160, aht_seconds=300, patience_seconds=120)
    assert ahead[-1].service_level == pytest.approx(erlang_a(double, 8, 20).service_level)
    assert ahead[-1].agents_needed == agents_needed(double, 0.8, 20).agents
