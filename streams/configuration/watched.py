"""A file that may change under a running process: when a changed text is to be judged; whoever looks says when."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.configuration.problems import FileError, read_text

if TYPE_CHECKING:
    from pathlib import Path


__all__ = ["Changed", "WatchedText"]

_Stamp = tuple[int, int, int] | None


class Changed(NamedTuple):
    """What a file says now that it has changed: its text, or why there is none."""

    text: str | None
    failure: FileError | None


class WatchedText:
    """The text of a file. A changed one is judged when two looks have found the same, so that no half-written file is."""

    def __init__(self, path: Path, error: type[FileError], text: str | None = None) -> None:
        """Begin with a text, or with what the file says; raise ``error`` if it cannot be read."""
        self.path = path
        self._error = error
        self._stamp: _Stamp = None
        if text is None:
            self._stamp = self._stamp_now()
            text = read_text(path, error)
        self.first = text
        self._seen: str | None = text
        self._judged: str | None = text

    def look(self, *, at_once: bool = False) -> Changed | None:
        """Return what is to be judged, once; ``at_once`` takes what is there without a second look: somebody said that it is ready."""
        stamp = self._stamp_now()
        if stamp == self._stamp and self._seen == self._judged and not at_once:
            return None
        found = self._read()
        settled = found.text == self._seen
        self._stamp, self._seen = stamp, found.text
        if not at_once and (not settled or found.text == self._judged):
            return None
        self._judged = found.text
        return found

    def _read(self) -> Changed:
        try:
            return Changed(read_text(self.path, self._error), None)
        except self._error as failure:
            return Changed(None, failure)

    def _stamp_now(self) -> _Stamp:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
