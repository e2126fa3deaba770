"""Writes ``schemas/openapi.json`` and the tables of ``docs/api.md`` from the endpoints, or checks whether they are current."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from schemas.generated import keep_current, options
from streams.serving.endpoints import ENDPOINTS
from streams.serving.openapi import LIMITS, openapi

__all__ = ["DOCUMENT", "PAGE", "main", "page"]

_COMMAND = "streams.serving.docs"

_ROOT: Final = Path(__file__).parents[2]

DOCUMENT: Final = _ROOT / "schemas" / "openapi.json"

#: Written by hand except between ``<!-- endpoints -->`` or ``<!-- limits -->`` and ``<!-- end -->``.
PAGE: Final = _ROOT / "docs" / "api.md"


def page(written: str) -> str:
    """Return the page with its tables regenerated."""
    rows = ["| address | right | what it answers |", "| --- | --- | --- |"]
    rows += [
        f"| `{endpoint.method} {endpoint.template}` | {f'`{endpoint.right}`' if endpoint.right else 'none'} | {endpoint.about} |"
        for endpoint in ENDPOINTS
        if endpoint.documented
    ]
    for name, text in (("endpoints", "\n".join(rows)), ("limits", "\n".join(f"- {limit}" for limit in LIMITS))):
        mark, end = f"<!-- {name} -->", "<!-- end -->"
        before, _, after = written.partition(mark)
        written = f"{before}{mark}\n{text}\n{end}{after.partition(end)[2]}"
    return written


def main(arguments: list[str] | None = None) -> int:
    """Write what is out of date, or with ``--check`` return 1 if anything is."""
    check = options(_COMMAND, __doc__).parse_args(arguments).check
    document = json.dumps(openapi(), ensure_ascii=False, indent=2) + "\n"
    return keep_current(_COMMAND, [(DOCUMENT, document), (PAGE, page(PAGE.read_text(encoding="utf-8")))], check=check)


if __name__ == "__main__":
    sys.exit(main())
