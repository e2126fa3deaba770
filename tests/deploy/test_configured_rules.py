"""Rules of Prometheus made from the configuration: promtool takes them, and they fire and clear when the stream's do."""

from __future__ import annotations

import random
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from streams.cli import main
from streams.configuration import load_configuration
from streams.windows.alerts import Look, Watch
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
    said = capsys.readouterr()
    assert said.err == "contact-streams: left out: hours: open hours are not exported to Prometheus\n"
    made = tmp_path / "rules.yml"
    made.write_text(said.out, "utf-8")
    return made


def test_promtool_takes_them(rules: Path) -> None:
    """Every rule but the one that is said to be left out, none with an error."""
    done = subprocess.run(["promtool", "check", "rules", str(rules)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 rules found" in done.stdout


def walk(values: tuple[float, ...], chance: random.Random) -> list[float]:
    """Return a figure that stays for a while and changes."""
    found: list[float] = []
    while len(found) < STEPS:
        found += [chance.choice(values)] * chance.randint(1, 8)
    return found[:STEPS]


def fires(watch: Watch, figures: list[float], denominators: list[int]) -> list[bool]:
    """Return at which looks the stream's alert fires."""
    last, found = None, []
    for number, (value, denominator) in enumerate(zip(figures, denominators, strict=True)):
        at = 1000 * STEP * number
        last = watch.step(last, {"value": value, "denominator": denominator}, Look(at, stale=False, before_ms=at - 1))
        found.append(last is not None and last.state == "firing")
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", TRIED)
def test_both_fire_on_the_same_figures(name: str, seed: int, rules: Path, tmp_path: Path) -> None:
    """At each look of figures that go up and down by chance, Prometheus fires if the stream does, hysteresis and few contacts included."""
    chance = random.Random(f"{name}-{seed}")
    rule = load_configuration(tmp_path / "center.yaml").alerts[name]
    metric, kind, scope, window, values = TRIED[name]
    figures = walk(values, chance)
    denominators = [int(each) for each in walk((5, 9, 10, 50, 50), chance)] if window is not None else [0] * STEPS
    expected = fires(Watch(name, rule, f"{kind}:{scope}", "voice", 0.7, lambda *_: True), figures, denominators)
    assert 0 < sum(expected) < STEPS or seed, "the first walk of each rule has to fire and to clear"
    labels = f'job="j", instance="i", scope_kind="{kind}", scope="{scope}", channel="voice"'
    windowed = labels + (f', window="{window}"' if window is not None else "")
    series = [{"series": f"{metric}{{{windowed}}}", "values": " ".join(map(str, figures))}]
    if window is not None:
        stem = metric.removesuffix("_ratio")
        series.append({"series": f"{stem}_denominator{{{windowed}}}", "values": " ".join(map(str, denominators))})
    series.append({"series": f"contact_center_service_level_target_ratio{{{labels}}}", "values": f"0.7x{STEPS}"})
    series.append({"series": 'contact_center_reader_connected{job="j", instance="i"}', "values": f"1x{STEPS}"})
    tests: list[dict[str, Any]] = []
    document = yaml.safe_load(rules.read_text("utf-8"))
    document["groups"][0]["rules"] = [{**each, "annotations": {}} for each in document["groups"][0]["rules"] if each["alert"] == name]
    rules.write_text(yaml.safe_dump(document), "utf-8")
    told = {"job": "j", "scope_kind": kind, "scope": scope, "channel": "voice", "severity": rule.severity}
    told |= {} if window is None else {"window": window}
    for number, firing in enumerate(expected):
        alerts = [{"exp_labels": told}] if firing else []
        tests.append({"eval_time": f"{number * STEP}s", "alertname": name, "exp_alerts": alerts})
    file = tmp_path / "test.yml"
    one = {"interval": f"{STEP}s", "input_series": series, "alert_rule_test": tests}
    file.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": f"{STEP}s", "tests": [one]}), "utf-8")
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[:3000]
