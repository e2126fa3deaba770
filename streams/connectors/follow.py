"""A log file read line by line: once as history, or followed through its rotations from a remembered position."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.lines import MAX_LINE_BYTES, Line

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Follower", "Position", "StateFileError", "load_state", "read_lines", "save_state"]

logger = logging.getLogger(__name__)

#: How much of a file's beginning tells it from others: an inode is used again as soon as its file is gone.
HEAD_BYTES: Final = 1024

#: Bytes read at a time.
_READ_BYTES: Final = 256 * 1024

_STATE_VERSION: Final = 1


class StateFileError(Exception):
    """The state file cannot be used; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Position:
    """The place after the last line that was dealt with."""

    inode: int
    #: Byte offset of the next line, and its number counted from 1.
    offset: int
    line: int
    #: Hash of the first ``head_length`` bytes of the file, all of them before ``offset``.
    head_length: int
    head: str


class _Splitter:
    """Cuts what is read into lines; holds at most one line, of bounded size."""

    def __init__(self, file: str, offset: int, line: int) -> None:
        self.file = file
        self.offset = offset
        self.line = line
        self._rest = bytearray()
        # Bytes of an over-long line that are already dropped.
        self._dropped = 0

    def feed(self, data: bytes) -> Iterator[Line]:
        """Take bytes that follow the ones before; yield the lines that they complete."""
        *complete, rest = data.split(b"\n")
        for part in complete:
            self._keep(part)
            yield self._cut(line_end=1)
        self._keep(rest)

    def unfinished(self) -> Iterator[Line]:
        """Yield what stands after the last line end, if anything does: the file will not grow any more."""
        if self._rest:
            yield self._cut(line_end=0)

    def _keep(self, part: bytes) -> None:
        room = MAX_LINE_BYTES - len(self._rest)
        self._rest += part[:room]
        self._dropped += max(0, len(part) - room)

    def _cut(self, line_end: int) -> Line:
        length = len(self._rest) + self._dropped
        end = self.offset + length + line_end
        line = Line(bytes(self._rest), self.file, self.line, self.offset, end, length)
        self._rest.clear()
        self._dropped = 0
        self.offset, self.line = end, self.line + 1
        return line


def read_lines(path: Path) -> Iterator[Line]:
    """Yield every line of a file, also the last one when it has no line end; raise OSError."""
    splitter = _Splitter(path.name, 0, 1)
    with path.open("rb", buffering=0) as file:
        while data := file.read(_READ_BYTES):
            yield from splitter.feed(data)
    yield from splitter.unfinished()


class _Open:
    """One file being read, known by its inode and its beginning, whatever its name becomes."""

    def __init__(self, path: Path, position: Position | None, name: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.inode = os.fstat(self._descriptor).st_ino
        self.splitter = _Splitter(name, position.offset if position else 0, position.line if position else 1)
        self._read_to = self.splitter.offset
        self._head = (position.head_length, position.head) if position else (0, _digest(b""))

    def close(self) -> None:
        os.close(self._descriptor)

    def read(self) -> Iterator[Line]:
        """Yield the lines that came to stand in the file since the last call."""
        while data := os.pread(self._descriptor, _READ_BYTES, self._read_to):
            self._read_to += len(data)
            yield from self.splitter.feed(data)

    def position_after(self, line: Line) -> Position:
        length = self._head[0]
        if length < HEAD_BYTES and line.end > length:
            length = min(HEAD_BYTES, line.end)
            self._head = (length, _digest(os.pread(self._descriptor, length, 0)))
        return Position(self.inode, line.end, line.number + 1, *self._head)

    def was_replaced(self) -> bool:
        """Say whether the file was emptied, and perhaps filled again, under the same inode."""
        if os.fstat(self._descriptor).st_size < self._read_to:
            return True
        length, head = self._head
        return _digest(os.pread(self._descriptor, length, 0)) != head


class Follower:
    """Reads a file as it grows, and what replaces it.

    Both ways of rotating are followed: the file is renamed and a new one made in its place, or it is copied and
    emptied. Lines that were not read before the rotation are read from where they went, as long as that is a
    neighbor ``NAME.*`` or ``NAME-*`` that is not compressed.

    ``poll`` never waits. A line without its line end is held back until it has one, or until its file is no longer
    the one that grows.
    """

    def __init__(self, path: Path, position: Position | None = None) -> None:
        self.path = path
        self._start = position
        self._file: _Open | None = None
        #: How often lines may have been missed: the rest of a rotated file was not found.
        self.gaps = 0

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def poll(self) -> Iterator[tuple[Line, Position]]:
        """Yield each line there is, with the position to remember once it is dealt with; raise OSError."""
        if self._file is None:
            yield from self._resume()
        while self._file is not None:
            file = self._file
            if file.was_replaced():
                yield from self._after_truncation(file)
                continue
            # Asked before reading: what is written to the old file after that no longer comes.
            moved_on = self._moved_on(file.inode)
            yield from self._drain(file)
            if not moved_on:
                return
            yield from self._finish(file)
            file.close()
            self._file = self._opened(None)

    def _drain(self, file: _Open) -> Iterator[tuple[Line, Position]]:
        for line in file.read():
            yield line, file.position_after(line)

    def _finish(self, file: _Open) -> Iterator[tuple[Line, Position]]:
        for line in file.splitter.unfinished():
            yield line, file.position_after(line)

    def _opened(self, position: Position | None) -> _Open | None:
        try:
            return _Open(self.path, position, self.path.name)
        except FileNotFoundError:
            return None

    def _moved_on(self, inode: int) -> bool:
        """Say whether another file has taken the place and been written to.

        Asterisk goes on writing into the renamed file until it is told to reopen its logs; the first line in the
        new one says that it did.
        """
        try:
            now = self.path.stat()
        except FileNotFoundError:
            return False
        return now.st_ino != inode and now.st_size > 0

    def _resume(self) -> Iterator[tuple[Line, Position]]:
        """Open the file where the last run ended, reading first what was rotated away since."""
        start, self._start = self._start, None
        if start is None:
            self._file = self._opened(None)
            return
        file = self._opened(start)
        if file is None and not self._neighbors():
            self._start = start
            return
        if file is not None and file.inode == start.inode and not file.was_replaced():
            self._file = file
            return
        if file is not None:
            file.close()
        yield from self._rotated(start)
        self._file = self._opened(None)

    def _after_truncation(self, file: _Open) -> Iterator[tuple[Line, Position]]:
        """Read what the copy has beyond the last line, then begin the emptied file anew."""
        splitter = file.splitter
        length, head = file._head  # noqa: SLF001 - one class in two parts
        file.close()
        self._file = None
        if splitter.offset:
            yield from self._rotated(Position(file.inode, splitter.offset, splitter.line, length, head))
        self._file = self._opened(None)

    def _rotated(self, start: Position) -> Iterator[tuple[Line, Position]]:
        """Yield the rest of the file that the position is in, and all of those made after it."""
        neighbors = self._neighbors()
        found = next((i for i, neighbor in enumerate(neighbors) if _is_file_of(neighbor, start)), None)
        if found is None:
            self.gaps += 1
            logger.error(
                "The rest of the rotated log was not found beside the new one: lines may be missing. file=%s offset=%d",
                self.path,
                start.offset,
            )
            return
        for position, path in zip([start, *[None] * len(neighbors)], neighbors[found:], strict=False):
            file = _Open(path, position, path.name)
            try:
                yield from self._drain(file)
                yield from self._finish(file)
            finally:
                file.close()

    def _neighbors(self) -> list[Path]:
        """Return the rotated files, the oldest first."""
        names = (entry for entry in self.path.parent.iterdir() if entry.name.startswith((f"{self.path.name}.", f"{self.path.name}-")))
        stats = []
        for path in names:
            with contextlib.suppress(OSError):
                if path.is_file() and path.suffix not in {".gz", ".bz2", ".xz", ".zst", ".state", ".tmp"}:
                    stats.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(stats)]


def _is_file_of(path: Path, position: Position) -> bool:
    """Say whether a file is, or is a copy of, the one that a position was taken in."""
    with contextlib.suppress(OSError), path.open("rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        if status.st_size < position.offset:
            return False
        if not position.head_length:
            return status.st_ino == position.inode
        return _digest(file.read(position.head_length)) == position.head
    return False


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def load_state(path: Path) -> tuple[Position, dict[str, Any]] | None:
    """Return the position and the parser's state from a state file, None if there is no file.

    Raises:
        StateFileError: it cannot be read or is not ours.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != _STATE_VERSION:
            message = f"{path}: has version {data['version']}, this program knows {_STATE_VERSION}"
            raise StateFileError(message)
        return Position(**data["position"]), data["parser"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{path}: is no state file of this program ({type(error).__name__}). Remove it to read the log from its beginning; nothing counts twice."
        raise StateFileError(message) from error


def save_state(path: Path, position: Position, parser: dict[str, Any]) -> None:
    """Replace the state file in one step, durable when this returns; raise OSError."""
    fields = {name: getattr(position, name) for name in Position.__slots__}
    data = json.dumps({"version": _STATE_VERSION, "position": fields, "parser": parser})
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)  # noqa: PTH105 - the name mkstemp gave
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108 - as above
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
