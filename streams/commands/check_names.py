"""Names, such as of queues, that a file has and no configuration: perhaps misspelled, but permitted, as events may have them."""

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

#: The most known names in a note.
_MAX_SHOWN: Final = 10


class Named(NamedTuple):
    """A name, or a pattern with ``*``, its location in a file, and its kind, such as ``queue``."""

    at: tuple[str, ...]
    kind: str
    name: str


def known_names(configurations: Iterable[Configuration]) -> dict[str, list[str]]:
    """Return the names that configurations have, by kind."""
    by_kind: dict[str, dict[str, None]] = {}
    for configuration in configurations:
        for kind, scopes in configured_scopes(configuration.queues, configuration.teams, configuration.sites).items():
            by_kind.setdefault(kind, {}).update(dict.fromkeys(scope.partition(":")[2] for scope in scopes))
    return {kind: sorted(names) for kind, names in by_kind.items()}


def unknown(named: Iterable[Named], known: Mapping[str, list[str]]) -> Iterator[Named]:
    """Yield the names that are not known, and the patterns that match no known name."""
    for entry in named:
        names = known.get(entry.kind, [])
        if entry.name not in names and not ("*" in entry.name and any(_fits(entry.name, name) for name in names)):
            yield entry


def notes(named: Iterable[Named], known: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield a line for each name that no configuration has, with the known ones."""
    for at, kind, name in unknown(named, known):
        names = known.get(kind, [])
        more = f" and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else ""
        verb = "fits no" if "*" in name else "is no"
        shown = ", ".join(names[:_MAX_SHOWN]) or "none"
        yield f"{'.'.join(at)}: {name!r} {verb} {kind} of the configuration{nearest(name, names)}; known: {shown}{more}"


def in_configuration(configuration: Configuration) -> Iterator[Named]:
    """Yield the names in boards and in routes of alerts; all others are checked when the configuration is read."""
    for name, board in configuration.boards.items():
        for index, page in enumerate(board.pages):
            for number, tile in enumerate(page.tiles):
                at = ("boards", name, "pages", f"{index}", "tiles", f"{number}")
                if isinstance(tile, FigureTile):
                    yield from _in_scope((*at, "scope"), tile.scope)
                elif isinstance(tile, OfQueues):
                    yield from (Named((*at, "queues"), "queue", queue) for queue in tile.queues)
                    scopes = (("site", tile.site), ("department", tile.department))
                    yield from (Named((*at, kind), kind, scope) for kind, scope in scopes if scope is not None)
    for number, route in enumerate(configuration.alerting.routes):
        for scope in route.scopes:
            yield from _in_scope(("alerting", "routes", f"{number}", "scopes"), scope)


def in_access(file: AccessFile) -> Iterator[Named]:
    """Yield the names in grants of an access file."""
    for at, grant in file.granted():
        for kind in ("sites", "departments", "queues", "teams"):
            yield from (Named((*at, kind), kind[:-1], name) for name in getattr(grant, kind) or ())


def in_senders(file: SendersFile) -> Iterator[Named]:
    """Yield the patterns of names that senders may use."""
    for sender, may in file.senders.items():
        for kind in ("queues", "sites", "teams"):
            yield from (Named(("senders", sender, kind), kind[:-1], pattern) for pattern in getattr(may, kind) or ())


def in_connectors(file: ConnectorsFile) -> Iterator[Named]:
    """Yield the sites of connectors."""
    for source, entry in file.connectors.items():
        if entry.site is not None:
            yield Named(("connectors", source, "site"), "site", entry.site)


def _in_scope(at: tuple[str, ...], scope: str) -> Iterator[Named]:
    kind, is_scope, name = scope.partition(":")
    if is_scope and kind not in {"agent", "total"} and "*" not in kind:
        yield Named(at, kind, name)


def _fits(pattern: str, name: str) -> bool:
    # Only * is a wildcard.
    return fnmatchcase(name, pattern.replace("[", "[[]").replace("?", "[?]"))
