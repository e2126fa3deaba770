"""A log file read line by line: once as history, or followed through its rotations from a remembered position."""

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


@dataclass(frozen=True, slots=True)
class State:
    """What a follower has to remember."""

    position: Position
    #: Of the parser, as JSON.
    parser: dict[str, Any]
    #: The end of what stood in the log at the very beginning was not reached yet.
    history: bool


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


def read_lines(source: Path | Input, max_bytes: int = MAX_LINE_BYTES) -> Generator[Line]:
    """Yield every line of a file, also the last one when it has no line end; raise OSError.

    Of a line longer than ``max_bytes`` only so many are kept.
    """
    file = as_input(source)
    splitter = _Splitter(file.name, 0, 1, max_bytes)
    with contextlib.closing(file.chunks()) as chunks:
        for data in chunks:
            yield from splitter.feed(data)
    yield from splitter.unfinished()


class _Open:
    """One file being read, known by its inode and its beginning, whatever its name becomes."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.inode = os.fstat(self._descriptor).st_ino
        self._splitter = _Splitter(path.name, 0, 1)
        self._read_to = 0
        # Kept from what was read: the file may be emptied at any moment.
        self._head = b""

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def modified_ns(self) -> int:
        return os.fstat(self._descriptor).st_mtime_ns

    def holds(self, position: Position) -> bool:
        """Say whether a position was taken in this file, or in one that it is a copy of."""
        if not position.head_length:
            return self.inode == position.inode
        return self.size() >= position.offset and _digest(os.pread(self._descriptor, position.head_length, 0)) == position.head

    def seek(self, position: Position) -> None:
        """Go on reading from a position."""
        self._splitter = _Splitter(self._splitter.file, position.offset, position.line)
        self._read_to = position.offset
        self._head = os.pread(self._descriptor, min(HEAD_BYTES, position.offset), 0)

    def close(self) -> None:
        os.close(self._descriptor)

    def read(self) -> Iterator[tuple[Line, Position]]:
        """Yield the lines that came to stand in the file since the last call."""
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
        """Return the place after the last line."""
        offset = self._splitter.offset
        # Of whole lines only: the first digits of a time stand in many files.
        head = self._head[:offset]
        return Position(self.inode, offset, self._splitter.line, len(head), _digest(head))

    def was_replaced(self) -> bool:
        """Say whether the file was emptied, and perhaps filled again, under the same inode."""
        if self.size() < self._read_to:
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
        # What is read after the file, open already: its name may be another's by then.
        self._next: _Open | None = None
        #: How often lines may have been missed: the rest of a rotated file was not found.
        self.gaps = 0

    def close(self) -> None:
        """Let go of the file."""
        for file in (self._file, self._next):
            if file is not None:
                file.close()
        self._file = self._next = None

    def where(self) -> Position | None:
        """Return the place that ``poll`` goes on from, None if there is no file yet; raise OSError."""
        if self._file is None:
            self._file = self._resume()
        return None if self._file is None else self._file.where()

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
            if self._next is None:
                self._next = self._successor(file)
            yield from file.read()
            if self._next is None:
                return
            yield from file.finish()
            file.close()
            self._file, self._next = self._next, None

    def _resume(self) -> _Open | None:
        """Open the file that the position is in, whatever it is called now; None if there is no file yet."""
        start = self._start
        if start is None:
            return _opened(self.path)
        files = self._files()
        found = _place(files, start)
        if found is not None:
            found.seek(start)
        _close(files, keep=found)
        if found is None and (found := _opened(self.path)) is not None:
            self.gaps += 1
            logger.error(
                "The rest of the rotated log was not found beside the new one: lines may be missing. file=%s offset=%d",
                self.path,
                start.offset,
            )
        if found is not None:
            self._start = None
        return found

    def _successor(self, file: _Open) -> _Open | None:
        """Open the file to read after this one; None while this one may still grow.

        Asterisk goes on writing into the renamed file until it is told to reopen its logs; the first line in the
        new one says that it did.
        """
        try:
            if self.path.stat().st_ino == file.inode:
                return None
            newest_is_there = True
        except FileNotFoundError:
            newest_is_there = False
        files = self._files()
        place = _place(files, file.where())
        # One that is not found was compressed or removed: its rest comes through the open descriptor, and the log is next.
        begin = files.index(place) + 1 if place is not None else len(files) - newest_is_there
        successor = next((each for each in files[begin:] if each.size()), None)
        _close(files, keep=successor)
        return successor

    def _files(self) -> list[_Open]:
        """Open the log and what was rotated away, the oldest first, whatever is renamed meanwhile."""
        # The log first: renamed a moment later, it is met again among the others and not missed.
        newest = _opened(self.path)
        found: dict[int, _Open] = {}
        for path in self.path.parent.iterdir():
            if path.name.startswith((f"{self.path.name}.", f"{self.path.name}-")) and path.suffix not in _NOT_A_LOG and path.is_file():
                file = _opened(path)
                if file is not None and file.inode not in found and (newest is None or file.inode != newest.inode):
                    found[file.inode] = file
                elif file is not None:
                    file.close()
        return sorted(found.values(), key=_Open.modified_ns) + ([newest] if newest is not None else [])


def _close(files: list[_Open], keep: _Open | None) -> None:
    for file in files:
        if file is not keep:
            file.close()


def _place(files: list[_Open], position: Position) -> _Open | None:
    """Return the file that a position was taken in, else a copy of it."""
    holding = [file for file in files if file.holds(position)]
    return next((file for file in holding if file.inode == position.inode), holding[0] if holding else None)


def _opened(path: Path) -> _Open | None:
    try:
        return _Open(path)
    except FileNotFoundError:
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def load_state(path: Path) -> State | None:
    """Return what a state file holds, None if there is no file.

    Raises:
        StateFileError: it cannot be read or is not ours.
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
