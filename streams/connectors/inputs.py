"""Files that are read once, from beginning to end: plain, compressed by gzip, or on standard input."""

from __future__ import annotations

import gzip
import sys
import zlib
from contextlib import contextmanager, nullcontext
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, cast

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

__all__ = ["STANDARD_INPUT", "Input", "as_input"]

#: The name of standard input, as with other commands.
STANDARD_INPUT: Final = "-"

_GZIP: Final = b"\x1f\x8b"
#: Bytes read at a time.
_READ_BYTES: Final = 256 * 1024


class Input:
    """A file that is read once. Its first bytes decide whether it is compressed, not its name."""

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is opened yet."""
        self.path = path
        self._raw: BinaryIO | None = None
        #: Whether there was nothing in it when it was opened.
        self.is_empty = False

    @property
    def name(self) -> str:
        """The file's name in locations."""
        return "stdin" if self.is_standard_input else self.path.name

    @property
    def is_standard_input(self) -> bool:
        """Whether it is standard input."""
        return str(self.path) == STANDARD_INPUT

    @property
    def size_bytes(self) -> int | None:
        """The size of the file on disk; None where it is unknown, as of a pipe. Raises OSError."""
        if self.is_standard_input or not self.path.is_file():
            return None
        return self.path.stat().st_size

    @property
    def position_bytes(self) -> int:
        """How many bytes of ``size_bytes`` have been read."""
        return 0 if self._raw is None or not self._raw.seekable() else self._raw.tell()

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """Yield the open file; raise OSError."""
        if self.is_standard_input and sys.stdin.isatty():
            raise OSError(0, "is a terminal: pipe a file into it", "stdin")
        with nullcontext(sys.stdin.buffer) if self.is_standard_input else self.path.open("rb") as raw:
            self._raw = raw
            begin = cast("Any", raw).peek(len(_GZIP))[: len(_GZIP)]
            self.is_empty, packed = not begin, begin == _GZIP
            try:
                yield cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if packed else raw)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                message = f"the gzip data is damaged or ends too early ({error}): the content before was read"
                raise OSError(0, message, self.name) from error
            finally:
                self._raw = None

    def chunks(self) -> Generator[bytes]:
        """Yield the content of the file in chunks; raise OSError.

        A caller that reads only a part has to close the generator: the file is open until then.
        """
        with self.opened() as file:
            while data := file.read(_READ_BYTES):
                yield data


def as_input(source: Path | Input) -> Input:
    """Return the input of a file or its path."""
    return source if isinstance(source, Input) else Input(source)
