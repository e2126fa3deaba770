"""What is wrong with a file, said so that somebody finds it: file, line, place, reason and what is permitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["FileError", "Problem", "read_text"]


class Problem(NamedTuple):
    """One thing that is wrong; ``line`` is None where it is the file as a whole, ``at`` empty where it is no key."""

    line: int | None
    at: str
    reason: str


class FileError(Exception):
    """A file cannot be used; each line of the message names file, line and reason."""

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        self.path = path
        self.problems = sorted(set(problems), key=lambda each: (each.line or 0, each.at, each.reason))
        super().__init__("\n".join(self._said(each) for each in self.problems))

    def _said(self, problem: Problem) -> str:
        line = "" if problem.line is None else f":{problem.line}"
        return f"{self.path}{line}: {problem.at + ': ' if problem.at else ''}{problem.reason}"


def read_text(path: Path, error: type[FileError]) -> str:
    """Return the text of a file; raise ``error`` if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as reason:
        raise error(path, [Problem(None, "", f"cannot be read: {reason.strerror}")]) from reason
    except UnicodeDecodeError as reason:
        raise error(path, [Problem(None, "", f"is not UTF-8 text (byte {reason.start})")]) from reason
