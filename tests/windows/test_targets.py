"""Targets judged by hand: attainment, met, and the straight line from where it began."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.times import parse_time_ms
from streams.configuration.models import Configuration
from streams.windows.targets import Judgment, judged, terms_of, together

CENTER = {
    "sites": {"berlin": {"zone": "Europe/Berlin"}, "tokyo": {"zone": "Asia/Tokyo"}},
    "queues": {"sales": {"site": "berlin", "target": 0.8, "business": "shop"}, "care": {"site": "tokyo", "target": 0.9}},
    "teams": {"red": {"site": "tokyo"}},
}
#: Halve 40 a day in the first quarter: 90 days from midnight to midnight.
HALVED: dict[str, Any] = {
    "kpi": "non_response",
    "unit": "offers",
    "target": 20,
    "start_value": 40,
    "start_date": "2026-01-01",
    "due": "2026-03-31",
}


def terms(**target: Any) -> Any:
    """Return the terms of one target of the total."""
    return terms_of(Configuration.model_validate({**CENTER, "targets": [{"scope": "total:all", **target}]}))[0]


def judge(value: float | None, at: str = "2026-01-31T00:00:00Z", **target: Any) -> Judgment:
    """Return the judgment of a value for a target of the total."""
    figure: Any = {"value": value, "numerator": value, "denominator": None, "coverage": 0.5}
    return judged(terms(**target), figure, parse_time_ms(at))


def instant(text: str) -> str:
    """Return a time in UTC, of a date its begin."""
    return f"{text}Z" if "T" in text else f"{text}T00:00:00Z"


@pytest.mark.parametrize(
    ("target", "value", "attainment", "margin", "standing"),
    [
        # Higher is better: value ÷ target.
        ({"kpi": "answer_rate", "unit": "ratio", "target": 0.8}, 0.72, (0.9, 0.72, 0.8), -0.08, "missed"),
        ({"kpi": "answer_rate", "unit": "percent", "target": 80}, 0.8, (1, 0.8, 0.8), 0, "met"),
        ({"kpi": "answer_rate", "unit": "percent", "target": 80}, 0.7999999, (0.999999875, 0.7999999, 0.8), -1e-7, "missed"),
        ({"kpi": "csat", "unit": "score", "target": 4, "stretch": 4.5}, 4.5, (1.125, 4.5, 4), 0.5, "stretch_met"),
        ({"kpi": "csat", "unit": "score", "target": 4, "stretch": 4.5}, 4.4, (1.1, 4.4, 4), 0.4, "met"),
        # Lower is better: target ÷ value.
        ({"kpi": "asa", "unit": "seconds", "target": 20, "stretch": 10}, 25, (0.8, 20, 25), -5, "missed"),
        ({"kpi": "asa", "unit": "seconds", "target": 20, "stretch": 10}, 16, (1.25, 20, 16), 4, "met"),
        ({"kpi": "asa", "unit": "seconds", "target": 20, "stretch": 10}, 10, (2, 20, 10), 10, "stretch_met"),
        ({"kpi": "abandoned", "unit": "contacts", "target": 3}, 0, (None, 3, 0), 3, "met"),
        ({"kpi": "abandoned", "unit": "contacts", "target": 0}, 2, (0, 0, 2), -2, "missed"),
        # A score that may be negative: no share of it makes sense, but whether it is met does.
        ({"kpi": "nps", "unit": "score", "target": -10}, -5, (None, -5, -10), 5, "met"),
        ({"kpi": "nps", "unit": "score", "target": 20}, -5, (-0.25, -5, 20), -25, "missed"),
        # A band: 1 inside, else the share of the bound.
        ({"kpi": "occupancy", "unit": "percent", "low": 75, "high": 85}, 0.6, (0.8, 0.6, 0.75), -0.15, "missed"),
        ({"kpi": "occupancy", "unit": "percent", "low": 75, "high": 85}, 0.8, (1, 0.8, 0.8), 0.05, "met"),
        ({"kpi": "occupancy", "unit": "percent", "low": 75, "high": 85}, 0.85, (1, 0.85, 0.85), 0, "met"),
        ({"kpi": "occupancy", "unit": "percent", "high": 85}, 1, (0.85, 0.85, 1), -0.15, "missed"),
        ({"kpi": "handled", "unit": "contacts", "low": 500}, 400, (0.8, 400, 500), -100, "missed"),
    ],
)
def test_attainment(
    target: dict[str, Any], value: float, attainment: tuple[float | None, float, float], margin: float, standing: str
) -> None:
    """The share of the target with its parts, how far on the good side, and the verdict; unrounded."""
    judgment = judge(value, **target)

    assert (judgment.attainment["value"], judgment.attainment["numerator"], judgment.attainment["denominator"]) == attainment
    assert judgment.attainment["coverage"] == 0.5
    assert (judgment.margin, judgment.standing) == (margin, standing)
    assert judgment.met is (standing != "missed")
    assert judgment.progress is None


@pytest.mark.parametrize(
    ("value", "at", "progress", "expected", "ahead", "standing", "projected"),
    [
        # 30 of 90 days: the line is at 40 − 20/3. Half the way in 30 days: the whole in 60, on March 2.
        (30, "2026-01-31", 0.5, 100 / 3, 10 / 3, "on_track", "2026-03-02"),
        # A fifth of the way in 30 days: 150 in all, till May 31.
        (36, "2026-01-31", 0.2, 100 / 3, -8 / 3, "behind", "2026-05-31"),
        # Half the time and half the way: exactly on the line.
        (30, "2026-02-15", 0.5, 30, 0, "on_track", "2026-04-01"),
        # Away from the target, or not moved: no date.
        (45, "2026-01-31", -0.25, 100 / 3, -35 / 3, "behind", None),
        (40, "2026-01-31", 0, 100 / 3, -20 / 3, "behind", None),
        # Met before it is due: at the latest then.
        (16, "2026-01-31", 1.2, 100 / 3, 52 / 3, "met", "2026-01-26"),
        # Before the first day nothing is asked yet, and nothing can be projected.
        (38, "2025-12-25", 0.1, 40, 2, "on_track", None),
        # The last instant of the due date and the first one after it. 90 days ÷ 0.9 are 100: April 11.
        (22, "2026-03-31T23:59:59.999", 0.9, 20, -2, "behind", "2026-04-10T23:59:59.998"),
        (22, "2026-04-01", 0.9, 20, -2, "missed", "2026-04-11"),
        # So slow that it would take more than a hundred years: 30 days ÷ 0.0005 are 60,000 days.
        (39.99, "2026-01-31", 0.0005, 100 / 3, -6.656666666666667, "behind", None),
    ],
)
def test_the_line(value: float, at: str, progress: float, expected: float, ahead: float, standing: str, projected: str | None) -> None:
    """A value between start and target, against where it should be, and when it reaches the target at this pace."""
    judgment = judge(value, instant(at), **HALVED)

    assert judgment.standing == standing
    assert judgment.progress is not None
    assert judgment.progress.figure["value"] == progress
    assert judgment.progress.expected == pytest.approx(expected, abs=1e-6)
    assert judgment.progress.ahead == pytest.approx(ahead, abs=1e-6)
    assert judgment.progress.on_track is (ahead >= 0)
    assert judgment.progress.projected_ms == (None if projected is None else parse_time_ms(instant(projected)))


def test_nothing_is_known() -> None:
    """Without a figure there is no result, and the target is not missed."""
    judgment = judge(None, **HALVED)

    assert (judgment.standing, judgment.met, judgment.margin, judgment.progress, judgment.attainment["value"]) == (
        "unknown",
        None,
        None,
        None,
        None,
    )


def test_due_without_a_line() -> None:
    """A target that is due later, without a start value, is open until then."""
    target: dict[str, Any] = {"kpi": "csat", "unit": "score", "target": 4, "due": "2026-02-01"}

    assert [judge(value, at, **target).standing for value, at in ((3, "2026-02-01T23:59:59Z"), (3, "2026-02-02T00:00:00Z"))] == [
        "open",
        "missed",
    ]
    assert judge(4, **target).standing == "met"


def test_dates_are_of_the_scopes_zone() -> None:
    """A queue's and a team's dates are those of its site; the night of the change of clocks has 23 hours."""
    days = {"start_date": "2026-03-28", "due": "2026-03-29", "start_value": 50, "target": 10}
    configuration = Configuration.model_validate(
        {
            **CENTER,
            "targets": [
                {"kpi": "non_response", "scope": "queue:sales", "unit": "offers", **days},
                {"kpi": "non_response", "scope": "site:tokyo", "unit": "offers", **days},
                {"kpi": "non_response", "scope": "business:shop", "unit": "offers", **days},
            ],
        }
    )
    spans = [(each.begin_ms, each.end_ms) for each in terms_of(configuration)[:3]]

    # Berlin is at +01:00 on the 28th and at +02:00 at the end of the 29th, Tokyo always at +09:00; a business has the default zone.
    assert spans == [
        (parse_time_ms("2026-03-27T23:00:00Z"), parse_time_ms("2026-03-29T22:00:00Z")),
        (parse_time_ms("2026-03-27T15:00:00Z"), parse_time_ms("2026-03-29T15:00:00Z")),
        (parse_time_ms("2026-03-28T00:00:00Z"), parse_time_ms("2026-03-30T00:00:00Z")),
    ]


def test_queues_have_targets_of_their_own() -> None:
    """A queue's target is one for its service level of the day, unless the list has one for that."""
    listed = {"kpi": "service_level", "scope": "queue:care", "unit": "percent", "target": 95, "window": "trailing_60m"}
    found = terms_of(Configuration.model_validate({**CENTER, "targets": [listed]}))

    terms = [(each.scope, each.window, None if each.goal is None else float(each.goal), each.of_queue) for each in found]
    assert terms == [("care", "trailing_60m", 0.95, False), ("sales", "day", 0.8, True)]


def figure(value: float | None, numerator: float | None = None, denominator: float | None = None, coverage: float | None = None) -> Any:
    """Return a figure with its parts."""
    return {"value": value, "numerator": numerator, "denominator": denominator, "coverage": coverage}


@pytest.mark.parametrize(
    ("target", "figures", "put"),
    [
        # 37 of 50 and 3 of 10 are 40 of 60, not the mean of 0.74 and 0.3.
        (
            {"kpi": "service_level", "unit": "ratio", "target": 0.8},
            [figure(0.74, 37, 50, 1), figure(0.3, 3, 10, 0.5), figure(None, 0, 0)],
            figure(40 / 60, 40, 60, 0.5),
        ),
        # A mail queue has no abandonment: the others' alone.
        ({"kpi": "abandon_rate", "unit": "ratio", "target": 0.1}, [figure(0.1, 5, 50, 1), figure(None)], figure(0.1, 5, 50, 1)),
        ({"kpi": "abandoned", "unit": "contacts", "target": 10}, [figure(5, 5), figure(2, 2)], figure(7, 7)),
        ({"kpi": "longest_wait", "unit": "seconds", "target": 60}, [figure(70, 70), figure(12.5, 12.5)], figure(70, 70)),
        ({"kpi": "asa", "unit": "seconds", "target": 20}, [], figure(None)),
        ({"kpi": "asa", "unit": "seconds", "target": 20}, [figure(None, 0, 0), figure(None, 0, 0)], figure(None, 0, 0)),
    ],
    ids=["ratio", "one has it", "count", "longest", "none", "empty"],
)
def test_channels_are_put_together(target: dict[str, Any], figures: list[Any], put: Any) -> None:
    """Parts are added, never shares; the coverage is the least."""
    assert together(terms(**target), figures) == put
