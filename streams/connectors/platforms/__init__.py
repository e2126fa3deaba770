"""The platforms: one file each, whose ``CONNECTOR`` says all of it; what is in this folder is all that there is."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.connectors.kit.model import Connector

__all__ = ["connector", "names"]


@cache
def names() -> tuple[str, ...]:
    """Return the names of all connectors, in order; nothing of them is imported."""
    return tuple(sorted(each.name.replace("_", "-") for each in iter_modules(__path__)))


def connector(name: str) -> Connector:
    """Return a connector by its name; raise KeyError for one that is not there."""
    if name not in names():
        raise KeyError(name)
    found: Connector = import_module(f"{__name__}.{name.replace('-', '_')}").CONNECTOR
    return found
