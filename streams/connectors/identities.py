"""Replace the agents' ids of platforms by their names, before events are keyed and published: one agent may use several platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson

from schemas.other import SourceSnapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.base import Event
    from streams.configuration import Configuration
    from streams.connectors.lines import Rejected
    from streams.connectors.publishing import Publisher

__all__ = ["IdentifyingPublisher", "Identities"]

E = TypeVar("E", bound="Event")

#: Fields of events that hold an agent.
_PEOPLE: Final = ("person_id", "agent", "to_agent")


class Identities:
    """The configured ids of agents; an id that is not configured stays as it is."""

    def __init__(self, configuration: Configuration) -> None:
        self._people: dict[str, dict[str, str]] = {}
        for person, entry in configuration.people.items():
            for source, ids in entry.identities.items():
                self._people.setdefault(source, {}).update(dict.fromkeys(ids, person))

    def __bool__(self) -> bool:
        """Return whether any id is configured."""
        return bool(self._people)

    def of_event(self, event: E) -> E:
        """Return an event with agents in place of their ids at its source."""
        people = self._people.get(event.source)
        if people is None:
            return event
        changed: dict[str, Any] = {
            field: people[identity] for field in _PEOPLE if (identity := getattr(event, field, None)) is not None and identity in people
        }
        if isinstance(event, SourceSnapshot) and event.kind == "agents":
            changed["open_ids"] = tuple(people.get(identity, identity) for identity in event.open_ids)
        return event.model_copy(update=changed) if changed else event

    def of_record(self, value: bytes) -> bytes:
        """Return the JSON of an event with agents in place of their ids at its source."""
        event = orjson.loads(value)
        people = self._people.get(event.get("source"))
        if people is None:
            return value
        event |= {field: people[event[field]] for field in _PEOPLE if event.get(field) in people}
        if event.get("kind") == "agents" and isinstance(event.get("open_ids"), list):
            event["open_ids"] = [people.get(identity, identity) for identity in event["open_ids"]]
        return orjson.dumps(event)


class IdentifyingPublisher:
    """A publisher that replaces ids by agents first: keys and records have the same names, whichever connector sends them."""

    def __init__(self, publisher: Publisher, identities: Identities) -> None:
        self._publisher = publisher
        self._identities = identities

    async def publish(self, events: Sequence[Event], rejected: Sequence[Rejected] = (), *, source: str) -> None:
        """See Publisher."""
        await self._publisher.publish([self._identities.of_event(event) for event in events], rejected, source=source)

    async def ready(self) -> bool:
        """See Publisher."""
        return await self._publisher.ready()

    async def stop(self) -> None:
        """See Publisher."""
        await self._publisher.stop()
