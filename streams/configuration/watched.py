"""A file that may change under a running process: when a changed text is to be judged; whoever looks says when."""

from __future__ import annotations

import logging
from hashlib import sha256
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from schemas.times import format_ms
from streams.configuration.problems import FileError, Problem, read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path


__all__ = ["Changed", "WatchedFile", "WatchedText"]

logger = logging.getLogger(__name__)

F = TypeVar("F")

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


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


class WatchedFile(Generic[F]):
    """A file that may change under a running process, which goes on with the last one that was valid.

    Args:
        path: of the file.
        now_ms: the time.
        what: it is called, such as ``senders``.
        error: raised where it cannot be used.
        parse: from path and text to what it says; raises ``error``.
        names: of what stands in it.

    Raises:
        FileError: it cannot be used.
    """

    def __init__(
        self,
        path: Path,
        now_ms: int,
        what: str,
        error: type[FileError],
        parse: Callable[[Path, str], F],
        names: Callable[[F], Collection[str]],
    ) -> None:
        self.path = path
        self._what, self._error, self._parse, self._names = what, error, parse, names
        self._text = WatchedText(path, error)
        self.running: F = parse(path, self._text.first)
        #: short names for exactly the text that is in force, and for the one before; None before the first change
        self.text_hash: str = _hash(self._text.first)
        self.text_hash_before: str | None = None
        #: when what is in force was taken up
        self.since_ms = now_ms
        #: when the file was last found to be another: taken up or refused
        self.changed_ms = now_ms
        self.valid = True

    @property
    def standing(self) -> str:
        """What the health page says of it."""
        runs = f"going by {len(self._names(self.running))} {self._what} of {format_ms(self.since_ms)}"
        return runs if self.valid else f"refused, {runs}"

    def look(self, now_ms: int, *, at_once: bool = False) -> F | None:
        """Look whether the file has changed; return what is in force from now on, and log once what is refused."""
        found = self._text.look(at_once=at_once)
        if found is None:
            return None
        self.changed_ms = now_ms
        try:
            if found.text is None:
                raise found.failure or self._error(self.path, [Problem(None, "", "cannot be read")])
            read = self._parse(self.path, found.text)
        except FileError as error:
            self.valid = False
            said = f"The changed {self._what} file is refused; going by that of {format_ms(self.since_ms)}."
            logger.error("%s\n%s", said, error)  # noqa: TRY400 - what is wrong is said, where in our code it was found helps nobody
            return None
        self.valid = True
        self.running, self.since_ms = read, now_ms
        self.text_hash_before, self.text_hash = self.text_hash, _hash(found.text)
        logger.info("The changed %s file is in force. %s=%s", self._what, self._what, ", ".join(sorted(self._names(read))))
        return read
