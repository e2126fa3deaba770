"""Rules of Prometheus made from the configuration: promtool takes them, and they fire and clear when the stream's do."""

from __future__ import annotations

import random
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import pytest
import yaml

from streams.cli import main
from streams.configuration import load_configuration
from streams.windows.alerts import Evaluation, Watch
from tests.support.require import require

if TYPE_CHECKING:
    from pathlib import Path

STEP: Final = 15
STEPS: Final = 80
CONFIGURATION: Final = """\
sites:
  tokyo: {zone: Asia/Tokyo, business_hours: {mon: ["09:00-18:00"]}}
queues:
  sales-1: {channel: voice, target: 0.8, site: tokyo}
  "a b.c": {channel: voice, target: 0.7, site: tokyo}
alerts:
  low: {below: 0.8, clear_at: 0.85, minimum_contacts: 10, for_seconds: 60, clear_for_seconds: 45, severity: critical}
  target: {below: target, scopes: ["queue:sales-*", "queue:a b.c"], for_seconds: 30, clear_for_seconds: 0}
  abandoned:
    {kpi: abandon_rate, unit: percent, above: 5, clear_at: 4, window: trailing_5m, channels: [voice], scopes: ["total:all", "site:*"]}
  waiting: {kpi: waiting, above: 5, for_seconds: 0}
  long: {kpi: longest_wait, above: 120, scopes: ["queue:*", "total:all"], for_seconds: 30}
  busy: {kpi: occupancy, above: 0.9}
  both:
    all:
      - {kpi: waiting, above: 5, clear_at: 3}
      - {kpi: service_level_live, below: 0.8, clear_at: 0.85, minimum_contacts: 10}
    for_seconds: 15
    clear_for_seconds: 30
    message: {en: "{scope} ({channel}): {kpi} {value}, more than {threshold}", ja: "{scope}：{kpi} {value}"}
  either:
    any:
      - {kpi: longest_wait, above: 120}
      - {kpi: abandon_rate, window: trailing_5m, above: 0.1, clear_at: 0.05}
      - {below: target}
    for_seconds: 15
    clear_for_seconds: 0
    severity: critical
  soon: {expected_within_minutes: 30, below: target}
  hours: {kpi: waiting, above: 5, during: business_hours}
"""
#: Rule → its metric, the scope and channel that is tried, window, and how the figure goes.
TRIED: Final[dict[str, tuple[str, str, str, str | None, tuple[float, ...]]]] = {
    "low": ("contact_center_service_level_live_ratio", "queue", "sales-1", "15m", (0.7, 0.79, 0.82, 0.84, 0.86, 0.95)),
    "target": ("contact_center_service_level_live_ratio", "queue", "a b.c", "15m", (0.6, 0.69, 0.7, 0.75)),
    "abandoned": ("contact_center_abandon_ratio", "total", "all", "5m", (0.01, 0.039, 0.045, 0.051, 0.2)),
    "waiting": ("contact_center_contacts_waiting", "queue", "sales-1", None, (0, 5, 6, 9)),
    "long": ("contact_center_longest_wait_seconds", "queue", "sales-1", None, (0, 100, 120, 121, 400)),
}


@pytest.fixture
def rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Have the command write the rules into a file."""
    require(shutil.which("promtool") is not None, "promtool is not installed")
    file = tmp_path / "center.yaml"
    file.write_text(CONFIGURATION, "utf-8")
    assert main(["alerts", "rules", "--config", str(file)]) == 0
    output = capsys.readouterr()
    assert output.err == (
        "contact-streams: left out: soon: what is expected is not exported to Prometheus\n"
        "contact-streams: left out: hours: open hours are not exported to Prometheus\n"
    )
    made = tmp_path / "rules.yml"
    made.write_text(output.out, "utf-8")
    return made


def test_promtool_accepts_them(rules: Path) -> None:
    """Every rule but the one that is reported as left out, none with an error."""
    done = subprocess.run(["promtool", "check", "rules", str(rules)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 rules found" in done.stdout


def walk(values: tuple[float, ...], chance: random.Random) -> list[float]:
    """Return a figure that stays for a while and changes."""
    found: list[float] = []
    while len(found) < STEPS:
        found += [chance.choice(values)] * chance.randint(1, 8)
    return found[:STEPS]


def fires(watch: Watch, *figures: tuple[list[float], list[int]]) -> list[bool]:
    """Return at which looks the stream's alert fires; figures and denominators of each condition."""
    last, found = None, []
    for number in range(STEPS):
        at = 1000 * STEP * number
        seen = [{"value": values[number], "denominator": denominators[number]} for values, denominators in figures]
        last = watch.step(last, seen, Evaluation(at, stale=False, before_ms=at - 1))
        found.append(last is not None and last.state == "firing")
    return found


def series_of(metric: str, labels: str, figures: list[float], denominators: list[int] | None) -> list[dict[str, str]]:
    """Return the series of a figure, and of its denominator if it has one."""
    found = [{"series": f"{metric}{{{labels}}}", "values": " ".join(map(str, figures))}]
    if denominators is not None:
        stem = metric.removesuffix("_ratio")
        found.append({"series": f"{stem}_denominator{{{labels}}}", "values": " ".join(map(str, denominators))})
    return found


def prometheus_agrees(rules: Path, name: str, series: list[dict[str, str]], labels: dict[str, str], expected: list[bool]) -> None:
    """Have promtool evaluate one rule over series, and expect the alert at these looks."""
    document = yaml.safe_load(rules.read_text("utf-8"))
    document["groups"][0]["rules"] = [{**each, "annotations": {}} for each in document["groups"][0]["rules"] if each["alert"] == name]
    rules.write_text(yaml.safe_dump(document), "utf-8")
    tests = [
        {"eval_time": f"{number * STEP}s", "alertname": name, "exp_alerts": [{"exp_labels": labels}] if firing else []}
        for number, firing in enumerate(expected)
    ]
    one = {"interval": f"{STEP}s", "input_series": series, "alert_rule_test": tests}
    file = rules.with_name("test.yml")
    file.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": f"{STEP}s", "tests": [one]}), "utf-8")
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[:3000]


def common_series(labels: str) -> list[dict[str, str]]:
    """Return a target of 70 %, and that figures are read."""
    return [
        {"series": f"contact_center_service_level_target_ratio{{{labels}}}", "values": f"0.7x{STEPS}"},
        {"series": 'contact_center_reader_connected{job="j", instance="i"}', "values": f"1x{STEPS}"},
    ]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", TRIED)
def test_both_fire_on_the_same_figures(name: str, seed: int, rules: Path, tmp_path: Path) -> None:
    """At each look of figures that go up and down by chance, Prometheus fires if the stream does, hysteresis and few contacts included."""
    chance = random.Random(f"{name}-{seed}")
    rule = load_configuration(tmp_path / "center.yaml").alerts[name]
    metric, kind, scope, window, values = TRIED[name]
    figures = walk(values, chance)
    denominators = [int(each) for each in walk((5, 9, 10, 50, 50), chance)] if window is not None else [0] * STEPS
    expected = fires(Watch(name, rule, f"{kind}:{scope}", "voice", 0.7, lambda *_: True), (figures, denominators))
    assert 0 < sum(expected) < STEPS or seed, "the first walk of each rule has to fire and to clear"
    labels = f'job="j", instance="i", scope_kind="{kind}", scope="{scope}", channel="voice"'
    windowed = labels + (f', window="{window}"' if window is not None else "")
    series = series_of(metric, windowed, figures, None if window is None else denominators)
    alert_labels = {"job": "j", "scope_kind": kind, "scope": scope, "channel": "voice", "severity": rule.severity}
    alert_labels |= {} if window is None else {"window": window}
    prometheus_agrees(rules, name, [*series, *common_series(labels)], alert_labels, expected)


#: Rule → of each of its conditions the metric, window, and how the figure goes.
OF_SEVERAL: Final[dict[str, list[tuple[str, str | None, tuple[float, ...]]]]] = {
    "both": [
        ("contact_center_contacts_waiting", None, (2, 4, 6, 9, 9, 9)),
        ("contact_center_service_level_live_ratio", "15m", (0.6, 0.7, 0.75, 0.82, 0.86)),
    ],
    "either": [
        ("contact_center_longest_wait_seconds", None, (0, 0, 100, 121)),
        ("contact_center_abandon_ratio", "5m", (0.01, 0.04, 0.06, 0.11)),
        ("contact_center_service_level_live_ratio", "15m", (0.69, 0.7, 0.75, 0.9)),
    ],
}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", OF_SEVERAL)
def test_both_fire_on_several_figures(name: str, seed: int, rules: Path, tmp_path: Path) -> None:
    """All or any of figures that each go their way by chance, of windows and of now, one against the target, each with its hysteresis."""
    chance = random.Random(f"{name}-{seed}")
    rule = load_configuration(tmp_path / "center.yaml").alerts[name]
    labels = 'job="j", instance="i", scope_kind="queue", scope="sales-1", channel="voice"'
    figures: list[tuple[list[float], list[int]]] = []
    series: list[dict[str, str]] = []
    for metric, window, values in OF_SEVERAL[name]:
        walked = walk(values, chance)
        denominators = [int(each) for each in walk((5, 9, 10, 50, 50, 50), chance)] if window is not None else [0] * STEPS
        figures.append((walked, denominators))
        windowed = labels + (f', window="{window}"' if window is not None else "")
        series += series_of(metric, windowed, walked, None if window is None else denominators)
    expected = fires(Watch(name, rule, "queue:sales-1", "voice", 0.7, lambda *_: True), *figures)
    assert 0 < sum(expected) < STEPS, "each walk has to fire and to clear"
    alert_labels = {"scope_kind": "queue", "scope": "sales-1", "channel": "voice", "severity": rule.severity}
    prometheus_agrees(rules, name, [*series, *common_series(labels)], alert_labels, expected)


def test_a_message_of_ones_own_is_an_annotation(rules: Path) -> None:
    """Its blanks are those of Prometheus where the place and value decide, and the words of the configuration elsewhere."""
    (both,) = (each for each in yaml.safe_load(rules.read_text("utf-8"))["groups"][0]["rules"] if each["alert"] == "both")

    assert both["annotations"]["description"] == "{{ $labels.scope }} ({{ $labels.channel }}): waiting {{ $value }}, more than 5"
    assert both["annotations"]["description_ja"] == "{{ $labels.scope }}：待ち件数 {{ $value }}"
