"""How platforms are followed live: what holds a connection to one, or asks it. What its words mean stands in `platforms`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streams.connectors.connection.model import Connection
    from streams.connectors.pull.model import Pull

__all__ = ["connection_of", "pull_of"]


def pull_of(name: str) -> Pull | None:
    """Return how a platform is asked, None for one that is not.

    Raises:
        ModuleNotFoundError: a library that it needs is not installed.
    """
    found: Pull | None = _named(name, "PULL")
    return found


def connection_of(name: str) -> Connection | None:
    """Return how a platform is followed over a connection, None for one that is not.

    Raises:
        ModuleNotFoundError: a library that it needs is not installed.
    """
    found: Connection | None = _named(name, "CONNECTION")
    return found


def _named(name: str, value: str) -> Any:
    module = f"{__name__}.{name.replace('-', '_')}"
    try:
        return getattr(import_module(module), value, None)
    except ModuleNotFoundError as error:
        if error.name == module:
            return None
        raise
