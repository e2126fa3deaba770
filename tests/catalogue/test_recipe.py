"""The recipe of docs/contributing.md, followed in a copy of the project, adds a KPI that is served everywhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")

#: Three surveys by hand: two on the scale 1-5, one of them a 1, and one on another scale.
PROGRAM = """
import json, sys
import orjson
from streams.catalogue import docs
from streams.configuration import Configuration
from streams.replay import Replay
from streams.serving.api.figures import catalogue_document
from tests.serving.test_exporter import Backend, text
replay = Replay(Configuration.model_validate({"queues": {"sales": {"channel": "voice"}}}))
number = 0
def add(what, second, **more):
    global number
    number += 1
    at = f"2026-03-02T12:00:{second:02}Z"
    common = {"type": what, "event_id": str(number), "occurred_at": at, "received_at": at, "source": "pbx"}
    replay.add(orjson.dumps(common | more), "contact")
for name, survey in (("a", ("csat", 1)), ("b", ("csat", 4)), ("c", ("nps", 9))):
    add("contact.queued", 1, conversation_id=name, queue="sales", channel="voice")
    add("contact.answered", 5, conversation_id=name, agent="x")
    add("contact.ended", 20, conversation_id=name, by="customer")
    add("survey.answered", 30, conversation_id=name, kind=survey[0], score=survey[1])
figures = replay.finish()
record = next(value for key, value in replay.latest.items() if key.startswith("window|day|voice|queue:sales"))
served = text(Backend.fed([(key.encode(), orjson.dumps(value)) for key, value in replay.latest.items()])).splitlines()
kpi = "csat_lowest_rate"
json.dump({
    "record": record["kpis"][kpi],
    "count": record["counts"]["csat_lowest"],
    "replay": figures["queues"]["sales"]["voice"][kpi],
    "metrics": sorted(
        line.split("{")[0] + " " + line.split(" ")[-1]
        for line in served
        if line.startswith("contact_center_csat_lowest") and 'scope="sales"' in line and 'window="15m"' in line
    ),
    "formula": next(each for each in catalogue_document("UTC")["kpis"] if each["id"] == kpi)["formula"],
    "page": [line for line in docs.page().splitlines() if line.startswith(f"| `{kpi}` | lowest") and "scores of 1 ÷" in line],
    "field": [line for line in docs.page().splitlines() if line.startswith("| `csat_lowest` |")],
}, sys.stdout)
"""


def step(number: int, language: str) -> tuple[str, str]:
    """Return the file that a step is about, and its block of code."""
    text = RECIPE.split(f"### {number}. ")[1].split("\n### ")[0]
    file = re.search(r"^In `([^`]+)`", text, re.MULTILINE)
    block = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert file is not None
    assert block is not None
    return file[1], block[1]


def copied(root: Path) -> Path:
    """Copy the sources of the product, its tests' helpers and its examples to a directory."""
    for folder in ("streams", "schemas", "tests", "deploy", "docs"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project in which the steps were taken."""
    root = copied(tmp_path_factory.mktemp("project"))
    file, declaration = step(1, "python")
    text = (root / file).read_text(encoding="utf-8")
    before, after = text.split("\nOPINIONS: tuple")
    entries_file, entry = step(2, "python")
    assert entries_file == file
    assert after.endswith("\n)\n")
    entries = after.removesuffix(")\n") + f"{entry.rstrip()},\n)\n"
    (root / file).write_text(f"{before}\n{declaration}\nOPINIONS: tuple{entries}", encoding="utf-8")
    file, diff = step(3, "diff")
    kept, added = (line[1:] for line in diff.splitlines())
    text = (root / file).read_text(encoding="utf-8")
    assert text.count(f"{kept}\n") == 1
    (root / file).write_text(text.replace(f"{kept}\n", f"{kept}\n{added}\n"), encoding="utf-8")
    return root


def test_the_kpi_is_counted_and_served(project: Path) -> None:
    """One of two scores on the scale 1-5 is a 1; of three answers two are on that scale: 1 ÷ 2, two thirds covered."""
    command = [sys.executable, "-c", PROGRAM]
    there = {"PYTHONPATH": str(project)}
    run = subprocess.run(command, cwd=project, env=there, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    served = json.loads(run.stdout)

    figure = {"value": 0.5, "numerator": 1, "denominator": 2, "coverage": 2 / 3}
    assert (served["record"], served["replay"], served["count"]) == (figure, figure, 1)
    assert served["metrics"] == [
        "contact_center_csat_lowest_coverage_ratio 0.6666666666666666",
        "contact_center_csat_lowest_denominator 2.0",
        "contact_center_csat_lowest_numerator 1.0",
        "contact_center_csat_lowest_ratio 0.5",
    ]
    assert served["formula"] == "scores of 1 ÷ scores within their scale"
    assert len(served["page"]) == 1
    assert len(served["field"]) == 1
