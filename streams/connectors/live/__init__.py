"""How to follow platforms live: by a held connection, or by polling. The translation of their records is in `platforms`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streams.connectors.connection.model import Connection
    from streams.connectors.pull.model import Pull

__all__ = ["connection_of", "pull_of"]


def pull_of(name: str) -> Pull | None:
    """Return how to poll a platform, None for one that is not polled.

    Raises:
        ModuleNotFoundError: a library that it needs is not installed.
    """
    pull: Pull | None = _named(name, "PULL")
    return pull


def connection_of(name: str) -> Connection | None:
    """Return how to follow a platform over a connection, None for one that has none.

    Raises:
        ModuleNotFoundError: a library that it needs is not installed.
    """
    connection: Connection | None = _named(name, "CONNECTION")
    return connection


def _named(name: str, value: str) -> Any:
    module = f"{__name__}.{name.replace('-', '_')}"
    try:
        return getattr(import_module(module), value, None)
    except ModuleNotFoundError as error:
        if error.name == module:
            return None
        raise
