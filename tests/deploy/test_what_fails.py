"""The table of what fails names, in each row, a test that is there and belongs to a verb that runs it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_every_row_is_shown_by_a_test() -> None:
    """Each row ends with the file and the name of a test, and that file has it."""
    section = PAGE.split("## What fails\n")[1].split("\n## ")[0].split("What the health pages")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| what fails"))]

    assert len(rows) > 10
    for row in rows:
        named = re.search(r"`(tests/[\w/]+\.py)::(test_\w+)` \|$", row)
        assert named is not None, row
        assert f"def {named[2]}(" in (ROOT / named[1]).read_text(encoding="utf-8"), row
