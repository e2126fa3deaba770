"""Output of commands without terminal control sequences."""

from __future__ import annotations

import io
from typing import IO, Any

from schemas.visible import harmless

__all__ = ["Harmless"]


class Harmless(io.TextIOBase):
    """A text stream that filters for another one; bytes written to its ``buffer`` pass unchanged."""

    def __init__(self, stream: IO[str]) -> None:
        """Write to ``stream``."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text; a carriage return may restart the line, as progress output does."""
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
        """Return whether the other stream is a terminal."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """Return True: it accepts text."""
        return True

    def close(self) -> None:
        """Leave the other stream open: this class does not own it."""

    def __getattr__(self, name: str) -> Any:
        """Return another attribute of the other stream, such as its ``buffer``."""
        return getattr(self._stream, name)
