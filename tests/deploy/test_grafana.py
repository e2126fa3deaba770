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


#: Whether a dashboard is Japanese → variable → its label.
LABELS = {
    False: {"datasource": "Data source", "job": "Job", "instance": "Instance"},
    True: {"datasource": "データソース", "job": "ジョブ", "instance": "インスタンス"},
}


def is_japanese(board: dict[str, Any]) -> bool:
    """Return whether a dashboard is of the Japanese set."""
    return bool(board["uid"].endswith("-ja"))


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels of a dashboard that show something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(board: dict[str, Any]) -> list[str]:
    """Return all PromQL of a dashboard: of its panels, of what marks times, and of its variables."""
    found = [target["expr"] for panel in panels(board) for target in panel["targets"]]
    found += [each["expr"] for each in board["annotations"]["list"]]
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
    english = ["contact-streams-pipeline", "contact-streams-queue", "contact-streams-wallboard"]
    assert sorted(BOARDS) == sorted([*english, *(f"{uid}-ja" for uid in english)])
    assert all(board["uid"] == uid for uid, board in BOARDS.items())


# ---- The rules of the dashboard-linter, under their names --------------------------------------------------------------------------------


def variable(board: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a variable of a dashboard, empty if there is none."""
    return next((entry for entry in board["templating"]["list"] if entry["name"] == name), {})


def template_datasource(board: dict[str, Any]) -> bool:
    """Return whether the data source can be chosen."""
    found = variable(board, "datasource")
    return (found.get("type"), found.get("query"), found.get("label")) == (
        "datasource",
        "prometheus",
        LABELS[is_japanese(board)]["datasource"],
    )


def template_of(board: dict[str, Any], name: str) -> bool:
    """Return whether a label can be chosen, several values at once, all by default."""
    found = variable(board, name)
    facts = (found.get("type"), found.get("multi"), found.get("allValue"), found.get("label"), found.get("datasource"))
    return facts == ("query", True, ".+", LABELS[is_japanese(board)][name], DATASOURCE)


def template_on_time_change_reload(board: dict[str, Any]) -> bool:
    """Return whether choices follow the time range."""
    return all(entry["refresh"] == 2 for entry in board["templating"]["list"] if entry["type"] == "query")


def panel_datasource(board: dict[str, Any]) -> bool:
    """Return whether all panels and queries use the chosen data source."""
    return all(panel["datasource"] == DATASOURCE == target["datasource"] for panel in panels(board) for target in panel["targets"])


def panel_title_description(board: dict[str, Any]) -> bool:
    """Return whether all panels have a description."""
    return all(panel["title"].strip() and panel["description"].strip() for panel in panels(board))


def panel_units(board: dict[str, Any]) -> bool:
    """Return whether all figures have a unit that Grafana knows."""
    units = [panel["fieldConfig"]["defaults"].get("unit") for panel in panels(board)]
    for panel in panels(board):
        units += [
            each["value"] for override in panel["fieldConfig"]["overrides"] for each in override["properties"] if each["id"] == "unit"
        ]
    return all(unit in UNITS for unit in units)


def panel_no_targets(board: dict[str, Any]) -> bool:
    """Return whether all panels query something."""
    return all(panel["targets"] and all(target["expr"] for target in panel["targets"]) for panel in panels(board))


def target_rate_interval(board: dict[str, Any]) -> bool:
    """Return whether all ranges fit the scrape interval."""
    return all(found == "$__rate_interval" for query in queries(board) for found in re.findall(r"\[([^\]]*)\]", query))


def target_matches(board: dict[str, Any], label: str) -> bool:
    """Return whether all selectors of panels follow the choice of a label; recorded rules that are of no instance have none."""
    for panel in panels(board):
        for target in panel["targets"]:
            for selector in re.findall(r"[\w:]+\{([^}]*)\}", target["expr"]):
                if f'{label}=~"${label}"' not in selector and not (label == "instance" and "queue_channel:" in target["expr"]):
                    return False
            assert all(labels for _, labels in selectors(target["expr"]))
    return True


def target_counter_agg(board: dict[str, Any]) -> bool:
    """Return whether all counters are shown as rates."""
    return all(
        re.search(rf"(rate|irate|increase)\({name}\{{", query)
        for query in queries(board)
        for name, _ in selectors(query)
        if name.endswith(("_total", "_bucket", "_count", "_sum"))
    )


def uneditable_dashboard(board: dict[str, Any]) -> bool:
    """Return whether it is read-only on the page, and can be provisioned."""
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
def test_queries_use_exported_metrics(uid: str) -> None:
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


def test_panels_are_side_by_side() -> None:
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
    """A panel that shows one figure is titled with its name; it explains it in both languages, or in Japanese on the Japanese set."""
    by_metric = {kpi.metric: kpi for kpi in KPIS}
    checked = 0
    for board in BOARDS.values():
        for panel in panels(board):
            names = {name for target in panel["targets"] for name, _ in selectors(target["expr"])}
            if len(names) == 1 and (kpi := by_metric.get(names.pop())):
                assert panel["title"].lower() == (kpi.ja if is_japanese(board) else kpi.en).lower()
                assert (kpi.meaning_en in panel["description"]) != is_japanese(board)
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


# ---- What its users judged weak ----------------------------------------------------------------------------------------------------------


def panel_of(uid: str, kpi_id: str, kind: str) -> dict[str, Any]:
    """Return the panel of one kind that is titled with a figure."""
    title = next(kpi.en for kpi in KPIS if kpi.id == kpi_id)
    (found,) = [panel for panel in panels(BOARDS[uid]) if panel["title"].lower() == title.lower() and panel["type"] == kind]
    return found


def overrides_of(panel: dict[str, Any], matched: str) -> dict[str, Any]:
    """Return what is otherwise for a column, or for what a query gives."""
    found = [each for each in panel["fieldConfig"]["overrides"] if each["matcher"]["options"] == matched]
    return {each["id"]: each["value"] for override in found for each in override["properties"]}


def test_service_level_has_the_colors_of_the_queues_own_target(tmp_path: Path) -> None:
    """85 % is green for a queue with a target of 80 %, red for one of 90 %, and has no color without a target; so counts the wallboard.

    No panel has a threshold of its own between 0 and 1.
    """
    require(shutil.which("promtool"), "promtool evaluates PromQL: apt-get install prometheus")
    stat = panel_of("contact-streams-queue", "service_level", "stat")
    colors = [overrides_of(stat, letter).get("color", {}).get("fixedColor") for letter in "ABC"]
    assert colors == ["semi-dark-green", "semi-dark-red", None]
    below = next(panel for panel in panels(BOARDS["contact-streams-wallboard"]) if panel["title"] == "Queues below target")
    level, target = "contact_center_service_level_ratio", "contact_center_service_level_target_ratio"
    live = "contact_center_service_level_live_ratio"
    series, tests = [], []
    for scope, goal in (("lower", 0.8), ("higher", 0.9), ("equal", 0.85), ("none", None)):
        labels = f'job="j",scope_kind="queue",scope="{scope}",channel="voice"'
        for replica in ("i", "k"):
            series += [{"series": f'{name}{{{labels},window="15m",instance="{replica}"}}', "values": "0.85 0.85"} for name in (level, live)]
            if goal is not None:
                series.append({"series": f'{target}{{{labels},instance="{replica}"}}', "values": f"{goal} {goal}"})
        given = {"lower": 0, "equal": 0, "higher": 1, "none": 2}[scope]
        for place, query in enumerate(stat["targets"]):
            expression = filled(query["expr"]).replace('"sales"', f'"{scope}"').replace('instance=~"i"', 'instance=~".+"')
            # What is compared has the labels that both have.
            window = ',window="15m"' if place == 2 else ""
            samples = [{"labels": f"{{{labels}{window}}}", "value": 0.85}] if place == given else []
            tests.append({"expr": expression, "eval_time": "1m", "exp_samples": samples})
    tests.append({"expr": filled(below["targets"][0]["expr"]), "eval_time": "1m", "exp_samples": [{"labels": "{}", "value": 1}]})
    whole = {"evaluation_interval": "1m", "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": tests}]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(whole), encoding="utf-8")

    done = subprocess.run(["promtool", "test", "rules", str(tmp_path / "test.yml")], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    for board in BOARDS.values():
        for panel in panels(board):
            steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
            assert not [step for step in steps if step["value"] is not None and 0 < step["value"] < 1], panel["title"]


def test_the_gauge_of_targets_has_its_threshold() -> None:
    """Attained is 1 and more: red below, green from there on; and a queue's distance to its target is red below 0."""
    gauge = panel_of("contact-streams-wallboard", "target_attainment", "bargauge")
    steps = [(None, "semi-dark-red"), (1, "semi-dark-green")]
    assert [(step["value"], step["color"]) for step in gauge["fieldConfig"]["defaults"]["thresholds"]["steps"]] == steps
    (table,) = [panel for panel in panels(BOARDS["contact-streams-wallboard"]) if panel["type"] == "table"]
    distance = overrides_of(table, "To target")
    assert [(step["value"], step["color"]) for step in distance["thresholds"]["steps"]] == [(None, "semi-dark-red"), (0, "semi-dark-green")]
    assert distance["custom.cellOptions"]["type"] == "color-background"


@pytest.mark.parametrize("uid", [uid for uid in BOARDS if "pipeline" not in uid])
def test_times_of_alerts_and_calendar_exceptions_are_marked(uid: str) -> None:
    """Both can be switched off by name; a queue's board marks its own."""
    marks = {each["name"]: each for each in BOARDS[uid]["annotations"]["list"]}
    names = ("アラート", "カレンダー例外") if uid.endswith("-ja") else ("Alerts", "Calendar exceptions")
    asked = [selectors(marks[name]["expr"])[0] for name in names]
    assert [name for name, _ in asked] == ["contact_center_alert_firing", "contact_center_calendar_exception"]
    assert all(("scope" in labels) == ("queue" in uid) for _, labels in asked)
    assert all(each["datasource"] == DATASOURCE and each["enable"] for each in marks.values())


@pytest.mark.parametrize("language", ["", "-ja"])
def test_a_click_on_a_queue_leads_to_its_board(language: str) -> None:
    """The link names a dashboard of the same language, and sets variables that it has."""
    (table,) = [panel for panel in panels(BOARDS[f"contact-streams-wallboard{language}"]) if panel["type"] == "table"]
    column = "キュー" if language else "Queue"
    assert column in table["transformations"][1]["options"]["renameByName"].values()
    (link,) = overrides_of(table, column)["links"]
    path, _, asked = link["url"].partition("?")
    there = BOARDS[path.removeprefix("/d/")]
    assert is_japanese(there) == bool(language)
    known = {each["name"] for each in there["templating"]["list"]}
    assert {"scope", "datasource", "job"} <= known
    assert "var-scope=${__value.raw:percentencode}" in asked.split("&")
    assert "${__url_time_range}" in asked.split("&")


def test_the_day_can_be_chosen() -> None:
    """The windows are those that serve exports, and those of both compose files have the day."""
    for uid, board in BOARDS.items():
        if "pipeline" not in uid:
            found = variable(board, "window")
            assert found["definition"].startswith("label_values(contact_center_contacts_offered{")
            assert (found["definition"].endswith(", window)"), found["multi"], found["current"]["value"]) == (True, False, "15m")
    for name in ("compose.yaml", "compose.tls.yaml"):
        compose = yaml.safe_load((FOLDER.parents[1] / name).read_text(encoding="utf-8"))
        arguments = " ".join(compose["services"]["serve"]["command"]).replace("=", " ").split()
        assert "day" in arguments[arguments.index("--windows") + 1].split(","), name


@pytest.mark.parametrize("uid", [uid for uid in BOARDS if not uid.endswith("-ja")])
def test_the_japanese_set_asks_the_same(uid: str) -> None:
    """Panel by panel the same queries; titles, rows, variables and columns are Japanese; lists of dashboards keep to one language."""
    english, japanese = BOARDS[uid], BOARDS[f"{uid}-ja"]
    asked = [[target["expr"] for panel in panels(board) for target in panel["targets"]] for board in (english, japanese)]
    assert asked[0] == asked[1]
    texts = [japanese["title"], *(panel["title"] for panel in japanese["panels"])]
    texts += [each["label"] for each in japanese["templating"]["list"]]
    texts += [
        each["matcher"]["options"]
        for panel in panels(japanese)
        for each in panel["fieldConfig"]["overrides"]
        if len(each["matcher"]["options"]) > 1
    ]
    assert [text for text in texts if not re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", text)] == []
    assert english["tags"] == ["contact-streams"] == english["links"][0]["tags"]
    assert japanese["tags"] == ["contact-streams-ja"] == japanese["links"][0]["tags"]
