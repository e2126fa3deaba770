"""The tables of what fails and of what is closed name, in each row, a test that is there and that a verb of the Makefile runs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.support.require import require

ROOT = Path(__file__).parents[2]

#: Page, heading, and the least number of rows.
TABLES = (("operations.md", "What fails", 20), ("engine.md", "What holds it together", 20))

VERBS = ("test", "test-faults", "test-nightly")


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
    """Return the tests of the tables' files that the verbs run, as file and name."""
    require(shutil.which("make"), "the verbs are read from the Makefile: apt-get install make")
    files = sorted({file for page, heading, _ in TABLES for row in rows_of(page, heading) for file, _ in named_in(row)})
    plan = subprocess.run(["make", "--dry-run", *VERBS], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found: set[str] = set()
    for line in plan.splitlines():
        _, asked, options = line.partition(" -m pytest ")
        if asked:
            given = [each for each in shlex.split(options.partition("||")[0]) if each not in {"-rP", "--numprocesses", "auto"}]
            paths = [each for each in given if each.startswith("tests/")]
            command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", *given, *([] if paths else files)]
            told = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
            )
            found |= {each.partition("[")[0] for each in told.stdout.splitlines() if "::" in each}
    return frozenset(found)


@pytest.mark.parametrize(("page", "heading", "least"), TABLES, ids=[page for page, _, _ in TABLES])
def test_every_row_is_shown_by_a_test(page: str, heading: str, least: int) -> None:
    """Each row ends with the file and the name of a test, or several, and `make test`, `test-faults` or `test-nightly` runs it."""
    rows = rows_of(page, heading)

    assert len(rows) >= least
    for row in rows:
        named = named_in(row)
        assert named, row
        for file, name in named:
            assert f"{file}::{name}" in collected(), row
