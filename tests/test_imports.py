"""Which folder may import which: the direction of the data path, enforced on the source without running it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

ROOT = Path(__file__).parents[1]

#: Each folder of the product, and what of the product it may import beside itself. A folder that is not here fails the test: give it a row.
#: Each row imports only from rows above it. The engine knows nothing of contact centers, the pure middle nothing of the engine; stages join
#: the two by the engine's contract alone.
MAY_IMPORT: dict[str, set[str]] = {
    "schemas": set(),
    "streams.access": {"schemas"},
    "streams.client": {"schemas"},
    "streams.catalogue": {"schemas"},
    "streams.staffing": set(),
    "streams.configuration": {"schemas", "streams.access", "streams.catalogue"},
    "streams.windows": {"schemas", "streams.catalogue", "streams.configuration"},
    "streams.tracking": {"schemas", "streams.catalogue", "streams.configuration", "streams.windows"},
    "streams.unpacking": set(),
    "streams.engine": {"streams.unpacking"},
    "streams.stages": {
        "schemas",
        "streams.catalogue",
        "streams.configuration",
        "streams.windows",
        "streams.tracking",
        "streams.engine.stage",
    },
    "streams.explaining": {"schemas", "streams.catalogue", "streams.configuration", "streams.windows", "streams.tracking"},
    "streams.reconciling": {"schemas", "streams.catalogue", "streams.configuration", "streams.windows"},
    "streams.listening": {"streams.catalogue"},
    "streams.connectors": {"schemas", "streams.configuration", "streams.listening", "streams.unpacking"},
    "streams.serving": {
        "streams.staffing",
        "streams.unpacking",
        "schemas",
        "streams.access",
        "streams.catalogue",
        "streams.configuration",
        "streams.windows",
        "streams.explaining",
        "streams.listening",
    },
    "streams.demo": {
        "schemas",
        "streams.catalogue",
        "streams.configuration",
        "streams.engine.topics",
        "streams.listening",
        "streams.connectors",
        "streams.serving",
        "streams.columns",
        "streams.replay",
        "streams.worker",
    },
}

#: What puts the folders together may import any of them: the modules directly in ``streams/``, and the commands.
COMPOSERS = {"streams", "streams.commands"}

#: What counts: no frame, no broker, no network, no clock, no chance.
PURE = (
    "streams.access",
    "streams.staffing",
    "streams.catalogue",
    "streams.windows",
    "streams.tracking",
    "streams.stages",
    "streams.explaining",
    "streams.reconciling",
)
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
    "holidays": ("streams.configuration",),
    "mode": ("streams.engine",),
    "noida_db": ("streams.demo",),
}

#: Circles of more than this many files are refused: nothing in them can be read, tested or compiled without all the rest.
LARGEST_CIRCLE = 3
#: Circles that are larger still, by the files in them. Take files and circles out of this; never put one in.
LARGER_CIRCLES: tuple[frozenset[str], ...] = ()

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


def folder_of(module: str, *, package: bool) -> str:
    """Return the row that a file belongs to: ``schemas``, ``streams.<folder>``, or ``streams`` for a module directly in it."""
    parts = module.split(".")
    if parts[0] != "streams":
        return parts[0]
    return ".".join(parts[: 2 if len(parts) > 2 or package else 1])


def within(name: str, folder: str) -> bool:
    """Return whether a dotted name is the folder or lies in it."""
    return name == folder or name.startswith(f"{folder}.")


def imports(tree: ast.AST, module: str, *, package: bool) -> Iterator[Import]:
    """Yield what a file imports, relative imports resolved; imports for type checking only count too: direction is direction."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")
            above = above[: len(above) - node.level + package] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (Import(f"{base}.{alias.name}", node.lineno) for alias in node.names)


def faults_of(module: str, source: str, *, package: bool = False) -> list[str]:
    """Return one sentence for each import of the file that goes the wrong way."""
    tree = ast.parse(source)
    folder = folder_of(module, package=package)
    allowed = MAY_IMPORT.get(folder, set())
    found = []
    for name, line in imports(tree, module, package=package):
        top = name.split(".", maxsplit=1)[0]
        ours = top in {"streams", "schemas"} and name != "streams"  # the bare package holds nothing but where it lies
        if ours and folder not in COMPOSERS and not any(within(name, target) for target in {folder, *allowed}):
            found.append(f"{module}:{line} imports {name}: {folder} may import {', '.join(sorted(allowed)) or 'nothing of ours'}")
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


def test_every_import_is_of_the_data_path() -> None:
    """No file of the product imports against the table, reaches out of the pure middle or takes what belongs to another folder."""
    assert len(sources()) > len(MAY_IMPORT)
    found = [
        fault
        for path in sources()
        for fault in faults_of(module_name(path), path.read_text(encoding="utf-8"), package=path.name == "__init__.py")
    ]
    assert not found, "\n" + "\n".join(found)


def test_every_folder_has_a_row() -> None:
    """A new folder gets its place in the table before it gets code, and a removed one loses it."""
    there = {folder_of(module_name(path), package=path.name == "__init__.py") for path in sources()} - COMPOSERS
    assert there - {"streams"} == set(MAY_IMPORT)


def test_the_table_has_no_circle() -> None:
    """Each row of the table imports only from rows above it."""
    rows = list(MAY_IMPORT)
    for place, (folder, allowed) in enumerate(MAY_IMPORT.items()):
        below = {target for target in allowed if any(within(target, later) for later in rows[place:])}
        assert not below, f"{folder} imports what is below it: {sorted(below)}"


def graph_of(files: dict[str, str], packages: Collection[str] = ()) -> dict[str, set[str]]:
    """Return which file imports which, from their sources by module."""
    graph: dict[str, set[str]] = {}
    for module, source in files.items():
        found = set()
        for name, _ in imports(ast.parse(source), module, package=module in packages):
            # A name may be one in a module; the closest module that there is counts.
            parts = name.split(".")
            found.add(next((known for end in range(len(parts), 0, -1) if (known := ".".join(parts[:end])) in files), module))
        graph[module] = found - {module}
    return graph


def circles_of(graph: dict[str, set[str]]) -> list[frozenset[str]]:
    """Return the sets of files in which each imports each other, over others or itself, the largest first."""
    reached = {module: reachable(graph, module) for module in graph}
    circles = {frozenset(other for other in reached[module] if module in reached[other]) for module in graph}
    return sorted(filter(None, circles), key=len, reverse=True)


def reachable(graph: dict[str, set[str]], module: str) -> set[str]:
    """Return what a file imports, and what that imports, and so on."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def test_no_circle_is_large() -> None:
    """No more than three files import one another in a circle, types included; larger ones are those still listed, and shrink."""
    packages = {module_name(path) for path in sources() if path.name == "__init__.py"}
    graph = graph_of({module_name(path): path.read_text(encoding="utf-8") for path in sources()}, packages)
    assert len(graph) == len(sources())
    larger = [circle for circle in circles_of(graph) if len(circle) > LARGEST_CIRCLE]
    grown = [sorted(circle) for circle in larger if not any(circle <= known for known in LARGER_CIRCLES)]
    assert not grown, f"circles of more than {LARGEST_CIRCLE} files: {grown}"
    dissolved = [sorted(known) for known in LARGER_CIRCLES if known not in larger]
    assert not dissolved, f"smaller by now; make the entry in LARGER_CIRCLES as small: {dissolved} -> {[sorted(each) for each in larger]}"


@pytest.mark.parametrize(
    ("sources_by_module", "circle"),
    [
        ({"streams.a": "import streams.b", "streams.b": "from streams.a import f"}, {"streams.a", "streams.b"}),
        (
            {
                "streams.a": "if TYPE_CHECKING:\n    from streams.b import B",
                "streams.b": "def f():\n    from streams import c",
                "streams.c": "from . import a",
            },
            {"streams.a", "streams.b", "streams.c"},
        ),
        ({"streams.a": "import streams.b", "streams.b": "import streams.c", "streams.c": "import json"}, None),
    ],
    ids=["two", "types, inside a function, relative", "none"],
)
def test_circles_are_seen(sources_by_module: dict[str, str], circle: set[str] | None) -> None:
    """Whatever way files import one another, a circle is found; a chain is none."""
    assert circles_of(graph_of(sources_by_module)) == ([] if circle is None else [frozenset(circle)])


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
        ("streams.stages.track", "from streams.engine.app import run_worker", "may import"),
        ("streams.stages.track", "from streams.engine import app", "may import"),
        ("streams.engine.app", "from schemas import events", "may import"),
        ("streams.serving.api", "from streams.worker import run", "may import"),
    ],
    ids=range(16),
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
        ("streams.commands.worker", "from streams.worker import run\nfrom streams.commands import options"),
        ("streams.stages.track", "from streams.engine.stage import Flush\nfrom streams.engine import stage"),
    ],
    ids=range(6),
)
def test_right_ways_are_left_alone(module: str, source: str) -> None:
    """What goes with the data path raises no complaint."""
    assert faults_of(module, source) == []
