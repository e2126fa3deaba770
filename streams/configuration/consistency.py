"""Contradictions between parts of the configuration file: unknown references, identities of two agents, hours that overlap.

It checks the file's content and not the models, so that it also finds them beside other errors.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from streams.configuration.base import nearest
from streams.configuration.calendar_exceptions import exception_problems
from streams.configuration.costs import cost_problems
from streams.configuration.definition_problems import definition_problems
from streams.configuration.hours import hours_problems
from streams.configuration.joined_sources import joined_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Inconsistency", "inconsistencies", "nearest"]


#: In minutes: with intervals so short any 5 minutes may be a border.
_FINE: Final = 5
_REFERENCES: Final = (("queues", "site", "sites"), ("teams", "site", "sites"), ("people", "site", "sites"), ("people", "team", "teams"))


class Inconsistency(NamedTuple):
    """Its location, the reason, and the location of the other part."""

    at: tuple[int | str, ...]
    reason: str
    other: tuple[int | str, ...] | None = None


def inconsistencies(content: Any) -> Iterator[Inconsistency]:
    """Yield contradictions in the content of a file; parts without a valid form are skipped."""
    root = _keys(content)
    for kind in ("sites", "queues"):
        for name, entry in _keys(root.get(kind)).items():
            for at, reason, other in hours_problems(_keys(entry)):
                yield Inconsistency((kind, name, *at), reason, None if other is None else (kind, name, *other))
    for kind, key, target in _REFERENCES:
        known = _keys(root.get(target))
        for name, entry in _keys(root.get(kind)).items():
            named = _text(_keys(entry).get(key))
            if named is not None and named not in known:
                permitted = ", ".join(known) or f"none, for there are no {target}"
                reason = f"{named!r} is not among {target}{nearest(named, known)}; permitted: {permitted}"
                yield Inconsistency((kind, name, key), reason)
    for at, reason, other in exception_problems(root):
        yield Inconsistency(at, reason, other)
    yield from _day_starts(root)
    for at, reason, other in cost_problems(root):
        yield Inconsistency(at, reason, other)
    yield from _identities(_keys(root.get("people")))
    for where, reason, elsewhere in (*definition_problems(root), *joined_problems(root.get("joined_sources"))):
        yield Inconsistency(where, reason, elsewhere)


def _day_starts(root: Mapping[str, Any]) -> Iterator[Inconsistency]:
    lengths = _keys(root.get("counting")).get("interval_minutes")
    if isinstance(lengths, list | tuple) and _FINE in lengths:
        return
    for name, entry in _keys(root.get("sites")).items():
        begins = _keys(entry).get("day_start")
        if isinstance(begins, str) and re.fullmatch(r"\d\d:\d\d", begins) and int(begins[3:]) % 15:
            permitted = (
                'a local time, HH:MM, on the quarter hour, such as "05:00", or any 5 minutes if 5 is among counting.interval_minutes'
            )
            reason = f'found "{begins}"; permitted: {permitted}'
            yield Inconsistency(("sites", name, "day_start"), reason)


def _identities(people: Mapping[str, Any]) -> Iterator[Inconsistency]:
    claimed: dict[tuple[str, str], tuple[str, tuple[int | str, ...]]] = {}
    for person, entry in people.items():
        for source, ids in _keys(_keys(entry).get("identities")).items():
            for index, id_ in enumerate(ids if isinstance(ids, list | tuple) else ()):
                identity = _text(id_)
                if identity is None:
                    continue
                at = ("people", person, "identities", source, index)
                if identity in people and identity != person:
                    # Translated twice, as in a replay of published events, it would become that person's.
                    yield Inconsistency(at, f"{identity!r} is another person's name; permitted: ids that are not", ("people", identity))
                elif (source, identity) in claimed:
                    owner, other = claimed[source, identity]
                    whose = "here already" if owner == person else f"{owner}'s already"
                    yield Inconsistency(at, f"{identity!r} of {source} is {whose}; permitted: an id once", other)
                else:
                    claimed[source, identity] = person, at


def _keys(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return str(value) if type(value) in {str, int} else None
