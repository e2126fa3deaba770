"""Files that another system writes to a folder: which of them are complete."""

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

__all__ = ["LOCKS", "File", "FolderError", "Lock", "complete", "listed", "regular"]

logger = logging.getLogger(__name__)

#: How a complete file is recognized: it has a ``.lock`` beside it (``ready``), has none (``busy``), or there are no locks.
Lock = Literal["ready", "busy", "none"]
LOCKS: Final[tuple[Lock, ...]] = ("ready", "busy", "none")
_LOCK: Final = ".lock"
#: Files of a folder at most; those that were read are remembered while they exist.
_MOST_FILES: Final = 5_000
#: A file that waits for its lock for longer than this is logged.
_LONG: Final = timedelta(hours=1)


class FolderError(Exception):
    """A folder or a file in it cannot be used; the message states which and why."""


class File(NamedTuple):
    """A file in a folder; ``changed`` in seconds since the epoch."""

    name: str
    size: int
    changed: int

    @property
    def version(self) -> str:
        """Identifies the file and its content."""
        return f"{self.name} {self.size} {self.changed}"


def listed(path: Path) -> list[File]:
    """Return the files of a folder of this machine; raise FolderError."""
    entries: list[tuple[str, os.stat_result]] = []
    try:
        # Locks last: a lock shows that the file read before it was complete.
        for entry in sorted(path.iterdir(), key=lambda entry: entry.name.endswith(_LOCK)):
            with contextlib.suppress(FileNotFoundError):
                entries.append((entry.name, entry.stat()))
    except OSError as error:
        raise FolderError(f"cannot be read: {path}: {error.strerror}") from error
    return regular((name, status.st_size, int(status.st_mtime), status.st_mode) for name, status in entries)


def regular(entries: Iterable[tuple[str, int, int, int]]) -> list[File]:
    """Return the regular files among entries of name, size, time of change and mode; raise FolderError where there are too many."""
    files = [File(name, size, changed) for name, size, changed, mode in entries if stat.S_ISREG(mode)]
    if len(files) > _MOST_FILES:
        raise FolderError(f"has more than {_MOST_FILES} files in the folder: move those that were read elsewhere")
    return files


def complete(files: list[File], lock: str, now: datetime) -> list[File]:
    """Return the complete files, by their locks: ``NAME.lock`` in place of ``NAME.csv``, or after it."""
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
