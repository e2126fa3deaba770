"""Which definition judges which scope and window: versions in force, and since when each is known (``docs/counting.md`` section 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schemas.times import format_ms, parse_time_ms
from streams.catalogue.levels import judged_by
from streams.configuration.definitions import DefinitionVersion
from streams.configuration.judges import definitions_of
from streams.windows.known import known_of
from streams.windows.kpis import service_level_parts
from streams.windows.slices import CELL_MS, cell_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.configuration import Configuration
    from streams.windows.known import Known

__all__ = ["DefinitionBook", "DefinitionChangedError", "Judged", "ScopeDefinitions"]

_LARGER = frozenset({"department", "business", "site", "total"})


class DefinitionChangedError(Exception):
    """A version of a definition says something else than when it was published."""


class Judged(NamedTuple):
    """The version of a name that is in force for a window."""

    definition: DefinitionVersion
    label: str
    """how records name it"""
    says: int
    """the same for all of one label that make the same figures of the same sums"""


class DefinitionBook:
    """The versions that one partition of roll-up has published, and since when each is known to it."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        #: name and version → known since, in ms; None from the beginning
        self._known: dict[tuple[str, int], int | None] = {}
        #: instants from which on a version judges
        self._beginnings: set[int] = set()
        self.told = False

    def restore(self, record: Mapping[str, Any]) -> None:
        """Take back what was published.

        Raises:
            DefinitionChangedError: the version is configured with another content.
        """
        name, version = record["name"], record["version"]
        configured = next((each for each in self.configuration.definitions.get(name, ()) if each.version == version), None)
        if configured is not None:
            said = configured.differs(name, record["content"])
            if said is not None:
                raise DefinitionChangedError(said)
        self._known[name, version] = None if record["known_since"] is None else parse_time_ms(record["known_since"])

    def first_sight(self, as_of: int, *, fresh: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield, once, the record of every version not published before; in a stream that goes on it is known from the next cell on."""
        if self.told:
            return
        self.told = True
        self._beginnings = {since for since in self._known.values() if since is not None}
        for name, versions in self.configuration.definitions.items():
            for each in versions:
                if each.from_ms is not None:
                    self._beginnings.add(each.from_ms)
                if (name, each.version) in self._known:
                    continue
                known = None if fresh else cell_of(as_of + CELL_MS - 1)
                if known is not None:
                    self._beginnings.add(known)
                self._known[name, each.version] = known
                yield (
                    f"{name}@{each.version}",
                    {
                        "kind": "definition",
                        "name": name,
                        "version": each.version,
                        "effective_from": None if each.from_ms is None else format_ms(each.from_ms),
                        "known_since": None if known is None else format_ms(known),
                        "content": each.content(),
                    },
                )

    def crossed(self, before_ms: int, after_ms: int) -> bool:
        """Say whether what judges a window may be another when its begin moves from one instant to a later one."""
        return any(before_ms < since <= after_ms for since in self._beginnings)

    def known_since(self, name: str, version: int) -> int | None:
        """Return since when a version is known, None if from the beginning."""
        return self._known.get((name, version))


class _Versions:
    """The versions of one name."""

    def __init__(self, name: str, versions: tuple[DefinitionVersion, ...], book: DefinitionBook) -> None:
        self.name = name
        self._versions = versions
        self._book = book
        self._judged = tuple(_judged(each, f"{name}@{each.version}") for each in versions)
        self._only = self._judged[0] if len(versions) == 1 else None

    def at(self, start_ms: int) -> Judged:
        """Return what judges a window that begins then."""
        if self._only is not None:
            return self._only
        found, *later = self._judged
        for each in later:
            known = self._book.known_since(self.name, each.definition.version)
            if (each.definition.from_ms or 0) <= start_ms and (known is None or known <= start_ms):
                found = each
        return found

    def knows(self, start_ms: int) -> bool:
        """Say whether slices from then on have its edges."""
        known = self._book.known_since(self.name, self._versions[0].version)
        return known is None or known <= start_ms

    @property
    def is_timeless(self) -> bool:
        """Whether there is one version, known from the beginning: it judges whatever window."""
        return self._only is not None and self._book.told and self._book.known_since(self.name, self._only.definition.version) is None


def _judged(version: DefinitionVersion, label: str) -> Judged:
    return Judged(version, label, _numbers.setdefault((label, *judged_by(version)[1:]), len(_numbers)))


#: label, and what a definition makes of figures → its number
_numbers: Final[dict[tuple[Any, ...], int]] = {}


class ScopeDefinitions:
    """What judges the windows of one scope and channel."""

    def __init__(self, book: DefinitionBook, scope: str, channel: str | None) -> None:
        configuration = book.configuration
        kind, name = scope.split(":", 1)
        chosen = definitions_of(configuration, name if kind == "queue" else None, channel)
        self._first, *self._others = (_Versions(each, versions, book) for each, versions in chosen.versions.items())
        #: what is in force, once it is known that this is so in all windows
        self._timeless: tuple[int, ...] | None = None
        #: what judges the queues of a larger scope
        self._parts = (
            {each: _Versions(each, versions, book) for each, versions in configuration.definitions.items()} if kind in _LARGER else {}
        )

    def in_force(self, start_ms: int) -> tuple[int, ...]:
        """Return what says by which versions windows that begin then are judged: the first, others, those of queues."""
        if self._timeless is not None:
            return self._timeless
        parts = [each.at(start_ms).says for each in self._parts.values()]
        found = (self._first.at(start_ms).says, *(each.says for each in self.others(start_ms)), -1, *parts)
        if all(each.is_timeless for each in (self._first, *self._others, *self._parts.values())):
            self._timeless = found
        return found

    def first(self, start_ms: int) -> Judged:
        """Return what judges a window that begins then."""
        return self._first.at(start_ms)

    def others(self, start_ms: int) -> list[Judged]:
        """Return what is computed beside it."""
        return [each.at(start_ms) for each in self._others if each.knows(start_ms)]

    def judge(self, sums: Mapping[str, int], start_ms: int, known: Known | None = None) -> tuple[tuple[int, int], str]:
        """Return contacts met and counted, each by the definition of its queue, and the names of these definitions.

        ``known``: what the names of the sums say.
        """
        first = self._first.at(start_ms)
        if known is None:
            known = known_of(sums)
        met, counted = service_level_parts(sums, first.definition, known)
        labels: list[str] = []
        for name, (amounts, names) in known.judged.items():
            if name in self._parts:
                judged = self._parts[name].at(start_ms)
                labels.append(judged.label)
                # Each of these was counted by the first definition as well.
                part, key = dict(zip(names, amounts(sums), strict=True)), (known, name)
                theirs, ours = judged_by(judged.definition)[2].parts(part, key), judged_by(first.definition)[2].parts(part, key)
                met, counted = met + theirs[0] - ours[0], counted + theirs[1] - ours[1]
        return (met, counted), ", ".join([first.label, *sorted(labels)]) if labels else first.label

    def part(self, name: str, start_ms: int) -> Judged | None:
        """Return what judges those of a larger scope whose queue goes by another name."""
        versions = self._parts.get(name)
        return None if versions is None else versions.at(start_ms)
