"""Targets that cannot be meant are refused, with their line, the reason and what is permitted; the shipped examples are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.configuration import ConfigurationError, load_configuration

ROOT = Path(__file__).parents[2]

CENTER = """\
queues:
  sales: {department: front}
teams:
  red: {}
targets:
  - kpi: asa
    scope: "queue:sales"
    unit: seconds
    target: 20
"""
#: A target of one line: line 10 of the file.
OTHER = "  - {{kpi: {kpi}, scope: {scope!r}, {rest}}}\n"


def load(tmp_path: Path, text: str) -> list[str]:
    """Return the problems of a file, without its name; none if it is valid."""
    file = tmp_path / "center.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        load_configuration(file)
    except ConfigurationError as error:
        return [line.removeprefix(f"{file}:") for line in str(error).splitlines()]
    return []


@pytest.mark.parametrize(
    ("kpi", "scope", "keys", "problem"),
    [
        ("csat", "queue:sales", "target: 4", "targets.1.unit: a target needs its unit; permitted for csat: score"),
        (
            "answer_rate",
            "queue:sales",
            "target: 0.9",
            "targets.1.unit: a target needs its unit; permitted for answer_rate: ratio or percent",
        ),
        ("csat", "queue:sales", "unit: percent, target: 4", "targets.1.unit: percent is not the unit of csat; permitted: score"),
        ("asa", "queue:sales", "unit: minutes, target: 1", 'targets.1.unit: found "minutes"; permitted: contacts, seconds, ratio,'),
        (
            "assa",
            "queue:sales",
            "unit: seconds, target: 1",
            "targets.1.kpi: unknown kpi 'assa', did you mean asa?; permitted: offered, answered,",
        ),
        ("target_attainment", "queue:sales", "unit: ratio, target: 1", "targets.1.kpi: there can be no target for 'target_attainment'"),
        ("handled_per_agent", "total:all", "unit: contacts, low: 5", "targets.1.kpi: there can be no target for 'handled_per_agent'"),
        (
            "csat",
            "queue:sale",
            "unit: score, target: 4",
            "targets.1.scope: 'queue:sale' is not configured, did you mean queue:sales?; permitted: queue:sales",
        ),
        ("csat", "site:x", "unit: score, target: 4", "targets.1.scope: 'site:x' is not configured; permitted: none is"),
        (
            "csat",
            "team:red",
            "unit: score, target: 4",
            "targets.1.scope: csat is not served for teams; permitted: queue, department, business, site, total",
        ),
        (
            "occupancy",
            "queue:sales",
            "unit: ratio, low: 0.7",
            "targets.1.scope: occupancy is not served for queues; permitted: business, site, team, total",
        ),
        ("csat", "queue:*", "unit: score, target: 4", 'targets.1.scope: found "queue:*"; permitted: queue:NAME, department:NAME,'),
        (
            "csat",
            "queue:sales",
            "unit: score, target: 4, stretch: 4",
            "targets.1.stretch: stretch 4 is not beyond target 4; permitted: above",
        ),
        (
            "acw",
            "queue:sales",
            "channel: voice, unit: seconds, target: 40, stretch: 50",
            "targets.1.stretch: stretch 50 is not beyond target 40; permitted: below 40",
        ),
        ("csat", "queue:sales", "unit: score, low: 4", "targets.1: a target needs its value; permitted: target"),
        ("csat", "queue:sales", "unit: score", "targets.1: a target needs its value; permitted: target"),
        (
            "occupancy",
            "team:red",
            "unit: ratio, target: 0.8",
            "targets.1.target: occupancy has no good direction; permitted: a band of low,",
        ),
        ("occupancy", "team:red", "unit: ratio", "targets.1: occupancy has no good direction; permitted: a band of low, high or both"),
        (
            "occupancy",
            "team:red",
            "unit: ratio, low: 0.8, high: 0.7",
            "targets.1.high: high 0.7 is not above low 0.8; permitted: above 0.8",
        ),
        ("answer_rate", "total:all", "unit: ratio, target: 80", "targets.1.target: found 80 ratio; permitted: 0 to 1"),
        ("answer_rate", "total:all", "unit: percent, target: 101", "targets.1.target: found 101 percent; permitted: 0 to 100"),
        ("abandoned", "total:all", "unit: contacts, target: -1", "targets.1.target: found -1 contacts; permitted: 0 or more"),
        (
            "csat",
            "total:all",
            "unit: score, target: 4, start_value: 3, start_date: 2026-02-01, due: 2026-01-31",
            "targets.1.due: due 2026-01-31 is before start_date 2026-02-01; permitted: 2026-02-01 or later",
        ),
        ("csat", "total:all", "unit: score, target: 4, due: 2026-02-30", "targets.1.due: no such day; permitted: a date such as"),
        (
            "csat",
            "total:all",
            "unit: score, target: 4, start_value: 4, start_date: 2026-02-01, due: 2026-03-31",
            "targets.1.start_value: start_value 4 is already at target 4; permitted: below 4",
        ),
        (
            "csat",
            "total:all",
            "unit: score, target: 4, start_value: 3, due: 2026-03-31",
            "targets.1.start_value: start_value goes with start_date; permitted: both or neither",
        ),
        (
            "aht",
            "total:all",
            "unit: seconds, low: 1",
            "targets.1.channel: aht is never added across channels; permitted: one of voice,",
        ),
        ("occupancy", "team:red", "unit: ratio, low: 0.7, channel: voice", "targets.1.channel: occupancy has no channels; permitted: none"),
        (
            "waiting",
            "total:all",
            "unit: contacts, target: 5, window: day",
            "targets.1.window: waiting is a figure of now and has no window; permitted: none",
        ),
        (
            "csat",
            "total:all",
            "unit: score, target: 4, window: trailing_6m",
            "targets.1.window: csat is not served for 'trailing_6m', did you mean trailing_60m?; permitted: trailing_5m,",
        ),
        (
            "service_level_live",
            "total:all",
            "unit: ratio, target: 0.8",
            "targets.1.window: service_level_live is not served for 'day'; permitted: trailing_5m, trailing_15m,",
        ),
        ("asa", "queue:sales", "unit: seconds, target: 10", "targets.1: a target for asa of queue:sales is here twice; permitted: one"),
        ("csat", "total:all", "unit: score, target: .inf", 'targets.1.target: found ".inf"; permitted: a number'),
    ],
)
def test_refused(tmp_path: Path, kpi: str, scope: str, keys: str, problem: str) -> None:
    """Line 10, the place, the reason, what is permitted."""
    problems = load(tmp_path, CENTER + OTHER.format(kpi=kpi, scope=scope, rest=keys))

    assert any(line.startswith(f"10: {problem}") for line in problems), problems
    assert all(line.startswith("10: targets.1") for line in problems)


def test_the_line_is_that_of_the_key(tmp_path: Path) -> None:
    """In a target of several lines the wrong one is named."""
    assert load(tmp_path, f"{CENTER}    stretch: 30\n") == [
        "10: targets.0.stretch: stretch 30 is not beyond target 20; permitted: below 20"
    ]


def test_what_is_filled_in(tmp_path: Path) -> None:
    """The day, where the figure has windows; no window for figures of now."""
    text = CENTER + OTHER.format(kpi="waiting", scope="department:front", rest="unit: contacts, target: 5, channel: voice")
    file = tmp_path / "center.yaml"
    file.write_text(text, encoding="utf-8")
    found = load_configuration(file).targets

    assert [(each.kpi, each.window, each.channel) for each in found] == [("asa", "day", None), ("waiting", None, "voice")]


def test_the_examples_are_the_usual_benchmarks() -> None:
    """The shipped file is valid, and has these numbers."""
    found = load_configuration(ROOT / "deploy" / "examples" / "targets.yaml").targets

    targets = {each.kpi: (each.unit, each.target, each.stretch, each.start_value, each.due) for each in found}
    assert targets == {
        "first_response_time": ("seconds", 600, 300, None, None),
        "first_contact_resolution": ("percent", 70, 90, None, None),
        "service_level": ("percent", 80, None, None, None),
        "csat": ("score", 4.2, 4.5, None, None),
        "complaints": ("contacts", 20, None, 40, "2026-12-31"),
        "complaints_within_day_rate": ("percent", 80, None, None, None),
        "cost_per_contact": ("currency", 1150, None, 1250, "2027-03-31"),
    }
