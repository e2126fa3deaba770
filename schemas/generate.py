"""Write the files generated from the models, or list those out of date: `python -m schemas.generate [--check]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.generators.asyncapi import asyncapi_source
from schemas.generators.event_page import event_page
from schemas.generators.json_schema import json_schemas
from schemas.generators.structs import struct_source
from schemas.generators.topic_page import topic_page

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["drift", "main", "products", "write"]

_ROOT = Path(__file__).resolve().parent.parent

#: The directory that holds only generated files.
_JSON = "schemas/json"


def products() -> dict[str, str]:
    """Return the text of every generated file by its path below the project's root."""
    return {
        "schemas/structs.py": struct_source(),
        "schemas/asyncapi.yaml": asyncapi_source(),
        "docs/events.md": event_page(),
        "docs/topics.md": topic_page(),
        **{f"{_JSON}/{path}": text for path, text in json_schemas().items()},
    }


def _left_over(root: Path, wanted: dict[str, str]) -> list[str]:
    """Return the files in the generated directory that no model produces any more."""
    present = (path.relative_to(root).as_posix() for path in (root / _JSON).rglob("*.json"))
    return sorted(path for path in present if path not in wanted)


def drift(root: Path) -> list[str]:
    """Return the paths, below `root`, of files that are missing, differ or should not be there."""
    wanted = products()
    changed = [path for path, text in wanted.items() if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text]
    return sorted([*changed, *_left_over(root, wanted)])


def write(root: Path) -> list[str]:
    """Write what is out of date below `root` and return the paths touched."""
    wanted = products()
    touched = drift(root)
    for path in touched:
        if path not in wanted:
            (root / path).unlink()
            continue
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(wanted[path], encoding="utf-8", newline="\n")
    return touched


def main(arguments: Sequence[str] | None = None, root: Path = _ROOT) -> int:
    """Write or check; return 1 when `--check` finds a file out of date."""
    parser = argparse.ArgumentParser(prog="python -m schemas.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is out of date")
    if parser.parse_args(arguments).check:
        stale = drift(root)
        for path in stale:
            print(f"{path} is out of date: run python -m schemas.generate", file=sys.stderr)
        return 1 if stale else 0
    for path in write(root):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
