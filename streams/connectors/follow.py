"""A log file read line by line: once as history, or followed through its rotations from a remembered position."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import stat
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.lines import MAX_LINE_BYTES, Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Follower", "Position", "StateFileError", "load_state", "read_lines", "save_state"]

logger = logging.getLogger(__name__)

#: How much of a file's beginning tells it from others: an inode is used again as soon as its file is gone.
HEAD_BYTES: Final = 1024

#: Beside a log, but no rotated log that can be read.
_NOT_A_LOG: Final = frozenset({".bz2", ".gz", ".state", ".tmp", ".xz", ".zst"})

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

    def __init__(self, file: str, offset: int, line: int, max_bytes: int = MAX_LINE_BYTES) -> None:
        self.file = file
        self._max_bytes = max_bytes
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
        room = self._max_bytes - len(self._rest)
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


def read_lines(path: Path, max_bytes: int = MAX_LINE_BYTES) -> Iterator[Line]:
    """Yield every line of a file, also the last one when it has no line end; raise OSError.

    Of a line longer than ``max_bytes`` only so many are kept.
    """
    splitter = _Splitter(path.name, 0, 1, max_bytes)
    with path.open("rb", buffering=0) as file:
        while data := file.read(_READ_BYTES):
            yield from splitter.feed(data)
    yield from splitter.unfinished()


class _Open:
    """One file being read, known by its inode and its beginning, whatever its name becomes."""

    def __init__(self, path: Path, position: Position | None) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.inode = os.fstat(self._descriptor).st_ino
        self._splitter = _Splitter(path.name, position.offset if position else 0, position.line if position else 1)
        self._read_to = self._splitter.offset
        # Kept from what was read: the file may be emptied at any moment.
        self._head = os.pread(self._descriptor, min(HEAD_BYTES, self._read_to), 0)

    def close(self) -> None:
        os.close(self._descriptor)

    def read(self) -> Iterator[tuple[Line, Position]]:
        """Yield the lines that came to stand in the file since the last call."""
        while data := os.pread(self._descriptor, _READ_BYTES, self._read_to):
            self._read_to += len(data)
            if len(self._head) < HEAD_BYTES:
                self._head += data[: HEAD_BYTES - len(self._head)]
            for line in self._splitter.feed(data):
                yield line, self._position()

    def finish(self) -> Iterator[tuple[Line, Position]]:
        """Yield the last line if it has no line end."""
        for line in self._splitter.unfinished():
            yield line, self._position()

    def _position(self) -> Position:
        """Return the place after the last line."""
        offset = self._splitter.offset
        head = self._head[:offset]
        return Position(self.inode, offset, self._splitter.line, len(head), _digest(head))

    def where(self) -> Position | None:
        """Return the place after the last line, None if there was none."""
        return self._position() if self._splitter.offset else None

    def was_replaced(self) -> bool:
        """Say whether the file was emptied, and perhaps filled again, under the same inode."""
        if os.fstat(self._descriptor).st_size < self._read_to:
            return True
        return os.pread(self._descriptor, len(self._head), 0) != self._head


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
            self._file = self._resume()
        while (file := self._file) is not None:
            if file.was_replaced():
                self._start = file.where()
                self.close()
                self._file = self._resume()
                continue
            # Asked before reading: what is written to a file before another one takes its place is then read.
            successor = self._successor(file)
            yield from file.read()
            if successor is None:
                return
            yield from file.finish()
            self.close()
            self._file = _opened(successor, None)

    def _resume(self) -> _Open | None:
        """Open the file that the position is in, whatever it is called now; None if there is no file yet."""
        start = self._start
        if start is None:
            return _opened(self.path, None)
        for path in (self.path, *self._neighbors()):
            if _holds(path, start):
                self._start = None
                return _opened(path, start)
        file = _opened(self.path, None)
        if file is not None:
            self._start = None
            self.gaps += 1
            logger.error(
                "The rest of the rotated log was not found beside the new one: lines may be missing. file=%s offset=%d",
                self.path,
                start.offset,
            )
        return file

    def _successor(self, file: _Open) -> Path | None:
        """Return the file to read after this one, None while this one may still grow.

        Asterisk goes on writing into the renamed file until it is told to reopen its logs; the first line in the
        new one says that it did.
        """
        with contextlib.suppress(FileNotFoundError):
            now = self.path.stat()
            if now.st_ino == file.inode:
                return None
            # Several rotations may have passed while nobody read.
            neighbors, position = self._neighbors(), file.where()
            for index, path in enumerate(neighbors[:-1]):
                if _inode(path) == file.inode or (position is not None and _holds(path, position)):
                    return neighbors[index + 1]
            return self.path if now.st_size else None
        return None

    def _neighbors(self) -> list[Path]:
        """Return the rotated files, the oldest first."""
        found = []
        for path in self.path.parent.iterdir():
            if path.name.startswith((f"{self.path.name}.", f"{self.path.name}-")) and path.suffix not in _NOT_A_LOG:
                with contextlib.suppress(OSError):
                    status = path.stat()
                    if stat.S_ISREG(status.st_mode):
                        found.append((status.st_mtime_ns, path))
        return [path for _, path in sorted(found)]


def _opened(path: Path, position: Position | None) -> _Open | None:
    try:
        return _Open(path, position)
    except FileNotFoundError:
        return None


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _holds(path: Path, position: Position) -> bool:
    """Say whether a file is, or is a copy of, the one that a position was taken in."""
    with contextlib.suppress(OSError), path.open("rb", buffering=0) as file:
        return os.fstat(file.fileno()).st_size >= position.offset and _digest(file.read(position.head_length)) == position.head
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
        message = f"{path}: is no state file of this program ({type(error).__name__}). Remove it to read the log from its beginning."
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
