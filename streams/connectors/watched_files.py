"""The senders and connectors files of a running gateway: what it goes by, and what became of them since; whoever looks says when."""

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
    """What is in force from now on; None for what did not change."""

    senders: SendersFile | None
    connectors: dict[str, Configured] | None


class WatchedFiles:
    """Both files of a gateway, looked at together."""

    def __init__(self, senders: WatchedSenders | None, connectors: WatchedConnectors | None) -> None:
        self.senders = senders
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
        named = (("senders", self.senders), ("connectors", self.connectors))
        return "\n".join(f"{what}: {each.standing}" for what, each in named if each is not None)

    def look(self, now_ms: int, *, at_once: bool = False) -> Changes | None:
        """Look at each; return what changed, None if nothing did."""
        changes = Changes(
            None if self.senders is None else self.senders.look(now_ms, at_once=at_once),
            None if self.connectors is None else self.connectors.look(now_ms, at_once=at_once),
        )
        return None if changes == (None, None) else changes
