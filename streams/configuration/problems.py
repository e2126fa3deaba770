"""What is wrong with a file, said so that somebody finds it: file, line, place, reason and what is permitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["MAX_PROBLEMS", "FileError", "Problem", "read_text"]


#: So many problems of a file are looked at: what is behind them shows once they are mended.
MAX_PROBLEMS = 200
_SHOWN = 100
_SHOWN_AT, _SHOWN_REASON = 200, 4000
#: A center of a thousand queues and five thousand people has a tenth of it.
_MAX_FILE_BYTES = 4 * 1024 * 1024


class Problem(NamedTuple):
    """One thing that is wrong; ``line`` is None where it is the file as a whole, ``at`` empty where it is no key."""

    line: int | None
    at: str
    reason: str


class FileError(Exception):
    """A file cannot be used; each line of the message names file, line and reason."""

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        self.path = path
        found = sorted(set(problems), key=lambda each: (each.line or 0, each.at, each.reason))
        #: what is wrong, of very much the first
        self.problems = [each._replace(at=_short(each.at, _SHOWN_AT), reason=_short(each.reason, _SHOWN_REASON)) for each in found[:_SHOWN]]
        said = [self._said(each) for each in self.problems]
        if len(found) > _SHOWN:
            said.append(f"{path}: and more; these are the first {_SHOWN}")
        super().__init__("\n".join(said))

    def _said(self, problem: Problem) -> str:
        line = "" if problem.line is None else f":{problem.line}"
        return f"{self.path}{line}: {problem.at + ': ' if problem.at else ''}{problem.reason}"


def read_text(path: Path, error: type[FileError]) -> str:
    """Return the text of a file; raise ``error`` if it cannot be read."""
    try:
        with path.open("rb") as file:
            found = file.read(_MAX_FILE_BYTES + 1)
        if len(found) > _MAX_FILE_BYTES:
            raise error(path, [Problem(None, "", f"is too large; permitted: {_MAX_FILE_BYTES} bytes")])
        return found.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as reason:
        raise error(path, [Problem(None, "", f"cannot be read: {reason.strerror}")]) from reason
    except UnicodeDecodeError as reason:
        raise error(path, [Problem(None, "", f"is not UTF-8 text (byte {reason.start})")]) from reason


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
