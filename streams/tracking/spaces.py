"""Id spaces: of a source, or of sources that the configuration joins (``docs/counting.md`` section 3).

Trackers identify conversations and agents by *names*: the id, ``MARK`` and the space of the id.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from streams.configuration.joined_sources import joined_as

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.configuration import Configuration

__all__ = ["MARK", "Persons", "Spaces", "StoredNames", "id_of", "space_of"]

#: Between an id and its space: no id and no source may contain a control character.
MARK: Final = "\x1f"
#: Sources cached at once: far more than send at a time.
_REMEMBERED: Final = 4_096


def id_of(name: str) -> str:
    """Return the id in a name."""
    return name.partition(MARK)[0]


def space_of(name: str) -> str:
    """Return the space in a name, empty where there is none."""
    return name.partition(MARK)[2]


class Spaces(dict[str, str]):
    """Source → suffix of its ids in names: ``MARK`` and the space."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        self._joined = configuration.joined_sources

    def __missing__(self, source: str) -> str:
        """Add the suffix of a source."""
        if len(self) >= _REMEMBERED:
            self.clear()
        suffix = self[source] = MARK + joined_as(source, self._joined)
        return suffix


class Persons:
    """People of the configuration: with ``identities``, only at the named sources and those joined with them."""

    def __init__(self, configuration: Configuration) -> None:
        spaces = Spaces(configuration)
        #: person → suffixes of its id at its sources
        self.own = {
            name: frozenset(spaces[source] for source in person.identities)
            for name, person in configuration.people.items()
            if person.identities
        }

    def name(self, person_id: str, suffix: str) -> str:
        """Return the name of a person: one in an empty space for all sources of its identities."""
        own = self.own.get(person_id)
        return person_id + (suffix if own is None or suffix not in own else MARK)

    def name_of_row(self, row: str, suffix: str | None) -> str | None:
        """Return the name of a person stored in a row; None if its space is unknown."""
        person_id = id_of(row)
        if suffix is not None:
            return self.name(person_id, suffix)
        return row + MARK if row in self.own else None

    def is_configured(self, person_id: str, space: str) -> bool:
        """Return whether an agent in a space is the configured person; the empty space belongs to no source."""
        own = self.own.get(person_id)
        return own is None or not space or MARK + space in own


class StoredNames:
    """Rows stored under other names, by an older version or another configuration.

    An older row is named by the id alone. It belongs to the space of the source in it; without one, to that of the first source that
    reports the id.
    """

    def __init__(self) -> None:
        self._rows: defaultdict[str, list[str]] = defaultdict(list)
        #: ids of subjects without a space
        self.unclaimed_ids: set[str] = set()

    def take(self, row: str, name: str | None) -> str:
        """Record the row of a subject; return its name, which is that of the row until a source reports it."""
        if name is None:
            if MARK not in row:
                self.unclaimed_ids.add(row)
            return row
        if row != name:
            self._rows[name].append(row)
        return name

    def unclaimed(self, subject_id: str) -> bool:
        """Return, once, whether there is a subject of this id without a space."""
        if not self.unclaimed_ids or subject_id not in self.unclaimed_ids:
            return False
        self.unclaimed_ids.discard(subject_id)
        return True

    @property
    def any_replaced(self) -> bool:
        """Whether a subject has other rows."""
        return bool(self._rows)

    def replaced(self, name: str) -> Sequence[str]:
        """Return and forget the other rows of a subject, to be deleted once it has a row under its name."""
        return self._rows.pop(name, ()) if self._rows else ()
