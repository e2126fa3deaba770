"""Read a log file line by line: once as history, or through its rotations from a stored position."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.inputs import as_input
from streams.connectors.lines import MAX_LINE_BYTES, Line

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from streams.connectors.inputs import Input

__all__ = ["Follower", "Position", "State", "StateFileError", "load_state", "read_lines", "replace_file", "save_state"]

logger = logging.getLogger(__name__)

#: The beginning that identifies a file: an inode is used again as soon as its file is gone.
HEAD_BYTES: Final = 1024

#: Suffixes of files beside a log that are no readable rotated log.
_NOT_A_LOG: Final = frozenset({".bz2", ".gz", ".state", ".tmp", ".xz", ".zst"})

#: Bytes read at a time.
_READ_BYTES: Final = 256 * 1024

_STATE_VERSION: Final = 1


class StateFileError(Exception):
    """The state file cannot be used; the message states which and what to do."""


@dataclass(frozen=True, slots=True)
class Position:
    """The position after the last line that was published."""

    inode: int
    #: Byte offset of the next line, and its number counted from 1.
    offset: int
    line: int
    #: Hash of the first ``head_length`` bytes of the file, all of them before ``offset``.
    head_length: int
    head: str


@dataclass(frozen=True, slots=True)
class State:
    """What a follower stores."""

    position: Position
    #: Of the parser, as JSON.
    parser: dict[str, Any]
    #: Whether the follower still reads the content from before its first start.
    history: bool


class _Splitter:
    """Splits bytes into lines; holds at most one line, of bounded size."""

    def __init__(self, file: str, offset: int, line: int, max_bytes: int = MAX_LINE_BYTES) -> None:
        self.file = file
        self._max_bytes = max_bytes
        self.offset = offset
        self.line = line
        self._partial = bytearray()
        # Dropped bytes of a line that is too long.
        self._dropped = 0

    def feed(self, data: bytes) -> Iterator[Line]:
        """Append bytes; yield the lines that they complete."""
        *complete, partial = data.split(b"\n")
        for part in complete:
            self._append(part)
            yield self._cut(line_end=1)
        self._append(partial)

    def unfinished(self) -> Iterator[Line]:
        """Yield the text after the last line end, if there is any: the file will not grow any more."""
        if self._partial:
            yield self._cut(line_end=0)

    def _append(self, part: bytes) -> None:
        room = self._max_bytes - len(self._partial)
        self._partial += part[:room]
        self._dropped += max(0, len(part) - room)

    def _cut(self, line_end: int) -> Line:
        length = len(self._partial) + self._dropped
        end = self.offset + length + line_end
        line = Line(bytes(self._partial), self.file, self.line, self.offset, end, length)
        self._partial.clear()
        self._dropped = 0
        self.offset, self.line = end, self.line + 1
        return line


def read_lines(source: Path | Input, max_bytes: int = MAX_LINE_BYTES) -> Generator[Line]:
    """Yield every line of a file, also the last one when it has no line end; raise OSError.

    A longer line is cut to ``max_bytes``.
    """
    file = as_input(source)
    splitter = _Splitter(file.name, 0, 1, max_bytes)
    with contextlib.closing(file.chunks()) as chunks:
        for data in chunks:
            yield from splitter.feed(data)
    yield from splitter.unfinished()


class _OpenFile:
    """One file being read, identified by its inode and its beginning, whatever its name becomes."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.inode = os.fstat(self._descriptor).st_ino
        self._splitter = _Splitter(path.name, 0, 1)
        self._read_to = 0
        # Of what was read: the file may be emptied at any moment.
        self._head = b""

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def modified_ns(self) -> int:
        return os.fstat(self._descriptor).st_mtime_ns

    def holds(self, position: Position) -> bool:
        """Return whether a position is of this file, or of one that it is a copy of."""
        if not position.head_length:
            return self.inode == position.inode
        return self.size() >= position.offset and _digest(os.pread(self._descriptor, position.head_length, 0)) == position.head

    def seek(self, position: Position) -> None:
        """Continue from a position."""
        self._splitter = _Splitter(self._splitter.file, position.offset, position.line)
        self._read_to = position.offset
        self._head = os.pread(self._descriptor, min(HEAD_BYTES, position.offset), 0)

    def close(self) -> None:
        os.close(self._descriptor)

    def read(self) -> Iterator[tuple[Line, Position]]:
        """Yield the lines written since the last call."""
        while data := os.pread(self._descriptor, _READ_BYTES, self._read_to):
            self._read_to += len(data)
            if len(self._head) < HEAD_BYTES:
                self._head += data[: HEAD_BYTES - len(self._head)]
            for line in self._splitter.feed(data):
                yield line, self.where()

    def finish(self) -> Iterator[tuple[Line, Position]]:
        """Yield the last line if it has no line end."""
        for line in self._splitter.unfinished():
            yield line, self.where()

    def where(self) -> Position:
        """Return the position after the last line."""
        offset = self._splitter.offset
        # Of complete lines only: the first digits of a time are those of many files.
        head = self._head[:offset]
        return Position(self.inode, offset, self._splitter.line, len(head), _digest(head))

    def was_replaced(self) -> bool:
        """Return whether the file was emptied, and perhaps filled again, under the same inode."""
        if self.size() < self._read_to:
            return True
        return os.pread(self._descriptor, len(self._head), 0) != self._head


class Follower:
    """Reads a file as it grows, and what replaces it.

    It follows both kinds of rotation: the file is renamed and a new one created in its place, or it is copied and
    emptied. Lines not read before the rotation are read from the rotated file, as long as that is a neighbor
    ``NAME.*`` or ``NAME-*`` that is not compressed.

    ``poll`` never waits. A line without its line end is held back until it has one, or until its file is no longer
    the one that grows.
    """

    def __init__(self, path: Path, position: Position | None = None) -> None:
        self.path = path
        self._start = position
        self._file: _OpenFile | None = None
        # The file to read next, open already: its name may be another's by then.
        self._next: _OpenFile | None = None
        #: How often lines may have been missed: the remaining part of a rotated file was not found.
        self.gaps = 0

    def close(self) -> None:
        """Close the files."""
        for file in (self._file, self._next):
            if file is not None:
                file.close()
        self._file = self._next = None

    def where(self) -> Position | None:
        """Return the position from which ``poll`` continues, None if there is no file yet; raise OSError."""
        if self._file is None:
            self._file = self._resume()
        return None if self._file is None else self._file.where()

    def poll(self) -> Iterator[tuple[Line, Position]]:
        """Yield each line there is, with the position to store once it is published; raise OSError."""
        if self._file is None:
            self._file = self._resume()
        while (file := self._file) is not None:
            if file.was_replaced():
                self._start = file.where()
                self.close()
                self._file = self._resume()
                continue
            # Before reading: what is written to a file before another one replaces it is then read.
            if self._next is None:
                self._next = self._successor(file)
            yield from file.read()
            if self._next is None:
                return
            yield from file.finish()
            file.close()
            self._file, self._next = self._next, None

    def _resume(self) -> _OpenFile | None:
        """Open the file of the position, whatever its name is now; None if there is no file yet."""
        start = self._start
        if start is None:
            return _opened(self.path)
        files = self._files()
        file = _file_at(files, start)
        if file is not None:
            file.seek(start)
        _close(files, keep=file)
        if file is None and (file := _opened(self.path)) is not None:
            self.gaps += 1
            logger.error(
                "The remaining part of the rotated log was not found beside the new one: lines may be missing. file=%s offset=%d",
                self.path,
                start.offset,
            )
        if file is not None:
            self._start = None
        return file

    def _successor(self, file: _OpenFile) -> _OpenFile | None:
        """Open the file to read after this one; None while this one may still grow.

        Asterisk writes to the renamed file until it reopens its logs; the first line in the new one shows that it did.
        """
        try:
            if self.path.stat().st_ino == file.inode:
                return None
            newest_is_there = True
        except FileNotFoundError:
            newest_is_there = False
        files = self._files()
        same = _file_at(files, file.where())
        # A file that is not found was compressed or removed: its open descriptor still reads it, and the log is next.
        begin = files.index(same) + 1 if same is not None else len(files) - newest_is_there
        successor = next((later for later in files[begin:] if later.size()), None)
        _close(files, keep=successor)
        return successor

    def _files(self) -> list[_OpenFile]:
        """Open the log and its rotated files, the oldest first, whatever is renamed meanwhile."""
        # The log first: renamed a moment later, it appears again among the others and is not missed.
        newest = _opened(self.path)
        rotated: dict[int, _OpenFile] = {}
        for path in self.path.parent.iterdir():
            if path.name.startswith((f"{self.path.name}.", f"{self.path.name}-")) and path.suffix not in _NOT_A_LOG and path.is_file():
                file = _opened(path)
                if file is not None and file.inode not in rotated and (newest is None or file.inode != newest.inode):
                    rotated[file.inode] = file
                elif file is not None:
                    file.close()
        return sorted(rotated.values(), key=_OpenFile.modified_ns) + ([newest] if newest is not None else [])


def _close(files: list[_OpenFile], keep: _OpenFile | None) -> None:
    for file in files:
        if file is not keep:
            file.close()


def _file_at(files: list[_OpenFile], position: Position) -> _OpenFile | None:
    """Return the file of a position, else a copy of it."""
    holding = [file for file in files if file.holds(position)]
    return next((file for file in holding if file.inode == position.inode), holding[0] if holding else None)


def _opened(path: Path) -> _OpenFile | None:
    try:
        return _OpenFile(path)
    except FileNotFoundError:
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def load_state(path: Path) -> State | None:
    """Return what a state file holds, None if there is no file.

    Raises:
        StateFileError: it cannot be read or is of another program.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != _STATE_VERSION:
            message = f"{path}: has version {data['version']}, this program knows {_STATE_VERSION}"
            raise StateFileError(message)
        return State(Position(**data["position"]), data["parser"], data["history"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        message = f"{path}: is no state file of this program ({type(error).__name__}). Remove it to read the log from its beginning."
        raise StateFileError(message) from error


def save_state(path: Path, state: State) -> None:
    """Replace the state file in one step, durable when this returns; raise OSError."""
    replace_file(path, json.dumps({"version": _STATE_VERSION, **asdict(state)}))


def replace_file(path: Path, data: str) -> None:
    """Replace a file in one step, durable when this returns; raise OSError."""
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
