"""Writes the Grafana dashboards from the catalogue, or with `--check` says which are out of date: `python -m deploy.grafana.generate`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.grafana.boards import BOARDS
from deploy.grafana.japanese import in_japanese

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FOLDER", "drift", "main", "products"]

#: The folder that holds nothing but generated files.
FOLDER = Path(__file__).parent / "dashboards"


def products() -> dict[str, str]:
    """Return the text of each dashboard by file name."""
    boards = [make() for make in BOARDS]
    boards += [in_japanese(board) for board in boards]
    return {f"{board['uid']}.json": json.dumps(board, indent=2, ensure_ascii=False) + "\n" for board in boards}


def drift(folder: Path) -> list[str]:
    """Return the names of files that are missing, differ or should not be there."""
    wanted = products()
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Write or check; return 1 when `--check` finds a file out of date."""
    parser = argparse.ArgumentParser(prog="python -m deploy.grafana.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is out of date")
    check = parser.parse_args(arguments).check
    wanted = products()
    changed = drift(folder)
    for name in changed:
        if check:
            sys.stderr.write(f"{folder / name} is out of date: run python -m deploy.grafana.generate\n")
        elif name in wanted:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(wanted[name], encoding="utf-8", newline="\n")
        else:
            (folder / name).unlink()
    return int(check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
