"""Problems of a file for the operator: file, line, location, reason and what is permitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["MAX_PROBLEMS", "FileError", "Problem", "read_text"]


#: The most problems of a file that are checked: later ones show once these are fixed.
MAX_PROBLEMS = 200
_SHOWN = 100
_SHOWN_AT, _SHOWN_REASON = 200, 4000
#: A center of a thousand queues and five thousand agents has a tenth of it.
_MAX_FILE_BYTES = 4 * 1024 * 1024


class Problem(NamedTuple):
    """One problem; ``line`` is None if it concerns the entire file, ``at`` is empty if it is not about a key."""

    line: int | None
    at: str
    reason: str


class FileError(Exception):
    """A file cannot be used; each line of the message names file, line and reason."""

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        self.path = path
        ordered = sorted(set(problems), key=lambda problem: (problem.line or 0, problem.at, problem.reason))
        #: The first of many problems.
        self.problems = [
            problem._replace(at=_short(problem.at, _SHOWN_AT), reason=_short(problem.reason, _SHOWN_REASON)) for problem in ordered[:_SHOWN]
        ]
        lines = [self._line(problem) for problem in self.problems]
        if len(ordered) > _SHOWN:
            lines.append(f"{path}: and more; these are the first {_SHOWN}")
        super().__init__("\n".join(lines))

    def _line(self, problem: Problem) -> str:
        line = "" if problem.line is None else f":{problem.line}"
        return f"{self.path}{line}: {problem.at + ': ' if problem.at else ''}{problem.reason}"


def read_text(path: Path, error: type[FileError]) -> str:
    """Return the text of a file; raise ``error`` if it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            raise error(path, [Problem(None, "", f"is too large; permitted: {_MAX_FILE_BYTES} bytes")])
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as reason:
        raise error(path, [Problem(None, "", f"cannot be read: {reason.strerror}")]) from reason
    except UnicodeDecodeError as reason:
        raise error(path, [Problem(None, "", f"is not UTF-8 text (byte {reason.start})")]) from reason


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
