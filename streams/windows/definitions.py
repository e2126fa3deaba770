"""Which version of which definition judges a scope and window (``docs/counting.md`` section 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schemas.times import format_ms, parse_time_ms
from streams.catalogue.levels import judged_by
from streams.configuration.definitions import DefinitionVersion
from streams.configuration.judges import definitions_of
from streams.windows.kpis import service_level_parts
from streams.windows.slices import CELL_MS, cell_of
from streams.windows.sum_names import sum_names_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.configuration import Configuration
    from streams.windows.sum_names import SumNames

__all__ = ["DefinitionBook", "DefinitionChangedError", "Judged", "ScopeDefinitions"]

_LARGER = frozenset({"department", "business", "site", "total"})


class DefinitionChangedError(Exception):
    """A version of a definition is configured with another content than was published."""


class Judged(NamedTuple):
    """The version of a definition that is in force for a window."""

    definition: DefinitionVersion
    label: str
    """its name in records"""
    figures_id: int
    """equal for versions of one label that give the same figures"""


class DefinitionBook:
    """The versions that one partition of roll-up has published, and since when each is known."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        #: name and version → known since, in ms; None from the beginning
        self._known_since_ms: dict[tuple[str, int], int | None] = {}
        #: instants at which versions come into force
        self._beginnings: set[int] = set()
        self.is_recorded = False

    def restore(self, record: Mapping[str, Any]) -> None:
        """Restore a published version.

        Raises:
            DefinitionChangedError: the version is configured with another content.
        """
        name, version = record["name"], record["version"]
        versions = self.configuration.definitions.get(name, ())
        configured = next((configured for configured in versions if configured.version == version), None)
        if configured is not None:
            difference = configured.differs(name, record["content"])
            if difference is not None:
                raise DefinitionChangedError(difference)
        self._known_since_ms[name, version] = None if record["known_since"] is None else parse_time_ms(record["known_since"])

    def new_records(self, as_of: int, *, fresh: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield, once, the records of unpublished versions; unless the stream is ``fresh``, they are known from the next cell."""
        if self.is_recorded:
            return
        self.is_recorded = True
        self._beginnings = {since for since in self._known_since_ms.values() if since is not None}
        for name, versions in self.configuration.definitions.items():
            for version in versions:
                if version.from_ms is not None:
                    self._beginnings.add(version.from_ms)
                if (name, version.version) in self._known_since_ms:
                    continue
                known = None if fresh else cell_of(as_of + CELL_MS - 1)
                if known is not None:
                    self._beginnings.add(known)
                self._known_since_ms[name, version.version] = known
                yield (
                    f"{name}@{version.version}",
                    {
                        "kind": "definition",
                        "name": name,
                        "version": version.version,
                        "effective_from": None if version.from_ms is None else format_ms(version.from_ms),
                        "known_since": None if known is None else format_ms(known),
                        "content": version.content(),
                    },
                )

    def crossed(self, before_ms: int, after_ms: int) -> bool:
        """Return whether another version may apply when a window's begin moves from one instant to a later one."""
        return any(before_ms < since <= after_ms for since in self._beginnings)

    def known_since(self, name: str, version: int) -> int | None:
        """Return since when a version is known, in ms; None: from the beginning."""
        return self._known_since_ms.get((name, version))


class _Versions:
    """The versions of one name."""

    def __init__(self, name: str, versions: tuple[DefinitionVersion, ...], book: DefinitionBook) -> None:
        self.name = name
        self._versions = versions
        self._book = book
        self._judged = tuple(_judged(version, f"{name}@{version.version}") for version in versions)
        self._only = self._judged[0] if len(versions) == 1 else None

    def at(self, start_ms: int) -> Judged:
        """Return the version in force for a window that begins at an instant."""
        if self._only is not None:
            return self._only
        in_force, *later = self._judged
        for version in later:
            known = self._book.known_since(self.name, version.definition.version)
            if (version.definition.from_ms or 0) <= start_ms and (known is None or known <= start_ms):
                in_force = version
        return in_force

    def knows(self, start_ms: int) -> bool:
        """Return whether slices from an instant on are counted by its thresholds."""
        known = self._book.known_since(self.name, self._versions[0].version)
        return known is None or known <= start_ms

    @property
    def is_timeless(self) -> bool:
        """Whether one version, known from the beginning, judges all windows."""
        return (
            self._only is not None and self._book.is_recorded and self._book.known_since(self.name, self._only.definition.version) is None
        )


def _judged(version: DefinitionVersion, label: str) -> Judged:
    return Judged(version, label, _numbers.setdefault((label, *judged_by(version)[1:]), len(_numbers)))


#: label and content of a definition → its number
_numbers: Final[dict[tuple[Any, ...], int]] = {}


class ScopeDefinitions:
    """The definitions of one scope and channel."""

    def __init__(self, book: DefinitionBook, scope: str, channel: str | None) -> None:
        configuration = book.configuration
        kind, name = scope.split(":", 1)
        chosen = definitions_of(configuration, name if kind == "queue" else None, channel)
        self._first, *self._others = (_Versions(definition, versions, book) for definition, versions in chosen.versions.items())
        #: ``in_force`` of all windows, if it does not depend on their begin
        self._timeless: tuple[int, ...] | None = None
        #: definitions of the queues of a larger scope
        self._parts = (
            {definition: _Versions(definition, versions, book) for definition, versions in configuration.definitions.items()}
            if kind in _LARGER
            else {}
        )

    def in_force(self, start_ms: int) -> tuple[int, ...]:
        """Return a key of the versions that judge windows that begin at an instant: first, others, those of queues."""
        if self._timeless is not None:
            return self._timeless
        parts = [versions.at(start_ms).figures_id for versions in self._parts.values()]
        key = (self._first.at(start_ms).figures_id, *(judged.figures_id for judged in self.others(start_ms)), -1, *parts)
        if all(versions.is_timeless for versions in (self._first, *self._others, *self._parts.values())):
            self._timeless = key
        return key

    def first(self, start_ms: int) -> Judged:
        """Return the first definition of a window that begins at an instant."""
        return self._first.at(start_ms)

    def others(self, start_ms: int) -> list[Judged]:
        """Return the further definitions of a window."""
        return [versions.at(start_ms) for versions in self._others if versions.knows(start_ms)]

    def judge(self, sums: Mapping[str, int], start_ms: int, sum_names: SumNames | None = None) -> tuple[tuple[int, int], str]:
        """Return contacts met and counted, each by the definition of its queue, and the labels of these definitions.

        ``sum_names``: parsed names of the sums, if the caller has them.
        """
        first = self._first.at(start_ms)
        if sum_names is None:
            sum_names = sum_names_of(sums)
        met, counted = service_level_parts(sums, first.definition, sum_names)
        labels: list[str] = []
        for name, (amounts, names) in sum_names.judged.items():
            if name in self._parts:
                judged = self._parts[name].at(start_ms)
                labels.append(judged.label)
                # The first definition has counted each of these too.
                part, key = dict(zip(names, amounts(sums), strict=True)), (sum_names, name)
                theirs, ours = judged_by(judged.definition)[2].parts(part, key), judged_by(first.definition)[2].parts(part, key)
                met, counted = met + theirs[0] - ours[0], counted + theirs[1] - ours[1]
        return (met, counted), ", ".join([first.label, *sorted(labels)]) if labels else first.label

    def part(self, name: str, start_ms: int) -> Judged | None:
        """Return the version of a queue's definition in a larger scope; None if no such definition is configured."""
        versions = self._parts.get(name)
        return None if versions is None else versions.at(start_ms)
