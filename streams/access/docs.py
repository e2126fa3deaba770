"""Write the table of rights and roles into ``docs/access.md``, or check that it is current."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from schemas.generated import keep_current, options
from streams.access.rights import MEANINGS, RIGHTS, ROLES

__all__ = ["PAGE", "main", "page"]

_COMMAND = "streams.access.docs"

#: The page in a checkout: only the part between ``<!-- rights -->`` and ``<!-- end -->`` is generated.
PAGE: Final = Path(__file__).parents[2] / "docs" / "access.md"
_TABLE: Final = re.compile(r"(?<=<!-- rights -->\n).*?(?=<!-- end -->)", re.DOTALL)


def page(text: str) -> str:
    """Return the text of the page with its table generated from the code."""
    return _TABLE.sub(lambda _: _table(), text)


def _table() -> str:
    head = f"| right | permits to | {' | '.join(ROLES)} |\n| --- | --- |{' --- |' * len(ROLES)}\n"
    rows = (
        f"| `{right}` | {MEANINGS[right]} | {' | '.join('yes' if right in rights else '–' for rights in ROLES.values())} |\n"
        for right in RIGHTS
    )
    return head + "".join(rows)


def main(arguments: list[str] | None = None) -> int:
    """Write the table if it is out of date, or with ``--check`` return 1 then."""
    check = options(_COMMAND, __doc__).parse_args(arguments).check
    return keep_current(_COMMAND, [(PAGE, page(PAGE.read_text(encoding="utf-8")))], check=check)


if __name__ == "__main__":
    sys.exit(main())
