"""Files generated from code: written if they are out of date, or listed."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["keep_current", "options"]


def options(command: str, description: str | None) -> argparse.ArgumentParser:
    """Return the parser of the options of ``python -m command``: ``--check``, to which the caller may add more."""
    parser = argparse.ArgumentParser(prog=f"python -m {command}", description=description)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not current")
    return parser


def keep_current(command: str, files: Iterable[tuple[Path, str]], *, check: bool) -> int:
    """Write each file whose text differs. With ``check`` write none: list those files, and return 1 if there are any."""
    stale = [(path, wanted) for path, wanted in files if not path.is_file() or path.read_text(encoding="utf-8") != wanted]
    for path, wanted in stale:
        if check:
            sys.stderr.write(f"{path} is out of date: run python -m {command}\n")
        else:
            path.write_text(wanted, encoding="utf-8")
    return int(check and bool(stale))
