"""Writes the table of rights and roles into ``docs/access.md``, or says whether it is current."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Final

from streams.access.rights import MEANINGS, RIGHTS, ROLES

__all__ = ["PAGE", "main", "page"]

#: The page in a checkout: written by hand but for what stands between ``<!-- rights -->`` and ``<!-- end -->``.
PAGE: Final = Path(__file__).parents[2] / "docs" / "access.md"
_TABLE: Final = re.compile(r"(?<=<!-- rights -->\n).*?(?=<!-- end -->)", re.DOTALL)


def page(text: str) -> str:
    """Return the text of the page with its table as the code has it."""
    return _TABLE.sub(lambda _: _table(), text)


def _table() -> str:
    head = f"| right | who has it may | {' | '.join(ROLES)} |\n| --- | --- |{' --- |' * len(ROLES)}\n"
    rows = (
        f"| `{right}` | {MEANINGS[right]} | {' | '.join('yes' if right in rights else '–' for rights in ROLES.values())} |\n"
        for right in RIGHTS
    )
    return head + "".join(rows)


def main(arguments: list[str] | None = None) -> int:
    """Write the table if it is out of date, or with ``--check`` return 1 then."""
    parser = argparse.ArgumentParser(prog="python -m streams.access.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not current")
    options = parser.parse_args(arguments)
    found = PAGE.read_text(encoding="utf-8")
    if (wanted := page(found)) == found:
        return 0
    if options.check:
        sys.stderr.write(f"{PAGE} differs from streams/access/rights.py: run python -m streams.access.docs\n")
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
