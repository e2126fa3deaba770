"""Names of queues and other places that stand in a file and in no configuration: perhaps misspelled, and permitted: events bring some."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.configuration.alerts import configured_scopes
from streams.configuration.base import nearest
from streams.configuration.boards import FigureTile, OfQueues

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from streams.configuration import Configuration
    from streams.configuration.access import AccessFile
    from streams.configuration.connectors import ConnectorsFile
    from streams.configuration.senders import SendersFile

__all__ = ["Named", "in_access", "in_configuration", "in_connectors", "in_senders", "known_names", "notes", "unknown"]

#: So many known names are told.
_TOLD: Final = 10


class Named(NamedTuple):
    """A name, or a pattern with ``*``, where it stands in a file, and what it is to be the name of, such as a ``queue``."""

    at: tuple[str, ...]
    kind: str
    name: str


def known_names(configurations: Iterable[Configuration]) -> dict[str, list[str]]:
    """Return the names that configurations have, by kind."""
    found: dict[str, dict[str, None]] = {}
    for each in configurations:
        for kind, scopes in configured_scopes(each.queues, each.teams, each.sites).items():
            found.setdefault(kind, {}).update(dict.fromkeys(scope.partition(":")[2] for scope in scopes))
    return {kind: sorted(names) for kind, names in found.items()}


def unknown(named: Iterable[Named], known: Mapping[str, list[str]]) -> Iterator[Named]:
    """Yield the names that are not known, and the patterns that fit none that is."""
    for each in named:
        names = known.get(each.kind, [])
        if each.name not in names and not ("*" in each.name and any(_fits(each.name, name) for name in names)):
            yield each


def notes(named: Iterable[Named], known: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield a line for each name that no configuration has, with those that it has."""
    for at, kind, name in unknown(named, known):
        names = known.get(kind, [])
        more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
        said = "fits no" if "*" in name else "is no"
        told = ", ".join(names[:_TOLD]) or "none"
        yield f"{'.'.join(at)}: {name!r} {said} {kind} of the configuration{nearest(name, names)}; known: {told}{more}"


def in_configuration(configuration: Configuration) -> Iterator[Named]:
    """Yield the names in boards and in routes of alerts; those of all else are checked where the configuration is read."""
    for name, board in configuration.boards.items():
        for page, told in enumerate(board.pages):
            for number, tile in enumerate(told.tiles):
                at = ("boards", name, "pages", f"{page}", "tiles", f"{number}")
                if isinstance(tile, FigureTile):
                    yield from _in_scope((*at, "scope"), tile.scope)
                elif isinstance(tile, OfQueues):
                    yield from (Named((*at, "queues"), "queue", each) for each in tile.queues)
                    places = (("site", tile.site), ("department", tile.department))
                    yield from (Named((*at, kind), kind, each) for kind, each in places if each is not None)
    for number, route in enumerate(configuration.alerting.routes):
        for scope in route.scopes:
            yield from _in_scope(("alerting", "routes", f"{number}", "scopes"), scope)


def in_access(file: AccessFile) -> Iterator[Named]:
    """Yield the names in grants of an access file."""
    for at, grant in file.granted():
        for kind in ("sites", "departments", "queues", "teams"):
            yield from (Named((*at, kind), kind[:-1], name) for name in getattr(grant, kind) or ())


def in_senders(file: SendersFile) -> Iterator[Named]:
    """Yield the patterns of what senders may name."""
    for sender, may in file.senders.items():
        for kind in ("queues", "sites", "teams"):
            yield from (Named(("senders", sender, kind), kind[:-1], pattern) for pattern in getattr(may, kind) or ())


def in_connectors(file: ConnectorsFile) -> Iterator[Named]:
    """Yield the sites of connectors."""
    for source, each in file.connectors.items():
        if each.site is not None:
            yield Named(("connectors", source, "site"), "site", each.site)


def _in_scope(at: tuple[str, ...], scope: str) -> Iterator[Named]:
    kind, is_scope, name = scope.partition(":")
    if is_scope and kind not in {"agent", "total"} and "*" not in kind:
        yield Named(at, kind, name)


def _fits(pattern: str, name: str) -> bool:
    # Only * stands for anything.
    return fnmatchcase(name, pattern.replace("[", "[[]").replace("?", "[?]"))
