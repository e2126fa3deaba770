"""The tables of what fails and of what is closed name, in each row, a test that is there and that a verb of the Makefile runs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

from tests.support.require import require

ROOT = Path(__file__).parents[2]

#: Page, heading, and the least number of rows.
TABLES = (("operations.md", "What fails", 20), ("engine.md", "What holds it together", 20))


def rows_of(page: str, heading: str) -> list[str]:
    """Return the rows of the first table under a heading."""
    section = (ROOT / "docs" / page).read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = section.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("| ---")) + 1
    end = next(number for number, line in enumerate([*lines[begin:], ""]) if not line.startswith("| "))
    return lines[begin : begin + end]


def named_in(row: str) -> list[tuple[str, str]]:
    """Return the files and names of the tests in the last cell of a row."""
    return re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row.rsplit(" | ", 1)[1])


@cache
def collected() -> frozenset[str]:
    """Return the tests that pytest finds in the files of the tables, whatever their marks, as file and name."""
    files = sorted({file for page, heading, _ in TABLES for row in rows_of(page, heading) for file, _ in named_in(row)})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", "-m", "nightly or not nightly", *files]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return frozenset(each.partition("[")[0] for each in output.splitlines() if "::" in each)


def test_every_test_belongs_to_a_verb() -> None:
    """Whatever marks a test has: one run of `make test` or `make test-nightly` takes it, and no other."""
    require(shutil.which("make"), "the verbs are read from the Makefile: apt-get install make")
    plan = subprocess.run(["make", "--dry-run", "test", "test-nightly"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    runs = [Expression.compile(quoted or word) for quoted, word in re.findall(r'-m pytest -m (?:"(.+?)"|(\w+))', plan)]
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["markers"]
    names = [each.partition(":")[0] for each in declared]

    assert len(runs) == 4
    for marks in (set(chosen) for number in range(len(names) + 1) for chosen in combinations(names, number)):
        taking = [run for run in runs if run.evaluate(lambda name, /, marks=marks, **_: name in marks)]
        assert len(taking) == 1, marks


@pytest.mark.parametrize(("page", "heading", "least"), TABLES, ids=[page for page, _, _ in TABLES])
def test_every_row_is_shown_by_a_test(page: str, heading: str, least: int) -> None:
    """Each row ends with the file and the name of a test, or several, which pytest collects."""
    rows = rows_of(page, heading)

    assert len(rows) >= least
    for row in rows:
        named = named_in(row)
        assert named, row
        for file, name in named:
            assert f"{file}::{name}" in collected(), row
