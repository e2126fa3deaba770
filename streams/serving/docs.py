"""Writes ``schemas/openapi.json`` and the table of ``docs/api.md`` from the table of endpoints, or says whether they are current."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from streams.serving.endpoints import ENDPOINTS
from streams.serving.openapi import LIMITS, openapi

__all__ = ["DOCUMENT", "PAGE", "main", "page"]

_ROOT: Final = Path(__file__).parents[2]

DOCUMENT: Final = _ROOT / "schemas" / "openapi.json"

#: Written by hand but for what stands between ``<!-- endpoints -->`` or ``<!-- limits -->`` and ``<!-- end -->``.
PAGE: Final = _ROOT / "docs" / "api.md"


def page(written: str) -> str:
    """Return the page with its tables made anew."""
    rows = ["| address | right | what it answers |", "| --- | --- | --- |"]
    rows += [
        f"| `{each.method} {each.template}` | {f'`{each.right}`' if each.right else 'none'} | {each.about} |"
        for each in ENDPOINTS
        if each.documented
    ]
    for name, text in (("endpoints", "\n".join(rows)), ("limits", "\n".join(f"- {limit}" for limit in LIMITS))):
        mark, end = f"<!-- {name} -->", "<!-- end -->"
        before, _, rest = written.partition(mark)
        written = f"{before}{mark}\n{text}\n{end}{rest.partition(end)[2]}"
    return written


def main(arguments: list[str] | None = None) -> int:
    """Write what is out of date, or with ``--check`` return 1 when something is."""
    parser = argparse.ArgumentParser(prog="python -m streams.serving.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something is not current")
    check = parser.parse_args(arguments).check
    for path, wanted in (
        (DOCUMENT, json.dumps(openapi(), ensure_ascii=False, indent=2) + "\n"),
        (PAGE, page(PAGE.read_text(encoding="utf-8"))),
    ):
        if path.is_file() and path.read_text(encoding="utf-8") == wanted:
            continue
        if check:
            sys.stderr.write(f"{path} differs from streams/serving/: run python -m streams.serving.docs\n")
            return 1
        path.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
