"""A file that may change under a running process: when a changed text is judged; callers pass the time."""

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
    """A change of a file: its text, or why it cannot be read."""

    text: str | None
    failure: FileError | None


class WatchedText:
    """The text of a file. A changed one is judged once two polls have read the same, so that no half-written file is."""

    def __init__(self, path: Path, error: type[FileError], text: str | None = None) -> None:
        """Begin with a text, or with that of the file; raise ``error`` if it cannot be read."""
        self.path = path
        self._error = error
        self._stamp: _Stamp = None
        if text is None:
            self._stamp = self._stamp_now()
            text = read_text(path, error)
        self.first = text
        self._seen: str | None = text
        self._judged: str | None = text

    def poll(self, *, at_once: bool = False) -> Changed | None:
        """Return a change to judge, once; ``at_once`` skips the second poll: the operator stated that the file is ready."""
        stamp = self._stamp_now()
        if stamp == self._stamp and self._seen == self._judged and not at_once:
            return None
        change = self._read()
        is_stable = change.text == self._seen
        self._stamp, self._seen = stamp, change.text
        if not at_once and (not is_stable or change.text == self._judged):
            return None
        self._judged = change.text
        return change

    def _read(self) -> Changed:
        try:
            return Changed(read_text(self.path, self._error), None)
        except self._error as failure:
            return Changed(None, failure)

    def _stamp_now(self) -> _Stamp:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


class WatchedFile(Generic[F]):
    """A file that may change under a running process, which continues with the last valid one.

    Args:
        path: of the file.
        now_ms: the time.
        what: its name, such as ``senders``.
        error: raised if it cannot be used.
        parse: returns the content from path and text; raises ``error``.
        names: returns the names in the content.

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
        #: Short hashes of exactly the active text, and of the one before; None before the first change.
        self.text_hash: str = _hash(self._text.first)
        self.text_hash_before: str | None = None
        #: When the active content was applied.
        self.since_ms = now_ms
        #: When a change of the file was last applied or refused.
        self.changed_ms = now_ms
        self.valid = True

    @property
    def status(self) -> str:
        """The status on the health page."""
        runs = f"using {len(self._names(self.running))} {self._what} of {format_ms(self.since_ms)}"
        return runs if self.valid else f"refused, {runs}"

    def poll(self, now_ms: int, *, at_once: bool = False) -> F | None:
        """Check the file for a change; return the content to use from now on, and log a refused one once."""
        change = self._text.poll(at_once=at_once)
        if change is None:
            return None
        self.changed_ms = now_ms
        try:
            if change.text is None:
                raise change.failure or self._error(self.path, [Problem(None, "", "cannot be read")])
            content = self._parse(self.path, change.text)
        except FileError as error:
            self.valid = False
            message = f"The changed {self._what} file is refused; continuing with that of {format_ms(self.since_ms)}."
            logger.error("%s\n%s", message, error)  # noqa: TRY400 - the message is for the operator, a traceback would not help
            return None
        self.valid = True
        self.running, self.since_ms = content, now_ms
        self.text_hash_before, self.text_hash = self.text_hash, _hash(change.text)
        logger.info("The changed %s file is in force. %s=%s", self._what, self._what, ", ".join(sorted(self._names(content))))
        return content
