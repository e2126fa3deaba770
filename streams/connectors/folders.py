"""Files that another system leaves in a folder: which of them are written to their end."""

from __future__ import annotations

import contextlib
import logging
import stat
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

__all__ = ["LOCKS", "File", "FolderError", "Lock", "listed", "regular", "whole"]

logger = logging.getLogger(__name__)

#: How a file is known to be whole: it has a ``.lock`` beside it (``ready``), has none (``busy``), or there are no locks.
Lock = Literal["ready", "busy", "none"]
LOCKS: Final[tuple[Lock, ...]] = ("ready", "busy", "none")
_LOCK: Final = ".lock"
#: Of a folder so many files are looked at; and of those that are there the read ones are remembered.
_MOST_FILES: Final = 5_000
#: A file that waits for its lock for longer than this is told of.
_LONG: Final = timedelta(hours=1)


class FolderError(Exception):
    """A folder or a file in it cannot be used; the message says which and why."""


class File(NamedTuple):
    """A file as a folder lists it; ``changed`` in seconds since 1970."""

    name: str
    size: int
    changed: int

    @property
    def version(self) -> str:
        """What changes when the file does."""
        return f"{self.name} {self.size} {self.changed}"


def listed(path: Path) -> list[File]:
    """Return the files of a folder of this machine; raise FolderError."""
    found: list[tuple[str, os.stat_result]] = []
    try:
        # Locks are looked at last: one that is there says that what was seen before was whole.
        names = sorted(path.iterdir(), key=lambda each: each.name.endswith(_LOCK))
        for each in names:
            with contextlib.suppress(FileNotFoundError):
                found.append((each.name, each.stat()))
    except OSError as error:
        raise FolderError(f"cannot be read: {path}: {error.strerror}") from error
    return regular((name, status.st_size, int(status.st_mtime), status.st_mode) for name, status in found)


def regular(found: Iterable[tuple[str, int, int, int]]) -> list[File]:
    """Return what is a file of names, sizes, times of change and modes; raise FolderError where there are too many."""
    files = [File(name, size, changed) for name, size, changed, mode in found if stat.S_ISREG(mode)]
    if len(files) > _MOST_FILES:
        raise FolderError(f"has more than {_MOST_FILES} files in the folder: move those that were read elsewhere")
    return files


def whole(files: list[File], lock: str, now: datetime) -> list[File]:
    """Return the files that are written to their end, by their locks: ``NAME.lock`` in place of ``NAME.csv``, or behind it."""
    locks = {file.name for file in files if file.name.endswith(_LOCK)}
    others = [file for file in files if file.name not in locks]
    if lock == "none":
        return others
    locked = {file for file in others if locks & {file.name.rpartition(".")[0] + _LOCK, file.name + _LOCK}}
    if lock == "busy":
        return [file for file in others if file not in locked]
    waiting = [file for file in others if file not in locked and file.changed < (now - _LONG).timestamp()]
    if waiting:
        logger.warning("%d files wait for their .lock for more than an hour. Where none is written, set `lock: none`.", len(waiting))
    return list(locked)
