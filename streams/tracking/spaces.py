"""Whose an id is: of its source, or of the sources that the configuration joins (``docs/counting.md`` section 3).

The tracker knows conversations and people by *names*: the id, ``MARK`` and the space that the id is of.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from streams.configuration.joined_sources import joined_as

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.configuration import Configuration

__all__ = ["MARK", "KeptNames", "Persons", "Spaces", "id_of", "space_of"]

#: Between an id and its space: no id and no source may contain a control character.
MARK: Final = "\x1f"
#: So many sources are remembered at once: far more than send at a time.
_REMEMBERED: Final = 4_096


def id_of(name: str) -> str:
    """Return the id in a name."""
    return name.partition(MARK)[0]


def space_of(name: str) -> str:
    """Return the space in a name, empty where there is none."""
    return name.partition(MARK)[2]


class Spaces(dict[str, str]):
    """Source → what follows its ids in names: ``MARK`` and the space."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        self._joined = configuration.joined_sources

    def __missing__(self, source: str) -> str:
        """Find out once what follows the ids of a source."""
        if len(self) >= _REMEMBERED:
            self.clear()
        found = self[source] = MARK + joined_as(source, self._joined)
        return found


class Persons:
    """Who is the person of the configuration: with ``identities``, only at the sources that these name and those joined with them."""

    def __init__(self, configuration: Configuration) -> None:
        spaces = Spaces(configuration)
        #: person → what follows its id at its sources
        self.own = {
            name: frozenset(spaces[source] for source in person.identities)
            for name, person in configuration.people.items()
            if person.identities
        }

    def name(self, person_id: str, suffix: str) -> str:
        """Return the name of a person: one for all sources that its identities name, which is in a space of no source."""
        own = self.own.get(person_id)
        return person_id + (suffix if own is None or suffix not in own else MARK)

    def name_of_row(self, row: str, suffix: str | None) -> str | None:
        """Return the name of a person kept in a row; None where nothing says whose the id is."""
        person_id = id_of(row)
        if suffix is not None:
            return self.name(person_id, suffix)
        return row + MARK if row in self.own else None

    def is_configured(self, person_id: str, space: str) -> bool:
        """Say whether an agent in a space is the person of this name in the configuration; the empty space is that of no source."""
        own = self.own.get(person_id)
        return own is None or not space or MARK + space in own


class KeptNames:
    """What rows are called that were written by a version, or with a configuration, that gave their subjects other names.

    A row of before has the id alone for its name. It belongs to the space of the source that it tells of; where it tells of none, to that
    of the first source that tells of the id.
    """

    def __init__(self) -> None:
        self._rows: defaultdict[str, list[str]] = defaultdict(list)
        #: ids of subjects that belong to no space yet
        self.unclaimed_ids: set[str] = set()

    def take(self, row: str, name: str | None) -> str:
        """Remember under which row a subject is kept; return its name, which is that of the row until a source tells of it."""
        if name is None:
            if MARK not in row:
                self.unclaimed_ids.add(row)
            return row
        if row != name:
            self._rows[name].append(row)
        return name

    def unclaimed(self, subject_id: str) -> bool:
        """Say, once, whether there is a subject of this id that belongs to no space yet."""
        if not self.unclaimed_ids or subject_id not in self.unclaimed_ids:
            return False
        self.unclaimed_ids.discard(subject_id)
        return True

    @property
    def any_replaced(self) -> bool:
        """Whether any subject has other rows."""
        return bool(self._rows)

    def replaced(self, name: str) -> Sequence[str]:
        """Return the other rows of a subject, which are to be deleted now that it has a row of its name, or none."""
        return self._rows.pop(name, ()) if self._rows else ()
