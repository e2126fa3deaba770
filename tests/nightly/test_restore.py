"""Restoring state beside Faust's own recovery of a plain table, in one run on one broker."""

# ruff: noqa: T201 - prints its figures.

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Of 50,000 rows a part of our time is the start of clients, and CI runs other work beside.
SIZES = [pytest.param(50_000, 5, id="quick"), pytest.param(1_000_000, 10, id="nightly", marks=pytest.mark.nightly)]


@pytest.mark.alone
@pytest.mark.kafka
@pytest.mark.parametrize(("rows", "times"), SIZES)
def test_restore_is_faster_than_fausts_own(rows: int, times: float, request: pytest.FixtureRequest) -> None:
    """Must-show 5: rows/s of a restore are at least ten times those of Faust's own recovery of a plain table, for 1,000,000 rows."""
    request.getfixturevalue("kafka")  # is it here at all? The benchmark starts a broker of its own
    command = [sys.executable, "-m", "benchmarks.engine", "--rows", str(rows), "--records", "0"]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=True).stdout
    print(f"\n{output}")
    assert f"({rows:,} rows in" in output
    found = re.search(r"restore, ratio: +([\d.]+)", output)
    assert found is not None
    assert float(found[1]) >= times


@pytest.mark.alone
@pytest.mark.kafka
@pytest.mark.nightly
def test_contacts_are_restored(request: pytest.FixtureRequest) -> None:
    """On a machine that does nothing else 100,000 tickets, and as many calls, take a second of CPU each; 150,000 rows a second."""
    request.getfixturevalue("kafka")
    command = [sys.executable, "-m", "benchmarks.restore", "--kafka"]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=True).stdout
    print(f"\n{output}")
    found = {each["kind"]: each for each in json.loads(output.splitlines()[-1])}
    assert found.keys() == {"tickets", "calls"}
    for each in found.values():
        assert each["rows"] > 100_000
        assert each["read"] == 0
        assert each["cpu_us"] * each["rows"] <= 1e6
        assert each["rows"] / each["seconds"] >= 150_000
