"""The dashboards: written from the catalogue, clean by the rules of Grafana's dashboard-linter, asking only for what is exported."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from deploy.grafana.generate import FOLDER, drift, main, products
from streams.catalogue import KPIS
from tests.deploy.metrics import RECORDED, known_metrics, selectors
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from _pytest.capture import CaptureFixture

PROVISIONING = FOLDER.parent / "provisioning"
BOARDS: dict[str, dict[str, Any]] = {name.removesuffix(".json"): json.loads(text) for name, text in products().items()}
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
#: Of Grafana's units, those in use here; a unit that Grafana does not know is shown as text behind the figure.
UNITS = {"short", "s", "percentunit", "eps", "ops", "wps", "reqps", "bool"}
#: What Grafana fills in, as PromQL.
VALUES = {"$__rate_interval": "1m", "$job": "j", "$instance": "i", "$channel": "voice", "$window": "15m", "$scope": "sales"}


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels of a dashboard that show something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(board: dict[str, Any]) -> list[str]:
    """Return all PromQL of a dashboard: of its panels, and of its variables."""
    found = [target["expr"] for panel in panels(board) for target in panel["targets"]]
    asked = [re.fullmatch(r"label_values\((.*), \w+\)", variable.get("definition", "")) for variable in board["templating"]["list"]]
    return found + [match[1] for match in asked if match]


def filled(expression: str) -> str:
    """Return PromQL with Grafana's variables filled in."""
    for name, value in VALUES.items():
        expression = expression.replace(name, value)
    return expression


def test_dashboards_are_up_to_date() -> None:
    """The files in the repository are those of the generator."""
    assert drift(FOLDER) == [], "run python -m deploy.grafana.generate"


def test_drift_is_named_and_repaired(tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    """A changed, a missing and a left-over dashboard are named; writing repairs them."""
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    (tmp_path / "contact-streams-queue.json").write_text("{}", encoding="utf-8")
    (tmp_path / "contact-streams-pipeline.json").unlink()
    (tmp_path / "gone.json").write_text("{}", encoding="utf-8")

    assert main(["--check"], tmp_path) == 1
    named = [Path(line.split()[0]).name for line in capsys.readouterr().err.splitlines()]
    assert named == ["contact-streams-pipeline.json", "contact-streams-queue.json", "gone.json"]
    assert main([], tmp_path) == 0
    assert drift(tmp_path) == []


def test_addresses_never_change() -> None:
    """The uids, which links and bookmarks use, are these."""
    assert sorted(BOARDS) == ["contact-streams-pipeline", "contact-streams-queue", "contact-streams-wallboard"]
    assert all(board["uid"] == uid for uid, board in BOARDS.items())


# ---- The rules of the dashboard-linter, under their names --------------------------------------------------------------------------------


def variable(board: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a variable of a dashboard, empty if there is none."""
    return next((entry for entry in board["templating"]["list"] if entry["name"] == name), {})


def template_datasource(board: dict[str, Any]) -> bool:
    """Say whether the data source can be chosen."""
    found = variable(board, "datasource")
    return (found.get("type"), found.get("query"), found.get("label")) == ("datasource", "prometheus", "Data source")


def template_of(board: dict[str, Any], name: str) -> bool:
    """Say whether a label can be chosen, several values at once, all by default."""
    found = variable(board, name)
    facts = (found.get("type"), found.get("multi"), found.get("allValue"), found.get("label"), found.get("datasource"))
    return facts == ("query", True, ".+", name.capitalize(), DATASOURCE)


def template_on_time_change_reload(board: dict[str, Any]) -> bool:
    """Say whether choices follow the time range."""
    return all(entry["refresh"] == 2 for entry in board["templating"]["list"] if entry["type"] == "query")


def panel_datasource(board: dict[str, Any]) -> bool:
    """Say whether all panels and queries ask the chosen data source."""
    return all(panel["datasource"] == DATASOURCE == target["datasource"] for panel in panels(board) for target in panel["targets"])


def panel_title_description(board: dict[str, Any]) -> bool:
    """Say whether all panels say what they show."""
    return all(panel["title"].strip() and panel["description"].strip() for panel in panels(board))


def panel_units(board: dict[str, Any]) -> bool:
    """Say whether all figures have a unit that Grafana knows."""
    units = [panel["fieldConfig"]["defaults"].get("unit") for panel in panels(board)]
    for panel in panels(board):
        units += [prop["value"] for override in panel["fieldConfig"]["overrides"] for prop in override["properties"]]
    return all(unit in UNITS for unit in units)


def panel_no_targets(board: dict[str, Any]) -> bool:
    """Say whether all panels ask for something."""
    return all(panel["targets"] and all(target["expr"] for target in panel["targets"]) for panel in panels(board))


def target_rate_interval(board: dict[str, Any]) -> bool:
    """Say whether all ranges fit the scrape interval."""
    return all(found == "$__rate_interval" for query in queries(board) for found in re.findall(r"\[([^\]]*)\]", query))


def target_matches(board: dict[str, Any], label: str) -> bool:
    """Say whether all selectors of panels follow the choice of a label; recorded rules that are of no instance have none."""
    for panel in panels(board):
        for target in panel["targets"]:
            for selector in re.findall(r"[\w:]+\{([^}]*)\}", target["expr"]):
                if f'{label}=~"${label}"' not in selector and not (label == "instance" and "queue_channel:" in target["expr"]):
                    return False
            assert all(labels for _, labels in selectors(target["expr"]))
    return True


def target_counter_agg(board: dict[str, Any]) -> bool:
    """Say whether all counters are shown as rates."""
    return all(
        re.search(rf"(rate|irate|increase)\({name}\{{", query)
        for query in queries(board)
        for name, _ in selectors(query)
        if name.endswith(("_total", "_bucket", "_count", "_sum"))
    )


def uneditable_dashboard(board: dict[str, Any]) -> bool:
    """Say whether nobody can change it on the page, and it can be provisioned."""
    return board["editable"] is False and not board.keys() & {"id", "__inputs", "__requires", "version"}


RULES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "template-datasource-rule": template_datasource,
    "template-job-rule": lambda board: template_of(board, "job"),
    "template-instance-rule": lambda board: template_of(board, "instance"),
    "template-on-time-change-reload-rule": template_on_time_change_reload,
    "panel-datasource-rule": panel_datasource,
    "panel-title-description-rule": panel_title_description,
    "panel-units-rule": panel_units,
    "panel-no-targets-rule": panel_no_targets,
    "target-rate-interval-rule": target_rate_interval,
    "target-job-rule": lambda board: target_matches(board, "job"),
    "target-instance-rule": lambda board: target_matches(board, "instance"),
    "target-counter-agg-rule": target_counter_agg,
    "uneditable-dashboard-rule": uneditable_dashboard,
}

#: Rule → text in a clean dashboard → what breaks the rule.
FAULTS = {
    "template-datasource-rule": ('"query": "prometheus"', '"query": "loki"'),
    "template-job-rule": ('"label": "Job"', '"label": "Other"'),
    "template-instance-rule": ('"label": "Instance"', '"label": "Other"'),
    "template-on-time-change-reload-rule": ('"refresh": 2', '"refresh": 1'),
    "panel-datasource-rule": ('"uid": "${datasource}"', '"uid": "mine"'),
    "panel-title-description-rule": ('"title": "Dead letters"', '"title": ""'),
    "panel-units-rule": ('"unit": "eps"', '"unit": "events"'),
    "panel-no-targets-rule": ('"expr": "time() ', '"was": "time() '),
    "target-rate-interval-rule": ("[$__rate_interval]", "[5m]"),
    "target-job-rule": ('{job=~\\"$job\\", ', "{"),
    "target-instance-rule": (', instance=~\\"$instance\\"}', "}"),
    "target-counter-agg-rule": ("(rate(contact_center_events_late_total", "(avg(contact_center_events_late_total"),
    "uneditable-dashboard-rule": ('"editable": false', '"editable": true'),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("uid", sorted(BOARDS))
def test_dashboards_are_clean(uid: str, rule: str) -> None:
    """Each dashboard keeps each rule."""
    assert RULES[rule](BOARDS[uid])


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_sees_its_fault(rule: str) -> None:
    """A dashboard with one fault breaks the rule against it."""
    clean = json.dumps(BOARDS["contact-streams-pipeline"])
    before, after = FAULTS[rule]
    assert before in clean
    broken = json.loads(clean.replace(before, after))

    try:
        kept = RULES[rule](broken)
    except KeyError as missing:
        kept = missing.args != ("expr",)
    assert not kept


@pytest.mark.parametrize("uid", sorted(BOARDS))
def test_queries_ask_for_what_is_exported(uid: str) -> None:
    """Every metric in every query is one that a process exports, with labels that it has, or one that a rule records."""
    known = known_metrics()
    for query in queries(BOARDS[uid]):
        found = selectors(query)
        assert found
        for name, labels in found:
            assert name in known or name in RECORDED, f"{name} in {query}"
            if name in known:
                assert labels <= known[name] | {"job", "instance"}, f"{labels} of {name}"


def test_prometheus_reads_every_query(tmp_path: Path) -> None:
    """target-promql-rule, template-label-promql-rule: with values filled in, every query of every dashboard is PromQL."""
    require(shutil.which("promtool"), "promtool reads PromQL: apt-get install prometheus")
    expressions = [filled(query) for board in BOARDS.values() for query in queries(board)]
    assert not [expression for expression in expressions if "$" in expression]
    rules = [{"record": f"query:of_dashboard:number{number}", "expr": expression} for number, expression in enumerate(expressions)]
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")

    done = subprocess.run(["promtool", "check", "rules", str(tmp_path / "queries.yml")], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_stand_side_by_side() -> None:
    """No two panels overlap, none leaves the grid, and each has its own id."""
    for board in BOARDS.values():
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            assert at["x"] + at["w"] <= 24
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not taken & cells
            taken |= cells
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_every_figure_is_on_a_dashboard() -> None:
    """Each figure of the catalogue is shown somewhere, under its own name or in a table with it."""
    shown = {name for board in BOARDS.values() for query in queries(board) for name, _ in selectors(query)}

    assert {kpi.metric for kpi in KPIS if kpi.metric is not None} <= shown


def test_titles_are_the_catalogues() -> None:
    """A panel that shows one figure is titled with its name and explains it in both languages."""
    by_metric = {kpi.metric: kpi for kpi in KPIS}
    checked = 0
    for board in BOARDS.values():
        for panel in panels(board):
            names = {name for target in panel["targets"] for name, _ in selectors(target["expr"])}
            if len(names) == 1 and (kpi := by_metric.get(names.pop())):
                assert panel["title"].lower() == kpi.en.lower()
                assert kpi.meaning_en in panel["description"]
                assert kpi.meaning_ja in panel["description"]
                checked += 1
    assert checked > 8


def test_figures_of_a_window_are_never_mixed() -> None:
    """A selector of a figure fixes the kind of scope, and the window where the figure has one: they do not add up."""
    for board in BOARDS.values():
        for panel in panels(board):
            for target in panel["targets"]:
                for name, labels in selectors(target["expr"]):
                    has = known_metrics().get(name, set())
                    assert has & {"scope_kind", "window"} <= labels, f"{panel['title']}: {name}"


def test_provisioning_finds_everything() -> None:
    """The data source is the Prometheus of compose.yaml, and the provider reads the folder that is mounted."""
    source = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text(encoding="utf-8"))["datasources"][0]
    provider = yaml.safe_load((PROVISIONING / "dashboards" / "contact-streams.yml").read_text(encoding="utf-8"))["providers"][0]
    compose = yaml.safe_load((FOLDER.parents[1] / "compose.yaml").read_text(encoding="utf-8"))
    mounts = [mount.split(":")[1] for mount in compose["services"]["grafana"]["volumes"] if mount.startswith("./")]
    prometheus = yaml.safe_load((FOLDER.parents[1] / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))

    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in compose["services"]
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]
    assert provider["options"]["path"] in mounts
    assert provider["allowUiUpdates"] is False
