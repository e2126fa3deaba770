"""The senders and connectors files of a running gateway: what it goes by, and what became of them since; whoever looks says when."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from schemas.times import format_ms
from streams.configuration.connectors import ConnectorsError
from streams.configuration.problems import FileError, Problem
from streams.configuration.senders import SendersError, SendersFile, parse_senders
from streams.configuration.watched import WatchedText
from streams.connectors.configured import Configured, read_connectors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

__all__ = ["Changes", "WatchedConnectors", "WatchedFile", "WatchedFiles", "WatchedSenders"]

logger = logging.getLogger(__name__)

F = TypeVar("F")


class WatchedFile(Generic[F]):
    """A file that may change under a running gateway, which goes on with the last one that was valid.

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
        logger.info("The changed %s file is in force. %s=%s", self._what, self._what, ", ".join(sorted(self._names(read))))
        return read


class WatchedSenders(WatchedFile[SendersFile]):
    """The senders file."""

    def __init__(self, path: Path, now_ms: int) -> None:
        """Read the file; raise SendersError if it cannot be used."""
        super().__init__(path, now_ms, "senders", SendersError, parse_senders, lambda file: file.senders)


class WatchedConnectors(WatchedFile[dict[str, Configured]]):
    """The connectors file, with the secrets it names: those in files are read again when it changes."""

    def __init__(self, path: Path, now_ms: int, customer_key: Callable[[str], str] | None = None) -> None:
        """Read the file; raise ConnectorsError if it cannot be used."""
        super().__init__(
            path,
            now_ms,
            "connectors",
            ConnectorsError,
            lambda path, text: read_connectors(path, text, customer_key=customer_key, credentials=False),
            lambda connectors: connectors,
        )


class Changes(NamedTuple):
    """What is in force from now on; None for what did not change."""

    senders: SendersFile | None
    connectors: dict[str, Configured] | None


class WatchedFiles:
    """Both files of a gateway, looked at together."""

    def __init__(self, senders: WatchedSenders | None, connectors: WatchedConnectors | None) -> None:
        self._senders = senders
        self.connectors = connectors
        self._files = [each for each in (senders, connectors) if each is not None]

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return bool(self._files)

    @property
    def valid(self) -> bool:
        """Whether all of them can be used as they are."""
        return all(each.valid for each in self._files)

    @property
    def changed_ms(self) -> int:
        """When one was last found to be another."""
        return max(each.changed_ms for each in self._files)

    @property
    def standing(self) -> str:
        """What the health page says of them, a line each."""
        named = (("senders", self._senders), ("connectors", self.connectors))
        return "\n".join(f"{what}: {each.standing}" for what, each in named if each is not None)

    def look(self, now_ms: int, *, at_once: bool = False) -> Changes | None:
        """Look at each; return what changed, None if nothing did."""
        changes = Changes(
            None if self._senders is None else self._senders.look(now_ms, at_once=at_once),
            None if self.connectors is None else self.connectors.look(now_ms, at_once=at_once),
        )
        return None if changes == (None, None) else changes
