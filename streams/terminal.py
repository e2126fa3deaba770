"""What commands print, without anything that a terminal would obey."""

from __future__ import annotations

import io
from typing import IO, Any

from schemas.visible import harmless

__all__ = ["Harmless"]


class Harmless(io.TextIOBase):
    """A stream of text in front of another one; bytes written to its ``buffer`` pass as they are."""

    def __init__(self, stream: IO[str]) -> None:
        """Write to ``stream``."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text; a line may be begun anew, as what is counted up is shown."""
        inner = text.strip("\r")
        begin, _, end = text.partition(inner) if inner else ("", "", text)
        self._stream.write(f"{begin}{harmless(inner)}{end}")
        return len(text)

    def flush(self) -> None:
        """Pass on what is buffered."""
        self._stream.flush()

    def fileno(self) -> int:
        """Return that of the other stream."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Say whether the other stream is a terminal."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """Say that it takes text."""
        return True

    def close(self) -> None:
        """Leave the other stream open: it is not ours."""

    def __getattr__(self, name: str) -> Any:
        """Return what else the other stream has, such as its ``buffer``."""
        return getattr(self._stream, name)
