"""How platforms are followed live: what holds a connection to one, or asks it. What its words mean stands in `platforms`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.connectors.pull.model import Pull

__all__ = ["pull_of"]


def pull_of(name: str) -> Pull | None:
    """Return how a platform is asked, None for one that is not.

    Raises:
        ModuleNotFoundError: a library that it needs is not installed.
    """
    module = f"{__name__}.{name.replace('-', '_')}"
    try:
        found: Pull | None = getattr(import_module(module), "PULL", None)
    except ModuleNotFoundError as error:
        if error.name == module:
            return None
        raise
    return found
