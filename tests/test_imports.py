"""Which folder may import which: the direction of the data path, enforced on the source without running it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]

#: Each folder of the product, and what of the product it may import beside itself. A folder that is not here fails the test: give it a row.
#: From the middle outward: schemas is what everyone speaks, catalogue, windows and tracking are pure, the rest touches the world.
MAY_IMPORT: dict[str, set[str]] = {
    "schemas": set(),
    "streams.catalogue": {"schemas"},
    "streams.windows": {"schemas", "streams.catalogue"},
    "streams.tracking": {"schemas", "streams.catalogue", "streams.windows", "streams.configuration"},
    "streams.configuration": {"schemas", "streams.catalogue", "streams.windows"},
    "streams.engine": {"schemas", "streams.catalogue", "streams.windows", "streams.tracking", "streams.configuration"},
    "streams.connectors": {"schemas", "streams.configuration"},
    "streams.serving": {"schemas", "streams.catalogue", "streams.windows", "streams.configuration"},
    "streams.demo": {
        "schemas",
        "streams.catalogue",
        "streams.windows",
        "streams.tracking",
        "streams.configuration",
        "streams.engine",
        "streams.connectors",
        "streams.serving",
    },
}

#: What counts: no frame, no broker, no network, no clock, no randomness from outside.
PURE = ("streams.catalogue", "streams.windows", "streams.tracking")
WORLD = {
    "aiohttp",
    "aiokafka",
    "asyncio",
    "faust",
    "http",
    "mode",
    "noida_db",
    "prometheus_client",
    "random",
    "socket",
    "subprocess",
    "threading",
    "time",
    "urllib",
}

#: Who alone may import what.
ONLY: dict[str, tuple[str, ...]] = {
    "faust": ("streams.engine",),
    "mode": ("streams.engine",),
    "noida_db": ("streams.demo",),
}

#: Modules directly in ``streams/``: they put the folders together, so they may import any of them.
COMPOSERS = {"streams", "streams.cli", "streams.__main__"}

#: Ways to ask the clock without importing time.
CLOCK = {"now", "utcnow", "today"}


class Import(NamedTuple):
    """One imported module (or name in a module), and the line that does it."""

    name: str
    line: int


def module_name(path: Path) -> str:
    """Return the dotted name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def folder_of(module: str) -> str:
    """Return the row of the table that a module belongs to: ``schemas`` or ``streams.<folder>``."""
    parts = module.split(".")
    return parts[0] if parts[0] != "streams" else ".".join(parts[:2])


def imports(tree: ast.AST, module: str, *, package: bool) -> Iterator[Import]:
    """Yield what a file imports, relative imports resolved; imports for type checking only count too: direction is direction."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")
                above = above[: len(above) - node.level + package]
                base = ".".join([*above, base] if base else above)
            # ``from streams import engine`` imports streams.engine
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "streams" else [base]
            yield from (Import(name, node.lineno) for name in names)


def faults_of(module: str, source: str, *, package: bool = False) -> list[str]:
    """Return one sentence for each import of the file that goes the wrong way."""
    tree = ast.parse(source)
    folder = folder_of(module)
    found = []
    for name, line in imports(tree, module, package=package):
        top = name.split(".", maxsplit=1)[0]
        target = folder_of(name)
        if module not in COMPOSERS and top in {"streams", "schemas"} and target not in {folder, "streams", *MAY_IMPORT.get(folder, ())}:
            found.append(f"{module}:{line} imports {name}: {folder} may import {sorted(MAY_IMPORT.get(folder, ())) or 'nothing of ours'}")
        if folder in PURE and top in WORLD:
            found.append(f"{module}:{line} imports {name}: {folder} is pure and touches neither world nor clock")
        if top in ONLY and folder not in ONLY[top]:
            found.append(f"{module}:{line} imports {name}: only {', '.join(ONLY[top])} may")
    if folder in PURE:
        found += [f"{module}:{line} asks the clock: time comes in as a parameter" for line in clock_calls(tree)]
    return found


def clock_calls(tree: ast.AST) -> Iterator[int]:
    """Yield the lines that call ``datetime.now`` and its like."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK:
            owner = node.func.value
            called_on = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
            if called_on in {"datetime", "date"}:
                yield node.lineno


def sources() -> list[Path]:
    """Return the source files of the product."""
    return sorted(path for top in ("schemas", "streams") for path in (ROOT / top).rglob("*.py"))


def test_every_import_goes_with_the_data_path() -> None:
    """No file of the product imports against the table, reaches out of the pure middle or takes what belongs to another folder."""
    assert len(sources()) > len(MAY_IMPORT)
    found = [
        fault
        for path in sources()
        for fault in faults_of(module_name(path), path.read_text(encoding="utf-8"), package=path.name == "__init__.py")
    ]
    assert not found, "\n" + "\n".join(found)


def test_every_folder_has_a_row() -> None:
    """A new folder or top-level module gets its place in the table before it gets code, and a removed one loses it."""
    there = {folder_of(module_name(path)) for path in sources()} - COMPOSERS
    assert there == set(MAY_IMPORT)


def test_the_table_has_no_circle() -> None:
    """The folders can be put in a line in which each imports only what stands before it."""
    placed: set[str] = set()
    while len(placed) < len(MAY_IMPORT):
        free = {folder for folder, allowed in MAY_IMPORT.items() if folder not in placed and allowed <= placed}
        assert free, f"these import each other: {sorted(set(MAY_IMPORT) - placed)}"
        placed |= free


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("streams.windows.panes", "import time", "pure"),
        ("streams.windows.panes", "import aiokafka.structs", "pure"),
        ("streams.tracking.contact", "from streams.engine.stage import Flush", "may import"),
        ("streams.tracking.contact", "from ..engine import stage", "may import"),
        ("streams.tracking.contact", "from streams import engine", "may import"),
        ("streams.tracking.contact", "if TYPE_CHECKING:\n    from streams.serving import api", "may import"),
        ("streams.catalogue.kpis", "def f():\n    return datetime.now(tz=UTC)", "clock"),
        ("streams.catalogue.kpis", "def f():\n    return dt.datetime.now(tz=dt.UTC)", "clock"),
        ("streams.serving.api", "import faust", "only streams.engine"),
        ("streams.serving.api", "from streams.demo.broker import EmbeddedBroker", "may import"),
        ("schemas.events", "from streams.windows import panes", "nothing of ours"),
        ("streams.cli", "from faust import App", "only streams.engine"),
    ],
    ids=range(12),
)
def test_wrong_ways_are_seen(module: str, source: str, complaint: str) -> None:
    """Each way to import against the table is found: plain, from, relative, for types only, or by asking the clock."""
    assert [fault for fault in faults_of(module, source) if complaint in fault]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("streams.tracking.contact", "from streams.windows.panes import Pane\nfrom . import scopes\nfrom schemas import events"),
        ("streams.windows.panes", "from datetime import UTC, datetime\ndef f(now): return now()"),
        ("streams.engine.app", "import faust\nimport time"),
        ("streams.cli", "from streams.demo import broker\nfrom streams.engine import app"),
    ],
    ids=range(4),
)
def test_right_ways_are_left_alone(module: str, source: str) -> None:
    """What goes with the data path raises no complaint."""
    assert faults_of(module, source) == []
