"""Rules, scraping and alert delivery: read by the tools that will read them, and every alert held to fire and to be silent."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.alertmanager.alert_log import lines
from tests.deploy.metrics import RECORDED, known_metrics, selectors
from tests.support.require import require

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
ALERTMANAGER = ROOT / "deploy" / "alertmanager"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TEST_FILES = sorted((PROMETHEUS / "tests").glob("*.yml"))


def load(path: Path) -> Any:
    """Return what a YAML file holds."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


RULES: list[dict[str, Any]] = [rule for path in RULE_FILES for group in load(path)["groups"] for rule in group["rules"]]
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDINGS = [rule for rule in RULES if "record" in rule]


def run(*command: str) -> str:
    """Run a tool, fail with its output, and return that."""
    tool = shutil.which(command[0])
    require(tool, f"{command[0]} checks deploy/: apt-get install prometheus prometheus-alertmanager")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_reads_its_configuration() -> None:
    """Prometheus accepts the configuration, and finds all rule files through it."""
    output = run("promtool", "check", "config", str(PROMETHEUS / "prometheus.yml"))

    assert all(path.name in output for path in RULE_FILES)


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: str(path.stem))
def test_alerts_behave_as_described(path: Path) -> None:
    """Prometheus, fed with the series of the file, raises the alerts that the file expects, with labels and texts, and no others."""
    output = run("promtool", "test", "rules", str(path))

    assert "SUCCESS" in output


def test_a_wrong_expectation_is_seen(tmp_path: Path) -> None:
    """The check above can fail: the same series with another expectation are refused."""
    require(shutil.which("promtool"), "promtool checks deploy/: apt-get install prometheus")
    wrong = load(PROMETHEUS / "tests" / "freshness.yml")
    wrong["rule_files"] = [str(path) for path in RULE_FILES]
    wrong["tests"] = wrong["tests"][:1]
    wrong["tests"][0]["alert_rule_test"][1]["exp_alerts"] = []
    (tmp_path / "wrong.yml").write_text(yaml.safe_dump(wrong), encoding="utf-8")

    done = subprocess.run(["promtool", "test", "rules", str(tmp_path / "wrong.yml")], capture_output=True, check=False)

    assert done.returncode != 0


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_every_alert_is_held_both_ways(name: str) -> None:
    """Each alert has a case in which it fires and one in which it does not."""
    cases = [case for path in TEST_FILES for test in load(path)["tests"] for case in test["alert_rule_test"] if case["alertname"] == name]

    assert any(case["exp_alerts"] for case in cases)
    assert any(not case["exp_alerts"] for case in cases)


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_every_alert_has_a_runbook(name: str) -> None:
    """Each alert has a severity, a summary, a description, and a runbook that exists and names it."""
    alert = ALERTS[name]
    notes = alert["annotations"]

    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert notes["summary"].endswith(".")
    assert notes["description"].endswith(".")
    page = re.fullmatch(r'\{\{ or \$externalLabels\.runbooks "docs/runbooks" \}\}/([a-z-]+\.md)', notes["runbook_url"])
    assert page
    text = (ROOT / "docs" / "runbooks" / page[1]).read_text(encoding="utf-8")
    assert f"`{name}`" in text
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## What it means", "## What to look at", "## What to do"]


def test_the_list_of_runbooks_is_complete() -> None:
    """Each page is in the list with exactly the alerts that point to it, and its links resolve."""
    folder = ROOT / "docs" / "runbooks"
    rows = re.findall(r"^\| \[[a-z-]+\]\(([a-z-]+\.md)\) \| (.*) \|$", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    listed = {page: set(alerts.split(", ")) for page, alerts in rows}
    pointing: dict[str, set[str]] = {}
    for name, alert in ALERTS.items():
        pointing.setdefault(alert["annotations"]["runbook_url"].rpartition("/")[2], set()).add(name)

    assert listed == pointing
    assert listed.keys() == {path.name for path in folder.glob("*.md")} - {"README.md"}
    for path in folder.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            assert (folder / target).resolve().is_file(), f"{path.name}: {target}"


def test_rules_query_exported_metrics() -> None:
    """Every metric in every rule is one that a process exports, with labels that it has, or one that a rule records."""
    known = known_metrics()
    for rule in RULES:
        for name, labels in selectors(rule["expr"]):
            if name in RECORDED:
                continue
            assert name in known, f"{name} in {rule['expr']}"
            assert labels <= known[name] | {"job", "instance"}, f"{labels} of {name}"


def test_recorded_names_hold_level_metric_and_operation() -> None:
    """Recorded metrics are named level:metric:operation, and each is used by an alert, a dashboard or another rule."""
    used = {name for rule in RULES for name, _ in selectors(rule["expr"])}
    for path in (ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"):
        used |= set(re.findall(r"[a-z_]+:contact_center_\w+:\w+", path.read_text(encoding="utf-8")))

    for rule in RECORDINGS:
        assert re.fullmatch(r"[a-z_]+:contact_center_[a-z_]+:[a-z]+(_[a-z]+)?(\d+m)?", rule["record"])
        assert rule["record"] in used


def test_alertmanager_reads_its_configuration() -> None:
    """The Alertmanager accepts the configuration."""
    assert "SUCCESS" in run("amtool", "check-config", str(ALERTMANAGER / "alertmanager.yml"))


def test_the_alertmanager_knows_the_alerts_it_names() -> None:
    """Routes and inhibitions name alerts that exist."""
    text = (ALERTMANAGER / "alertmanager.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"ContactCenter\w+", text)) - {"ContactCenter"}
    for group in re.findall(r"ContactCenter\(([\w|]+)\)", text):
        named |= {f"ContactCenter{part}" for part in group.split("|")}

    assert len(named) > 5
    assert named <= ALERTS.keys()


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [({"alertname": "ContactCenterFiguresOld", "severity": "critical"}, "duty"), ({"alertname": "Other", "severity": "none"}, "duty")],
    ids=["critical", "anything"],
)
def test_alerts_reach_a_receiver(labels: dict[str, str], receiver: str) -> None:
    """Whatever its labels, an alert is routed to the receiver on duty."""
    pairs = [f"{name}={value}" for name, value in labels.items()]

    assert receiver in run("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER / 'alertmanager.yml'}", *pairs)


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def post(url: str, document: object) -> int:
    """Post JSON and return the status; raise OSError without a listener."""
    request = urllib.request.Request(url, json.dumps(document).encode(), {"Content-Type": "application/json"})  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310 - our own
        return int(answer.status)


def until_it_answers(url: str, document: object) -> None:
    """Post until a listener accepts it, for ten seconds."""
    deadline = time.monotonic() + 10
    while True:
        try:
            assert post(url, document) == 200
        except OSError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.05)
        else:
            return


def test_an_alert_arrives_at_the_webhook(tmp_path: Path) -> None:
    """A running Alertmanager with this configuration delivers a critical alert to the receiver, which prints it with its runbook."""
    require(shutil.which("prometheus-alertmanager"), "an Alertmanager: apt-get install prometheus-alertmanager")
    api, webhook = free_port(), free_port()
    text = (ALERTMANAGER / "alertmanager.yml").read_text(encoding="utf-8")
    assert "http://alert-log:8094/" in text
    (tmp_path / "alertmanager.yml").write_text(text.replace("alert-log:8094", f"127.0.0.1:{webhook}"), encoding="utf-8")
    alert = {
        "labels": {"alertname": "ContactCenterFiguresOld", "severity": "critical"},
        "annotations": {"summary": "Old.", "runbook_url": "r"},
    }
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, str(ALERTMANAGER / "alert_log.py"), "127.0.0.1", str(webhook)], stdout=subprocess.PIPE, text=True
        ) as receiver,
        subprocess.Popen(
            [
                "prometheus-alertmanager",
                f"--config.file={tmp_path / 'alertmanager.yml'}",
                f"--storage.path={tmp_path / 'data'}",
                f"--web.listen-address=127.0.0.1:{api}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as manager,
    ):
        try:
            until_it_answers(f"http://127.0.0.1:{webhook}/", {"alerts": []})
            until_it_answers(f"http://127.0.0.1:{api}/api/v2/alerts", [alert])
            assert receiver.stdout is not None
            assert receiver.stdout.readline() == "firing critical Old. (ContactCenterFiguresOld, r)\n"
        finally:
            for process in (receiver, manager):
                process.terminate()


def test_the_webhook_prints_a_line_an_alert() -> None:
    """A notification with two alerts is two lines; annotations that an alert lacks are named as missing."""
    notification = {
        "alerts": [
            {"status": "firing", "labels": {"alertname": "A", "severity": "warning"}, "annotations": {"summary": "S.", "runbook_url": "u"}},
            {"status": "resolved", "labels": {"alertname": "B"}, "annotations": {}},
        ]
    }

    assert lines(notification) == ["firing warning S. (A, u)", "resolved - B (B, no runbook)"]
