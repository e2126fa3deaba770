"""Write the generated parts of the connectors' pages, or check whether they are current."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.generated import keep_current, options
from streams.connectors import platforms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.connectors.kit.model import Connector

__all__ = ["FAMILY_LABELS", "OVERVIEW", "PAGES", "main", "of_all", "of_connector", "page_of"]

_COMMAND = "streams.connectors.docs"

_ROOT: Final = Path(__file__).parents[2]

#: The page with the table of all connectors, and the folder of their pages.
OVERVIEW: Final = _ROOT / "docs" / "connectors.md"
PAGES: Final = _ROOT / "docs" / "connectors"

FAMILY_LABELS: Final = {
    "telephone": "telephone",
    "desk": "desk",
    "message": "messages",
    "survey": "surveys",
    "self_service": "self-service",
    "order": "orders",
}

_ALL: Final = re.compile(r"(?<=<!-- platforms -->\n).*?(?=<!-- end -->)", re.DOTALL)
#: On a page of several connectors each section names its own.
_ONE: Final = re.compile(r"(<!-- connector(?:: ([a-z0-9-]+))? -->\n).*?(?=<!-- end -->)", re.DOTALL)


def page_of(name: str) -> Path | None:
    """Return the page of a connector: its own, or one of several that names it; None if there is none yet."""
    own = PAGES / f"{name}.md"
    if own.exists():
        return own
    marker = f"<!-- connector: {name} -->"
    return next((path for path in sorted(PAGES.glob("*.md")) if marker in path.read_text(encoding="utf-8")), None)


def of_all() -> str:
    """Return the table of all connectors."""
    rows = ["| platform | name | what | comes by | when |\n| --- | --- | --- | --- | --- |\n"]
    for name in platforms.names():
        connector = platforms.connector(name)
        page = page_of(name)
        title = connector.title if page is None else f"[{connector.title}](connectors/{page.name})"
        cells = (title, f"`{name}`", FAMILY_LABELS[connector.family], ", ".join(connector.ways), connector.delivery)
        rows.append(f"| {' | '.join(map(_cell, cells))} |\n")
    return "".join(rows)


def of_connector(connector: Connector) -> str:
    """Return the generated part of a connector's page: what becomes of each kind, and what the platform reports."""
    becomes = [(f"`{kind}`", what) for kind, what in connector.kinds.items()]
    becomes += [(", ".join(f"`{kind}`" for kind in kinds), f"nothing: {why}") for why, kinds in _by_reason(connector)]
    reports = [(part.replace("_", " "), f"no: {why}" if why else "yes") for part, why in connector.reports.items()]
    setting = f"\nIn the configuration: `sources: {{NAME: {{not_reported: [{', '.join(connector.not_reported)}]}}}}`.\n"
    return f"{_table(('kind', 'becomes'), becomes)}\n{_table(('reports', ''), reports)}{setting if connector.not_reported else ''}"


def _by_reason(connector: Connector) -> Iterator[tuple[str, list[str]]]:
    kinds: dict[str, list[str]] = {}
    for kind, why in connector.ignored.items():
        kinds.setdefault(why, []).append(kind)
    yield from kinds.items()


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    lines = [head, ("---", "---"), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _section(page: str, match: re.Match[str]) -> str:
    name = match[2] or page
    return match[1] + of_connector(platforms.connector(name)) if name in platforms.names() else match[0]


def main(arguments: list[str] | None = None) -> int:
    """Write the pages that are out of date, or with ``--check`` return 1 when one is."""
    check = options(_COMMAND, __doc__).parse_args(arguments).check
    return keep_current(_COMMAND, [(path, _current(path)) for path in (OVERVIEW, *sorted(PAGES.glob("*.md")))], check=check)


def _current(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return _ALL.sub(lambda _: of_all(), text) if path == OVERVIEW else _ONE.sub(partial(_section, path.stem), text)


if __name__ == "__main__":
    sys.exit(main())
