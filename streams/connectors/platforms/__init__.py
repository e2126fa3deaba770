"""The platforms: one file each, which its ``CONNECTOR`` describes in full; this folder is the list of all."""

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
    """Return the names of all connectors, in order, without importing any."""
    return tuple(sorted(module.name.replace("_", "-") for module in iter_modules(__path__)))


def connector(name: str) -> Connector:
    """Return a connector by its name; raise KeyError for an unknown one."""
    if name not in names():
        raise KeyError(name)
    imported: Connector = import_module(f"{__name__}.{name.replace('-', '_')}").CONNECTOR
    return imported
