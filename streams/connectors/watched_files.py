"""The senders and connectors files of a running gateway: the content in force, and changes since; the caller polls."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.configuration.connectors import ConnectorsError
from streams.configuration.senders import SendersError, SendersFile, parse_senders
from streams.configuration.watched import WatchedFile
from streams.connectors.configured import Configured, read_connectors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Changes", "WatchedConnectors", "WatchedFiles", "WatchedSenders"]


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
    """The files in force from now on; None for one that did not change."""

    senders: SendersFile | None
    connectors: dict[str, Configured] | None


class WatchedFiles:
    """Both files of a gateway, polled together."""

    def __init__(self, senders: WatchedSenders | None, connectors: WatchedConnectors | None) -> None:
        self.senders = senders
        self.connectors = connectors
        self._files = [file for file in (senders, connectors) if file is not None]

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self._files)

    @property
    def valid(self) -> bool:
        """Whether all files are valid as they are."""
        return all(file.valid for file in self._files)

    @property
    def changed_ms(self) -> int:
        """When a file was last found changed."""
        return max(file.changed_ms for file in self._files)

    @property
    def status(self) -> str:
        """A line for each file on the health page."""
        named = (("senders", self.senders), ("connectors", self.connectors))
        return "\n".join(f"{what}: {file.status}" for what, file in named if file is not None)

    def poll(self, now_ms: int, *, at_once: bool = False) -> Changes | None:
        """Poll each file; return the changes, None if there are none."""
        changes = Changes(
            None if self.senders is None else self.senders.poll(now_ms, at_once=at_once),
            None if self.connectors is None else self.connectors.poll(now_ms, at_once=at_once),
        )
        return None if changes == (None, None) else changes
